// What the interpreter sets up for a while and takes back.
#pragma once

#include "text/jinja/interpreter.h"

namespace hussar::jinja {

// A scope inside of the current one (or of `parent`) for as long as it lives. One that a macro has captured
// is kept until the end.
class Interpreter::ScopeGuard {
 public:
  explicit ScopeGuard(Interpreter* interpreter) : ScopeGuard(interpreter, interpreter->scope_) {}
  ScopeGuard(Interpreter* interpreter, Scope* parent)
      : interpreter_(interpreter), outside_(interpreter->scope_), scope_(std::make_unique<Scope>()) {
    scope_->parent = parent;
    interpreter_->scope_ = scope_.get();
  }
  ~ScopeGuard() {
    interpreter_->scope_ = outside_;
    if (scope_->captured) interpreter_->captured_scopes_.push_back(std::move(scope_));
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Interpreter* interpreter_;
  Scope* outside_;
  std::unique_ptr<Scope> scope_;
};

// Sends what is printed to another builder for as long as it lives.
class Interpreter::OutputGuard {
 public:
  OutputGuard(Interpreter* interpreter, TextBuilder* out)
      : interpreter_(interpreter), outside_(std::exchange(interpreter->out_, out)) {}
  ~OutputGuard() { interpreter_->out_ = outside_; }
  OutputGuard(const OutputGuard&) = delete;
  OutputGuard& operator=(const OutputGuard&) = delete;

 private:
  Interpreter* interpreter_;
  TextBuilder* outside_;
};

// Cuts a loop's state off from the loop that ends.
class LoopEnd {
 public:
  explicit LoopEnd(LoopState* loop) : loop_(loop) {}
  ~LoopEnd() { loop_->fill = nullptr; }
  LoopEnd(const LoopEnd&) = delete;
  LoopEnd& operator=(const LoopEnd&) = delete;

 private:
  LoopState* loop_;
};

}  // namespace hussar::jinja
