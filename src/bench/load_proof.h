// Was it the client? Judges from what a run noted about its own punctuality whether its figures are the
// server's.
//   Streams    more than 1 % of the requests of an open loop waited for one of `streams_max`, or some did so
//              until the run's end and were never sent.
//   CPU        the client's thread used more than 85 % of a core for three seconds on end, or over the whole
//              run where that is a second at least: what it then measures is its own queue.
//   Loop       more than 1 % of its timed tasks ran over 4 ms late: so late may every stamp be that it took.
//   Lateness   more than 1 % of the sends came late by more than 1 ms (twice what the client promises at
//              2,000 requests a second) and by more than 1 % of what they are measured against: the mean gap
//              between sends of an open loop, the median answer time of a closed one; never more than 10 ms.
// In the last two at least five must be late, or all of them: one hiccup of the machine among a few requests
// shows in the tail of the figures, and says nothing about the client.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/load.h"

namespace hussar {

struct ProofFacts {
  LoadShape::Kind kind = LoadShape::Kind::kClosed;
  double run_s = 0;
  double busy_s_longest = 0;  // on end above kBusyShare
  int32_t streams_max = 0;
  bool held_up_at_end = false;  // requests that were due were never sent
  int64_t reference_ns = 0;     // mean gap or median answer time; 0: not known
  // Of the requests that did not wait for a stream: the others' is the limit's, not the loop's.
  std::vector<int64_t> unhindered_lateness_ns;
};

inline constexpr double kBusyShare = 0.85;

// Reads `proof`'s figures, sets client_limited and reason.
void judge_proof(const ProofFacts& facts, SelfProof* proof);

// What `after` has more than `before`.
LoopStats loop_stats_between(const LoopStats& before, const LoopStats& after);

}  // namespace hussar
