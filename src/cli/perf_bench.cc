#include "cli/perf_bench.h"

#include <algorithm>
#include <numeric>

#include "base/memory.h"
#include "base/types.h"

namespace hussar {
namespace {

int32_t largest(const std::vector<int64_t>& values) {
  return values.empty() ? 0 : static_cast<int32_t>(*std::max_element(values.begin(), values.end()));
}

// Random-looking ids that are the same in every run: what is multiplied does not matter, but one id repeated
// would sit in the caches.
TokenId token_at(int64_t index, int32_t vocab_size) {
  uint64_t x = static_cast<uint64_t>(index) * 0x9E3779B97F4A7C15u + 0x1234567u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return static_cast<TokenId>((x >> 32) % static_cast<uint64_t>(vocab_size));
}

SampleRow greedy_row(int32_t slot, int32_t logit_row, int32_t position) {
  SampleRow row;
  row.logit_row = logit_row;
  row.slot = slot;
  row.position = position;
  row.params.temperature = 0;
  return row;
}

}  // namespace

std::string PerfTest::name() const {
  std::string text = (kind == kPrompt ? "pp" : "tg") + std::to_string(tokens);
  if (depth > 0) text += "@d" + std::to_string(depth);
  if (batch > 1) text += "@b" + std::to_string(batch);
  return text;
}

std::vector<PerfTest> list_perf_tests(const PerfSweep& sweep) {
  std::vector<PerfTest> tests;
  for (int64_t depth : sweep.depths) {
    for (int64_t prompt : sweep.prompts) {
      if (prompt > 0)
        tests.push_back({PerfTest::kPrompt, static_cast<int32_t>(prompt), static_cast<int32_t>(depth), 1});
    }
    for (int64_t generate : sweep.generates) {
      for (int64_t batch : sweep.batches) {
        if (generate > 0) {
          tests.push_back({PerfTest::kGenerate, static_cast<int32_t>(generate), static_cast<int32_t>(depth),
                           static_cast<int32_t>(batch)});
        }
      }
    }
  }
  return tests;
}

Result<PerfBench> PerfBench::create(Backend& backend, const Model& model, const PerfSweep& sweep) {
  PerfBench bench(backend, model, sweep);
  const int32_t context = largest(sweep.depths) + std::max(largest(sweep.prompts), largest(sweep.generates));
  const int32_t trained = model.config().context_trained;
  if (trained > 0 && context > trained) {
    return Error{ErrorCode::kTooLarge,
                 "the longest test needs " + std::to_string(context) + " positions, the model has " +
                     std::to_string(trained) + "; choose a smaller --depth, --prompt or --generate",
                 "--depth"};
  }
  const int32_t slots = std::max(1, largest(sweep.batches));
  const int32_t block_tokens = backend.info().kv_block_tokens;
  bench.blocks_per_slot_ = (context + block_tokens - 1) / block_tokens;
  bench.blocks_.resize(static_cast<size_t>(slots) * bench.blocks_per_slot_);
  std::iota(bench.blocks_.begin(), bench.blocks_.end(), 0);
  StepLimits limits;
  const int32_t longest = std::max(largest(sweep.prompts), largest(sweep.depths));
  limits.rows_max = std::max(std::min(sweep.step_rows_max, longest), slots);
  limits.parts_max = slots;
  limits.logit_rows_max = slots;
  limits.context_max = context;
  KvOptions kv;
  kv.type = sweep.kv_type;
  kv.blocks = static_cast<int32_t>(bench.blocks_.size());
  const int64_t needed = backend.reserve_bytes(model.config().shape, kv, limits);
  if (const int64_t left = backend.memory_left_bytes(); needed > left) {
    return Error{ErrorCode::kOutOfMemory,
                 "the largest test needs " + bytes_text(needed) + ", and " + bytes_text(left) +
                     " are left; choose a smaller --batch, --depth or --prompt",
                 "--batch"};
  }
  RETURN_IF_ERROR(backend.reserve(model.config().shape, kv, limits));
  RETURN_IF_ERROR(backend.prepare_steps([&model](Backend& b, const StepShape& s) { model.forward(b, s); }));
  bench.peaks_ = backend.measure_peaks(model.step_weight_bytes());
  if (bench.peaks_.read_bytes_per_second <= 0 || bench.peaks_.macs_per_second <= 0)
    return Error{ErrorCode::kDeviceFault, "what this device can reach could not be measured", "--device"};
  return bench;
}

Result<PerfRow> PerfBench::run(const PerfTest& test) {
  for (int32_t slot = 0; slot < test.batch; ++slot)
    RETURN_IF_ERROR(fill(slot, 0, test.depth, FirstToken::kLeftOut));
  std::vector<double> seconds;
  for (int32_t i = 0; i <= sweep_.repetitions; ++i) {
    ASSIGN_OR_RETURN(const double once, time_once(test));
    if (i > 0) seconds.push_back(once);
  }
  for (int32_t slot = 0; slot < test.batch; ++slot) backend_->end_sequence(slot);
  std::sort(seconds.begin(), seconds.end());
  const size_t middle = seconds.size() / 2;
  const double median = seconds.size() % 2 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  const double tokens = static_cast<double>(test.tokens) * test.batch;
  const double memory_seconds = least_bytes(test) / peaks_.read_bytes_per_second;
  const double compute_seconds = least_macs(test) / peaks_.macs_per_second;
  PerfRow row;
  row.test = test;
  row.tokens_per_second = tokens / median;
  row.min = tokens / seconds.back();
  row.max = tokens / seconds.front();
  row.roofline_fraction = std::max(memory_seconds, compute_seconds) / median;
  row.memory_bound = memory_seconds > compute_seconds;
  row.step_bytes = least_bytes(test) / steps(test);
  row.step_macs = least_macs(test) / steps(test);
  return row;
}

Result<double> PerfBench::time_once(const PerfTest& test) {
  // Each time the same sequences, which end where the context does.
  for (int32_t slot = 0; slot < test.batch; ++slot) backend_->begin_sequence(slot, {});
  const TimePoint began = Clock::now();
  if (test.kind == PerfTest::kPrompt) {
    RETURN_IF_ERROR(fill(0, test.depth, test.tokens, FirstToken::kSampled));
  } else {
    for (int32_t i = 0; i < test.tokens; ++i) RETURN_IF_ERROR(decode_step(test.depth + i, test.batch));
  }
  return std::chrono::duration<double>(Clock::now() - began).count();
}

std::span<const int32_t> PerfBench::blocks_of(int32_t slot) const {
  return std::span(blocks_).subspan(static_cast<size_t>(slot) * blocks_per_slot_, blocks_per_slot_);
}

Result<void> PerfBench::fill(int32_t slot, int32_t first_position, int32_t tokens, FirstToken first_token) {
  std::vector<TokenId> ids;
  for (int32_t done = 0; done < tokens;) {
    const int32_t rows = std::min(tokens - done, sweep_.step_rows_max);
    ids.clear();
    for (int32_t i = 0; i < rows; ++i) {
      ids.push_back(token_at(first_position + done + i + slot * 7919, model_->config().shape.vocab_size));
    }
    const int32_t logit_rows = done + rows == tokens ? 1 : 0;
    const BatchPart part{slot, first_position + done, rows, logit_rows, RowRole::kPrompt, blocks_of(slot)};
    backend_->forward({ids, std::span(&part, 1)},
                      [this](Backend& b, const StepShape& s) { model_->forward(b, s); });
    if (logit_rows > 0 && first_token == FirstToken::kSampled) {
      const SampleRow row = greedy_row(slot, 0, first_position + tokens);
      backend_->sample(std::span(&row, 1));
    }
    auto finished = backend_->finish_step();
    if (!finished) return std::move(finished).error();
    done += rows;
  }
  return {};
}

Result<void> PerfBench::decode_step(int32_t position, int32_t batch) {
  std::vector<TokenId> ids;
  std::vector<BatchPart> parts;
  std::vector<SampleRow> rows;
  for (int32_t slot = 0; slot < batch; ++slot) {
    ids.push_back(token_at(position + slot * 7919, model_->config().shape.vocab_size));
    parts.push_back({slot, position, 1, 1, RowRole::kGenerated, blocks_of(slot)});
    rows.push_back(greedy_row(slot, slot, position + 1));
  }
  backend_->forward({ids, parts}, [this](Backend& b, const StepShape& s) { model_->forward(b, s); });
  backend_->sample(rows);
  auto finished = backend_->finish_step();
  if (!finished) return std::move(finished).error();
  return {};
}

double PerfBench::steps(const PerfTest& test) const {
  if (test.kind == PerfTest::kGenerate) return test.tokens;
  return (test.tokens + sweep_.step_rows_max - 1) / sweep_.step_rows_max;
}

double PerfBench::least_bytes(const PerfTest& test) const {
  const ModelShape& shape = model_->config().shape;
  // Two 16-bit numbers for each element of a position's keys and values.
  const double kv_bytes = 2.0 * 2.0 * shape.layers * shape.kv_heads * shape.head_dim;
  const double weights = static_cast<double>(model_->step_weight_bytes());
  if (test.kind == PerfTest::kPrompt) return steps(test) * weights + kv_bytes * (test.depth + test.tokens);
  return test.tokens * (weights + test.batch * kv_bytes * (test.depth + test.tokens / 2.0));
}

double PerfBench::least_macs(const PerfTest& test) const {
  const ModelShape& shape = model_->config().shape;
  const double rows = static_cast<double>(test.tokens) * test.batch;
  // Scores and weighted values: two products of head_dim for each head and visible position.
  const double attention =
      2.0 * shape.layers * shape.heads * shape.head_dim * (test.depth + test.tokens / 2.0);
  const double heads = test.kind == PerfTest::kPrompt ? 1.0 : rows;
  return rows * (static_cast<double>(model_->row_macs()) + attention) +
         heads * static_cast<double>(model_->head_macs());
}

}  // namespace hussar
