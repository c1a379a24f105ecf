// Test support: a KV pool that remembers what a real one would make of its contents, so that a wrong table or
// a stale block is seen at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "kernels/batch.h"

namespace hussar {

inline uint64_t fake_mix(uint64_t hash, uint64_t value) {
  uint64_t x = (hash ^ value) + 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  return x ^ (x >> 29);
}

// Whether prompt and generated rows store the same for the same context, as DeviceInfo::roles_agree says.
enum class FakeRoles : uint8_t { kAgree, kDiffer };

// What one position stores: as keys and values do, it depends on its token and on the whole context before
// it.
inline uint64_t fake_entry(uint64_t before, TokenId token, RowRole role, FakeRoles roles) {
  const bool marked = roles == FakeRoles::kDiffer && role == RowRole::kGenerated;
  return fake_mix(before, static_cast<uint64_t>(token) * 2 + (marked ? 1 : 0));
}

class FakeKv {
 public:
  FakeKv(int32_t blocks, int32_t block_tokens, FakeRoles roles)
      : block_tokens_(block_tokens), roles_(roles), entries_(static_cast<size_t>(blocks) * block_tokens) {}

  void store(std::span<const int32_t> table, int32_t position, TokenId token, RowRole role,
             uint64_t start = 0) {
    const uint64_t before = position == 0 ? start : entry(table, position - 1);
    entries_[index(table, position)] = fake_entry(before, token, role, roles_);
  }
  uint64_t entry(std::span<const int32_t> table, int32_t position) const {
    return entries_[index(table, position)];
  }

  // What attention over positions 0 .. `last` gives: every one of them counts.
  uint64_t attend(std::span<const int32_t> table, int32_t last) const {
    uint64_t sum = 0;
    for (int32_t position = 0; position <= last; ++position) sum = fake_mix(sum, entry(table, position));
    return sum;
  }

 private:
  size_t index(std::span<const int32_t> table, int32_t position) const {
    const int32_t block = table[static_cast<size_t>(position / block_tokens_)];
    return static_cast<size_t>(block) * static_cast<size_t>(block_tokens_) +
           static_cast<size_t>(position % block_tokens_);
  }

  const int32_t block_tokens_;
  const FakeRoles roles_;
  std::vector<uint64_t> entries_;
};

}  // namespace hussar
