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

  struct Piece {
    size_t begin, end;
    TokenId id;  // -1: text without special tokens
  };
  // Appends the pieces of what stands at and behind `begin`; the pieces of text are not empty. No spelling
  // that is found has a byte in a `foreign` range; those are sorted and disjoint. White space that a token
  // takes belongs to its piece, foreign or not. As in HF's tokenizers, a token may still begin in the white
  // space that the one before it takes.
  void split(std::string_view text, size_t begin, std::span<const ByteRange> foreign,
             std::vector<Piece>* pieces) const;

 private:
  struct Match {
    size_t begin, end;  // of the spelling
    const Entry* entry;
  };
  std::optional<Match> longest_at(std::string_view text, size_t begin, size_t end_max) const;
  std::optional<Match> find(std::string_view text, size_t from, std::span<const ByteRange> foreign) const;

  std::vector<Entry> tokens_;  // sorted by spelling
  bool begins_[256] = {};      // bytes with which one begins
};

}  // namespace hussar
