// The flags of `hussar bench load` and the run that they describe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/arrivals.h"
#include "bench/limit_slo.h"
#include "bench/load_report.h"
#include "cli/bench_workload_flags.h"

namespace hussar {

struct BenchLoadFlags {
  BenchTargetFlags target;
  BenchWorkloadFlags workload;
  int64_t users = 1;
  std::string user_stages;
  std::string think_s = "0";
  double ramp_s = 0;
  double rate = 1;
  std::string stages;
  std::string arrivals = "poisson";
  double burstiness = 1;
  std::string trace;
  double trace_speed = 1, trace_seconds = 0;
  double warmup_s = 0, duration_s = 30, drain_s = 60;
  int64_t warmup_requests = 0, requests = 0, streams_max = 4096;
  double cancel_share = 0;
  int64_t cancel_after_ms = 100;
  std::string slo;
  double confidence = 0.95;
  bool json = false;
};

void add_bench_load_flags(FlagTable* flags, BenchLoadFlags* o);

// One run, as the flags say.
struct LoadPlan {
  WorkloadOptions workload;
  LoadShape shape;
  std::optional<ArrivalOptions> arrivals;  // open loop, but for traces
  std::vector<StageSpan> stages;
  std::optional<SloSpec> slo;
  int64_t requests_wanted = 0;  // how many the run may send; 0: not known
  JsonObject description;       // of the shape, for the report
};

// Errors: kInvalid, kNotFound, kIo, one line with the flag at fault. The report's folder is made.
Result<LoadPlan> plan_load(const FlagTable& flags, BenchLoadFlags* o);

}  // namespace hussar
