// What the built-in functions of one rendering share.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace hussar::jinja {

struct Runtime {
  Budget budget;
  std::time_t now;
  std::vector<std::unique_ptr<Namespace>> namespaces;
  bool raised = false;  // the error is raise_exception's
  int32_t nesting = 0;  // evaluations on the stack
};

// Counts one evaluation on the machine's stack for as long as it lives.
class NestingGuard {
 public:
  explicit NestingGuard(Runtime* runtime) : runtime_(runtime) { ++runtime_->nesting; }
  ~NestingGuard() { --runtime_->nesting; }
  NestingGuard(const NestingGuard&) = delete;
  NestingGuard& operator=(const NestingGuard&) = delete;

  bool too_deep() const { return runtime_->nesting > kNestingPerDepth * runtime_->budget.depth_max(); }

 private:
  // A macro that calls itself from inside loops and conditions takes about this many evaluations for each of
  // its levels.
  static constexpr int32_t kNestingPerDepth = 16;
  Runtime* runtime_;
};

// The arguments of a call, evaluated.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The origin of a result that depends on all of them.
  Origin origin() const;
};

// Python's rule for binding arguments to parameters; null where a parameter got none. Errors: too many,
// unknown, given twice, one of the first `required` missing.
Result<std::vector<const Value*>> bind(std::string_view function, const Arguments& arguments,
                                       std::initializer_list<std::string_view> parameters, size_t required);

// An integer (or boolean) argument. Error: another type.
Result<int64_t> integer_argument(std::string_view function, const Value& value);
// A text argument. Error: another type.
Result<const Text*> text_argument(std::string_view function, const Value& value);

}  // namespace hussar::jinja
