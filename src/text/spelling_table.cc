#include "text/spelling_table.h"

#include <cstring>
#include <random>

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

SpellingTable::SpellingTable(size_t count_max) {
  size_t slot_count = 16;
  while (slot_count * 2 < count_max * 3) slot_count *= 2;
  slots_.resize(slot_count);
}

size_t SpellingTable::slot_of(std::string_view spelling, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  size_t index = hash & mask;
  while (slots_[index].id >= 0 && (slots_[index].tag != tag || slots_[index].spelling != spelling))
    index = (index + 1) & mask;
  return index;
}

bool SpellingTable::insert(std::string_view spelling, TokenId id) {
  CHECK(id >= 0 && count_ < slots_.size() - 1);
  const uint64_t hash = hash_of(spelling);
  Slot& slot = slots_[slot_of(spelling, hash)];
  if (slot.id >= 0) return false;
  slot = {spelling, static_cast<uint32_t>(hash >> 32), id};
  ++count_;
  return true;
}

TokenId SpellingTable::find(std::string_view spelling) const {
  return slots_[slot_of(spelling, hash_of(spelling))].id;
}

}  // namespace hussar
