// A step of CudaBackend: its inputs, its launch, its sampling and its end.
#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/cuda_backend.h"

namespace hussar::cuda {
namespace {

int32_t divide_up(int32_t count, int32_t by) { return (count + by - 1) / by; }

int32_t blocks_of(const BatchPart& part) { return divide_up(part.first_position + part.rows, kBlockTokens); }

}  // namespace

void CudaBackend::begin_sequence(int32_t slot, std::span<const TokenId> prompt) {
  CHECK(reserved_ && slot >= 0 && slot < limits_.parts_max);
  CHECK(prompt.size() <= static_cast<size_t>(limits_.context_max));
  for (const TokenId token : prompt) CHECK(token >= 0 && token < shape_.vocab_size);
  enter();
  counted_ = false;
  uint32_t* counts = work_.counts + int64_t{slot} * shape_.vocab_size;
  constexpr const char* kWhat = "beginning a sequence";
  works(cudaMemsetAsync(counts, 0, static_cast<size_t>(shape_.vocab_size) * sizeof(*counts), stream_), kWhat);
  if (prompt.empty()) return;
  works(cudaMemcpyAsync(work_.prompt, prompt.data(), prompt.size_bytes(), cudaMemcpyHostToDevice, stream_),
        kWhat);
  mark_prompt(counts, work_.prompt, static_cast<int32_t>(prompt.size()), stream_);
  launched(kWhat);
}

void CudaBackend::end_sequence(int32_t slot) {
  CHECK(reserved_ && slot >= 0 && slot < limits_.parts_max);
  counted_ = false;  // the counts are cleared when the slot is taken again
}

void CudaBackend::check_batch(const Batch& batch) const {
  CHECK_NOTE(reserved_, "reserve() comes first");
  CHECK(batch.parts.size() <= static_cast<size_t>(limits_.parts_max));
  int64_t rows = 0, logit_rows = 0;
  for (const BatchPart& part : batch.parts) {
    CHECK(part.slot >= 0 && part.slot < limits_.parts_max);
    CHECK(part.rows >= 1 && part.logit_rows >= 0 && part.logit_rows <= part.rows);
    CHECK(part.first_position >= 0 && part.first_position <= limits_.context_max - part.rows);
    CHECK(part.blocks.size() >= static_cast<size_t>(blocks_of(part)));
    for (const int32_t block : part.blocks.first(static_cast<size_t>(blocks_of(part))))
      CHECK(block >= 0 && block < kv_.blocks);
    rows += part.rows;
    logit_rows += part.logit_rows;
  }
  CHECK(rows >= 1 && rows <= limits_.rows_max && logit_rows <= limits_.logit_rows_max);
  CHECK(static_cast<size_t>(rows) == batch.tokens.size());
  for (const TokenId token : batch.tokens) {
    CHECK(token < shape_.vocab_size);
    CHECK(token >= 0 || static_cast<size_t>(~token) < current().sampled_rows);
  }
}

// Which attention a part takes depends on its role and on nothing else.
bool CudaBackend::is_decode(const BatchPart& part) const {
  return part.role == RowRole::kGenerated && part.rows == 1;
}

CudaBackend::StepSize CudaBackend::size_of(const Batch& batch) const {
  StepSize size;
  const int32_t group = shape_.heads / shape_.kv_heads;
  for (const BatchPart& part : batch.parts) {
    size.rows += part.rows;
    size.logit_rows += part.logit_rows;
    size.table_entries += blocks_of(part);
    if (is_decode(part)) {
      size.decode_items += divide_up(part.first_position + 1, kSplitTokens);
    } else {
      size.prefill_items += divide_up(part.rows * group, kPrefillQueries);
    }
  }
  return size;
}

void CudaBackend::fill_inputs(const Batch& batch, const StepSize& size, const InputLayout& layout) {
  auto* tokens = staged<int32_t>(layout.tokens);
  auto* positions = staged<int32_t>(layout.positions);
  auto* places = staged<int32_t>(layout.places);
  auto* tables = staged<int32_t>(layout.tables);
  auto* logit_rows = staged<int32_t>(layout.logit_rows);
  auto* block_tables = staged<int32_t>(layout.block_tables);
  std::ranges::copy(batch.tokens, tokens);
  int32_t row = 0, logit_row = 0, table = 0;
  for (const BatchPart& part : batch.parts) {
    const int32_t blocks = blocks_of(part);
    std::copy_n(part.blocks.begin(), blocks, block_tables + table);
    for (int32_t i = 0; i < part.rows; i++, row++) {
      const int32_t position = part.first_position + i;
      positions[row] = position;
      places[row] =
          part.blocks[static_cast<size_t>(position / kBlockTokens)] * kBlockTokens + position % kBlockTokens;
      tables[row] = table;
      if (i >= part.rows - part.logit_rows) logit_rows[logit_row++] = row;
    }
    table += blocks;
  }
  for (; row < size.rows; row++) {
    tokens[row] = positions[row] = tables[row] = 0;
    places[row] = -1;
  }
  for (; logit_row < size.logit_rows; logit_row++) logit_rows[logit_row] = 0;
  fill_items(batch, size, layout);
}

void CudaBackend::fill_items(const Batch& batch, const StepSize& size, const InputLayout& layout) {
  auto* decode_items = staged<DecodeItem>(layout.decode_items);
  auto* prefill_items = staged<PrefillItem>(layout.prefill_items);
  const int32_t group = shape_.heads / shape_.kv_heads;
  int32_t row = 0, table = 0, decodes = 0, prefills = 0;
  for (const BatchPart& part : batch.parts) {
    if (is_decode(part)) {
      CHECK(row < limits_.parts_max);
      for (int32_t s = 0; s < divide_up(part.first_position + 1, kSplitTokens); s++)
        decode_items[decodes++] = {row, s};
    } else {
      // The longest contexts first, so that none is left alone at the end.
      for (int32_t tile = divide_up(part.rows * group, kPrefillQueries); tile-- > 0;)
        prefill_items[prefills++] = {row, part.rows, part.first_position, tile, table};
    }
    row += part.rows;
    table += blocks_of(part);
  }
  CHECK(decodes <= size.decode_items && prefills <= size.prefill_items);
  *staged<int32_t>(layout.decode_count) = decodes;
}

void CudaBackend::forward(const Batch& batch, const Forward& forward) {
  check_batch(batch);
  CHECK(under_way_ < info_.steps_in_flight_max && (under_way_ == 0 || current().sampled_rows > 0));
  enter();
  counted_ = false;
  current_ = (current_ + 1) % kFlights;
  ++under_way_;
  current().sampled_rows = 0;
  current().end_recorded = false;
  step_ = size_of(batch);
  real_rows_ = step_.rows;
  real_logit_rows_ = step_.logit_rows;
  current().rows = step_.rows;
  const int32_t table_entries = step_.table_entries;
  auto graph = graphs_.end();
  const auto records = [&](const BatchPart& part) { return is_decode(part) && part.logit_rows == 1; };
  if (std::ranges::all_of(batch.parts, records)) graph = graphs_.lower_bound(step_.rows);
  if (graph != graphs_.end()) {
    step_.rows = step_.logit_rows = graph->first;
    step_.decode_items = graph->first * splits_max();
  }
  const InputLayout layout = layout_of(step_);
  in_ = device_inputs(layout);
  fill_inputs(batch, step_, layout);
  const auto bytes = static_cast<size_t>(layout.block_tables) + static_cast<size_t>(table_entries) * 4;
  if (!works(cudaMemcpyAsync(work_.inputs, current().inputs.data(), bytes, cudaMemcpyHostToDevice, stream_),
             "sending a step's inputs")) {
    return;
  }
  if (graph != graphs_.end()) {
    works(cudaGraphLaunch(graph->second, stream_), "launching a recorded step");
  } else {
    forward(*this, {step_.rows, static_cast<int32_t>(batch.parts.size()), step_.logit_rows});
  }
}

// Copies rows from `begin` on to where the device will read them, as many as their biases have room; returns
// where it stopped.
size_t CudaBackend::stage_rows(std::span<const SampleRow> rows, size_t begin) {
  const Buffer& staging = current().sample_inputs;
  auto* tasks = reinterpret_cast<SampleTask*>(staging.data());
  auto* biases = reinterpret_cast<TokenBias*>(tasks + limits_.logit_rows_max);
  auto* masks = reinterpret_cast<uint32_t*>(biases + biases_max(shape_.vocab_size));
  const size_t mask_words = static_cast<size_t>(divide_up(shape_.vocab_size, 32));
  size_t biases_used = 0, masks_used = 0, end = begin;
  for (; end < rows.size(); end++) {
    const SampleRow& row = rows[end];
    CHECK(row.logit_row >= 0 && row.logit_row < real_logit_rows_);
    CHECK(row.slot >= 0 && row.slot < limits_.parts_max && row.logprobs_top <= kTopMax);
    if (biases_used + row.bias.size() > static_cast<size_t>(biases_max(shape_.vocab_size))) {
      CHECK(end > begin);  // a row has each token at most once
      break;
    }
    for (const TokenBias& bias : row.bias) CHECK(bias.token >= 0 && bias.token < shape_.vocab_size);
    std::ranges::copy(row.bias, biases + biases_used);
    const SampleParams& p = row.params;
    SampleTask& task = tasks[end];
    task = {.seed = row.seed,
            .logit_row = row.logit_row,
            .slot = row.slot,
            .position = row.position,
            .next = -1,
            .comes_first = 1,
            .top_k = p.top_k,
            .mask_at = -1,
            .bias_at = static_cast<int32_t>(biases_used),
            .bias_count = static_cast<int32_t>(row.bias.size()),
            .logprobs_top = row.logprobs_top,
            .temperature = p.temperature,
            .top_p = p.top_p,
            .min_p = p.min_p,
            .repetition_penalty = p.repetition_penalty,
            .presence_penalty = p.presence_penalty,
            .frequency_penalty = p.frequency_penalty};
    biases_used += row.bias.size();
    if (row.allow_mask != nullptr) {
      task.mask_at = static_cast<int32_t>(masks_used);
      std::copy_n(row.allow_mask, mask_words, masks + masks_used);
      masks_used += mask_words;
    }
    for (size_t i = end; i-- > begin;) {
      if (rows[i].slot != row.slot) continue;
      tasks[i].next = static_cast<int32_t>(end);
      task.comes_first = 0;
      break;
    }
    top_wanted_ = top_wanted_ || row.logprobs_top > 0;
  }
  const auto copy = [&](const void* from, size_t bytes) {
    if (bytes == 0) return;
    const auto offset = static_cast<const std::byte*>(from) - staging.data();
    works(cudaMemcpyAsync(work_.sample_inputs + offset, from, bytes, cudaMemcpyHostToDevice, stream_),
          "sending what to sample");
  };
  copy(tasks + begin, (end - begin) * sizeof(SampleTask));
  copy(biases, biases_used * sizeof(TokenBias));
  copy(masks, masks_used * sizeof(uint32_t));
  return end;
}

void CudaBackend::sample(std::span<const SampleRow> rows) {
  CHECK(rows.size() <= static_cast<size_t>(limits_.logit_rows_max));
  enter();
  SampleArgs args{};
  args.tasks = reinterpret_cast<const SampleTask*>(work_.sample_inputs);
  args.biases = reinterpret_cast<const TokenBias*>(args.tasks + limits_.logit_rows_max);
  args.masks = reinterpret_cast<const uint32_t*>(args.biases + biases_max(shape_.vocab_size));
  args.logits = work_.logits;
  args.changed = work_.changed;
  args.counts = work_.counts;
  args.vocab = shape_.vocab_size;
  args.stride = logits_stride();
  args.results = work_.results;
  args.top = reinterpret_cast<TokenLogprob*>(args.results + limits_.logit_rows_max);
  Flight& flight = current();
  if (under_way_ == 0) under_way_ = 1;  // anew
  if (counted_ && flight.sampled_rows > 0) {
    cuda::take_back(args, static_cast<int32_t>(flight.sampled_rows), stream_);
    launched("taking back what was sampled");
  }
  top_wanted_ = false;
  for (size_t begin = 0; begin < rows.size();) {
    // The staging memory is taken again: what it held must be on the device.
    if (begin > 0) works(cudaStreamSynchronize(stream_), "sampling");
    const size_t end = stage_rows(rows, begin);
    sample_rows(args, static_cast<int32_t>(begin), static_cast<int32_t>(end), stream_);
    launched("sampling");
    begin = end;
  }
  flight.sampled_rows = rows.size();
  counted_ = true;
  const size_t fixed = static_cast<size_t>(limits_.logit_rows_max) * sizeof(SampleResult);
  const size_t bytes =
      top_wanted_ ? fixed + rows.size() * kTopMax * sizeof(TokenLogprob) : rows.size() * sizeof(SampleResult);
  if (bytes > 0) {
    works(cudaMemcpyAsync(flight.results.data(), work_.results, bytes, cudaMemcpyDeviceToHost, stream_),
          "reading what was sampled");
  }
  record_end(flight);
}

void CudaBackend::record_end(Flight& flight) {
  works(cudaEventRecord(flight.finished, stream_), "a step");
  flight.end_recorded = true;
}

Result<StepOutput> CudaBackend::finish_step() {
  CHECK(under_way_ > 0);
  enter();
  Flight& flight = under_way_ > 1 ? flights_[(current_ + 1) % kFlights] : current();
  --under_way_;
  if (!flight.end_recorded) record_end(flight);
  if (!fault_)
    works(cudaEventSynchronize(flight.finished), "a step of " + std::to_string(flight.rows) + " rows");
  if (fault_) return *fault_;
  const auto* results = reinterpret_cast<const SampleResult*>(flight.results.data());
  const auto* top = reinterpret_cast<const TokenLogprob*>(results + limits_.logit_rows_max);
  output_.clear();
  for (size_t i = 0; i < flight.sampled_rows; i++) {
    SampledToken& token = output_.emplace_back();
    token.token = results[i].token;
    token.logprob = results[i].logprob;
    token.top = {top + i * kTopMax, static_cast<size_t>(results[i].top_count)};
  }
  return StepOutput{output_};
}

}  // namespace hussar::cuda
