// What python's str can do, on text that keeps its origin. Bytes that are put in where foreign bytes stood (a
// replacement, an indentation, padding) count as foreign: the caller chose the place.
#pragma once

#include <limits>
#include <vector>

#include "text/jinja/characters.h"
#include "text/jinja/runtime.h"

namespace hussar::jinja {

Result<Value> change_case(Runtime& runtime, const Text& text, Case to);
// The first character in title case, the rest in lower case.
Result<Value> capitalize(Runtime& runtime, const Text& text);
// str.title: a word is a run of letters.
Result<Value> title_letters(Runtime& runtime, const Text& text);
// The filter `title`: a word begins behind a space, hyphen or opening bracket.
Result<Value> title_words(Runtime& runtime, const Text& text);

enum class Side { kLeft, kRight, kBoth };
// `characters` null: whitespace.
Result<Value> strip(Runtime& runtime, const Text& text, const Text* characters, Side side);
Result<Value> pad(Runtime& runtime, const Text& text, int64_t width, const Text* fill, Side side_of_text);

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
Result<Value> replace(Runtime& runtime, const Text& text, const Text& old_text, const Text& new_text,
                      int64_t count);

// `separator` null: runs of whitespace.
Result<Value> split(Runtime& runtime, const Text& text, const Text* separator, int64_t splits_max);
Result<Value> split_right(Runtime& runtime, const Text& text, const Text* separator, int64_t splits_max);
Result<std::vector<Value>> split_lines(Runtime& runtime, const Text& text, bool keep_ends);

// Separators are foreign where `list_origin` is.
Result<Value> join(Runtime& runtime, const Text& separator, const std::vector<Value>& items,
                   Origin list_origin);

Result<Value> substring(Runtime& runtime, const Text& text, size_t begin, size_t end);

// The first match at or behind `from`, npos when there is none; linear in the length of the text.
size_t find_bytes(std::string_view text, std::string_view needle, size_t from);
// The last match that ends at or before `end`.
size_t find_bytes_back(std::string_view text, std::string_view needle, size_t end);

}  // namespace hussar::jinja
