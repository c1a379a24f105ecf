#include "text/jinja/interpreter.h"

#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/interpreter_guards.h"

namespace hussar::jinja {

Interpreter::Interpreter(const Template& tree, const TemplateLimits& limits, std::time_t now)
    : tree_(tree),
      runtime_{Budget(limits), now, {}, false, 0},
      globals_(tree.names.size()),
      macro_charge_(&runtime_.budget),
      output_bytes_max_(limits.output_bytes_max) {}

// Namespaces may hold each other; they are emptied before any of them goes, so that no value looks at one
// that is gone.
Interpreter::~Interpreter() {
  for (auto& space : runtime_.namespaces) space->members.clear();
}

Result<TextRef> Interpreter::run() {
  const ScopeGuard scope(this);
  return capture(tree_.body, output_bytes_max_);
}

Result<TextRef> Interpreter::capture(const Block& block, size_t bytes_max) {
  TextBuilder builder(&runtime_.budget, bytes_max);
  const OutputGuard output(this, &builder);
  RETURN_IF_ERROR(execute(block));
  return builder.finish();
}

Result<Interpreter::Flow> Interpreter::execute(const Block& block) {
  for (const Statement& statement : block) {
    ASSIGN_OR_RETURN(const Flow flow, execute(statement));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const Statement& statement) {
  line_ = statement.line;
  const NestingGuard nesting(&runtime_);
  if (nesting.too_deep()) return runtime_.budget.too_deep();
  if (!runtime_.budget.step()) return runtime_.budget.exceeded();
  return std::visit([this](const auto& kind) { return execute(kind); }, statement.kind);
}

Result<Interpreter::Flow> Interpreter::execute(const DataStatement& statement) {
  out_->append(*statement.text);
  if (out_->failed()) return out_->error();
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const PrintStatement& statement) {
  ASSIGN_OR_RETURN(const Value value, evaluate(*statement.value));
  RETURN_IF_ERROR(append_str(value, out_));
  if (out_->failed()) return out_->error();
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const IfStatement& statement) {
  for (const auto& [condition, body] : statement.branches) {
    ASSIGN_OR_RETURN(const Value value, evaluate(*condition));
    if (value.truthy()) return execute(body);
  }
  return execute(statement.otherwise);
}

Result<LoopRef> Interpreter::start_loop(const ForStatement& statement) {
  ASSIGN_OR_RETURN(const Value items, evaluate(*statement.items));
  auto loop = std::make_shared<LoopState>();
  ASSIGN_OR_RETURN(loop->source, iterate(&runtime_.budget, items));
  if (loop->source->depth >= runtime_.budget.depth_max()) return runtime_.budget.too_deep();
  loop->charge = Charge(&runtime_.budget);
  if (!loop->charge.grow(sizeof(LoopState) + loop->source->items.size() * sizeof(Value))) {
    return runtime_.budget.exceeded();
  }
  loop->fill = [this, &statement, outside = scope_](LoopState& state, size_t count) {
    return fill_loop(statement, outside, state, count);
  };
  return loop;
}

// The filter sees the loop's variables and what is around the loop, not the body's variables.
Result<void> Interpreter::fill_loop(const ForStatement& statement, Scope* outside, LoopState& loop,
                                    size_t count) {
  while (loop.ahead.size() < count && loop.next_source < loop.source->items.size()) {
    const Value item = loop.source->items[loop.next_source++];
    if (!runtime_.budget.step()) return runtime_.budget.exceeded();
    if (statement.filter != nullptr) {
      const ScopeGuard scope(this, outside);
      RETURN_IF_ERROR(assign(statement.target, item));
      ASSIGN_OR_RETURN(const Value passes, evaluate(*statement.filter));
      if (!passes.truthy()) continue;
    }
    loop.ahead.push_back(item);
  }
  return {};
}

Result<bool> Interpreter::advance_loop(LoopState& loop) {
  RETURN_IF_ERROR(loop.fill(loop, 1));
  if (loop.ahead.empty()) return false;
  if (++loop.index0 > 0) loop.previous = std::move(loop.current);
  loop.current = std::move(loop.ahead.front());
  loop.ahead.pop_front();
  return true;
}

Result<Interpreter::Flow> Interpreter::execute(const ForStatement& statement) {
  ASSIGN_OR_RETURN(const LoopRef loop, start_loop(statement));
  // What asks the loop after its end finds no more items; the filter and its scope are gone by then.
  const LoopEnd end(loop.get());
  bool any = false;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, advance_loop(*loop));
    if (!more) break;
    const ScopeGuard scope(this);
    RETURN_IF_ERROR(assign(statement.target, loop->current));
    set_variable(tree_.loop, Value(Value::Payload(loop)));
    ASSIGN_OR_RETURN(const Flow flow, execute(statement.body));
    any = any || flow == Flow::kNext;
    if (flow == Flow::kBreak) break;
  }
  // As in jinja2, only an iteration that reaches the end of the body keeps the else block away.
  if (any) return Flow::kNext;
  const ScopeGuard scope(this);
  return execute(statement.otherwise);
}

Result<Interpreter::Flow> Interpreter::execute(const SetStatement& statement) {
  ASSIGN_OR_RETURN(const Value value, evaluate(*statement.value));
  RETURN_IF_ERROR(assign(statement.target, value));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const SetBlockStatement& statement) {
  Value value;
  {
    const ScopeGuard scope(this);
    ASSIGN_OR_RETURN(TextRef text, capture(statement.body));
    ASSIGN_OR_RETURN(value, apply_filters(statement.filters, Value(std::move(text))));
  }
  RETURN_IF_ERROR(assign(statement.target, value));
  return Flow::kNext;
}

const Macro* Interpreter::define_macro(const MacroStatement& statement) {
  for (Scope* scope = scope_; scope != nullptr && !scope->captured; scope = scope->parent)
    scope->captured = true;
  macros_.push_back(std::make_unique<Macro>(Macro{&statement, scope_}));
  return macros_.back().get();
}

Result<Interpreter::Flow> Interpreter::execute(const MacroStatement& statement) {
  if (!macro_charge_.grow(sizeof(Macro) + sizeof(Scope))) return runtime_.budget.exceeded();
  set_variable(statement.name, Value(define_macro(statement)));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const CallStatement& statement) {
  if (!macro_charge_.grow(sizeof(Macro) + sizeof(Scope))) return runtime_.budget.exceeded();
  const Macro* caller = define_macro(statement.caller);
  ASSIGN_OR_RETURN(const Value value, evaluate_chain(std::get<PostfixExpr>(statement.callee->kind), caller));
  RETURN_IF_ERROR(append_str(value, out_));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const FilterStatement& statement) {
  const ScopeGuard scope(this);
  ASSIGN_OR_RETURN(TextRef text, capture(statement.body));
  ASSIGN_OR_RETURN(const Value value, apply_filters(statement.filters, Value(std::move(text))));
  RETURN_IF_ERROR(append_str(value, out_));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute(const WithStatement& statement) {
  std::vector<Value> values;  // none of them sees the others' names
  for (const auto& entry : statement.variables) {
    ASSIGN_OR_RETURN(Value value, evaluate(*entry.second));
    values.push_back(std::move(value));
  }
  const ScopeGuard scope(this);
  for (size_t i = 0; i < values.size(); ++i) RETURN_IF_ERROR(assign(statement.variables[i].first, values[i]));
  return execute(statement.body);
}

Result<Interpreter::Flow> Interpreter::execute(const BreakStatement&) { return Flow::kBreak; }
Result<Interpreter::Flow> Interpreter::execute(const ContinueStatement&) { return Flow::kContinue; }

void Interpreter::set_variable(NameId name, Value value) {
  auto& variables = scope_->variables;
  const auto found = std::find_if(variables.begin(), variables.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  if (found != variables.end()) {
    found->second = std::move(value);
  } else {
    variables.emplace_back(name, std::move(value));
  }
}

Result<void> Interpreter::assign(const Target& target, const Value& value) {
  if (target.kind == Target::Kind::kName) return set_variable(target.name, value), Result<void>();
  if (target.kind == Target::Kind::kMember) {
    ASSIGN_OR_RETURN(const Value object, evaluate(NameExpr{target.name}));
    Namespace* const* space = object.get<Namespace*>();
    if (space == nullptr) return type_error("only a namespace's attributes can be assigned");
    return set_member(&runtime_.budget, *space, target.member, value);
  }
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime_.budget, value));
  if (items->items.size() != target.items.size()) {
    return type_error("expected " + std::to_string(target.items.size()) + " values to unpack, got " +
                      std::to_string(items->items.size()));
  }
  for (size_t i = 0; i < target.items.size(); ++i) RETURN_IF_ERROR(assign(target.items[i], items->items[i]));
  return {};
}

}  // namespace hussar::jinja
