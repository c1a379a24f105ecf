// The engine's speed without HTTP: prompts and generation at chosen depths and batch sizes, on the model and
// backend directly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/backend.h"
#include "model/model.h"

namespace hussar {

// One row of the sweep: a prompt of `tokens` for one sequence, up to its first token, or `tokens` generated
// by each of `batch` sequences, behind `depth` positions.
struct PerfTest {
  enum Kind { kPrompt, kGenerate };
  Kind kind;
  int32_t tokens;
  int32_t depth;
  int32_t batch;
  std::string name() const;  // "pp512", "tg128@d1024", "tg128@b8"
};

struct PerfRow {
  PerfTest test;
  double tokens_per_second = 0;  // median over the repetitions, of all sequences together
  double min = 0;
  double max = 0;
  double roofline_fraction =
      0;                      // the least time that the machine's measured peaks allow, over the median time
  bool memory_bound = false;  // which of the two peaks sets that least time
  // What that least time stands on, a step: a generated token of each sequence, or a chunk of a prompt.
  double step_bytes = 0;
  double step_macs = 0;
};

struct PerfSweep {
  std::vector<int64_t> prompts, generates, depths, batches;
  int32_t repetitions = 3;
  int32_t step_rows_max = 512;  // prompts run in chunks of as many rows
  KvType kv_type = KvType::kF16;
};

// Every combination: prompts at each depth, generation at each depth and batch size; a count of 0 is left
// out.
std::vector<PerfTest> list_perf_tests(const PerfSweep& sweep);

// Runs the tests in order on a backend that has the model's weights but no reservation yet. A first,
// uncounted run of each warms up.
class PerfBench {
 public:
  // Reserves for the largest test. Errors: as Backend::reserve; kTooLarge when a test exceeds the model's
  // context; kOutOfMemory; kDeviceFault (the peaks).
  static Result<PerfBench> create(Backend& backend, const Model& model, const PerfSweep& sweep);

  // Errors: kDeviceFault.
  Result<PerfRow> run(const PerfTest& test);
  const DevicePeaks& peaks() const { return peaks_; }
  // Bytes of weights, keys and values that the test's steps read at the least, and their
  // multiply-accumulates.
  double least_bytes(const PerfTest& test) const;
  double least_macs(const PerfTest& test) const;
  double steps(const PerfTest& test) const;

 private:
  PerfBench(Backend& backend, const Model& model, const PerfSweep& sweep)
      : backend_(&backend), model_(&model), sweep_(sweep) {}
  Result<double> time_once(const PerfTest& test);  // seconds
  enum class FirstToken : uint8_t { kLeftOut, kSampled };
  Result<void> fill(int32_t slot, int32_t first_position, int32_t tokens, FirstToken first_token);
  Result<void> decode_step(int32_t position, int32_t batch);
  std::span<const int32_t> blocks_of(int32_t slot) const;

  Backend* backend_;
  const Model* model_;
  PerfSweep sweep_;
  DevicePeaks peaks_;
  int32_t blocks_per_slot_ = 0;
  std::vector<int32_t> blocks_;  // [slots, blocks_per_slot_]
};

}  // namespace hussar
