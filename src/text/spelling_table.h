// Token ids by spelling: a vocabulary's hundreds of thousands of look-ups at load, and one for each word that
// is encoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace hussar {

// A hash table with open addressing. The spellings come from files, so the hash is keyed by a number that no
// file can know: nobody can make them collide. Reading is thread-safe.
class SpellingTable {
 public:
  // Room for `count_max` spellings.
  explicit SpellingTable(size_t count_max);

  // False, and nothing is changed, where the spelling stands already. The spelling outlives the table.
  // REQUIRES: id >= 0, fewer than count_max spellings so far.
  bool insert(std::string_view spelling, TokenId id);
  // -1 when there is none.
  TokenId find(std::string_view spelling) const;

 private:
  struct Slot {
    std::string_view spelling;
    uint32_t tag = 0;  // the hash's upper half, so that few spellings have to be compared
    TokenId id = -1;   // -1: empty
  };
  // Where the spelling stands, or would stand.
  size_t slot_of(std::string_view spelling, uint64_t hash) const;

  std::vector<Slot> slots_;  // a power of two, at most two thirds full
  size_t count_ = 0;
};

}  // namespace hussar
