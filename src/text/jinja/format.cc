#include "text/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/sorting.h"

namespace hussar::jinja {
namespace {

std::string hex_escape(char32_t c) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
  for (int shift = c < 0x100 ? 4 : c < 0x10000 ? 12 : 28; shift >= 0; shift -= 4) {
    out.push_back(kDigits[(c >> static_cast<unsigned>(shift)) & 15U]);
  }
  return out;
}

// The escape of a character in a quoted python string; empty where it stands for itself.
std::string repr_escape(char32_t c, char quote) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (c == '\\') return "\\\\";
  if (c == static_cast<char32_t>(quote)) return std::string{'\\', quote};
  return is_printable(c) ? std::string() : hex_escape(c);
}

void append_text_repr(const Text& text, TextBuilder* out) {
  const std::string_view bytes = text.bytes();
  const bool double_quotes =
      bytes.find('\'') != std::string_view::npos && bytes.find('"') == std::string_view::npos;
  const char quote = double_quotes ? '"' : '\'';
  const std::string_view quote_text(&quote, 1);
  out->append(quote_text, text.origin());
  size_t plain = 0;  // where the run of characters that stand for themselves began
  for (size_t offset = 0; offset < bytes.size() && !out->failed();) {
    const size_t begin = offset;
    const std::string escape = repr_escape(next_code_point(bytes, &offset), quote);
    if (escape.empty()) continue;
    out->append(text, plain, begin);
    out->append(escape, text.origin_at(begin));
    plain = offset;
  }
  out->append(text, plain, bytes.size());
  out->append(quote_text, text.origin());
}

Result<void> append_items_repr(const Value& value, TextBuilder* out) {
  const Sequence& sequence = *value.sequence();
  const bool tuple = sequence.kind == SequenceKind::kTuple;
  const bool view = !tuple && sequence.kind != SequenceKind::kList;
  const Origin origin = value.origin();
  if (view) out->append(value.type_name(), origin);
  out->append(view ? "([" : tuple ? "(" : "[", origin);
  for (size_t i = 0; i < sequence.items.size() && !out->failed(); ++i) {
    if (i > 0) out->append(", ", origin);
    RETURN_IF_ERROR(append_repr(sequence.items[i], out));
  }
  out->append(view ? "])" : !tuple ? "]" : sequence.items.size() == 1 ? ",)" : ")", origin);
  return {};
}

Result<void> append_dict_repr(const Dict& dict, Origin origin, TextBuilder* out) {
  out->append("{", origin);
  bool first = true;
  for (const auto& [key, value] : dict.entries) {
    if (out->failed()) break;
    if (!first) out->append(", ", origin);
    first = false;
    RETURN_IF_ERROR(append_repr(key, out));
    out->append(": ", origin);
    RETURN_IF_ERROR(append_repr(value, out));
  }
  out->append("}", origin);
  return {};
}

std::string range_repr(const Range& range) {
  std::string out = "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
  return out + (range.step == 1 ? ")" : ", " + std::to_string(range.step) + ")");
}

// The escape of a character in JSON; empty where it stands for itself.
std::string json_escape(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  const bool plain = c >= 0x20 && (!ensure_ascii || c < 0x7F);
  if (plain) return {};
  const auto unit = [](char32_t value) { return "\\u" + hex_escape(value | 0x10000).substr(6); };
  if (c < 0x10000) return unit(c);
  return unit(0xD800 + ((c - 0x10000) >> 10)) + unit(0xDC00 + ((c - 0x10000) & 0x3FF));
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style, TextBuilder* out)
      : runtime_(runtime), style_(style), out_(out) {}

  Result<void> write(const Value& value);

 private:
  void write_text(const Text& text);
  Result<void> write_list(const Value& value);
  Result<void> write_dict(const Value& value);
  Result<void> write_key(const Value& key);
  void write_line_break(Origin origin);
  std::string scalar(const Value& value) const;

  Runtime& runtime_;
  const JsonStyle& style_;
  TextBuilder* out_;
  int level_ = 0;
};

void JsonWriter::write_text(const Text& text) {
  const std::string_view bytes = text.bytes();
  out_->append("\"", text.origin());
  size_t plain = 0;
  for (size_t offset = 0; offset < bytes.size() && !out_->failed();) {
    const size_t begin = offset;
    const std::string escape = json_escape(next_code_point(bytes, &offset), style_.ensure_ascii);
    if (escape.empty()) continue;
    out_->append(text, plain, begin);
    out_->append(escape, text.origin_at(begin));
    plain = offset;
  }
  out_->append(text, plain, bytes.size());
  out_->append("\"", text.origin());
}

void JsonWriter::write_line_break(Origin origin) {
  if (!style_.indent) return;
  out_->append("\n", origin);
  for (int i = 0; i < level_; ++i) out_->append(*style_.indent, origin);
}

// None, booleans and numbers; empty for everything else.
std::string JsonWriter::scalar(const Value& value) const {
  if (value.is<None>()) return "null";
  if (const bool* boolean = value.get<bool>()) return *boolean ? "true" : "false";
  if (const int64_t* integer = value.get<int64_t>()) return std::to_string(*integer);
  const double* number = value.get<double>();
  if (number == nullptr) return {};
  if (std::isnan(*number)) return "NaN";
  if (std::isinf(*number)) return *number > 0 ? "Infinity" : "-Infinity";
  return float_repr(*number);
}

Result<void> JsonWriter::write(const Value& value) {
  if (!runtime_.budget.step()) return runtime_.budget.exceeded();
  if (const Text* text = value.text()) return write_text(*text), Result<void>();
  if (value.list_or_tuple() != nullptr) return write_list(value);
  if (value.dict() != nullptr) return write_dict(value);
  const std::string text = scalar(value);
  if (!text.empty()) return out_->append(text, value.origin()), Result<void>();
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  return type_error("a value of type " + std::string(value.type_name()) + " has no JSON form");
}

Result<void> JsonWriter::write_list(const Value& value) {
  const auto& items = value.sequence()->items;
  const Origin origin = value.origin();
  if (items.empty()) return out_->append("[]", origin), Result<void>();
  out_->append("[", origin);
  ++level_;
  for (size_t i = 0; i < items.size() && !out_->failed(); ++i) {
    if (i > 0) out_->append(style_.item_separator, origin);
    write_line_break(origin);
    RETURN_IF_ERROR(write(items[i]));
  }
  --level_;
  write_line_break(origin);
  out_->append("]", origin);
  return {};
}

Result<void> JsonWriter::write_key(const Value& key) {
  if (key.text() != nullptr) return write(key);
  const std::string text = scalar(key);
  if (text.empty()) return type_error("a key of type " + std::string(key.type_name()) + " has no JSON form");
  out_->append("\"" + text + "\"", key.origin());
  return {};
}

Result<void> JsonWriter::write_dict(const Value& value) {
  const auto& entries = value.dict()->entries;
  const Origin origin = value.origin();
  if (entries.empty()) return out_->append("{}", origin), Result<void>();
  std::vector<size_t> order(entries.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (style_.sort_keys) {
    RETURN_IF_ERROR(merge_sort(&order, [&](size_t a, size_t b) -> Result<bool> {
      ASSIGN_OR_RETURN(const int comparison, compare(&runtime_.budget, entries[a].first, entries[b].first));
      return comparison == -1;
    }));
  }
  out_->append("{", origin);
  ++level_;
  for (size_t i = 0; i < order.size() && !out_->failed(); ++i) {
    if (i > 0) out_->append(style_.item_separator, origin);
    write_line_break(origin);
    RETURN_IF_ERROR(write_key(entries[order[i]].first));
    out_->append(style_.key_separator, origin);
    RETURN_IF_ERROR(write(entries[order[i]].second));
  }
  --level_;
  write_line_break(origin);
  out_->append("}", origin);
  return {};
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer, static_cast<size_t>(end - buffer));
  // [-]d[.ddd]e[+-]xx
  const size_t exponent_at = shortest.find('e');
  int exponent = 0;
  const char* exponent_text = buffer + exponent_at + (shortest[exponent_at + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_text, end, exponent);
  std::string out = shortest[0] == '-' ? "-" : "";
  std::string digits;
  for (const char c : shortest.substr(0, exponent_at)) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  const auto point =
      static_cast<size_t>(std::max(exponent, 0)) + 1;  // how many digits stand before the point
  if (exponent < -4 || exponent >= 16) {
    out.append(digits, 0, 1);
    if (digits.size() > 1) out.append(".").append(digits, 1);
    const std::string magnitude = std::to_string(std::abs(exponent));
    return out.append(exponent < 0 ? "e-" : "e+").append(magnitude.size() < 2 ? "0" : "").append(magnitude);
  }
  if (exponent < 0) return out.append("0.").append(static_cast<size_t>(-exponent) - 1, '0').append(digits);
  if (digits.size() <= point) return out.append(digits).append(point - digits.size(), '0').append(".0");
  return out.append(digits, 0, point).append(".").append(digits, point);
}

Result<void> append_repr(const Value& value, TextBuilder* out) {
  const Origin origin = value.origin();
  if (const Text* text = value.text()) return append_text_repr(*text, out), Result<void>();
  if (value.sequence() != nullptr) return append_items_repr(value, out);
  if (const Dict* dict = value.dict()) return append_dict_repr(*dict, origin, out);
  if (value.is<Undefined>()) return out->append("Undefined", origin), Result<void>();
  return append_str(value, out);
}

Result<void> append_str(const Value& value, TextBuilder* out) {
  const Origin origin = value.origin();
  if (const Text* text = value.text()) return out->append(*text), Result<void>();
  if (value.sequence() != nullptr || value.dict() != nullptr) return append_repr(value, out);
  if (value.is<Undefined>()) return {};
  std::string text;
  if (value.is<None>()) {
    text = "None";
  } else if (const bool* boolean = value.get<bool>()) {
    text = *boolean ? "True" : "False";
  } else if (const int64_t* integer = value.get<int64_t>()) {
    text = std::to_string(*integer);
  } else if (const double* number = value.get<double>()) {
    text = float_repr(*number);
  } else if (const RangeRef* range = value.get<RangeRef>()) {
    text = range_repr(**range);
  } else {
    return unsupported("a value of type " + std::string(value.type_name()) + " can't be printed");
  }
  out->append(text, origin);
  return {};
}

Result<TextRef> to_text(Runtime& runtime, const Value& value) {
  if (const TextRef* text = value.get<TextRef>()) return *text;
  TextBuilder builder(&runtime.budget);
  RETURN_IF_ERROR(append_str(value, &builder));
  return builder.finish();
}

Result<void> append_json(Runtime& runtime, const Value& value, const JsonStyle& style, TextBuilder* out) {
  return JsonWriter(runtime, style, out).write(value);
}

}  // namespace hussar::jinja
