// Where a run begins to go wrong, and in which state the server was: the "point where memory runs out" with
// its cause, as far as it can be seen from outside.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "bench/record.h"
#include "bench/report.h"
#include "bench/server_watch.h"

namespace hussar {

enum class TroubleCause {
  kUnseen,         // nothing that was seen explains it
  kProcessEnded,   // the server's process went away
  kKvCacheFull,    // preemptions, or nearly all KV blocks in use
  kGpuMemoryFull,  // it grew until nearly nothing was left
  kMemoryFull,     // of the server's machine
  kQueueFull,      // refused (429, 503) while requests waited
  kRefused,        // refused, the queue unseen
  kTooSlow,        // time-outs: the server lived, but did not answer in time
  kNoConnection,   // no new connection came about
  kBadRequests,    // 4xx: the requests themselves, not the load
};

struct Trouble {
  enum class Sign { kNone, kErrors, kPreemptions };
  Sign sign = Sign::kNone;  // which began first; kNone: nothing went wrong, the rest is meaningless
  double at_s = 0;          // of the run
  int64_t in_flight = 0;    // requests of this client that were under way then
  Outcome first_error = Outcome::kUnfinished;  // where there are errors
  // Of the requests that ended then or later: those with errors, and all but cancelled and unfinished ones.
  int64_t errors = 0, ended = 0;
  // The worst that was seen within kTroubleSpanS around it; fields are -1 where nothing was.
  ServerSample state;
  TroubleCause cause = TroubleCause::kUnseen;
  Text sentence;  // all of this for people
};
inline constexpr double kTroubleSpanS = 2.5;

// `records` as the load generator wrote them, warm-up included; `samples` in their order; `watch_start_s`:
// when the watch began, in the run's time (negative: before the run). Pure. A cause is what fits, not a
// proof.
Trouble find_trouble(std::span<const RequestRecord> records, std::span<const ServerSample> samples,
                     double watch_start_s);

}  // namespace hussar
