#include "text/jinja/predicates.h"

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"

namespace hussar::jinja {
namespace {

Result<bool> is_defined(Runtime&, const Value& value, const Value*) { return !value.is<Undefined>(); }
Result<bool> is_undefined(Runtime&, const Value& value, const Value*) { return value.is<Undefined>(); }
Result<bool> is_none(Runtime&, const Value& value, const Value*) { return value.is<None>(); }
Result<bool> is_string(Runtime&, const Value& value, const Value*) { return value.text() != nullptr; }
Result<bool> is_number(Runtime&, const Value& value, const Value*) { return value.is_number(); }
Result<bool> is_integer(Runtime&, const Value& value, const Value*) { return value.is<int64_t>(); }
Result<bool> is_float(Runtime&, const Value& value, const Value*) { return value.is<double>(); }
Result<bool> is_boolean(Runtime&, const Value& value, const Value*) { return value.is<bool>(); }
Result<bool> is_mapping(Runtime&, const Value& value, const Value*) { return value.dict() != nullptr; }

Result<bool> is_true(Runtime&, const Value& value, const Value*) {
  const bool* boolean = value.get<bool>();
  return boolean != nullptr && *boolean;
}

Result<bool> is_false(Runtime&, const Value& value, const Value*) {
  const bool* boolean = value.get<bool>();
  return boolean != nullptr && !*boolean;
}

// Has a length and can be subscripted: that is true of mappings, and of undefined values.
Result<bool> is_sequence(Runtime&, const Value& value, const Value*) {
  return value.text() != nullptr || value.list_or_tuple() != nullptr || value.dict() != nullptr ||
         value.is<RangeRef>() || value.is<Undefined>();
}

Result<bool> is_iterable(Runtime&, const Value& value, const Value*) {
  return value.text() != nullptr || value.sequence() != nullptr || value.dict() != nullptr ||
         value.is<RangeRef>() || value.is<GeneratorRef>() || value.is<Undefined>() || value.is<LoopRef>();
}

Result<bool> is_callable(Runtime&, const Value& value, const Value*) {
  return value.is<const Macro*>() || value.is<Function>() || value.is<MethodRef>() || value.is<Undefined>() ||
         value.is<LoopRef>();
}

Result<bool> remainder_is(Runtime& runtime, const Value& value, const Value& divisor, int64_t wanted) {
  ASSIGN_OR_RETURN(const Value remainder, arithmetic(runtime, ArithmeticOp::kModulo, value, divisor));
  return equal(&runtime.budget, remainder, Value(wanted));
}

Result<bool> is_odd(Runtime& runtime, const Value& value, const Value*) {
  return remainder_is(runtime, value, Value(int64_t{2}), 1);
}

Result<bool> is_even(Runtime& runtime, const Value& value, const Value*) {
  return remainder_is(runtime, value, Value(int64_t{2}), 0);
}

Result<bool> is_divisible(Runtime& runtime, const Value& value, const Value* divisor) {
  return remainder_is(runtime, value, *divisor, 0);
}

template <CompareOp op>
Result<bool> compares(Runtime& runtime, const Value& value, const Value* other) {
  return compare_with(runtime, op, value, *other);
}

// Identity: for constants and small integers that is equality, for everything else being the same object.
Result<bool> is_same(Runtime&, const Value& value, const Value* other) {
  if (value.payload().index() != other->payload().index()) return false;
  if (value.is<None>()) return true;
  if (const bool* boolean = value.get<bool>()) return *boolean == *other->get<bool>();
  if (const TextRef* text = value.get<TextRef>()) return *text == *other->get<TextRef>();
  if (const SequenceRef* list = value.get<SequenceRef>()) return *list == *other->get<SequenceRef>();
  if (const DictRef* dict = value.get<DictRef>()) return *dict == *other->get<DictRef>();
  return unsupported("'sameas' is only supported for booleans, none, strings, lists and mappings");
}

// Whether there is a letter with a case, and all of those have the one that is asked for.
Result<bool> has_case(Runtime& runtime, const Value& value, Case wanted) {
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  if (!runtime.budget.touch(text->size())) return runtime.budget.exceeded();
  bool any = false;
  for (size_t offset = 0; offset < text->size();) {
    const char32_t c = next_code_point(text->bytes(), &offset);
    const bool fits = wanted == Case::kUpper ? is_upper(c) : is_lower(c);
    if (!fits && (is_upper(c) || is_lower(c) || is_title(c))) return false;
    any |= fits;
  }
  return any;
}

Result<bool> has_lower_case(Runtime& runtime, const Value& value, const Value*) {
  return has_case(runtime, value, Case::kLower);
}

Result<bool> has_upper_case(Runtime& runtime, const Value& value, const Value*) {
  return has_case(runtime, value, Case::kUpper);
}

Result<bool> names_filter(Runtime&, const Value& value, const Value*) {
  RETURN_IF_ERROR(check_hashable(value));
  return value.text() != nullptr && find_filter(value.text()->bytes()) != nullptr;
}

Result<bool> names_test(Runtime&, const Value& value, const Value*) {
  RETURN_IF_ERROR(check_hashable(value));
  return value.text() != nullptr && find_predicate(value.text()->bytes()) != nullptr;
}

constexpr Predicate kPredicates[] = {
    {"defined", 0, is_defined},
    {"undefined", 0, is_undefined},
    {"none", 0, is_none},
    {"string", 0, is_string},
    {"number", 0, is_number},
    {"integer", 0, is_integer},
    {"float", 0, is_float},
    {"boolean", 0, is_boolean},
    {"mapping", 0, is_mapping},
    {"sequence", 0, is_sequence},
    {"iterable", 0, is_iterable},
    {"callable", 0, is_callable},
    {"true", 0, is_true},
    {"false", 0, is_false},
    {"odd", 0, is_odd},
    {"even", 0, is_even},
    {"lower", 0, has_lower_case},
    {"upper", 0, has_upper_case},
    {"filter", 0, names_filter},
    {"test", 0, names_test},
    {"divisibleby", 1, is_divisible},
    {"sameas", 1, is_same},
    {"in", 1, compares<CompareOp::kIn>},
    {"eq", 1, compares<CompareOp::kEqual>},
    {"equalto", 1, compares<CompareOp::kEqual>},
    {"==", 1, compares<CompareOp::kEqual>},
    {"ne", 1, compares<CompareOp::kNotEqual>},
    {"!=", 1, compares<CompareOp::kNotEqual>},
    {"lt", 1, compares<CompareOp::kLess>},
    {"lessthan", 1, compares<CompareOp::kLess>},
    {"<", 1, compares<CompareOp::kLess>},
    {"le", 1, compares<CompareOp::kLessEqual>},
    {"<=", 1, compares<CompareOp::kLessEqual>},
    {"gt", 1, compares<CompareOp::kGreater>},
    {"greaterthan", 1, compares<CompareOp::kGreater>},
    {">", 1, compares<CompareOp::kGreater>},
    {"ge", 1, compares<CompareOp::kGreaterEqual>},
    {">=", 1, compares<CompareOp::kGreaterEqual>},
};

}  // namespace

const Predicate* find_predicate(std::string_view name) {
  const auto found = std::find_if(std::begin(kPredicates), std::end(kPredicates),
                                  [name](const Predicate& entry) { return entry.name == name; });
  return found == std::end(kPredicates) ? nullptr : &*found;
}

Result<bool> test(Runtime& runtime, const Predicate& predicate, const Value& value,
                  const Arguments& arguments) {
  if (!arguments.named.empty()) {
    return unsupported("the test '" + std::string(predicate.name) + "' takes no named arguments");
  }
  if (arguments.positional.size() != predicate.arguments) {
    return type_error("the test '" + std::string(predicate.name) + "' takes " +
                      std::to_string(predicate.arguments) + " arguments");
  }
  return predicate.holds(runtime, value, predicate.arguments == 0 ? nullptr : &arguments.positional[0]);
}

}  // namespace hussar::jinja
