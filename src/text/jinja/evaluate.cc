// The interpreter's expressions and calls.
#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/functions.h"
#include "text/jinja/interpreter_guards.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"

namespace hussar::jinja {

Result<Value> Interpreter::evaluate(const Expr& expr) {
  line_ = expr.line;
  const NestingGuard nesting(&runtime_);
  if (nesting.too_deep()) return runtime_.budget.too_deep();
  if (!runtime_.budget.step()) return runtime_.budget.exceeded();
  return std::visit([this](const auto& kind) { return evaluate(kind); }, expr.kind);
}

Result<Value> Interpreter::evaluate(const ConstantExpr& expr) { return expr.value; }

Result<Value> Interpreter::evaluate(const NameExpr& expr) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (const auto& [name, value] : scope->variables) {
      if (name == expr.id) return value;
    }
  }
  const auto index = static_cast<size_t>(expr.id);
  if (globals_[index]) return *globals_[index];
  const std::string& name = tree_.names[index];
  bool refused = false;
  if (const auto function = find_function(name, &refused)) return Value(*function);
  if (refused) return unsupported("'" + name + "' is not supported");
  return undefined(expr.id);
}

Result<Value> Interpreter::evaluate(const SequenceExpr& expr) {
  SequenceBuilder items(&runtime_.budget);
  for (const ExprPtr& item : expr.items) {
    ASSIGN_OR_RETURN(Value value, evaluate(*item));
    items.push(std::move(value));
  }
  return items.finish(expr.kind, Origin::kTemplate);
}

Result<Value> Interpreter::evaluate(const DictExpr& expr) {
  DictBuilder dict(&runtime_.budget);
  for (const auto& [key_expr, value_expr] : expr.entries) {
    ASSIGN_OR_RETURN(Value key, evaluate(*key_expr));
    ASSIGN_OR_RETURN(Value value, evaluate(*value_expr));
    RETURN_IF_ERROR(dict.set(std::move(key), std::move(value)));
  }
  return dict.finish(Origin::kTemplate);
}

Result<Value> Interpreter::evaluate(const NotExpr& expr) {
  ASSIGN_OR_RETURN(const Value operand, evaluate(*expr.operand));
  return Value::boolean(!operand.truthy(), operand.origin());
}

Result<Value> Interpreter::evaluate(const SignExpr& expr) {
  ASSIGN_OR_RETURN(const Value operand, evaluate(*expr.operand));
  return apply_sign(expr.sign, operand);
}

Result<Value> Interpreter::evaluate(const JunctionExpr& expr) {
  const bool decisive = expr.junction == Junction::kOr;  // the truth that ends it
  Value value;
  for (const ExprPtr& operand : expr.operands) {
    ASSIGN_OR_RETURN(value, evaluate(*operand));
    if (value.truthy() == decisive) break;
  }
  return value;
}

Result<Value> Interpreter::evaluate(const CompareExpr& expr) {
  ASSIGN_OR_RETURN(Value left, evaluate(*expr.first));
  Origin origin = left.origin();
  for (const auto& [op, operand] : expr.rest) {
    ASSIGN_OR_RETURN(Value right, evaluate(*operand));
    origin = either(origin, right.origin());
    ASSIGN_OR_RETURN(const bool holds, compare_with(runtime_, op, left, right));
    if (!holds) return Value::boolean(false, origin);
    left = std::move(right);
  }
  return Value::boolean(true, origin);
}

Result<Value> Interpreter::evaluate(const ArithmeticExpr& expr) {
  ASSIGN_OR_RETURN(Value left, evaluate(*expr.first));
  for (const auto& [op, operand] : expr.rest) {
    ASSIGN_OR_RETURN(const Value right, evaluate(*operand));
    ASSIGN_OR_RETURN(left, arithmetic(runtime_, op, left, right));
  }
  return left;
}

Result<Value> Interpreter::evaluate(const ConcatExpr& expr) {
  TextBuilder builder(&runtime_.budget);
  for (const ExprPtr& operand : expr.operands) {
    ASSIGN_OR_RETURN(const Value value, evaluate(*operand));
    RETURN_IF_ERROR(append_str(value, &builder));
  }
  ASSIGN_OR_RETURN(TextRef text, builder.finish());
  return Value(std::move(text));
}

Result<Value> Interpreter::evaluate(const ConditionalExpr& expr) {
  ASSIGN_OR_RETURN(const Value condition, evaluate(*expr.condition));
  if (condition.truthy()) return evaluate(*expr.then);
  return expr.otherwise != nullptr ? evaluate(*expr.otherwise) : Value();
}

Result<Value> Interpreter::evaluate(const PostfixExpr& expr) { return evaluate_chain(expr, nullptr); }

Result<Value> Interpreter::evaluate_chain(const PostfixExpr& expr, const Macro* caller) {
  ASSIGN_OR_RETURN(Value value, evaluate(*expr.base));
  for (size_t i = 0; i < expr.suffixes.size(); ++i) {
    const Suffix& suffix = expr.suffixes[i];
    line_ = suffix.line;
    if (!runtime_.budget.step()) return runtime_.budget.exceeded();
    if (caller != nullptr && i + 1 == expr.suffixes.size()) {
      ASSIGN_OR_RETURN(Arguments arguments, evaluate_arguments(std::get<CallSuffix>(suffix.kind).arguments));
      arguments.named.emplace_back("caller", Value(caller));
      return call(value, std::move(arguments));
    }
    ASSIGN_OR_RETURN(value, std::visit([&](const auto& kind) { return apply(kind, value); }, suffix.kind));
  }
  return value;
}

Result<Value> Interpreter::apply(const AttributeSuffix& suffix, const Value& value) {
  return get_attribute(runtime_, value, tree_.names[static_cast<size_t>(suffix.name)]);
}

Result<Value> Interpreter::apply(const IndexSuffix& suffix, const Value& value) {
  ASSIGN_OR_RETURN(const Value index, evaluate(*suffix.index));
  return get_item(runtime_, value, index);
}

Result<Value> Interpreter::apply(const SliceSuffix& suffix, const Value& value) {
  Value parts[3];
  const Value* given[3] = {nullptr, nullptr, nullptr};
  const ExprPtr* exprs[3] = {&suffix.start, &suffix.stop, &suffix.step};
  for (size_t i = 0; i < 3; ++i) {
    if (*exprs[i] == nullptr) continue;
    ASSIGN_OR_RETURN(parts[i], evaluate(**exprs[i]));
    given[i] = &parts[i];
  }
  return get_slice(runtime_, value, given[0], given[1], given[2]);
}

Result<Value> Interpreter::apply(const CallSuffix& suffix, const Value& value) {
  ASSIGN_OR_RETURN(Arguments arguments, evaluate_arguments(suffix.arguments));
  return call(value, std::move(arguments));
}

Result<Value> Interpreter::apply(const FilterSuffix& suffix, const Value& value) {
  ASSIGN_OR_RETURN(const Arguments arguments, evaluate_arguments(suffix.arguments));
  return suffix.filter->apply(runtime_, value, arguments);
}

Result<Value> Interpreter::apply(const TestSuffix& suffix, const Value& value) {
  ASSIGN_OR_RETURN(const Arguments arguments, evaluate_arguments(suffix.arguments));
  ASSIGN_OR_RETURN(const bool holds, test(runtime_, *suffix.predicate, value, arguments));
  return Value::boolean(holds != suffix.negated, either(value.origin(), arguments.origin()));
}

Result<Value> Interpreter::apply_filters(const std::vector<Suffix>& filters, Value value) {
  for (const Suffix& suffix : filters) {
    line_ = suffix.line;
    ASSIGN_OR_RETURN(value, apply(std::get<FilterSuffix>(suffix.kind), value));
  }
  return value;
}

Result<Arguments> Interpreter::evaluate_arguments(const CallArguments& arguments) {
  Arguments result;
  for (const ExprPtr& expr : arguments.positional) {
    ASSIGN_OR_RETURN(Value value, evaluate(*expr));
    result.positional.push_back(std::move(value));
  }
  for (const auto& [name, expr] : arguments.named) {
    ASSIGN_OR_RETURN(Value value, evaluate(*expr));
    result.named.emplace_back(name, std::move(value));
  }
  if (arguments.rest_positional != nullptr) {
    ASSIGN_OR_RETURN(const Value rest, evaluate(*arguments.rest_positional));
    ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime_.budget, rest));
    if (!runtime_.budget.step(static_cast<int64_t>(items->items.size()))) return runtime_.budget.exceeded();
    result.positional.insert(result.positional.end(), items->items.begin(), items->items.end());
  }
  if (arguments.rest_named != nullptr) {
    ASSIGN_OR_RETURN(const Value rest, evaluate(*arguments.rest_named));
    RETURN_IF_ERROR(add_rest_named(rest, &result));
  }
  return result;
}

Result<void> Interpreter::add_rest_named(const Value& rest, Arguments* arguments) {
  if (rest.dict() == nullptr) return type_error("** needs a mapping");
  for (const auto& [key, value] : rest.dict()->entries) {
    if (key.text() == nullptr) return type_error("** needs a mapping with strings as keys");
    std::string name(key.text()->bytes());
    // The look-up below is a scan of all names before.
    if (!runtime_.budget.touch(name.size() + arguments->named.size() * sizeof(Value))) {
      return runtime_.budget.exceeded();
    }
    const bool twice = std::any_of(arguments->named.begin(), arguments->named.end(),
                                   [&name](const auto& entry) { return entry.first == name; });
    if (twice) return type_error("the argument '" + name + "' is given twice");
    arguments->named.emplace_back(std::move(name), value);
  }
  return {};
}

Result<Value> Interpreter::call(const Value& callee, Arguments arguments) {
  if (const auto* undefined = callee.get<Undefined>()) return undefined_error(*undefined);
  if (const auto* macro = callee.get<const Macro*>()) return call_macro(**macro, std::move(arguments));
  if (const auto* function = callee.get<Function>()) return call_function(runtime_, *function, arguments);
  if (const auto* method = callee.get<MethodRef>()) {
    return (*method)->entry->call(runtime_, (*method)->self, arguments);
  }
  if (callee.is<LoopRef>()) return unsupported("recursive loops are not supported");
  return type_error("a value of type " + std::string(callee.type_name()) + " can't be called");
}

Result<Value> Interpreter::call_macro(const Macro& macro, Arguments arguments) {
  if (calls_ >= runtime_.budget.depth_max()) return runtime_.budget.too_deep();
  const ScopeGuard scope(this, macro.scope);
  ++calls_;
  const Result<void> bound = bind_parameters(*macro.definition, &arguments);
  Result<TextRef> text = bound.ok() ? capture(macro.definition->body) : Result<TextRef>(bound.error());
  --calls_;
  if (!text.ok()) return text.error();
  return Value(*std::move(text));
}

Result<void> Interpreter::bind_parameters(const MacroStatement& macro, Arguments* arguments) {
  const size_t count = macro.parameters.size();
  const auto take_named = [arguments](const std::string& name) {
    auto& named = arguments->named;
    const auto found =
        std::find_if(named.begin(), named.end(), [&name](const auto& entry) { return entry.first == name; });
    std::optional<Value> value;
    if (found == named.end()) return value;
    value = std::move(found->second);
    named.erase(found);
    return value;
  };
  std::vector<std::optional<Value>> values(count);
  for (size_t i = 0; i < count; ++i) {
    const std::string& name = tree_.names[static_cast<size_t>(macro.parameters[i])];
    values[i] = i < arguments->positional.size() ? std::move(arguments->positional[i]) : take_named(name);
  }
  if (macro.takes_caller) {
    set_variable(tree_.caller, take_named("caller").value_or(undefined(tree_.caller)));
  }
  if (!macro.takes_rest_named && !arguments->named.empty()) {
    return type_error("the macro has no parameter '" + arguments->named.front().first + "'");
  }
  if (!macro.takes_rest_positional && arguments->positional.size() > count) {
    return type_error("the macro takes at most " + std::to_string(count) + " arguments");
  }
  RETURN_IF_ERROR(bind_rest(macro, *arguments));
  // A default may speak of the parameters before it.
  const size_t required = count - macro.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    const NameId name = macro.parameters[i];
    if (!values[i] && i >= required) {
      ASSIGN_OR_RETURN(values[i], evaluate(*macro.defaults[i - required]));
    }
    set_variable(name, values[i].value_or(undefined(name)));
  }
  return {};
}

Result<void> Interpreter::bind_rest(const MacroStatement& macro, const Arguments& arguments) {
  if (macro.takes_rest_named) {
    DictBuilder dict(&runtime_.budget);
    for (const auto& [name, value] : arguments.named) {
      ASSIGN_OR_RETURN(Value key, make_text(&runtime_.budget, name, value.origin()));
      RETURN_IF_ERROR(dict.set(std::move(key), value));
    }
    ASSIGN_OR_RETURN(Value kwargs, dict.finish(Origin::kTemplate));
    set_variable(tree_.kwargs, std::move(kwargs));
  }
  if (macro.takes_rest_positional) {
    SequenceBuilder items(&runtime_.budget);
    for (size_t i = macro.parameters.size(); i < arguments.positional.size(); ++i)
      items.push(arguments.positional[i]);
    ASSIGN_OR_RETURN(Value varargs, items.finish(SequenceKind::kTuple, Origin::kTemplate));
    set_variable(tree_.varargs, std::move(varargs));
  }
  return {};
}

}  // namespace hussar::jinja
