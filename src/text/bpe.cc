#include "text/bpe.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace hussar {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

// Indices are 32 bits wide; a longer word is cut, which no text that fits the server's limits can notice.
constexpr size_t kWordBytesMax = size_t{1} << 31;

uint64_t heap_entry(uint32_t rank, uint32_t index) { return uint64_t{rank} << 32 | index; }

}  // namespace

Bpe::Bpe(const std::array<TokenId, 256>& byte_tokens, const std::vector<Merge>& merges)
    : byte_tokens_(byte_tokens) {
  CHECK(merges.size() < kNone / 2);
  slots_.resize(std::max<size_t>(16, merges.size() * 3 / 2 + 1));
  results_.reserve(merges.size());
  for (const Merge& merge : merges) {
    Slot& slot = slots_[slot_of(merge.left, merge.right)];
    if (slot.left < 0) slot = {merge.left, merge.right, static_cast<uint32_t>(results_.size())};
    results_.push_back(merge.result);
  }
}

// Where the pair stands, or would stand.
size_t Bpe::slot_of(TokenId left, TokenId right) const {
  const uint64_t key = uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  uint64_t hash = key * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  hash ^= hash >> 32;
  size_t index = (hash * 0x9E3779B97F4A7C15u >> 32) * slots_.size() >> 32;  // fewer than 2^32 slots
  while (slots_[index].left >= 0 && (slots_[index].left != left || slots_[index].right != right))
    if (++index == slots_.size()) index = 0;
  return index;
}

uint32_t Bpe::rank_of(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(left, right)];
  return slot.left < 0 ? kNone : slot.rank;
}

// One symbol a byte, linked, and an entry in the heap for each pair that can be merged.
void Bpe::fill(std::string_view word, Scratch* scratch) const {
  auto& symbols = scratch->symbols_;
  auto& heap = scratch->heap_;
  symbols.clear();
  heap.clear();
  for (const char c : word) {
    const TokenId id = byte_tokens_[static_cast<unsigned char>(c)];
    if (id < 0) continue;
    const auto index = static_cast<uint32_t>(symbols.size());
    symbols.push_back({id, index - 1, index + 1, kNone});
  }
  if (symbols.empty()) return;
  symbols.front().previous = kNone;
  symbols.back().next = kNone;
  for (uint32_t i = 0; i + 1 < symbols.size(); ++i) {
    symbols[i].rank = rank_of(symbols[i].id, symbols[i + 1].id);
    if (symbols[i].rank != kNone) heap.push_back(heap_entry(symbols[i].rank, i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
}

void Bpe::encode(std::string_view word, Scratch* scratch, std::vector<TokenId>* out) const {
  for (; word.size() > kWordBytesMax; word.remove_prefix(kWordBytesMax))
    encode(word.substr(0, kWordBytesMax), scratch, out);
  fill(word, scratch);
  auto& symbols = scratch->symbols_;
  auto& heap = scratch->heap_;
  if (symbols.empty()) return;

  const auto rank_pair = [&](uint32_t left) {
    Scratch::Symbol& symbol = symbols[left];
    symbol.rank = symbol.next == kNone ? kNone : rank_of(symbol.id, symbols[symbol.next].id);
    if (symbol.rank == kNone) return;
    heap.push_back(heap_entry(symbol.rank, left));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto rank = static_cast<uint32_t>(heap.back() >> 32);
    const auto left = static_cast<uint32_t>(heap.back());
    heap.pop_back();
    if (symbols[left].rank != rank) continue;
    Scratch::Symbol& gone = symbols[symbols[left].next];
    symbols[left].id = results_[rank];
    symbols[left].next = gone.next;
    gone.rank = kNone;
    if (gone.next != kNone) symbols[gone.next].previous = left;
    rank_pair(left);
    if (symbols[left].previous != kNone) rank_pair(symbols[left].previous);
  }
  // The first symbol is never swallowed: a merge keeps its left one.
  for (uint32_t i = 0; i != kNone; i = symbols[i].next) out->push_back(symbols[i].id);
}

}  // namespace hussar
