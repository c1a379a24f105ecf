// A text as the units in which its length and its repetition are counted. A Chinese or Japanese character is
// one unit, and so is a word (letters and digits in a row) of a script that writes words apart; punctuation,
// spaces and symbols are none. Words are compared without the case of ASCII letters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

struct TextUnits {
  std::string text;               // valid UTF-8: what was not is replaced by U+FFFD
  std::vector<int32_t> ids;       // [units]; equal units have equal ids, counted from 0
  std::vector<size_t> begins;     // [units] byte offsets into text
  std::vector<size_t> ends;       // [units]
  int64_t characters = 0;         // units that are characters; the others are words
  int64_t replacement_marks = 0;  // U+FFFD in the text: what is left of garbled bytes

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  // Units [first, first + count) as they stand in the text, with what stands between them.
  std::string_view slice(int64_t first, int64_t count) const;
};

TextUnits split_units(std::string_view text);

// A character of a script that is written without spaces.
bool is_unspaced_character(char32_t c);

// The beginning of `text`, at most `bytes_max` bytes, cut between characters; "..." stands where something
// was cut. Control characters become spaces, so that it fits a table.
std::string excerpt(std::string_view text, size_t bytes_max);

}  // namespace hussar
