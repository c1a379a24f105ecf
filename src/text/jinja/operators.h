// Operators and look-ups, with python's rules.
#pragma once

#include <string>

#include "text/jinja/ast.h"

namespace hussar::jinja {

// Errors: types that don't fit, division by zero, an integer beyond 64 bits, the budget.
Result<Value> arithmetic(Runtime& runtime, ArithmeticOp op, const Value& left, const Value& right);
Result<Value> apply_sign(Sign sign, const Value& operand);

// left op right, for one link of a chain of comparisons.
Result<bool> compare_with(Runtime& runtime, CompareOp op, const Value& left, const Value& right);
Result<bool> contains(Runtime& runtime, const Value& container, const Value& item);

// object.name: a method, a member, or the item with that key; undefined where there is none.
Result<Value> get_attribute(Runtime& runtime, const Value& object, const std::string& name);
// object[index]: the item, or the attribute with that name.
Result<Value> get_item(Runtime& runtime, const Value& object, const Value& index);
// object[start:stop:step]; each null where it is not given.
Result<Value> get_slice(Runtime& runtime, const Value& object, const Value* start, const Value* stop,
                        const Value* step);

}  // namespace hussar::jinja
