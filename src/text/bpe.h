// Byte-pair merging inside one word: neighbours are joined, the strongest merge first, the leftmost of equal
// ones, until none applies.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace hussar {

// Immutable and thread-safe. Works on bytes and ids; how a vocabulary spells its bytes is the tokenizer's
// business.
class Bpe {
 public:
  struct Merge {
    TokenId left;
    TokenId right;
    TokenId result;
  };

  // `byte_tokens` has -1 where no token stands for a byte. Of two merges of the same pair the first one
  // counts. REQUIRES: fewer than 2^31 merges.
  Bpe(const std::array<TokenId, 256>& byte_tokens, const std::vector<Merge>& merges);

  // Memory that encode() uses, kept by the caller from word to word.
  class Scratch {
   private:
    friend class Bpe;
    struct Symbol {
      TokenId id;
      uint32_t previous, next;  // neighbours still alive; kNone at the ends
      uint32_t rank;  // of the merge with the next one; kNone when there is none or the symbol is gone
    };
    std::vector<Symbol> symbols_;
    // Rank, then index of the left symbol; an entry whose rank is no longer the symbol's is stale.
    std::vector<uint64_t> heap_;
  };

  // Appends the tokens of `word`. A byte without a token is left out. Takes n log n steps for n bytes.
  void encode(std::string_view word, Scratch* scratch, std::vector<TokenId>* out) const;

 private:
  struct Slot {
    TokenId left = -1;  // -1: empty
    TokenId right = -1;
    uint32_t rank = 0;
  };
  size_t slot_of(TokenId left, TokenId right) const;
  uint32_t rank_of(TokenId left, TokenId right) const;
  void fill(std::string_view word, Scratch* scratch) const;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<TokenId> results_;  // [rank]
  std::vector<Slot> slots_;       // hash table with open addressing, at most two thirds full
};

}  // namespace hussar
