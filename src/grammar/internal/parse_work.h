// How much the grammar library's parser may look at. It can't be interrupted, and some grammars make it look
// at millions of states for one token; so the copy of it that is compiled (cmake/xgrammar.cmake) counts what
// it looks at, and stops where a scope of its thread's says so. Counted, not timed: where an answer ends must
// not depend on how fast the machine is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

namespace hussar {

// A limit for all that the parser does on this thread until the scope ends. A parser that was stopped is in
// no state to go on: all that can be done with it is to destroy it.
class ParseWork {
 public:
  struct Exceeded : std::exception {
    const char* what() const noexcept override { return "the grammar can read the answer in too many ways"; }
  };

  explicit ParseWork(int64_t states_max) : before_(std::exchange(left, states_max)) {}
  ~ParseWork() { left = before_; }
  ParseWork(const ParseWork&) = delete;
  ParseWork& operator=(const ParseWork&) = delete;

  // Throws Exceeded.
  static void spend(size_t states) {
    left -= static_cast<int64_t>(states);
    if (left < 0) throw Exceeded();
  }

 private:
  static constexpr int64_t kUnlimited = INT64_MAX / 2;
  inline static thread_local int64_t left = kUnlimited;
  const int64_t before_;
};

}  // namespace hussar
