#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/operators.h"

namespace hussar::jinja {
namespace {

Error no_operator(const Value& left, const Value& right) {
  if (const auto* undefined = left.get<Undefined>()) return undefined_error(*undefined);
  if (const auto* undefined = right.get<Undefined>()) return undefined_error(*undefined);
  return type_error("the operator doesn't take " + std::string(left.type_name()) + " and " +
                    std::string(right.type_name()));
}

Error integer_overflow() { return unsupported("integers beyond 64 bits are not supported"); }
Error zero_division() { return type_error("division by zero"); }

Result<Value> add_sequences(Runtime& runtime, const Value& left, const Value& right) {
  SequenceBuilder items(&runtime.budget);
  for (const Value* side : {&left, &right}) {
    for (const Value& item : side->sequence()->items) {
      if (!items.push(item)) break;
    }
  }
  return items.finish(left.sequence()->kind, either(left.origin(), right.origin()));
}

Result<Value> concatenate(Runtime& runtime, const Text& left, const Text& right) {
  TextBuilder builder(&runtime.budget);
  builder.append(left);
  builder.append(right);
  ASSIGN_OR_RETURN(TextRef text, builder.finish());
  return Value(std::move(text));
}

// The builders refuse before they grow too far, so that a count of any size is safe.
Result<Value> repeat(Runtime& runtime, const Value& value, int64_t count, Origin count_origin) {
  if (const Text* text = value.text()) {
    TextBuilder builder(&runtime.budget);
    builder.expect(text->size(), count);
    for (int64_t i = 0; i < count && text->size() != 0 && !builder.failed(); ++i) {
      if (count_origin == Origin::kForeign) {
        builder.append(text->bytes(), Origin::kForeign);
      } else {
        builder.append(*text);
      }
    }
    ASSIGN_OR_RETURN(TextRef repeated, builder.finish());
    return Value(std::move(repeated));
  }
  SequenceBuilder items(&runtime.budget);
  const auto& source = value.sequence()->items;
  items.expect(source.size(), count);
  for (int64_t i = 0; i < count && !source.empty() && !items.failed(); ++i) {
    for (const Value& item : source) {
      if (!items.push(item)) break;
    }
  }
  return items.finish(value.sequence()->kind, either(value.origin(), count_origin));
}

Result<Value> multiply_sequence(Runtime& runtime, const Value& left, const Value& right) {
  const auto is_repeatable = [](const Value& value) {
    return value.text() != nullptr || value.list_or_tuple() != nullptr;
  };
  int64_t count = 0;
  if (is_repeatable(left) && right.integer(&count)) return repeat(runtime, left, count, right.origin());
  if (is_repeatable(right) && left.integer(&count)) return repeat(runtime, right, count, left.origin());
  return no_operator(left, right);
}

Result<int64_t> integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return integer_overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return integer_overflow();
  }
  return result;
}

// Rounds towards negative infinity, as python does; the remainder has the divisor's sign.
Result<int64_t> floor_division(int64_t left, int64_t right, bool want_remainder) {
  if (right == 0) return zero_division();
  if (right == -1) {  // the one quotient that can overflow
    if (want_remainder) return int64_t{0};
    int64_t quotient = 0;
    if (__builtin_sub_overflow(int64_t{0}, left, &quotient)) return integer_overflow();
    return quotient;
  }
  const int64_t remainder = left % right;
  const bool adjust = remainder != 0 && (remainder < 0) != (right < 0);
  if (want_remainder) return adjust ? remainder + right : remainder;
  return adjust ? left / right - 1 : left / right;
}

Result<double> float_floor_division(double left, double right, bool want_remainder) {
  if (right == 0) return zero_division();
  double remainder = std::fmod(left, right);
  double quotient = (left - remainder) / right;
  if (remainder == 0) {
    remainder = std::copysign(0.0, right);
  } else if ((remainder < 0) != (right < 0)) {
    remainder += right;
    quotient -= 1;
  }
  if (want_remainder) return remainder;
  if (quotient == 0) return std::copysign(0.0, left / right);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Result<Value::Payload> integer_arithmetic(ArithmeticOp op, int64_t left, int64_t right) {
  using Payload = Value::Payload;
  int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case ArithmeticOp::kAdd:
      overflow = __builtin_add_overflow(left, right, &result);
      break;
    case ArithmeticOp::kSubtract:
      overflow = __builtin_sub_overflow(left, right, &result);
      break;
    case ArithmeticOp::kMultiply:
      overflow = __builtin_mul_overflow(left, right, &result);
      break;
    case ArithmeticOp::kDivide:
      if (right == 0) return zero_division();
      // 64 bits of mantissa hold both operands exactly.
      return Payload(static_cast<double>(static_cast<long double>(left) / static_cast<long double>(right)));
    case ArithmeticOp::kFloorDivide:
    case ArithmeticOp::kModulo: {
      ASSIGN_OR_RETURN(result, floor_division(left, right, op == ArithmeticOp::kModulo));
      break;
    }
    case ArithmeticOp::kPower: {
      if (right < 0) {
        if (left == 0) return zero_division();
        return Payload(std::pow(static_cast<double>(left), static_cast<double>(right)));
      }
      ASSIGN_OR_RETURN(result, integer_power(left, right));
      break;
    }
  }
  if (overflow) return integer_overflow();
  return Payload(result);
}

Result<Value::Payload> float_arithmetic(ArithmeticOp op, double left, double right) {
  using Payload = Value::Payload;
  switch (op) {
    case ArithmeticOp::kAdd:
      return Payload(left + right);
    case ArithmeticOp::kSubtract:
      return Payload(left - right);
    case ArithmeticOp::kMultiply:
      return Payload(left * right);
    case ArithmeticOp::kDivide:
      if (right == 0) return zero_division();
      return Payload(left / right);
    case ArithmeticOp::kFloorDivide:
    case ArithmeticOp::kModulo: {
      ASSIGN_OR_RETURN(const double result, float_floor_division(left, right, op == ArithmeticOp::kModulo));
      return Payload(result);
    }
    case ArithmeticOp::kPower:
      break;
  }
  if (left == 0 && right < 0) return zero_division();
  if (left < 0 && std::isfinite(left) && std::isfinite(right) && right != std::trunc(right)) {
    return unsupported("complex numbers are not supported");
  }
  const double result = std::pow(left, right);
  if (std::isinf(result) && std::isfinite(left) && std::isfinite(right))
    return type_error("the result is too large");
  return Payload(result);
}

}  // namespace

Result<Value> arithmetic(Runtime& runtime, ArithmeticOp op, const Value& left, const Value& right) {
  if (!runtime.budget.step()) return runtime.budget.exceeded();
  const Origin origin = either(left.origin(), right.origin());
  int64_t left_int = 0;
  int64_t right_int = 0;
  if (left.integer(&left_int) && right.integer(&right_int)) {
    ASSIGN_OR_RETURN(Value::Payload result, integer_arithmetic(op, left_int, right_int));
    return Value(std::move(result), origin);
  }
  double left_number = 0;
  double right_number = 0;
  if (left.number(&left_number) && right.number(&right_number)) {
    ASSIGN_OR_RETURN(Value::Payload result, float_arithmetic(op, left_number, right_number));
    return Value(std::move(result), origin);
  }
  if (op == ArithmeticOp::kAdd) {
    if (left.text() != nullptr && right.text() != nullptr)
      return concatenate(runtime, *left.text(), *right.text());
    const bool lists = left.list_or_tuple() != nullptr && right.list_or_tuple() != nullptr;
    if (lists && left.sequence()->kind == right.sequence()->kind) return add_sequences(runtime, left, right);
  }
  if (op == ArithmeticOp::kMultiply) return multiply_sequence(runtime, left, right);
  if (op == ArithmeticOp::kModulo && left.text() != nullptr) {
    return format_percent(runtime, *left.text(), right);
  }
  return no_operator(left, right);
}

Result<Value> apply_sign(Sign sign, const Value& operand) {
  int64_t integer = 0;
  if (operand.integer(&integer)) {
    if (sign == Sign::kMinus && __builtin_sub_overflow(int64_t{0}, integer, &integer))
      return integer_overflow();
    return Value(integer, operand.origin());
  }
  if (const double* number = operand.get<double>()) {
    return Value(sign == Sign::kMinus ? -*number : *number, operand.origin());
  }
  if (const auto* undefined = operand.get<Undefined>()) return undefined_error(*undefined);
  return type_error("a sign doesn't fit " + std::string(operand.type_name()));
}

Result<bool> compare_with(Runtime& runtime, CompareOp op, const Value& left, const Value& right) {
  Budget* budget = &runtime.budget;
  if (op == CompareOp::kIn || op == CompareOp::kNotIn) {
    ASSIGN_OR_RETURN(const bool found, contains(runtime, right, left));
    return found == (op == CompareOp::kIn);
  }
  if (op == CompareOp::kEqual || op == CompareOp::kNotEqual) {
    ASSIGN_OR_RETURN(const bool same, equal(budget, left, right));
    return same == (op == CompareOp::kEqual);
  }
  ASSIGN_OR_RETURN(const int order, compare(budget, left, right));
  switch (op) {
    case CompareOp::kLess:
      return order == -1;
    case CompareOp::kLessEqual:
      return order == -1 || order == 0;
    case CompareOp::kGreater:
      return order == 1;
    default:
      return order == 1 || order == 0;
  }
}

}  // namespace hussar::jinja
