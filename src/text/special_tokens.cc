#include "text/special_tokens.h"

#include <algorithm>

#include "base/utf8.h"

namespace hussar {

SpecialTokens::SpecialTokens(std::vector<std::pair<std::string_view, TokenId>> tokens)
    : tokens_(std::move(tokens)) {
  // One that is no valid UTF-8 could match inside a character and cut it.
  std::erase_if(tokens_,
                [](const auto& token) { return token.first.empty() || !is_valid_utf8(token.first); });
  std::sort(tokens_.begin(), tokens_.end());
  for (const auto& token : tokens_) begins_[static_cast<unsigned char>(token.first[0])] = true;
}

// Narrows the sorted tokens byte by byte to those that the text could still be.
std::optional<SpecialTokens::Match> SpecialTokens::match_at(std::string_view text, size_t begin,
                                                            size_t end_max) const {
  std::optional<Match> longest;
  auto low = tokens_.begin();
  auto high = tokens_.end();
  for (size_t at = begin; at < end_max; ++at) {
    const size_t depth = at - begin;
    const auto byte_at = [depth](const auto& token) {
      return static_cast<unsigned char>(token.first[depth]);
    };
    const auto wanted = static_cast<unsigned char>(text[at]);
    low = std::partition_point(low, high, [&](const auto& token) { return byte_at(token) < wanted; });
    high = std::partition_point(low, high, [&](const auto& token) { return byte_at(token) == wanted; });
    // The one that ends here sorts before its extensions.
    if (low != high && low->first.size() == depth + 1) {
      longest = Match{begin, at + 1, low->second};
      low = std::find_if(low, high, [depth](const auto& token) { return token.first.size() > depth + 1; });
    }
    if (low == high) break;
  }
  return longest;
}

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
      if (auto match = match_at(text, at, own_end)) return match;
    }
  }
  return std::nullopt;
}

}  // namespace hussar
