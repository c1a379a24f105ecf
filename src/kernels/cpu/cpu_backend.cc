#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/processors.h"
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/peaks.h"

namespace hussar {

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  constexpr int32_t kThreadsMax = 1024;
  if (options.threads < 0 || options.threads > kThreadsMax) {
    return Error{ErrorCode::kInvalid,
                 "threads must be 0 (one for each core) to " + std::to_string(kThreadsMax), "threads"};
  }
  ASSIGN_OR_RETURN(const cpu::Isa isa, cpu::choose_isa(options.isa));
  const int32_t threads = options.threads > 0 ? options.threads : cpu::available_cores();
  ASSIGN_OR_RETURN(std::unique_ptr<cpu::ThreadTeam> team, cpu::ThreadTeam::create(threads));
  return std::unique_ptr<Backend>(std::make_unique<cpu::CpuBackend>(isa, std::move(team)));
}

namespace cpu {
namespace {

int64_t divide_up(int64_t count, int64_t by) { return (count + by - 1) / by; }

constexpr int64_t kHalvesAlignment = 32;  // elements of a cache line

Result<void> check_shape(const ModelShape& s, const KvOptions& kv, const StepLimits& limits) {
  const auto refuse = [](std::string what) { return Error{ErrorCode::kUnsupported, std::move(what), ""}; };
  if (std::min({s.layers, s.hidden, s.heads, s.kv_heads, s.head_dim, s.mlp_width, s.vocab_size}) < 1) {
    return refuse("a model's sizes must be positive");
  }
  if (s.heads % s.kv_heads != 0)
    return refuse("the number of heads must be a multiple of the number of KV heads");
  if (s.rope.dims < 0 || s.rope.dims % 2 != 0 || s.rope.dims > s.head_dim) {
    return refuse("the rotated part of a head must be even and at most the head");
  }
  const size_t divisors = s.rope.frequency_divisors.size();
  if (divisors != 0 && divisors != static_cast<size_t>(s.rope.dims / 2)) {
    return refuse("the frequency divisors must be as many as rotated pairs");
  }
  CHECK(kv.blocks >= 1 &&
        std::min({limits.rows_max, limits.parts_max, limits.logit_rows_max, limits.context_max}) >= 1);
  return {};
}

}  // namespace

CpuBackend::CpuBackend(Isa isa, std::unique_ptr<ThreadTeam> team)
    : isa_(isa),
      team_(std::move(team)),
      linear_(linear_kernels(isa)),
      tile_kernels_(tile_kernels(isa)),
      ops_(vector_ops(isa)),
      attention_kernels_(attention_kernels(isa)) {
  info_.device = "cpu";
  info_.isa = isa_name(isa);
  info_.threads = team_->size();
  info_.memory_nodes = count_memory_nodes(allowed_processors());
  info_.steps_in_flight_max = 1;
  info_.kv_block_tokens = kKvBlockTokens;
  info_.takes_back = true;
  info_.roles_agree = tile_kernels_ == nullptr;
  // What tiles multiply is BF16: numbers that were rounded to it once need not be rounded again.
  if (tile_kernels_ != nullptr) info_.kv_type = KvType::kBF16;
  // Unpacking weights costs tiles as much as some hundred rows do.
  if (isa_ == Isa::kAmx) info_.step_rows = 1024;
}

Result<Weight> CpuBackend::prepare_weight(const TensorView& tensor, WeightUse use) {
  if (use == WeightUse::kVector) return prepare_vector(tensor);
  Prepared prepared;
  prepared.use = use;
  ASSIGN_OR_RETURN(prepared.matrix, PackedMatrix::pack(tensor, *team_));
  const Weight weight{static_cast<int32_t>(weights_.size()), tensor.rows, tensor.cols,
                      prepared.matrix.bytes()};
  weights_.push_back(std::move(prepared));
  return weight;
}

Result<Weight> CpuBackend::prepare_vector(const TensorView& tensor) {
  const std::string name(tensor.name);
  const DTypeInfo& type = dtype_info(tensor.dtype);
  if (tensor.rows != 1 || tensor.cols < 1 || tensor.cols % type.block_elements != 0) {
    return Error{ErrorCode::kUnsupported, name + ": not a vector of whole blocks", name};
  }
  if (static_cast<uint64_t>(tensor.cols / type.block_elements) !=
          tensor.bytes.size() / static_cast<uint64_t>(type.block_bytes) ||
      tensor.bytes.size() % static_cast<uint64_t>(type.block_bytes) != 0) {
    return Error{ErrorCode::kInvalid, name + ": its size doesn't fit its shape", name};
  }
  Prepared prepared;
  prepared.vector.resize(static_cast<size_t>(tensor.cols));
  dequantize(tensor.dtype, tensor.bytes.data(), tensor.cols, prepared.vector.data());
  const Weight weight{static_cast<int32_t>(weights_.size()), 1, tensor.cols,
                      tensor.cols * static_cast<int64_t>(sizeof(float))};
  weights_.push_back(std::move(prepared));
  return weight;
}

// What the layers use and nothing behind them. Attention is done with its part before the gated product
// begins.
void CpuBackend::carve_layers(Carver& carver, const ModelShape& s, const StepLimits& limits, Workspace* w,
                              PagedAttention* attention) const {
  const int64_t rows = limits.rows_max, wide = wide_rows(limits);
  const int64_t q = int64_t{s.heads} * s.head_dim, kv = int64_t{s.kv_heads} * s.head_dim;
  const bool tiled = tile_kernels_ != nullptr;
  if (tiled) w->tiles = carver.take<uint16_t>(tiled_elements(rows, std::max<int64_t>(s.hidden, q)));
  w->normed_row = carver.take<float>(team_->size() * spread_stride(s.hidden));
  w->rope_cosines = carver.take<float>(rows * (s.rope.dims / 2));
  w->rope_sines = carver.take<float>(rows * (s.rope.dims / 2));
  const int64_t shared = carver.place_bytes();
  w->query = carver.take<float>(rows * q);
  w->attended = carver.take<float>(rows * q);
  w->key = carver.take<float>(rows * kv);
  w->value = carver.take<float>(rows * kv);
  attention->carve(carver);
  carver.go_back(shared);
  w->gate = carver.take<float>(wide * spread_stride(s.mlp_width));
  w->up = carver.take<float>(wide * spread_stride(s.mlp_width));
  w->gated = carver.take<ActivationBlock>(wide * divide_up(s.mlp_width, kBlockColumns));
  if (tiled) w->gated_tiles = carver.take<uint16_t>(tiled_elements(rows, s.mlp_width));
}

void CpuBackend::carve(Carver& carver, const ModelShape& s, const StepLimits& limits, Workspace* w,
                       PagedAttention* attention, LogitSampler* sampler) const {
  const int64_t wanted = limits.logit_rows_max, wide = wide_rows(limits);
  const int64_t widest = std::max(s.hidden, s.heads * s.head_dim);
  w->halves =
      carver.take<uint16_t>(team_->size() * divide_up(s.head_dim, kHalvesAlignment) * kHalvesAlignment);
  sampler->carve_histories(carver);
  const int64_t begin = carver.place_bytes();
  w->hidden = carver.take<float>(limits.rows_max * int64_t{s.hidden});
  w->blocks = carver.take<ActivationBlock>(wide * divide_up(widest, kBlockColumns));
  w->normed = carver.take<float>(wanted * s.hidden);
  const int64_t head_inputs_end = carver.place_bytes();
  carver.take<float>((wide - wanted) * s.hidden);  // the rest of `normed`
  carve_layers(carver, s, limits, w, attention);
  // Sampling begins when the head has read its inputs, and reads the logits.
  carver.go_back(begin);
  sampler->carve_scratch(carver);
  carver.go_back(std::max(carver.place_bytes(), head_inputs_end));
  w->logits = carver.take<float>(wanted * s.vocab_size);
}

int64_t CpuBackend::wide_rows(const StepLimits& limits) const {
  const auto takes_tiles = [](const Prepared& weight) {
    return weight.use != WeightUse::kLinear || multiplies_tiles(weight.matrix.view().dtype);
  };
  const bool narrow =
      tile_kernels_ != nullptr && limits.generated_rows_max > 0 && std::ranges::all_of(weights_, takes_tiles);
  return std::max(limits.logit_rows_max,
                  narrow ? std::min(limits.rows_max, limits.generated_rows_max) : limits.rows_max);
}

int64_t CpuBackend::reserve_bytes(const ModelShape& shape, const KvOptions& kv,
                                  const StepLimits& limits) const {
  Carver counter(nullptr);
  Workspace unused{};
  PagedAttention attention(attention_kernels_, tile_kernels_, shape, limits, team_->size());
  LogitSampler sampler(ops_, shape.vocab_size, limits, team_->size());
  carve(counter, shape, limits, &unused, &attention, &sampler);
  return counter.used_bytes() + KvPool::size_bytes(shape, kv);
}

Result<void> CpuBackend::reserve(const ModelShape& shape, const KvOptions& kv, const StepLimits& limits) {
  CHECK_NOTE(attention_ == nullptr, "reserve() is called once");
  RETURN_IF_ERROR(check_shape(shape, kv, limits));
  const int64_t pool_bytes = KvPool::size_bytes(shape, kv);
  ASSIGN_OR_RETURN(
      memory_, PageBuffer::create(reserve_bytes(shape, kv, limits) - pool_bytes, "the workspace", *team_));
  ASSIGN_OR_RETURN(pool_, KvPool::create(shape, kv, *team_));
  shape_ = shape;
  limits_ = limits;
  wide_rows_ = wide_rows(limits);
  attention_ =
      std::make_unique<PagedAttention>(attention_kernels_, tile_kernels_, shape, limits, team_->size());
  sampler_ = std::make_unique<LogitSampler>(ops_, shape.vocab_size, limits, team_->size());
  Carver carver(memory_.data());
  carve(carver, shape, limits, &work_, attention_.get(), sampler_.get());
  rows_.reserve(static_cast<size_t>(limits.rows_max));
  logit_rows_.reserve(static_cast<size_t>(limits.logit_rows_max));
  find_rope_frequencies();
  return {};
}

void CpuBackend::find_rope_frequencies() {
  const RopeParams& rope = shape_.rope;
  for (int32_t i = 0; i < rope.dims / 2; i++) {
    double frequency = std::pow(rope.base, -2.0 * static_cast<double>(i) / rope.dims);
    if (!rope.frequency_divisors.empty())
      frequency /= static_cast<double>(rope.frequency_divisors[static_cast<size_t>(i)]);
    rope_frequencies_.push_back(frequency);
  }
}

// The angles of the step's rows: once for all layers and heads, where a table of all positions would take
// megabytes and start-up time. In double, since a position times a frequency loses what a float has at long
// contexts.
void CpuBackend::turn_rows() {
  constexpr int64_t kSmallPairs = 1024;  // that the calling thread turns faster than the others wake
  const RopeParams& rope = shape_.rope;
  const int64_t pairs = rope.dims / 2;
  const auto turn = [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const double position =
          static_cast<double>(rows_[static_cast<size_t>(row)].position) / rope.linear_scale;
      for (int64_t i = 0; i < pairs; i++) {
        const double angle = position * rope_frequencies_[static_cast<size_t>(i)];
        work_.rope_cosines[row * pairs + i] = static_cast<float>(std::cos(angle) * rope.attention_factor);
        work_.rope_sines[row * pairs + i] = static_cast<float>(std::sin(angle) * rope.attention_factor);
      }
    }
  };
  const auto count = static_cast<int64_t>(rows_.size());
  if (count * pairs <= kSmallPairs) {
    turn(0, count);
  } else {
    team_->parallel_for(count, turn);
  }
}

DevicePeaks CpuBackend::measure_peaks(int64_t working_set_bytes) {
  return {measure_read_bytes_per_second(isa_, *team_, working_set_bytes),
          measure_macs_per_second(isa_, *team_)};
}

void CpuBackend::begin_sequence(int32_t slot, std::span<const TokenId> prompt) {
  CHECK(sampler_ != nullptr);
  sampler_->begin_sequence(slot, prompt);
}

void CpuBackend::end_sequence(int32_t slot) {
  CHECK(sampler_ != nullptr);
  sampler_->end_sequence(slot);
}

void CpuBackend::check_batch(const Batch& batch) const {
  CHECK_NOTE(attention_ != nullptr, "reserve() comes first");
  CHECK(batch.parts.size() <= static_cast<size_t>(limits_.parts_max));
  int64_t rows = 0, logit_rows = 0;
  bool prompts = false;
  for (const BatchPart& part : batch.parts) {
    CHECK_NOTE(part.role == RowRole::kPrompt || !prompts, "generated rows come first");
    prompts = part.role == RowRole::kPrompt;
    CHECK(part.slot >= 0 && part.slot < limits_.parts_max);
    CHECK(part.rows >= 1 && part.logit_rows >= 0 && part.logit_rows <= part.rows);
    CHECK(part.first_position >= 0 && part.first_position <= limits_.context_max - part.rows);
    const int64_t blocks = divide_up(part.first_position + part.rows, kKvBlockTokens);
    CHECK(part.blocks.size() >= static_cast<size_t>(blocks));
    for (int64_t b = 0; b < blocks; b++) {
      CHECK(part.blocks[static_cast<size_t>(b)] >= 0 && part.blocks[static_cast<size_t>(b)] < pool_.blocks());
    }
    rows += part.rows;
    logit_rows += part.logit_rows;
  }
  CHECK(rows >= 1 && rows <= limits_.rows_max && logit_rows <= limits_.logit_rows_max);
  CHECK(static_cast<size_t>(rows) == batch.tokens.size());
  for (const TokenId token : batch.tokens) CHECK(token >= 0 && token < shape_.vocab_size);
}

void CpuBackend::forward(const Batch& batch, const Forward& forward) {
  check_batch(batch);
  const FlushDenormals flush;
  rows_.clear();
  logit_rows_.clear();
  matrices_before_.swap(matrices_);
  matrices_.clear();
  sampled_ = {};
  untiled_rows_ = 0;
  sampler_->begin_step();
  for (const BatchPart& part : batch.parts) {
    if (tile_kernels_ == nullptr || part.role == RowRole::kGenerated) untiled_rows_ += part.rows;
    for (int32_t i = 0; i < part.rows; i++) {
      const auto row = static_cast<int32_t>(rows_.size());
      const int32_t position = part.first_position + i;
      if (i >= part.rows - part.logit_rows) logit_rows_.push_back(row);
      rows_.push_back({batch.tokens[static_cast<size_t>(row)], position,
                       part.blocks[static_cast<size_t>(position / kKvBlockTokens)]});
    }
  }
  turn_rows();
  CHECK(limits_.generated_rows_max == 0 || tile_kernels_ == nullptr ||
        untiled_rows_ <= limits_.generated_rows_max);
  attention_->plan(batch.parts);
  forward(*this, {static_cast<int32_t>(rows_.size()), static_cast<int32_t>(batch.parts.size()),
                  static_cast<int32_t>(logit_rows_.size())});
}

void CpuBackend::sample(std::span<const SampleRow> rows) {
  const FlushDenormals flush;
  for (const SampleRow& row : rows) {
    CHECK(row.logit_row >= 0 && static_cast<size_t>(row.logit_row) < logit_rows_.size());
  }
  sampled_ = sampler_->sample(*team_, work_.logits, rows);
}

Result<StepOutput> CpuBackend::finish_step() { return StepOutput{sampled_}; }

Result<void> CpuBackend::read_activation(Activation a, std::span<float> out) {
  const size_t count = rows_.size() * static_cast<size_t>(activation_width(a));
  if (out.size() != count) {
    return Error{ErrorCode::kInvalid, "the activation has " + std::to_string(count) + " elements", ""};
  }
  std::copy_n(activation(a), count, out.data());
  return {};
}

Result<void> CpuBackend::read_logits(int32_t logit_row, std::span<float> out) {
  if (logit_row < 0 || static_cast<size_t>(logit_row) >= logit_rows_.size()) {
    return Error{ErrorCode::kInvalid, "the step has " + std::to_string(logit_rows_.size()) + " logit rows",
                 ""};
  }
  if (out.size() != static_cast<size_t>(shape_.vocab_size)) {
    return Error{ErrorCode::kInvalid, "a logit row has " + std::to_string(shape_.vocab_size) + " elements",
                 ""};
  }
  std::copy_n(work_.logits + int64_t{logit_row} * shape_.vocab_size, out.size(), out.data());
  return {};
}

}  // namespace cpu
}  // namespace hussar
