#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "text/jinja/filter_tables.h"
#include "text/jinja/literals.h"
#include "text/jinja/operators.h"

namespace hussar::jinja {
namespace {

// int(float): nothing where python raises ValueError.
Result<std::optional<int64_t>> truncate(double number) {
  if (std::isnan(number)) return std::optional<int64_t>();
  if (std::abs(number) < 0x1p63) return std::optional<int64_t>(static_cast<int64_t>(number));
  if (std::isinf(number)) return type_error("infinity is no integer");
  return unsupported("integers beyond 64 bits are not supported");
}

Result<Value> filter_int(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("int", arguments, {"default", "base"}, 0));
  int64_t base = 10;
  if (bound[1] != nullptr) {
    ASSIGN_OR_RETURN(base, integer_argument("int", *bound[1]));
  }
  const Value fallback = bound[0] == nullptr ? Value(int64_t{0}) : *bound[0];
  const Origin origin = either(value.origin(), arguments.origin());
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  std::optional<int64_t> result;
  int64_t integer = 0;
  if (value.integer(&integer)) {
    result = integer;
  } else if (const double* number = value.get<double>()) {
    ASSIGN_OR_RETURN(result, truncate(*number));
  } else if (const Text* text = value.text()) {
    if (base == 0 || (base >= 2 && base <= 36)) {
      ASSIGN_OR_RETURN(result, parse_integer(text->bytes(), static_cast<int>(base)));
    }
    if (!result) {
      const std::optional<double> parsed = parse_float(text->bytes());
      if (parsed && !std::isinf(*parsed)) {
        ASSIGN_OR_RETURN(result, truncate(*parsed));
      }
    }
  }
  return result ? Value(*result, origin) : fallback.with_origin(origin);
}

Result<Value> filter_float(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("float", arguments, {"default"}, 0));
  const Value fallback = bound[0] == nullptr ? Value(0.0) : *bound[0];
  const Origin origin = either(value.origin(), arguments.origin());
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  double number = 0;
  if (value.number(&number)) return Value(number, origin);
  if (const Text* text = value.text()) {
    if (const std::optional<double> parsed = parse_float(text->bytes())) return Value(*parsed, origin);
  }
  return fallback.with_origin(origin);
}

Result<Value> filter_abs(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("abs", arguments, {}, 0));
  int64_t integer = 0;
  if (value.integer(&integer))
    return integer < 0 ? apply_sign(Sign::kMinus, value) : Value(integer, value.origin());
  if (const double* number = value.get<double>()) return Value(std::abs(*number), value.origin());
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  return type_error("abs() needs a number");
}

// Exact, as python's round: the decimal value of the double decides, ties go to the even digit.
double round_digits(double value, int digits) {
  char buffer[512];  // 309 digits before the point and kDigitsMax behind it fit
  std::snprintf(buffer, sizeof(buffer), "%.*f", digits, value);
  return std::strtod(buffer, nullptr);
}

Result<Value> filter_round(Runtime&, const Value& value, const Arguments& arguments) {
  constexpr int64_t kDigitsMax = 100;
  ASSIGN_OR_RETURN(const auto bound, bind("round", arguments, {"precision", "method"}, 0));
  int64_t digits = 0;
  if (bound[0] != nullptr) {
    ASSIGN_OR_RETURN(digits, integer_argument("round", *bound[0]));
  }
  std::string_view method = "common";
  if (bound[1] != nullptr) {
    ASSIGN_OR_RETURN(const Text* text, text_argument("round", *bound[1]));
    method = text->bytes();
  }
  if (method != "common" && method != "ceil" && method != "floor")
    return type_error("round() has no such method");
  if (digits < 0 || digits > kDigitsMax) return unsupported("round() only supports a precision of 0 to 100");
  int64_t integer = 0;
  double number = 0;
  if (method == "common" && value.integer(&integer)) return Value(integer, value.origin());
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  if (!value.number(&number)) return type_error("round() needs a number");
  if (method == "common") {
    const double rounded = std::isfinite(number) ? round_digits(number, static_cast<int>(digits)) : number;
    return Value(rounded, value.origin());
  }
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = number * scale;
  if (!std::isfinite(scaled)) return type_error("round() can't make an integer of that number");
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale, value.origin());
}

constexpr Filter kNumberFilters[] = {
    {"int", filter_int}, {"float", filter_float}, {"abs", filter_abs}, {"round", filter_round}};

}  // namespace

std::span<const Filter> number_filters() { return kNumberFilters; }

}  // namespace hussar::jinja
