#include "engine/block_pool.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace hussar {
namespace {

// One round of splitmix64's finalizer over the running value: every bit of a token reaches every bit of the
// hash.
uint64_t mix(uint64_t hash, uint64_t value) {
  uint64_t x = hash + 0x9e3779b97f4a7c15ULL + value;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

BlockPool::BlockPool(int32_t blocks, int32_t block_tokens, uint64_t hash_mask)
    : block_tokens_(block_tokens), hash_mask_(hash_mask) {
  CHECK(blocks >= 1 && block_tokens >= 1);
  const size_t count = static_cast<size_t>(blocks);
  entries_.resize(count);
  tokens_.resize(count * static_cast<size_t>(block_tokens));
  buckets_.resize(std::bit_ceil(2 * count), kNone);
  free_.reserve(count);
  for (int32_t block = blocks - 1; block >= 0; --block) free_.push_back(block);
}

bool BlockPool::admit(std::span<const int32_t> hits, int32_t more) {
  const auto unreferenced =
      std::count_if(hits.begin(), hits.end(), [this](int32_t block) { return references(block) == 0; });
  if (unreferenced + more > available()) return false;
  for (int32_t block : hits) reference(block);
  pledged_ += more;
  return true;
}

int32_t BlockPool::take() {
  CHECK(pledged_ > 0);
  int32_t block = kNone;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else {
    block = oldest_;
    CHECK(block != kNone);
    unlink(block);
    forget(block);
  }
  --pledged_;
  entry(block).references = 1;
  return block;
}

void BlockPool::adopt(int32_t block) {
  CHECK(pledged_ > 0);
  reference(block);
  --pledged_;
}

void BlockPool::unpledge(int32_t count) {
  CHECK(count >= 0 && count <= pledged_);
  pledged_ -= count;
}

int32_t BlockPool::find(int32_t parent, std::span<const TokenId> tokens, std::string_view salt) const {
  const uint64_t hash = hash_of(parent, tokens, salt);
  for (int32_t block = buckets_[bucket_of(hash)]; block != kNone; block = entry(block).bucket_next) {
    const Entry& e = entry(block);
    if (e.hash != hash || e.parent != parent || (parent == kNone && e.salt != salt)) continue;
    if (std::ranges::equal(tokens_of(block), tokens)) return block;
  }
  return kNone;
}

int32_t BlockPool::publish(int32_t block, int32_t parent, std::span<const TokenId> tokens,
                           std::string_view salt) {
  CHECK(references(block) == 1 && !published(block));
  CHECK(tokens.size() == static_cast<size_t>(block_tokens_));
  CHECK(parent == kNone || (published(parent) && references(parent) > 0));
  const int32_t known = find(parent, tokens, salt);
  if (known != kNone) {
    reference(known);
    release(block);
    return known;
  }
  Entry& e = entry(block);
  e.published = true;
  e.parent = parent;
  e.hash = hash_of(parent, tokens, salt);
  if (parent == kNone) {
    e.salt = salt;
  } else {
    ++entry(parent).children;
  }
  std::ranges::copy(tokens, tokens_.begin() + static_cast<ptrdiff_t>(block) * block_tokens_);
  int32_t& first = buckets_[bucket_of(e.hash)];
  e.bucket_next = first;
  first = block;
  return block;
}

void BlockPool::release(int32_t block) {
  Entry& e = entry(block);
  CHECK(e.references > 0);
  if (--e.references > 0) return;
  if (e.published) {
    link_newest(block);
  } else {
    free_.push_back(block);
  }
}

uint64_t BlockPool::hash_of(int32_t parent, std::span<const TokenId> tokens, std::string_view salt) const {
  uint64_t hash = mix(0, static_cast<uint32_t>(parent));
  for (TokenId token : tokens) hash = mix(hash, static_cast<uint32_t>(token));
  if (parent == kNone) {
    for (char c : salt) hash = mix(hash, static_cast<unsigned char>(c));
  }
  return hash & hash_mask_;
}

std::span<const TokenId> BlockPool::tokens_of(int32_t block) const {
  const size_t size = static_cast<size_t>(block_tokens_);
  return std::span(tokens_).subspan(static_cast<size_t>(block) * size, size);
}

void BlockPool::reference(int32_t block) {
  CHECK(published(block));
  if (entry(block).references++ == 0) unlink(block);
}

void BlockPool::link_newest(int32_t block) {
  Entry& e = entry(block);
  e.older = newest_;
  e.newer = kNone;
  (newest_ == kNone ? oldest_ : entry(newest_).newer) = block;
  newest_ = block;
  ++cached_;
}

void BlockPool::unlink(int32_t block) {
  Entry& e = entry(block);
  (e.older == kNone ? oldest_ : entry(e.older).newer) = e.newer;
  (e.newer == kNone ? newest_ : entry(e.newer).older) = e.older;
  e.older = e.newer = kNone;
  --cached_;
}

// Takes a block out of the index: its content is about to be overwritten.
void BlockPool::forget(int32_t block) {
  Entry& e = entry(block);
  CHECK(e.published && e.references == 0 && e.children == 0);
  if (e.parent != kNone) --entry(e.parent).children;
  int32_t* link = &buckets_[bucket_of(e.hash)];
  while (*link != block) link = &entry(*link).bucket_next;
  *link = e.bucket_next;
  e.published = false;
  e.parent = kNone;
  e.bucket_next = kNone;
  e.salt.clear();
}

void BlockPool::check_integrity() const {
  int32_t used_count = 0, unreferenced_published = 0, published_count = 0, indexed = 0;
  std::vector<int32_t> children(entries_.size(), 0);
  for (const Entry& e : entries_) {
    used_count += e.references > 0;
    published_count += e.published;
    unreferenced_published += e.published && e.references == 0;
    if (e.published && e.parent != kNone) {
      CHECK(published(e.parent));
      CHECK(e.references == 0 || references(e.parent) > 0);
      ++children[static_cast<size_t>(e.parent)];
    }
  }
  for (int32_t block = 0; block < all(); ++block)
    CHECK(entry(block).children == children[static_cast<size_t>(block)]);
  for (int32_t block : free_) CHECK(references(block) == 0 && !published(block));

  // Walked from the oldest on, each cached block's children have been passed before it.
  int32_t linked = 0;
  for (int32_t block = oldest_; block != kNone; block = entry(block).newer) {
    CHECK(references(block) == 0 && published(block));
    CHECK(children[static_cast<size_t>(block)] == 0);
    if (entry(block).parent != kNone) --children[static_cast<size_t>(entry(block).parent)];
    ++linked;
  }
  for (int32_t first : buckets_) {
    for (int32_t block = first; block != kNone; block = entry(block).bucket_next) {
      CHECK(published(block) && buckets_[bucket_of(entry(block).hash)] == first);
      ++indexed;
    }
  }
  CHECK(linked == cached_ && unreferenced_published == cached_);
  CHECK(indexed == published_count);
  CHECK(used_count + free() + cached() == all());
  CHECK(pledged_ >= 0 && available() >= 0);
}

}  // namespace hussar
