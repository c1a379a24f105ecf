// The % operator of strings.
#include <cmath>
#include <cstdio>

#include "base/utf8.h"
#include "text/jinja/format.h"

namespace hussar::jinja {
namespace {

constexpr int64_t kWidthMax = 1000;  // of one conversion, and its precision: nobody means more

struct Conversion {
  bool left = false, plus = false, space = false, zero = false, alternate = false;
  int64_t width = 0;
  int64_t precision = -1;  // -1: none
  char type = 0;
};

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Text& format, const Value& arguments)
      : runtime_(runtime),
        format_(format),
        bytes_(format.bytes()),
        arguments_(arguments),
        out_(&runtime.budget) {}

  Result<Value> run();

 private:
  char current() const { return position_ < bytes_.size() ? bytes_[position_] : '\0'; }
  Result<Value> next_argument();
  Result<void> read_key();
  Result<void> read_conversion(Conversion* conversion);
  Result<int64_t> read_count();
  Result<void> convert(const Conversion& conversion, const Value& value);
  Result<void> convert_text(const Conversion& conversion, const Value& value);
  Result<std::string> convert_integer(const Conversion& conversion, const Value& value);
  Result<std::string> convert_float(const Conversion& conversion, const Value& value);
  void append_number(const Conversion& conversion, std::string number, Origin origin);

  Runtime& runtime_;
  const Text& format_;
  std::string_view bytes_;
  const Value& arguments_;
  TextBuilder out_;
  size_t position_ = 0;
  size_t next_argument_ = 0;
  std::optional<Value> keyed_;  // the argument that %(key) chose
};

Result<Value> PercentFormatter::next_argument() {
  if (keyed_) return *keyed_;
  const Sequence* tuple = arguments_.sequence();
  const bool is_tuple = tuple != nullptr && tuple->kind == SequenceKind::kTuple;
  const size_t count = is_tuple ? tuple->items.size() : 1;
  if (next_argument_ >= count) return type_error("there are not enough arguments for the format");
  const size_t index = next_argument_++;
  return is_tuple ? tuple->items[index] : arguments_;
}

Result<void> PercentFormatter::read_key() {
  if (current() != '(') return {};
  const size_t begin = position_ + 1;
  size_t open = 1;
  for (++position_; position_ < bytes_.size() && open > 0; ++position_) {
    if (current() == '(') ++open;
    if (current() == ')') --open;
  }
  if (open > 0) return type_error("a key in the format is not closed");
  const Dict* dict = arguments_.dict();
  if (dict == nullptr) return type_error("the format needs a mapping");
  const Value* value = dict->find(bytes_.substr(begin, position_ - 1 - begin));
  if (value == nullptr) return type_error("the format names a key that the mapping doesn't have");
  keyed_ = *value;
  return {};
}

Result<int64_t> PercentFormatter::read_count() {
  if (current() == '*') {
    ++position_;
    ASSIGN_OR_RETURN(const Value value, next_argument());
    ASSIGN_OR_RETURN(const int64_t count, integer_argument("%", value));
    if (std::abs(count) > kWidthMax) return unsupported("the format's width is too large");
    return count;
  }
  int64_t count = 0;
  for (; current() >= '0' && current() <= '9'; ++position_) {
    count = count * 10 + (current() - '0');
    if (count > kWidthMax) return unsupported("the format's width is too large");
  }
  return count;
}

Result<void> PercentFormatter::read_conversion(Conversion* conversion) {
  RETURN_IF_ERROR(read_key());
  for (;; ++position_) {
    if (current() == '-') {
      conversion->left = true;
    } else if (current() == '+') {
      conversion->plus = true;
    } else if (current() == ' ') {
      conversion->space = true;
    } else if (current() == '0') {
      conversion->zero = true;
    } else if (current() == '#') {
      conversion->alternate = true;
    } else {
      break;
    }
  }
  ASSIGN_OR_RETURN(conversion->width, read_count());
  if (conversion->width < 0) {
    conversion->left = true;
    conversion->width = -conversion->width;
  }
  if (current() == '.') {
    ++position_;
    ASSIGN_OR_RETURN(conversion->precision, read_count());
    if (conversion->precision < 0) conversion->precision = 0;
  }
  if (current() == 'l' || current() == 'h' || current() == 'L') ++position_;
  if (position_ == bytes_.size()) return type_error("the format is incomplete");
  conversion->type = bytes_[position_++];
  return {};
}

Result<void> PercentFormatter::convert_text(const Conversion& conversion, const Value& value) {
  TextBuilder builder(&runtime_.budget);
  if (conversion.type == 's') {
    RETURN_IF_ERROR(append_str(value, &builder));
  } else {
    RETURN_IF_ERROR(append_repr(value, &builder));
  }
  ASSIGN_OR_RETURN(const TextRef text, builder.finish());
  size_t size = text->code_points();
  if (conversion.precision >= 0) size = std::min(size, static_cast<size_t>(conversion.precision));
  const auto width = static_cast<size_t>(conversion.width);
  const std::string padding(width > size ? width - size : 0, ' ');
  if (!conversion.left) out_.append(padding, format_.origin());
  out_.append(*text, 0, text->offset_of(size));
  if (conversion.left) out_.append(padding, format_.origin());
  return {};
}

Result<std::string> PercentFormatter::convert_integer(const Conversion& conversion, const Value& value) {
  int64_t integer = 0;
  if (const double* number = value.get<double>()) {
    if (conversion.type == 'x' || conversion.type == 'X' || conversion.type == 'o') {
      return type_error("the format needs an integer");
    }
    if (!(std::abs(*number) < 0x1p63)) return type_error("the number is no 64-bit integer");
    integer = static_cast<int64_t>(*number);
  } else {
    ASSIGN_OR_RETURN(integer, integer_argument("%", value));
  }
  if (conversion.alternate) return unsupported("'#' in formats is not supported");
  const uint64_t magnitude =
      integer < 0 ? 0 - static_cast<uint64_t>(integer) : static_cast<uint64_t>(integer);
  char digits[32];
  const char* pattern = conversion.type == 'x'   ? "%lx"
                        : conversion.type == 'X' ? "%lX"
                        : conversion.type == 'o' ? "%lo"
                                                 : "%lu";
  std::snprintf(digits, sizeof(digits), pattern, static_cast<unsigned long>(magnitude));
  std::string out = digits;
  const auto precision = static_cast<size_t>(std::max<int64_t>(conversion.precision, 0));
  if (out.size() < precision) out.insert(0, precision - out.size(), '0');
  return (integer < 0 ? "-" : "") + out;
}

Result<std::string> PercentFormatter::convert_float(const Conversion& conversion, const Value& value) {
  double number = 0;
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  if (!value.number(&number)) return type_error("the format needs a number");
  if (conversion.alternate) return unsupported("'#' in formats is not supported");
  if (!std::isfinite(number)) return float_repr(number);
  const char pattern[] = {'%', '.', '*', conversion.type, '\0'};
  const int precision = conversion.precision < 0 ? 6 : static_cast<int>(conversion.precision);
  std::string out(static_cast<size_t>(std::snprintf(nullptr, 0, pattern, precision, number)), '\0');
  std::snprintf(out.data(), out.size() + 1, pattern, precision, number);
  return out;
}

void PercentFormatter::append_number(const Conversion& conversion, std::string number, Origin origin) {
  if (number[0] != '-' && conversion.plus) {
    number.insert(0, 1, '+');
  } else if (number[0] != '-' && conversion.space) {
    number.insert(0, 1, ' ');
  }
  const auto width = static_cast<size_t>(conversion.width);
  const size_t padding = width > number.size() ? width - number.size() : 0;
  const bool has_sign = number[0] == '-' || number[0] == '+' || number[0] == ' ';
  if (conversion.left) {
    number.append(padding, ' ');
  } else if (conversion.zero) {
    number.insert(has_sign ? 1 : 0, padding, '0');
  } else {
    number.insert(0, padding, ' ');
  }
  out_.append(number, origin);
}

Result<void> PercentFormatter::convert(const Conversion& conversion, const Value& value) {
  switch (conversion.type) {
    case 's':
    case 'r':
      return convert_text(conversion, value);
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
      ASSIGN_OR_RETURN(std::string number, convert_integer(conversion, value));
      return append_number(conversion, std::move(number), value.origin()), Result<void>();
    }
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G': {
      ASSIGN_OR_RETURN(std::string number, convert_float(conversion, value));
      return append_number(conversion, std::move(number), value.origin()), Result<void>();
    }
    default:
      return unsupported("a conversion in the format is not supported");
  }
}

Result<Value> PercentFormatter::run() {
  while (position_ < bytes_.size() && !out_.failed()) {
    const size_t percent = std::min(bytes_.find('%', position_), bytes_.size());
    out_.append(format_, position_, percent);
    position_ = percent + 1;
    if (percent == bytes_.size()) break;
    if (!runtime_.budget.step()) return runtime_.budget.exceeded();
    if (current() == '%') {
      out_.append(format_, position_, position_ + 1);
      ++position_;
      continue;
    }
    Conversion conversion;
    keyed_.reset();
    RETURN_IF_ERROR(read_conversion(&conversion));
    if (conversion.type == '%') return unsupported("'%' with options in the format is not supported");
    ASSIGN_OR_RETURN(Value value, next_argument());
    value = value.with_origin(value.text() == nullptr ? either(value.origin(), format_.origin())
                                                      : value.origin());
    RETURN_IF_ERROR(convert(conversion, value));
  }
  const Sequence* tuple = arguments_.sequence();
  const bool is_tuple = tuple != nullptr && tuple->kind == SequenceKind::kTuple;
  // What can be subscripted counts as a mapping, and a mapping need not be used.
  const bool takes_any = arguments_.dict() != nullptr || arguments_.is<Undefined>() ||
                         arguments_.is<RangeRef>() || (tuple != nullptr && !is_tuple);
  const size_t count = is_tuple ? tuple->items.size() : takes_any ? 0 : 1;
  if (next_argument_ < count) return type_error("not all arguments of the format are used");
  ASSIGN_OR_RETURN(TextRef text, out_.finish());
  return Value(std::move(text));
}

}  // namespace

Result<Value> format_percent(Runtime& runtime, const Text& format, const Value& arguments) {
  return PercentFormatter(runtime, format, arguments).run();
}

}  // namespace hussar::jinja
