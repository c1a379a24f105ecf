// The shortest way from every place in a grammar to the end of its rule, in bytes.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <cpp/grammar_impl.h>
#include <xgrammar/xgrammar.h>

namespace hussar {

// A rule is an automaton whose edges are bytes and other rules. Immutable once made.
class EndingTable {
 public:
  static constexpr int64_t kNever = INT64_MAX / 4;

  // Where a parse stands within a rule: at `node` of its automaton, `repeats` times through the edge that
  // leaves it when that is a repetition.
  struct Place {
    int32_t rule;
    int32_t node;
    int32_t repeats;
  };

  // Only bytes of `bytes`, those that some token consists of, are gone over.
  EndingTable(const xgrammar::Grammar& grammar, const std::bitset<256>& bytes);

  // The least bytes from `place` to the end of its rule; kNever when there is no end.
  int64_t bytes_to_end(const Place& place) const;
  // Of a whole answer.
  int64_t bytes_of_answer() const { return rule_bytes_[static_cast<size_t>(root_)]; }
  // Appends such bytes. REQUIRES: bytes_to_end(place) is not kNever, and fits memory.
  void append_ending(const Place& place, std::string* out) const;
  // Whether the node's edge is a repetition of `rule`.
  bool repeats_rule(int32_t rule, int32_t node, int32_t repeated) const;
  size_t memory_bytes() const;

 private:
  enum class Step : uint8_t { kNone, kEnd, kByte, kEmpty, kRule };
  struct Spot {
    int64_t bytes = kNever;        // to the end, from zero repeats
    int64_t bytes_after = kNever;  // from the step's target
    int32_t node = 0, rule = 0;
    int32_t target = -1;   // spot
    int32_t of_rule = -1;  // kRule: what is gone through, at least `repeats_min` times
    int32_t repeats_min = 1;
    Step step = Step::kNone;
    bool repeats = false;
    uint8_t byte = 0;
  };
  class Builder;

  int32_t find(int32_t rule, int32_t node) const;

  std::vector<Spot> spots_;
  std::unordered_map<uint64_t, int32_t> index_;  // by rule and node
  std::vector<int32_t> starts_;                  // spot of each rule's beginning
  std::vector<int64_t> rule_bytes_;
  int32_t root_ = 0;
};

}  // namespace hussar
