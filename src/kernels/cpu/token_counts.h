// How often each token occurs in a sequence, for the penalties. Sparse: a list of the distinct tokens and a
// hash table into it, in memory that the caller gives, so that beginning and ending a sequence costs as much
// as it has distinct tokens.
#pragma once

#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/types.h"
#include "kernels/cpu/page_buffer.h"

namespace hussar::cpu {

class TokenCounts {
 public:
  struct Entry {
    TokenId token;
    uint32_t prompt : 1;  // occurs in the prompt
    uint32_t generated : 31;
  };

  // Room for `tokens_max` distinct tokens. REQUIRES: zeroed memory behind the carver (a counting one only
  // counts).
  void carve(Carver& carver, int32_t tokens_max);

  void clear();
  // REQUIRES: at most tokens_max distinct tokens between two clear().
  void add_prompt(TokenId token) { entry(token)->prompt = 1; }
  void add_generated(TokenId token) { entry(token)->generated++; }
  // Undoes the last add_generated(). REQUIRES: that was of `token`, or what came after it is undone already.
  void take_back_generated(TokenId token);
  // In the order in which they came first.
  std::span<const Entry> entries() const { return {entries_, static_cast<size_t>(used_)}; }

 private:
  Entry* entry(TokenId token);
  int32_t* place(TokenId token) const;

  Entry* entries_ = nullptr;
  int32_t* table_ = nullptr;  // index into entries_ plus 1; 0 is free
  int32_t tokens_max_ = 0;
  int32_t used_ = 0;
  int32_t table_bits_ = 0;
};

}  // namespace hussar::cpu
