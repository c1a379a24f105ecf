// Token ids by spelling: a vocabulary's hundreds of thousands of look-ups at load, and one for each word that
// is encoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace hussar {

// A hash table with open addressing. The spellings come from files, so the hash is keyed by a number that no
// file can know: nobody can make them collide. Reading is thread-safe.
class SpellingTable {
 public:
  // Room for `count_max` spellings. The table keeps none of them: `spelling_of` tells those of the ids that
  // were put in.
  SpellingTable(size_t count_max, std::function<std::string_view(TokenId)> spelling_of);

  // False, and nothing is changed, where the spelling stands already. REQUIRES: id >= 0, fewer than count_max
  // spellings so far, and the spelling is the id's.
  bool insert(std::string_view spelling, TokenId id);
  // -1 when there is none.
  TokenId find(std::string_view spelling) const;

 private:
  struct Slot {
    uint32_t tag = 0;  // the hash's lower half, so that few spellings have to be compared
    TokenId id = -1;   // -1: empty
  };
  // Where the spelling stands, or would stand.
  size_t slot_of(std::string_view spelling, uint64_t hash) const;

  std::function<std::string_view(TokenId)> spelling_of_;
  std::vector<Slot> slots_;  // at most two thirds full
  size_t count_ = 0;
};

}  // namespace hussar
