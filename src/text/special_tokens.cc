#include "text/special_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja/characters.h"

namespace hussar {
namespace {

// Unicode's White_Space, as the engines of the trainers have it; python's isspace has four separators more.
bool is_white_space(char32_t c) { return jinja::is_space(c) && (c < 0x1C || c > 0x1F); }

size_t skip_white_space(std::string_view text, size_t offset) {
  while (offset < text.size()) {
    size_t next = offset;
    if (!is_white_space(next_code_point(text, &next))) break;
    offset = next;
  }
  return offset;
}

// Where the white space that ends at `end` begins, `begin_min` at the earliest.
size_t skip_white_space_back(std::string_view text, size_t end, size_t begin_min) {
  while (end > begin_min) {
    const size_t begin = jinja::previous_border(text, end);
    size_t offset = begin;
    if (!is_white_space(next_code_point(text, &offset))) break;
    end = begin;
  }
  return end;
}

}  // namespace

SpecialTokens::SpecialTokens(std::vector<Entry> tokens) : tokens_(std::move(tokens)) {
  // One that is no valid UTF-8 could match inside a character and cut it.
  std::erase_if(tokens_,
                [](const Entry& token) { return token.spelling.empty() || !is_valid_utf8(token.spelling); });
  std::sort(tokens_.begin(), tokens_.end(), [](const Entry& a, const Entry& b) {
    return a.spelling != b.spelling ? a.spelling < b.spelling : a.id < b.id;
  });
  for (const Entry& token : tokens_) begins_[static_cast<unsigned char>(token.spelling[0])] = true;
}

// The longest token that begins at `begin`. Narrows the sorted tokens byte by byte to those that the text
// could still be.
std::optional<SpecialTokens::Match> SpecialTokens::longest_at(std::string_view text, size_t begin,
                                                              size_t end_max) const {
  std::optional<Match> longest;
  auto low = tokens_.begin();
  auto high = tokens_.end();
  for (size_t at = begin; at < end_max; ++at) {
    const size_t depth = at - begin;
    const auto byte_at = [depth](const Entry& token) {
      return static_cast<unsigned char>(token.spelling[depth]);
    };
    const auto wanted = static_cast<unsigned char>(text[at]);
    low = std::partition_point(low, high, [&](const Entry& token) { return byte_at(token) < wanted; });
    high = std::partition_point(low, high, [&](const Entry& token) { return byte_at(token) == wanted; });
    // The one that ends here sorts before its extensions.
    if (low != high && low->spelling.size() == depth + 1) {
      longest = Match{begin, at + 1, &*low};
      low =
          std::find_if(low, high, [depth](const Entry& token) { return token.spelling.size() > depth + 1; });
    }
    if (low == high) break;
  }
  return longest;
}

// The next token at or behind `from` without a foreign byte.
std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, size_t from,
                                                        std::span<const ByteRange> foreign) const {
  auto range = std::partition_point(foreign.begin(), foreign.end(),
                                    [from](const ByteRange& r) { return r.end <= from; });
  for (size_t at = from; at < text.size();) {
    while (range != foreign.end() && (range->end <= at || range->end <= range->begin)) ++range;
    if (range != foreign.end() && range->begin <= at) {
      at = range->end;
      continue;
    }
    const size_t own_end = range == foreign.end() ? text.size() : std::min(range->begin, text.size());
    for (; at < own_end; ++at) {
      if (!begins_[static_cast<unsigned char>(text[at])]) continue;
      if (auto match = longest_at(text, at, own_end)) return match;
    }
  }
  return std::nullopt;
}

void SpecialTokens::split(std::string_view text, size_t begin, std::span<const ByteRange> foreign,
                          std::vector<Piece>* pieces) const {
  size_t done = begin;
  for (auto match = find(text, begin, foreign); match; match = find(text, match->end, foreign)) {
    const Entry& entry = *match->entry;
    const size_t first =
        entry.takes_space_before ? skip_white_space_back(text, match->begin, done) : match->begin;
    if (done < first) pieces->push_back({done, first, -1});
    done = entry.takes_space_behind ? skip_white_space(text, match->end) : match->end;
    pieces->push_back({first, done, entry.id});
  }
  if (done < text.size()) pieces->push_back({done, text.size(), -1});
}

}  // namespace hussar
