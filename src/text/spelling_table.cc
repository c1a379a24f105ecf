#include "text/spelling_table.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "base/check.h"

namespace hussar {
namespace {

// Both halves of the product, folded.
uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t process_key() {
  static const uint64_t key = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  }();
  return key;
}

uint64_t hash_of(std::string_view text) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  uint64_t hash = process_key() ^ text.size() * kOdd;
  uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    hash = mix(hash ^ word, kOdd);
  }
  word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  return mix(mix(hash ^ word, kOdd), process_key() | 1);
}

}  // namespace

SpellingTable::SpellingTable(size_t count_max, std::function<std::string_view(TokenId)> spelling_of)
    : spelling_of_(std::move(spelling_of)) {
  slots_.resize(std::max<size_t>(16, count_max * 3 / 2 + 1));
}

size_t SpellingTable::slot_of(std::string_view spelling, uint64_t hash) const {
  const auto tag = static_cast<uint32_t>(hash);
  auto index = static_cast<size_t>(static_cast<unsigned __int128>(hash) * slots_.size() >> 64);
  while (slots_[index].id >= 0 && (slots_[index].tag != tag || spelling_of_(slots_[index].id) != spelling)) {
    if (++index == slots_.size()) index = 0;
  }
  return index;
}

bool SpellingTable::insert(std::string_view spelling, TokenId id) {
  CHECK(id >= 0 && count_ < slots_.size() - 1);
  const uint64_t hash = hash_of(spelling);
  Slot& slot = slots_[slot_of(spelling, hash)];
  if (slot.id >= 0) return false;
  slot = {static_cast<uint32_t>(hash), id};
  ++count_;
  return true;
}

TokenId SpellingTable::find(std::string_view spelling) const {
  return slots_[slot_of(spelling, hash_of(spelling))].id;
}

}  // namespace hussar
