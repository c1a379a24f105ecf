// Finds special tokens in text: the leftmost, of several that begin there the longest.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "text/tokenizer.h"

namespace hussar {

// Immutable and thread-safe.
class SpecialTokens {
 public:
  struct Entry {
    std::string_view spelling;  // outlives the object
    TokenId id;
    bool takes_space_before = false;
    bool takes_space_behind = false;
  };
  // An empty spelling, or one that is not valid UTF-8, is never found.
  explicit SpecialTokens(std::vector<Entry> tokens);

  bool empty() const { return tokens_.empty(); }

  struct Match {
    size_t begin, end;  // with the white space that the token takes, which is none before `from`
    TokenId id;
  };
  // The next one at or behind `from` whose spelling has no byte in a `foreign` range; those are sorted and
  // disjoint.
  std::optional<Match> find(std::string_view text, size_t from, std::span<const ByteRange> foreign) const;

 private:
  struct Place {
    size_t end;
    const Entry* entry;
  };
  std::optional<Place> longest_at(std::string_view text, size_t begin, size_t end_max) const;

  std::vector<Entry> tokens_;  // sorted by spelling
  bool begins_[256] = {};      // bytes with which one begins
};

}  // namespace hussar
