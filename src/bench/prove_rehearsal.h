// One run of the load generator against a mock in this process, and both sides of its story.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/load.h"
#include "bench/mock_options.h"
#include "bench/prove_match.h"
#include "bench/target.h"

namespace hussar {

struct ProveRequest {
  Api api = Api::kChat;
  bool streamed = true;
  int32_t tokens = 16;  // exactly so many are asked for
  MockFault fault = MockFault::kNone;
  int64_t at_ns = -1;  // open loop
  int64_t cancel_after_ns = -1;
  JsonObject extra = {};  // further members of the body
};

struct RehearsalPlan {
  MockOptions mock;
  std::vector<ProveRequest> requests;
  LoadShape shape;
  LoadTimeouts timeouts;
  bool keep_alive = true;
  bool keep_text = false;
  bool mock_goes = false;  // before the run: nobody listens any more
};

struct Rehearsal {
  RunLog log;
  TruthTable truths;
  int64_t freeze_begin_ns = 0, freeze_end_ns = 0;  // on the run's clock
};

// Blocks. Request i has the label "r<i>" and the header X-Request-Id with it. Errors: kIo, where the machine
// has no port or no files left.
Result<Rehearsal> rehearse(const RehearsalPlan& plan, const std::atomic<bool>& stop);

}  // namespace hussar
