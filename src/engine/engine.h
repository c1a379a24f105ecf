// The engine: one thread that owns scheduler, KV pool and backend, and turns requests into token events.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_table.h"
#include "base/result.h"
#include "base/types.h"
#include "engine/drafts.h"
#include "engine/load_estimate.h"
#include "engine/request.h"
#include "grammar/matcher.h"
#include "kernels/backend.h"
#include "model/model.h"

namespace hussar {

struct EngineOptions {
  int32_t context_max = 0;  // positions of one sequence: prompt and answer
  int32_t kv_blocks = 0;    // of the pool
  KvType kv_type = KvType::kF16;
  int32_t running_max = 64;       // sequences that run at once
  int32_t queue_max = 256;        // requests that wait
  int32_t step_tokens_max = 512;  // rows of one step; at least running_max
  // A step that generates takes no more prompt rows than lets it end in so many milliseconds, by the steps
  // before it; 0: as many as fit.
  int64_t itl_ms_max = 0;
  int64_t queue_tokens_max = 4 << 20;  // of their prompts and answers at most
  int64_t priority_ageing_ms = 1000;   // of waiting make up for one step of priority
  bool prefix_cache = true;
  int32_t mask_threads = 2;                       // that work out which tokens grammars allow
  int64_t mask_states_max = Matcher::kStatesMax;  // that one of them may look at; more is the request's error
  // Guessed for one sequence in a step at most, where that makes tokens come faster; 0: none. No answer
  // depends on it.
  int32_t draft_tokens_max = 0;
  DraftMode draft_mode = DraftMode::kWhenFaster;
  int64_t mask_wait_us_max =
      2000;  // for them before a step; a sequence whose mask is late sits out that step
};

// A snapshot; the totals only ever grow.
struct EngineCounters {
  int32_t waiting = 0, running = 0;
  int32_t blocks_all = 0, blocks_free = 0, blocks_cached = 0, blocks_used = 0;
  int64_t requests_accepted = 0, requests_refused = 0;
  int64_t finished[6] = {};   // by FinishReason
  int64_t prompt_tokens = 0;  // of admitted requests, cached ones included
  int64_t prefix_queried_tokens = 0, prefix_hit_tokens = 0;
  int64_t generated_tokens = 0;  // committed
  int64_t surplus_tokens = 0;    // computed for a sequence that had ended, or thrown away with its answer
  int64_t drafted_tokens = 0, drafts_accepted = 0;
  int64_t checks_failed = 0;  // answers that did not pass their check
  int64_t rows = 0;           // tokens that went through the model, of prompts and of answers
  int64_t steps = 0;
  int64_t steps_by_rows[16] = {};  // of at most 1, 2, 4, ... rows; the last one holds all larger ones
  int64_t masks_late = 0;          // steps that a sequence sat out because its grammar's mask was late
  int64_t deadline_refused = 0;    // of the refused: their deadline could not be met
  TimePoint last_step;             // of the last loop turn, idle ones included: readiness watches it
};

class Engine {
 public:
  // Reserves everything that steps will need and starts the thread. `token_bytes[id]` are the bytes that a
  // token adds to the answer (empty for control tokens), for stop strings. Errors: kInvalid (an option,
  // named), and Backend::reserve's.
  static Result<std::unique_ptr<Engine>> start(const EngineOptions& options, std::unique_ptr<Backend> backend,
                                               std::unique_ptr<Model> model, ByteTable token_bytes);
  virtual ~Engine() = default;  // shuts down

  // Any thread. Once accepted, the sink gets exactly one terminal event.
  // Errors: kTooLarge (can never fit), kFull (queue), kCancelled (shutting down), kDeviceFault (the device
  // has failed), kInvalid (a field out of range, or a deadline that can never be met; the error names it),
  // kDeadline (can't be met now; the error's wait_ms could).
  virtual Result<RequestId> submit(Request request, EventSink sink) = 0;
  // Any thread. Its blocks are free within one step. An unknown or ended id is ignored.
  virtual void cancel(RequestId id) = 0;
  virtual EngineCounters counters() const = 0;  // any thread
  // How busy it is, as a tenant with this share sees it. Any thread.
  virtual LoadEstimate load(TenantId, double /*share*/) const { return {}; }
  virtual const EngineOptions& options() const = 0;
  virtual const DeviceInfo& device() const = 0;
  // What ended the engine, when the device failed: it takes no request any more. Any thread.
  virtual std::optional<Error> fault() const { return std::nullopt; }
  // Ends all requests with kShutdown and joins the thread. Idempotent; any thread but the engine's own, so
  // never from a sink.
  virtual void shutdown() = 0;
};

}  // namespace hussar
