// Runs a parsed template, with jinja2's rules as HF transformers sets it up. Known differences, none met in a
// real template:
//  - integers have 64 bits; what python computes beyond them is refused;
//  - `safe` and `escape` give plain strings: adding to them escapes nothing;
//  - a constant is not folded at compile time, where jinja2 turns some errors of constants (a slice of a
//  number) into undefined;
//  - a name that is assigned later in an outer block still has the rendering's value before, where jinja2 has
//  it undefined;
//  - what python prints with an address (functions, generators, loops) can't be printed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/loop_state.h"

namespace hussar::jinja {

// Variables of a block. A look-up goes outwards, an assignment stays here.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<NameId, Value>> variables;
  bool captured = false;  // a macro was defined inside: the scope must stay as long as the rendering
};

// One rendering. Used once, by one thread.
class Interpreter {
 public:
  Interpreter(const Template& tree, const TemplateLimits& limits, std::time_t now);
  ~Interpreter();

  Runtime& runtime() { return runtime_; }
  // A variable of the rendering, outside of all scopes.
  void define(NameId name, Value value) { globals_[static_cast<size_t>(name)] = std::move(value); }

  Result<TextRef> run();
  int line() const { return line_; }  // where it stopped

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class ScopeGuard;
  class OutputGuard;

  // Statements: interpreter.cc
  Result<Flow> execute(const Block& block);
  Result<Flow> execute(const Statement& statement);
  Result<Flow> execute(const DataStatement& statement);
  Result<Flow> execute(const PrintStatement& statement);
  Result<Flow> execute(const IfStatement& statement);
  Result<Flow> execute(const ForStatement& statement);
  Result<Flow> execute(const SetStatement& statement);
  Result<Flow> execute(const SetBlockStatement& statement);
  Result<Flow> execute(const MacroStatement& statement);
  Result<Flow> execute(const CallStatement& statement);
  Result<Flow> execute(const FilterStatement& statement);
  Result<Flow> execute(const WithStatement& statement);
  Result<Flow> execute(const BreakStatement& statement);
  Result<Flow> execute(const ContinueStatement& statement);

  Result<TextRef> capture(const Block& block, size_t bytes_max = SIZE_MAX);
  Result<void> assign(const Target& target, const Value& value);
  void set_variable(NameId name, Value value);
  Result<LoopRef> start_loop(const ForStatement& statement);
  Result<void> fill_loop(const ForStatement& statement, Scope* outside, LoopState& loop, size_t count);
  Result<bool> advance_loop(LoopState& loop);
  const Macro* define_macro(const MacroStatement& statement);

  // Expressions: evaluate.cc
  Result<Value> evaluate(const Expr& expr);
  Result<Value> evaluate(const ConstantExpr& expr);
  Result<Value> evaluate(const NameExpr& expr);
  Result<Value> evaluate(const SequenceExpr& expr);
  Result<Value> evaluate(const DictExpr& expr);
  Result<Value> evaluate(const NotExpr& expr);
  Result<Value> evaluate(const SignExpr& expr);
  Result<Value> evaluate(const JunctionExpr& expr);
  Result<Value> evaluate(const CompareExpr& expr);
  Result<Value> evaluate(const ArithmeticExpr& expr);
  Result<Value> evaluate(const ConcatExpr& expr);
  Result<Value> evaluate(const ConditionalExpr& expr);
  Result<Value> evaluate(const PostfixExpr& expr);

  // `caller`: what a call block adds to the last call; may be null.
  Result<Value> evaluate_chain(const PostfixExpr& expr, const Macro* caller);
  Result<Value> apply(const AttributeSuffix& suffix, const Value& value);
  Result<Value> apply(const IndexSuffix& suffix, const Value& value);
  Result<Value> apply(const SliceSuffix& suffix, const Value& value);
  Result<Value> apply(const CallSuffix& suffix, const Value& value);
  Result<Value> apply(const FilterSuffix& suffix, const Value& value);
  Result<Value> apply(const TestSuffix& suffix, const Value& value);
  Result<Value> apply_filters(const std::vector<Suffix>& filters, Value value);
  Result<Arguments> evaluate_arguments(const CallArguments& arguments);
  Result<void> add_rest_named(const Value& rest, Arguments* arguments);

  Result<Value> call(const Value& callee, Arguments arguments);
  Result<Value> call_macro(const Macro& macro, Arguments arguments);
  Result<void> bind_parameters(const MacroStatement& macro, Arguments* arguments);
  Result<void> bind_rest(const MacroStatement& macro, const Arguments& arguments);
  Value undefined(NameId name) const { return Value(Undefined{&tree_.names[static_cast<size_t>(name)]}); }

  const Template& tree_;
  Runtime runtime_;  // before everything that holds values: the budget must outlive them
  std::vector<std::optional<Value>> globals_;
  std::vector<std::unique_ptr<Macro>> macros_;
  std::vector<std::unique_ptr<Scope>> captured_scopes_;
  Scope* scope_ = nullptr;
  TextBuilder* out_ = nullptr;
  int line_ = 1;
  int32_t calls_ = 0;  // macros on the stack
  Charge macro_charge_;
  size_t output_bytes_max_;
};

}  // namespace hussar::jinja
