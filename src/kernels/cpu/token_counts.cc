#include "kernels/cpu/token_counts.h"

namespace hussar::cpu {

void TokenCounts::carve(Carver& carver, int32_t tokens_max) {
  tokens_max_ = tokens_max;
  table_bits_ = 1;
  while ((int64_t{1} << table_bits_) < int64_t{2} * tokens_max) table_bits_++;  // at most half full
  entries_ = carver.take<Entry>(tokens_max);
  table_ = carver.take<int32_t>(int64_t{1} << table_bits_);
}

// The token's place in the table, or the free one where it would be put.
int32_t* TokenCounts::place(TokenId token) const {
  const uint32_t mask = (1u << table_bits_) - 1;
  uint32_t at = static_cast<uint32_t>(token) * 0x9e3779b1u >> (32 - table_bits_);
  while (table_[at] != 0 && entries_[table_[at] - 1].token != token) at = (at + 1) & mask;
  return &table_[at];
}

TokenCounts::Entry* TokenCounts::entry(TokenId token) {
  int32_t* found = place(token);
  if (*found == 0) {
    CHECK_NOTE(used_ < tokens_max_, "more tokens in a sequence than the context holds");
    entries_[used_] = {token, 0, 0};
    *found = ++used_;
  }
  return &entries_[*found - 1];
}

void TokenCounts::take_back_generated(TokenId token) {
  Entry* counted = entry(token);
  CHECK(counted->generated > 0);
  counted->generated--;
  if (counted->generated > 0 || counted->prompt != 0) return;
  // It came first with what is undone, so that no other was put behind it.
  CHECK(counted == &entries_[used_ - 1]);
  *place(token) = 0;
  used_--;
}

// In reverse, so that each token is still found: the ones that were put behind it are gone already.
void TokenCounts::clear() {
  for (; used_ > 0; used_--) *place(entries_[used_ - 1].token) = 0;
}

}  // namespace hussar::cpu
