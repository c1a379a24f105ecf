#include "bench/article/text_units.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "base/utf8.h"

namespace hussar {
namespace {

struct Range {
  char32_t first, last;
};

// Ideographs with their extensions, kana, and the marks that stand for a repeated or an unnamed character.
constexpr Range kUnspaced[] = {{0x3005, 0x3007}, {0x3040, 0x30FF}, {0x31F0, 0x31FF}, {0x3400, 0x4DBF},
                               {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0xFF66, 0xFF9F}, {0x20000, 0x323AF}};
// Punctuation, spaces and symbols beyond ASCII.
constexpr Range kNoUnit[] = {{0x80, 0xA9},      {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},
                             {0xD7, 0xD7},      {0xF7, 0xF7},     {0x2000, 0x206F}, {0x20A0, 0x20CF},
                             {0x2190, 0x2BFF},  {0x2E00, 0x2E7F}, {0x3000, 0x3004}, {0x3008, 0x303F},
                             {0xE000, 0xF8FF},  {0xFE10, 0xFE6F}, {0xFEFF, 0xFEFF}, {0xFF00, 0xFF0F},
                             {0xFF1A, 0xFF20},  {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF},
                             {0x1F000, 0x1FAFF}};
constexpr char32_t kReplacement = 0xFFFD;

template <size_t kCount>
bool is_in(const Range (&ranges)[kCount], char32_t c) {
  const auto after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                      [](char32_t value, const Range& range) { return value < range.first; });
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

bool is_word_character(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return !is_in(kNoUnit, c) && !is_unspaced_character(c);
}

std::string lower_ascii(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// "don't" and "ma’am" are one word each: an apostrophe between two letters belongs to them.
bool joins_words(std::string_view text, size_t at, size_t* end) {
  if (at >= text.size()) return false;
  size_t next = at;
  const char32_t c = next_code_point(text, &next);
  if ((c != '\'' && c != 0x2019) || next >= text.size()) return false;
  const size_t behind = next;
  if (!is_word_character(next_code_point(text, &next))) return false;
  *end = behind;
  return true;
}

size_t word_end(std::string_view text, size_t at) {
  while (at < text.size()) {
    size_t next = at;
    if (is_word_character(next_code_point(text, &next))) {
      at = next;
    } else if (!joins_words(text, at, &at)) {
      break;
    }
  }
  return at;
}

}  // namespace

bool is_unspaced_character(char32_t c) { return is_in(kUnspaced, c); }

std::string_view TextUnits::slice(int64_t first, int64_t count) const {
  if (count <= 0 || first < 0 || first + count > size()) return {};
  const size_t begin = begins[static_cast<size_t>(first)];
  return std::string_view(text).substr(begin, ends[static_cast<size_t>(first + count - 1)] - begin);
}

TextUnits split_units(std::string_view text) {
  TextUnits units;
  units.text = is_valid_utf8(text) ? std::string(text) : replace_invalid_utf8(text);
  std::unordered_map<std::string, int32_t> ids;
  for (size_t at = 0; at < units.text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(units.text, &at);
    if (c == kReplacement) ++units.replacement_marks;
    const bool character = is_unspaced_character(c);
    if (!character && !is_word_character(c)) continue;
    if (!character) at = word_end(units.text, at);
    const std::string_view unit = std::string_view(units.text).substr(begin, at - begin);
    units.ids.push_back(ids.emplace(lower_ascii(unit), static_cast<int32_t>(ids.size())).first->second);
    units.begins.push_back(begin);
    units.ends.push_back(at);
    units.characters += character;
  }
  return units;
}

std::string excerpt(std::string_view text, size_t bytes_max) {
  std::string shown = is_valid_utf8(text) ? std::string(text) : replace_invalid_utf8(text);
  if (shown.size() > bytes_max) {
    shown.resize(complete_utf8_prefix_bytes(std::string_view(shown).substr(0, bytes_max)));
    shown += "...";
  }
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return shown;
}

}  // namespace hussar
