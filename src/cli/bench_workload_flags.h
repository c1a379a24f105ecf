// The flags that say what is sent: `bench load` and `bench limit` share them.
#pragma once

#include <cstdint>
#include <string>

#include "base/flags.h"
#include "base/result.h"
#include "bench/workload.h"
#include "cli/bench_target_flags.h"

namespace hussar {

struct BenchWorkloadFlags {
  std::string input_tokens = "512", output_tokens = "128";
  std::string language = "en";
  int64_t shared_prefix_tokens = 0;
  std::string dataset;
  bool stream = false, no_stream = false;
  bool force_length = false;
  double temperature = -1, top_p = -1, repetition_penalty = -1;
  std::string extra;
  int64_t seed = -1;  // -1: drawn anew
  int64_t hold_mb = 256;
};

void add_bench_workload_flags(FlagTable* flags, BenchWorkloadFlags* o);
// Errors: kInvalid, naming the flag. A seed that was not given is drawn into `o`.
Result<WorkloadOptions> finish_bench_workload_flags(const FlagTable& flags, const BenchTargetFlags& target,
                                                    BenchWorkloadFlags* o);

// Sends one small request of the kind that the run will send, unmeasured: what the server refuses, or a
// stream that is none, is said before the run. `warning` gets a line where it failed in a way that load may
// change (a time-out, 429, 5xx). Errors: kInvalid, kNotFound, kIo.
Result<void> try_one_request(Target& target, const WorkloadOptions& workload, const LoadTimeouts& timeouts,
                             std::string* warning);

}  // namespace hussar
