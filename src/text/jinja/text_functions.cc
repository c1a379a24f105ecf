#include "text/jinja/text_functions.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace hussar::jinja {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

// Gives each code point to `change(code point, begin, end, builder)`.
template <typename Change>
Result<Value> transform(Runtime& runtime, const Text& text, const Change& change) {
  TextBuilder builder(&runtime.budget);
  for (size_t offset = 0; offset < text.size() && !builder.failed();) {
    const size_t begin = offset;
    const char32_t c = next_code_point(text.bytes(), &offset);
    change(c, begin, offset, &builder);
  }
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

// A capital sigma at the end of a word has its own lower case.
bool ends_word(std::string_view bytes, size_t begin, size_t end) {
  if (begin == 0) return false;
  size_t before = previous_border(bytes, begin);
  if (!is_cased(next_code_point(bytes, &before))) return false;
  return end == bytes.size() || !is_cased(next_code_point(bytes, &end));
}

void append_changed(const Text& text, Case to, char32_t c, size_t begin, size_t end, TextBuilder* builder) {
  std::string changed;
  if (to == Case::kLower && c == kCapitalSigma && ends_word(text.bytes(), begin, end)) {
    append_utf8(kFinalSigma, &changed);
  } else {
    append_case(c, to, &changed);
  }
  builder->append(changed, text.origin_at(begin));
}

bool contains_code_point(const Text& set, char32_t c) {
  std::string encoded;
  append_utf8(c, &encoded);
  return set.bytes().find(encoded) != std::string_view::npos;
}

void append_replacement(const Text& replacement, Origin place, TextBuilder* builder) {
  if (place == Origin::kForeign) {
    builder->append(replacement.bytes(), Origin::kForeign);
  } else {
    builder->append(replacement);
  }
}

// An empty text is found before every character and at the end.
Result<Value> replace_nothing(Runtime& runtime, const Text& text, const Text& new_text, int64_t count) {
  TextBuilder builder(&runtime.budget);
  for (size_t offset = 0; !builder.failed();) {
    const Origin place = text.origin();
    if (count-- > 0) append_replacement(new_text, place, &builder);
    if (offset == text.size()) break;
    const size_t begin = offset;
    next_code_point(text.bytes(), &offset);
    builder.append(text, begin, offset);
  }
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

// Collects parts of a text in a list.
class Parts {
 public:
  Parts(Runtime& runtime, const Text& text) : runtime_(runtime), text_(text), items_(&runtime.budget) {}

  Result<void> add(size_t begin, size_t end) {
    ASSIGN_OR_RETURN(Value part, substring(runtime_, text_, begin, end));
    if (!items_.push(std::move(part))) return runtime_.budget.exceeded();
    return {};
  }
  Result<Value> finish() { return items_.finish(SequenceKind::kList, text_.origin()); }

 private:
  Runtime& runtime_;
  const Text& text_;
  SequenceBuilder items_;
};

Result<Value> split_spaces(Runtime& runtime, const Text& text, int64_t splits_max) {
  const std::string_view bytes = text.bytes();
  Parts parts(runtime, text);
  size_t begin = skip_space(bytes, 0);
  for (int64_t splits = 0; begin < bytes.size(); ++splits) {
    if (splits == splits_max) {
      RETURN_IF_ERROR(parts.add(begin, bytes.size()));
      break;
    }
    size_t end = begin;
    for (size_t next = begin; end < bytes.size(); end = next) {
      if (is_space(next_code_point(bytes, &next))) break;
    }
    RETURN_IF_ERROR(parts.add(begin, end));
    begin = skip_space(bytes, end);
  }
  return parts.finish();
}

Result<Value> reversed(Runtime& runtime, const Text& text,
                       const std::vector<std::pair<size_t, size_t>>& parts) {
  Parts out(runtime, text);
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    RETURN_IF_ERROR(out.add(part->first, part->second));
  return out.finish();
}

Result<Value> split_spaces_right(Runtime& runtime, const Text& text, int64_t splits_max) {
  const std::string_view bytes = text.bytes();
  std::vector<std::pair<size_t, size_t>> parts;
  size_t end = skip_space_back(bytes, bytes.size());
  for (int64_t splits = 0; end > 0; ++splits) {
    if (splits == splits_max) {
      parts.emplace_back(0, end);
      break;
    }
    size_t begin = end;
    while (begin > 0) {
      const size_t previous = previous_border(bytes, begin);
      size_t next = previous;
      if (is_space(next_code_point(bytes, &next))) break;
      begin = previous;
    }
    parts.emplace_back(begin, end);
    end = skip_space_back(bytes, begin);
  }
  return reversed(runtime, text, parts);
}

}  // namespace

Result<Value> change_case(Runtime& runtime, const Text& text, Case to) {
  return transform(runtime, text, [&](char32_t c, size_t begin, size_t end, TextBuilder* builder) {
    append_changed(text, to, c, begin, end, builder);
  });
}

Result<Value> capitalize(Runtime& runtime, const Text& text) {
  return transform(runtime, text, [&](char32_t c, size_t begin, size_t end, TextBuilder* builder) {
    append_changed(text, begin == 0 ? Case::kTitle : Case::kLower, c, begin, end, builder);
  });
}

Result<Value> title_letters(Runtime& runtime, const Text& text) {
  bool inside = false;
  return transform(runtime, text, [&](char32_t c, size_t begin, size_t end, TextBuilder* builder) {
    append_changed(text, inside ? Case::kLower : Case::kTitle, c, begin, end, builder);
    inside = is_cased(c);
  });
}

Result<Value> title_words(Runtime& runtime, const Text& text) {
  bool inside = false;
  return transform(runtime, text, [&](char32_t c, size_t begin, size_t end, TextBuilder* builder) {
    append_changed(text, inside ? Case::kLower : Case::kUpper, c, begin, end, builder);
    inside = !is_space(c) && c != '-' && c != '(' && c != '{' && c != '[' && c != '<';
  });
}

Result<Value> strip(Runtime& runtime, const Text& text, const Text* characters, Side side) {
  const std::string_view bytes = text.bytes();
  const auto goes = [&](char32_t c) {
    return characters == nullptr ? is_space(c) : contains_code_point(*characters, c);
  };
  const size_t work = characters == nullptr ? 1 : 1 + characters->size() / 16;
  if (!runtime.budget.touch(bytes.size() * work)) return runtime.budget.exceeded();
  size_t begin = 0;
  size_t end = bytes.size();
  for (size_t next = begin; side != Side::kRight && begin < end; begin = next) {
    if (!goes(next_code_point(bytes, &next))) break;
  }
  while (side != Side::kLeft && end > begin) {
    const size_t previous = previous_border(bytes, end);
    size_t offset = previous;
    if (!goes(next_code_point(bytes, &offset))) break;
    end = previous;
  }
  return substring(runtime, text, begin, end);
}

Result<Value> pad(Runtime& runtime, const Text& text, int64_t width, const Text* fill, Side side_of_text) {
  const std::string_view filler = fill == nullptr ? std::string_view(" ") : fill->bytes();
  if (fill != nullptr && fill->code_points() != 1) return type_error("the fill must be one character");
  const auto size = static_cast<int64_t>(text.code_points());
  const int64_t missing = std::max<int64_t>(width - size, 0);
  // Where the space can't be halved, python gives the odd one to the left for an odd width.
  const int64_t centred = missing / 2 + (missing & width & 1);
  const int64_t left = side_of_text == Side::kLeft ? 0 : side_of_text == Side::kRight ? missing : centred;
  TextBuilder builder(&runtime.budget);
  builder.expect(filler.size(), missing);
  for (int64_t i = 0; i < left && !builder.failed(); ++i) builder.append(filler, text.origin());
  builder.append(text);
  for (int64_t i = left; i < missing && !builder.failed(); ++i) builder.append(filler, text.origin());
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

Result<Value> replace(Runtime& runtime, const Text& text, const Text& old_text, const Text& new_text,
                      int64_t count) {
  if (count < 0) count = kAll;
  if (!runtime.budget.touch(text.size())) return runtime.budget.exceeded();
  if (old_text.size() == 0) return replace_nothing(runtime, text, new_text, count);
  TextBuilder builder(&runtime.budget);
  size_t offset = 0;
  auto range = text.foreign().begin();
  for (; count > 0 && !builder.failed(); --count) {
    const size_t match = find_bytes(text.bytes(), old_text.bytes(), offset);
    if (match == std::string_view::npos) break;
    builder.append(text, offset, match);
    offset = match + old_text.size();
    while (range != text.foreign().end() && range->end <= match) ++range;
    const bool foreign = range != text.foreign().end() && range->begin < offset;
    append_replacement(new_text, foreign ? Origin::kForeign : Origin::kTemplate, &builder);
  }
  builder.append(text, offset, text.size());
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

Result<Value> split(Runtime& runtime, const Text& text, const Text* separator, int64_t splits_max) {
  if (splits_max < 0) splits_max = kAll;
  if (!runtime.budget.touch(text.size())) return runtime.budget.exceeded();
  if (separator == nullptr) return split_spaces(runtime, text, splits_max);
  if (separator->size() == 0) return type_error("a separator can't be empty");
  Parts parts(runtime, text);
  size_t begin = 0;
  for (int64_t splits = 0; splits < splits_max; ++splits) {
    const size_t match = find_bytes(text.bytes(), separator->bytes(), begin);
    if (match == std::string_view::npos) break;
    RETURN_IF_ERROR(parts.add(begin, match));
    begin = match + separator->size();
  }
  RETURN_IF_ERROR(parts.add(begin, text.size()));
  return parts.finish();
}

Result<Value> split_right(Runtime& runtime, const Text& text, const Text* separator, int64_t splits_max) {
  if (splits_max < 0) splits_max = kAll;
  if (!runtime.budget.touch(text.size())) return runtime.budget.exceeded();
  if (separator == nullptr) return split_spaces_right(runtime, text, splits_max);
  if (separator->size() == 0) return type_error("a separator can't be empty");
  // A search from the end is not linear where text and separator repeat themselves.
  if (!runtime.budget.touch(text.size() / 64 * separator->size())) return runtime.budget.exceeded();
  std::vector<std::pair<size_t, size_t>> parts;
  size_t end = text.size();
  for (int64_t splits = 0; splits < splits_max; ++splits) {
    if (!runtime.budget.step()) return runtime.budget.exceeded();
    const size_t match = find_bytes_back(text.bytes(), separator->bytes(), end);
    if (match == std::string_view::npos) break;
    parts.emplace_back(match + separator->size(), end);
    end = match;
  }
  parts.emplace_back(0, end);
  return reversed(runtime, text, parts);
}

Result<std::vector<Value>> split_lines(Runtime& runtime, const Text& text, bool keep_ends) {
  const std::string_view bytes = text.bytes();
  std::vector<Value> lines;
  size_t begin = 0;
  for (size_t offset = 0; offset < bytes.size();) {
    const size_t end = offset;
    const char32_t c = next_code_point(bytes, &offset);
    if (!is_line_break(c)) continue;
    if (c == '\r' && offset < bytes.size() && bytes[offset] == '\n') ++offset;
    ASSIGN_OR_RETURN(Value line, substring(runtime, text, begin, keep_ends ? offset : end));
    if (!runtime.budget.step()) return runtime.budget.exceeded();
    lines.push_back(std::move(line));
    begin = offset;
  }
  if (begin < bytes.size()) {
    ASSIGN_OR_RETURN(Value line, substring(runtime, text, begin, bytes.size()));
    lines.push_back(std::move(line));
  }
  return lines;
}

Result<Value> join(Runtime& runtime, const Text& separator, const std::vector<Value>& items,
                   Origin list_origin) {
  TextBuilder builder(&runtime.budget);
  bool first = true;
  for (const Value& item : items) {
    if (builder.failed()) break;
    if (!first) append_replacement(separator, list_origin, &builder);
    first = false;
    builder.append(*item.text());
  }
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

Result<Value> substring(Runtime& runtime, const Text& text, size_t begin, size_t end) {
  TextBuilder builder(&runtime.budget);
  builder.append(text, begin, end);
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

size_t find_bytes(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const void* match = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (match == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(match) - text.data());
}

size_t find_bytes_back(std::string_view text, std::string_view needle, size_t end) {
  if (needle.size() > end) return std::string_view::npos;
  return text.rfind(needle, end - needle.size());
}

}  // namespace hussar::jinja
