// The KV blocks of one device: who holds which, and which still hold a prefix that another request may use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace hussar {

// Bookkeeping only; what the blocks contain is the backend's. One thread (the engine's) owns it.
//
// A block is free, used (one reference for each sequence whose table names it) or cached (unreferenced, but
// published: it holds the keys and values of known tokens). Free + cached + used == all, always. Cached
// blocks are taken again, least recently used first, when no block is free, so they cost nobody anything.
//
// A published block is named by its parent block and its own tokens, both compared on a hit and not only
// hashed, and a first block by its salt too. The parent's index is a sound name because a block is never
// taken while a published child depends on it: whoever holds a child holds its parent, and a sequence
// releases its last block first, so that a child is always less recently used than its parent.
//
// Which arithmetic path computed a block is not part of the name: only blocks that a prompt would have
// computed bit for bit are published (SchedulerLimits::cache_generated).
class BlockPool {
 public:
  static constexpr int32_t kNone = -1;

  // Tests keep few bits of the hashes, so that nearly all prefixes collide and only the comparison tells them
  // apart. REQUIRES: blocks >= 1, block_tokens >= 1.
  BlockPool(int32_t blocks, int32_t block_tokens, uint64_t hash_mask = ~uint64_t{0});

  int32_t block_tokens() const { return block_tokens_; }
  int32_t all() const { return static_cast<int32_t>(entries_.size()); }
  int32_t free() const { return static_cast<int32_t>(free_.size()); }
  int32_t cached() const { return cached_; }
  int32_t used() const { return all() - free() - cached(); }
  // Free or cached, and promised to nobody.
  int32_t available() const { return free() + cached() - pledged_; }

  // --- promises: blocks that a sequence may take later, whatever happens in between
  // ------------------------------------------------- Adds a reference to each of `hits` (found by find(),
  // parents first) and pledges `more` blocks; or changes nothing and says false.
  [[nodiscard]] bool admit(std::span<const int32_t> hits, int32_t more);
  // Turns a pledged block into a used one with one reference; its contents are unknown. REQUIRES: a pledge.
  int32_t take();
  // Uses a published block in place of a pledged one. REQUIRES: a pledge; the sequence holds its parent.
  void adopt(int32_t block);
  void unpledge(int32_t count);

  // --- cache
  // --------------------------------------------------------------------------------------------------------------------------
  // The published block with these tokens after `parent` (kNone: at the start), or kNone. REQUIRES:
  // block_tokens() tokens.
  int32_t find(int32_t parent, std::span<const TokenId> tokens, std::string_view salt) const;
  // Makes a full block known. When the same content is published already, the reference moves to that block
  // and the given one becomes free: the caller keeps the block that is returned. REQUIRES: the caller holds
  // the only reference, and holds the published parent.
  int32_t publish(int32_t block, int32_t parent, std::span<const TokenId> tokens, std::string_view salt);
  // Drops one reference. A sequence releases its blocks from the last to the first.
  void release(int32_t block);

  int32_t references(int32_t block) const { return entry(block).references; }
  bool published(int32_t block) const { return entry(block).published; }
  int32_t pledged() const { return pledged_; }

  // CHECKs the counts, the order of use and the index. Linear in the number of blocks.
  void check_integrity() const;

 private:
  struct Entry {
    int32_t references = 0;
    bool published = false;
    int32_t parent = kNone;
    int32_t children = 0;  // published blocks whose parent this is
    uint64_t hash = 0;
    int32_t bucket_next = kNone;
    int32_t older = kNone, newer = kNone;  // among cached blocks, by last use
    std::string salt;                      // of a first block
  };

  Entry& entry(int32_t block) { return entries_[static_cast<size_t>(block)]; }
  const Entry& entry(int32_t block) const { return entries_[static_cast<size_t>(block)]; }
  uint64_t hash_of(int32_t parent, std::span<const TokenId> tokens, std::string_view salt) const;
  std::span<const TokenId> tokens_of(int32_t block) const;
  size_t bucket_of(uint64_t hash) const { return hash & (buckets_.size() - 1); }
  void reference(int32_t block);
  void link_newest(int32_t block);
  void unlink(int32_t block);
  void forget(int32_t block);

  const int32_t block_tokens_;
  const uint64_t hash_mask_;
  std::vector<Entry> entries_;
  std::vector<TokenId> tokens_;   // [blocks, block_tokens]: what published blocks hold
  std::vector<int32_t> buckets_;  // first block of each hash bucket; the size is a power of two
  std::vector<int32_t> free_;
  int32_t cached_ = 0;
  int32_t pledged_ = 0;
  int32_t oldest_ = kNone, newest_ = kNone;
};

}  // namespace hussar
