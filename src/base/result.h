// Result<T>: a value, or an Error that is the caller's or the environment's fault. Functions that can fail
// return one; nothing of ours throws across a function of a header.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace hussar {

// What kind of failure it is, so that a caller can choose an HTTP status or an exit code without reading the
// message.
enum class ErrorCode {
  kInvalid,      // malformed input, a bad parameter
  kNotFound,     // a missing file, model or path
  kUnsupported,  // well formed, but not something this build can do
  kTooLarge,     // over a named limit, or can never fit
  kFull,         // a queue or pool has no room now; worth trying again
  kOutOfMemory,
  kIo,  // the operating system refused
  kCancelled,
  kDeviceFault,
  kDeadline,  // can't be done by the time that was asked for
};

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;  // one line, no full stop at the end, says what to do where there is something to do
  std::string field;    // the request field, flag or file section at fault; may be empty
  int64_t wait_ms =
      0;  // with kFull: when to try again; with a deadline: how long it takes at least; 0: unknown
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & { return checked(), *std::get_if<0>(&state_); }
  const T& value() const& { return checked(), *std::get_if<0>(&state_); }
  T&& value() && { return checked(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  const Error& error() const& { return CHECK(!ok()), *std::get_if<1>(&state_); }
  Error&& error() && { return CHECK(!ok()), std::move(*std::get_if<1>(&state_)); }

 private:
  void checked() const { CHECK_NOTE(ok(), "value() of a failed Result"); }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return CHECK(failed_), error_; }
  Error&& error() && { return CHECK(failed_), std::move(error_); }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace hussar

// Evaluates `expression`; hands its error on, or stores its value in `target` (a declaration or an lvalue).
#define HUSSAR_CONCAT_INNER(a, b) a##b
#define HUSSAR_CONCAT(a, b) HUSSAR_CONCAT_INNER(a, b)
#define ASSIGN_OR_RETURN(target, expression)                    \
  auto HUSSAR_CONCAT(result_, __LINE__) = (expression);         \
  if (!HUSSAR_CONCAT(result_, __LINE__).ok()) {                 \
    return std::move(HUSSAR_CONCAT(result_, __LINE__)).error(); \
  }                                                             \
  target = std::move(HUSSAR_CONCAT(result_, __LINE__)).value()
#define RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                  \
    auto return_if_error_result = (expression);                                         \
    if (!return_if_error_result.ok()) return std::move(return_if_error_result).error(); \
  } while (false)
