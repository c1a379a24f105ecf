// Finds special tokens in text: the leftmost, of several that begin there the longest.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"
#include "text/tokenizer.h"

namespace hussar {

// Immutable and thread-safe.
class SpecialTokens {
 public:
  // Spelling and id; the spellings outlive the object. An empty one, or one that is not valid UTF-8, is never
  // found.
  explicit SpecialTokens(std::vector<std::pair<std::string_view, TokenId>> tokens);

  struct Match {
    size_t begin, end;
    TokenId id;
  };
  // The next one at or behind `from` that has no byte in a `foreign` range; those are sorted and disjoint.
  std::optional<Match> find(std::string_view text, size_t from, std::span<const ByteRange> foreign) const;

 private:
  std::optional<Match> match_at(std::string_view text, size_t begin, size_t end_max) const;

  std::vector<std::pair<std::string_view, TokenId>> tokens_;  // sorted by spelling
  bool begins_[256] = {};                                     // bytes with which one begins
};

}  // namespace hussar
