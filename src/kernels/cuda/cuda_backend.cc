#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"
#include "kernels/cpu/float16.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/peaks.h"

namespace hussar {

Result<std::unique_ptr<Backend>> make_cuda_backend(const CudaOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<cuda::CudaBackend> backend, cuda::CudaBackend::create(options));
  return std::unique_ptr<Backend>(std::move(backend));
}

int32_t cuda_device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return count;
}

namespace cuda {
namespace {

constexpr int32_t kColumnsUnit = 32;  // of products
constexpr int32_t kStepRows = 8192;
constexpr int kCapabilityOverlap = 9;
constexpr int kCapabilityMin = 8;  // BF16 tensor cores, asynchronous copies

int64_t divide_up(int64_t count, int64_t by) { return (count + by - 1) / by; }

Result<void> check_shape(const ModelShape& s, const StepLimits& limits) {
  const auto refuse = [](std::string what) { return Error{ErrorCode::kUnsupported, std::move(what), ""}; };
  if (std::min({s.layers, s.hidden, s.heads, s.kv_heads, s.head_dim, s.mlp_width, s.vocab_size}) < 1)
    return refuse("a model's sizes must be positive");
  if (s.heads % s.kv_heads != 0)
    return refuse("the number of heads must be a multiple of the number of KV heads");
  if (!attention_supports(s.head_dim)) {
    return refuse("CUDA has attention for heads of 64 and 128 elements, not of " +
                  std::to_string(s.head_dim) + "; choose --device cpu");
  }
  if (s.hidden % kColumnsUnit != 0 || s.mlp_width % kColumnsUnit != 0)
    return refuse("CUDA needs widths that are multiples of 32; choose --device cpu");
  if (s.rope.dims < 0 || s.rope.dims % 2 != 0 || s.rope.dims > s.head_dim)
    return refuse("the rotated part of a head must be even and at most the head");
  const size_t divisors = s.rope.frequency_divisors.size();
  if (divisors != 0 && divisors != static_cast<size_t>(s.rope.dims / 2))
    return refuse("the frequency divisors must be as many as rotated pairs");
  CHECK(std::min({limits.rows_max, limits.parts_max, limits.logit_rows_max, limits.context_max}) >= 1);
  return {};
}

}  // namespace

Result<std::unique_ptr<CudaBackend>> CudaBackend::create(const CudaOptions& options) {
  const int32_t count = cuda_device_count();
  if (options.ordinal < 0 || options.ordinal >= count) {
    return Error{ErrorCode::kNotFound,
                 count == 0 ? "there is no NVIDIA device, or its driver is missing or too old; choose cpu"
                            : "there is no such device; the last one is cuda:" + std::to_string(count - 1),
                 "--device"};
  }
  RETURN_IF_ERROR(cuda_result(cudaSetDevice(options.ordinal), "opening the device"));
  cudaDeviceProp properties{};
  RETURN_IF_ERROR(cuda_result(cudaGetDeviceProperties(&properties, options.ordinal), "opening the device"));
  if (properties.major < kCapabilityMin) {
    return Error{ErrorCode::kUnsupported,
                 std::string(properties.name) + " is too old: compute capability 8.0 is the least",
                 "--device"};
  }
  std::unique_ptr<CudaBackend> backend(new CudaBackend(options, properties));
  RETURN_IF_ERROR(backend->open());
  return backend;
}

CudaBackend::CudaBackend(const CudaOptions& options, const cudaDeviceProp& properties)
    : options_(options),
      multiprocessors_(properties.multiProcessorCount),
      overlaps_(properties.major >= kCapabilityOverlap) {
  info_.device = "cuda:" + std::to_string(options.ordinal) + " " + properties.name;
  info_.isa = "sm_" + std::to_string(properties.major * 10 + properties.minor);
  info_.threads = 1;
  info_.steps_in_flight_max = kFlights;
  info_.step_rows = kStepRows;
  info_.kv_block_tokens = kBlockTokens;
  info_.owns_memory = true;
  info_.kv_type = KvType::kBF16;
  info_.roles_agree = false;  // few rows and many take different kernels
}

Result<void> CudaBackend::open() {
  constexpr const char* kWhat = "opening the device";
  RETURN_IF_ERROR(cuda_result(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), kWhat));
  overlapping_ = {stream_, overlaps_};
  for (Flight& flight : flights_)
    RETURN_IF_ERROR(cuda_result(cudaEventCreateWithFlags(&flight.finished, cudaEventDisableTiming), kWhat));
  ASSIGN_OR_RETURN(library_, CublasLt::open());
  info_.isa += library_ == nullptr ? ", without cuBLASLt: slower prompts" : ", cuBLASLt";
  RETURN_IF_ERROR(cuda_result(prepare_linear(), kWhat));
  return cuda_result(prepare_attention(), kWhat);
}

CudaBackend::~CudaBackend() {
  if (stream_ != nullptr) (void)cudaStreamSynchronize(stream_);
  for (const auto& [rows, graph] : graphs_) (void)cudaGraphExecDestroy(graph);
  for (const Flight& flight : flights_) {
    if (flight.finished != nullptr) (void)cudaEventDestroy(flight.finished);
  }
  if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
}

int64_t CudaBackend::memory_left_bytes() const {
  size_t free_bytes = 0, all_bytes = 0;
  if (cudaMemGetInfo(&free_bytes, &all_bytes) != cudaSuccess) return 0;
  const auto kept = static_cast<int64_t>(static_cast<double>(all_bytes) * (1.0 - options_.memory_share));
  return std::max<int64_t>(0, static_cast<int64_t>(free_bytes) - kept);
}

int32_t CudaBackend::splits_max() const {
  return static_cast<int32_t>(divide_up(limits_.context_max, kSplitTokens));
}
int64_t CudaBackend::logits_stride() const { return divide_up(shape_.vocab_size, 4) * 4; }

void CudaBackend::carve(Carver& carver, const ModelShape& s, const KvOptions& kv, const StepLimits& limits,
                        Workspace* w) const {
  const int64_t rows = padded_rows(limits.rows_max), wanted = padded_rows(limits.logit_rows_max);
  const int64_t q = int64_t{s.heads} * s.head_dim, kv_width = int64_t{s.kv_heads} * s.head_dim;
  const int64_t stride = divide_up(s.vocab_size, 4) * 4;
  const int64_t splits = divide_up(limits.context_max, kSplitTokens);
  w->hidden = carver.take<float>(rows * s.hidden);
  w->qkv = carver.take<float>(rows * (q + 2 * kv_width));
  w->query = carver.take<uint16_t>(rows * q);
  w->attended = carver.take<uint16_t>(rows * q);
  w->normed = carver.take<uint16_t>(std::max(rows, wanted) * s.hidden);
  w->gate_up = carver.take<uint16_t>(rows * 2 * s.mlp_width);
  w->gated = carver.take<uint16_t>(rows * s.mlp_width);
  w->logits = carver.take<float>(wanted * stride);
  w->changed = carver.take<float>(wanted * stride);
  w->rotations = carver.take<float2>(int64_t{limits.context_max} * (s.rope.dims / 2));
  w->partials = carver.take<float>(
      partial_floats(limits.parts_max, s.heads, s.kv_heads, s.head_dim, static_cast<int32_t>(splits)));
  w->unfinished =
      carver.take<int32_t>(int64_t{limits.parts_max} * s.kv_heads * head_tiles(s.heads, s.kv_heads));
  w->counts = carver.take<uint32_t>(int64_t{limits.parts_max} * s.vocab_size);
  w->prompt = carver.take<TokenId>(limits.context_max);
  w->pool = carver.take<uint16_t>(int64_t{s.layers} * 2 * kv.blocks * kv_width * kBlockTokens);
  const StepBytes bytes = step_bytes(s, limits);
  w->inputs = carver.take<std::byte>(bytes.inputs);
  w->sample_inputs = carver.take<std::byte>(bytes.sample_inputs);
  w->results = reinterpret_cast<SampleResult*>(carver.take<std::byte>(bytes.results));
}

int64_t CudaBackend::reserve_bytes(const ModelShape& shape, const KvOptions& kv,
                                   const StepLimits& limits) const {
  Carver counter(nullptr);
  Workspace unused{};
  carve(counter, shape, kv, limits, &unused);
  return counter.used_bytes();
}

CudaBackend::InputLayout CudaBackend::layout_of(const StepSize& size) const {
  Carver carver(nullptr);
  const auto take = [&]<typename T>(int64_t count) {
    const int64_t at = carver.used_bytes();
    carver.take<T>(count);
    return at;
  };
  InputLayout layout{};
  layout.tokens = take.operator()<int32_t>(size.rows);
  layout.positions = take.operator()<int32_t>(size.rows);
  layout.places = take.operator()<int32_t>(size.rows);
  layout.tables = take.operator()<int32_t>(size.rows);
  layout.logit_rows = take.operator()<int32_t>(size.logit_rows);
  layout.decode_count = take.operator()<int32_t>(1);
  layout.decode_items = take.operator()<DecodeItem>(size.decode_items);
  layout.prefill_items = take.operator()<PrefillItem>(size.prefill_items);
  layout.block_tables = carver.used_bytes();
  return layout;
}

CudaBackend::StepBytes CudaBackend::step_bytes(const ModelShape& s, const StepLimits& limits) const {
  StepSize size;
  size.rows = limits.rows_max;
  size.logit_rows = limits.logit_rows_max;
  size.decode_items = static_cast<int32_t>(limits.parts_max * divide_up(limits.context_max, kSplitTokens));
  const int64_t packed = int64_t{limits.rows_max} * (s.heads / s.kv_heads);
  size.prefill_items = static_cast<int32_t>(packed / kPrefillQueries) + limits.parts_max;
  const int64_t rows = limits.logit_rows_max;
  return {.inputs = layout_of(size).block_tables +
                    limits.parts_max * divide_up(limits.context_max, kBlockTokens) * 4,
          .sample_inputs = rows * static_cast<int64_t>(sizeof(SampleTask)) +
                           biases_max(s.vocab_size) * static_cast<int64_t>(sizeof(TokenBias)) +
                           rows * divide_up(s.vocab_size, 32) * 4,
          .results = rows * static_cast<int64_t>(sizeof(SampleResult) + kTopMax * sizeof(TokenLogprob))};
}

Result<void> CudaBackend::reserve(const ModelShape& shape, const KvOptions& kv, const StepLimits& limits) {
  CHECK_NOTE(!reserved_, "reserve() is called once");
  CHECK(kv.blocks >= 1);
  RETURN_IF_ERROR(check_shape(shape, limits));
  if (!type_) type_ = HalfType::kBF16;
  shape_ = shape;
  kv_ = kv;
  limits_ = limits;
  using Place = Buffer::Place;
  ASSIGN_OR_RETURN(
      memory_, Buffer::create(Place::kDevice, reserve_bytes(shape, kv, limits), "the KV cache and buffers"));
  Carver carver(memory_.data());
  carve(carver, shape, kv, limits, &work_);
  RETURN_IF_ERROR(fill_rotations());

  constexpr const char* kInputs = "a step's inputs";
  const StepBytes bytes = step_bytes(shape, limits);
  for (Flight& flight : flights_) {
    ASSIGN_OR_RETURN(flight.inputs, Buffer::create(Place::kPinnedHost, bytes.inputs, kInputs));
    ASSIGN_OR_RETURN(flight.sample_inputs, Buffer::create(Place::kPinnedHost, bytes.sample_inputs, kInputs));
    ASSIGN_OR_RETURN(flight.results, Buffer::create(Place::kPinnedHost, bytes.results, "a step's results"));
  }
  output_.reserve(static_cast<size_t>(limits.logit_rows_max));
  // Copies and clearing until here are in the order of another stream than steps are.
  RETURN_IF_ERROR(cuda_result(cudaDeviceSynchronize(), kInputs));
  reserved_ = true;
  return {};
}

// In double, since a position times a frequency loses what a float has at long contexts.
Result<void> CudaBackend::fill_rotations() {
  const RopeParams& rope = shape_.rope;
  const int64_t pairs = rope.dims / 2;
  if (pairs == 0) return {};
  std::vector<double> frequencies(static_cast<size_t>(pairs));
  for (int64_t i = 0; i < pairs; i++) {
    const auto at = static_cast<size_t>(i);
    frequencies[at] = std::pow(rope.base, -2.0 * static_cast<double>(i) / rope.dims);
    if (!rope.frequency_divisors.empty()) frequencies[at] /= static_cast<double>(rope.frequency_divisors[at]);
  }
  std::vector<float2> rotations(static_cast<size_t>(limits_.context_max * pairs));
  for (int64_t position = 0; position < limits_.context_max; position++) {
    for (int64_t i = 0; i < pairs; i++) {
      const double angle =
          static_cast<double>(position) / rope.linear_scale * frequencies[static_cast<size_t>(i)];
      rotations[static_cast<size_t>(position * pairs + i)] = {
          static_cast<float>(std::cos(angle) * rope.attention_factor),
          static_cast<float>(std::sin(angle) * rope.attention_factor)};
    }
  }
  return cuda_result(cudaMemcpy(work_.rotations, rotations.data(), rotations.size() * sizeof(float2),
                                cudaMemcpyHostToDevice),
                     "the table of rotations");
}

// Few rows: every power of two; then steps that fill up an eighth at most.
std::vector<int32_t> CudaBackend::graph_rows() const {
  const int32_t rows_max = std::min({limits_.parts_max, limits_.logit_rows_max, limits_.rows_max});
  std::vector<int32_t> rows;
  for (int32_t n = 1; n < rows_max; n += n < 8 ? n : n < 64 ? 8 : n < 256 ? 16 : 64) rows.push_back(n);
  rows.push_back(rows_max);
  return rows;
}

Result<void> CudaBackend::prepare_steps(const Forward& forward) {
  CHECK(reserved_);
  for (const int32_t rows : graph_rows()) {
    ASSIGN_OR_RETURN(graphs_[rows], record(rows, forward));
  }
  return {};
}

Result<cudaGraphExec_t> CudaBackend::record(int32_t rows, const Forward& forward) {
  constexpr const char* kWhat = "recording a step";
  step_ = StepSize{};
  step_.rows = step_.logit_rows = rows;
  step_.decode_items = rows * splits_max();
  in_ = device_inputs(layout_of(step_));
  // Once unrecorded: kernels are loaded when they are first launched, which a recording doesn't allow. The
  // inputs are zeros, the items none.
  RETURN_IF_ERROR(cuda_result(
      cudaMemsetAsync(work_.inputs, 0, static_cast<size_t>(step_bytes(shape_, limits_).inputs), stream_),
      kWhat));
  forward(*this, {rows, rows, rows});
  RETURN_IF_ERROR(cuda_result(cudaStreamSynchronize(stream_), kWhat));
  RETURN_IF_ERROR(cuda_result(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), kWhat));
  forward(*this, {rows, rows, rows});
  cudaGraph_t graph = nullptr;
  RETURN_IF_ERROR(cuda_result(cudaStreamEndCapture(stream_, &graph), kWhat));
  cudaGraphExec_t recorded = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&recorded, graph, 0);
  (void)cudaGraphDestroy(graph);
  RETURN_IF_ERROR(cuda_result(status, kWhat));
  RETURN_IF_ERROR(cuda_result(cudaGraphUpload(recorded, stream_), kWhat));
  if (fault_) return *fault_;
  return recorded;
}

StepInputs CudaBackend::device_inputs(const InputLayout& layout) const {
  const auto at = [&]<typename T>(int64_t offset) {
    return reinterpret_cast<const T*>(work_.inputs + offset);
  };
  StepInputs in{};
  in.tokens = at.operator()<int32_t>(layout.tokens);
  in.positions = at.operator()<int32_t>(layout.positions);
  in.places = at.operator()<int32_t>(layout.places);
  in.tables = at.operator()<int32_t>(layout.tables);
  in.logit_rows = at.operator()<int32_t>(layout.logit_rows);
  in.decode_count = at.operator()<int32_t>(layout.decode_count);
  in.decode_items = at.operator()<DecodeItem>(layout.decode_items);
  in.prefill_items = at.operator()<PrefillItem>(layout.prefill_items);
  in.block_tables = at.operator()<int32_t>(layout.block_tables);
  return in;
}

DevicePeaks CudaBackend::measure_peaks(int64_t /*working_set_bytes*/) {
  const auto read = measure_read_bytes_per_second(stream_);
  const auto macs = measure_macs_per_second(stream_, multiprocessors_);
  if (!read.ok() || !macs.ok()) return {};
  return {*read, *macs};
}

bool CudaBackend::works(cudaError_t status, std::string_view operation) {
  if (status == cudaSuccess) return true;
  if (!fault_) fault_ = cuda_error(status, operation);
  fault_->code = ErrorCode::kDeviceFault;
  return false;
}

uint16_t* CudaBackend::keys(int32_t layer) const {
  const int64_t layer_elements =
      int64_t{kv_.blocks} * shape_.kv_heads * shape_.head_dim * kBlockTokens;  // of keys, and of values
  return work_.pool + int64_t{layer} * 2 * layer_elements;
}
uint16_t* CudaBackend::values(int32_t layer) const {
  return keys(layer) + int64_t{kv_.blocks} * shape_.kv_heads * shape_.head_dim * kBlockTokens;
}

Result<void> CudaBackend::read_activation(Activation a, std::span<float> out) {
  const int64_t width = a == Activation::kHidden ? shape_.hidden : shape_.heads * shape_.head_dim;
  const size_t count = static_cast<size_t>(real_rows_ * width);
  if (out.size() != count)
    return Error{ErrorCode::kInvalid, "the activation has " + std::to_string(count) + " elements", ""};
  RETURN_IF_ERROR(cuda_result(cudaStreamSynchronize(stream_), "reading an activation"));
  if (a == Activation::kHidden) {
    return cuda_result(cudaMemcpy(out.data(), work_.hidden, count * sizeof(float), cudaMemcpyDeviceToHost),
                       "reading an activation");
  }
  const bool is_query = a == Activation::kQuery;
  const bool bf16 = is_query ? kv_.type == KvType::kBF16 : *type_ == HalfType::kBF16;
  std::vector<uint16_t> halves(count);
  RETURN_IF_ERROR(cuda_result(
      cudaMemcpy(halves.data(), is_query ? work_.query : work_.attended, count * 2, cudaMemcpyDeviceToHost),
      "reading an activation"));
  std::ranges::transform(halves, out.begin(),
                         [&](uint16_t h) { return bf16 ? cpu::bf16_to_f32(h) : cpu::f16_to_f32(h); });
  return {};
}

Result<void> CudaBackend::read_logits(int32_t logit_row, std::span<float> out) {
  if (logit_row < 0 || logit_row >= real_logit_rows_) {
    return Error{ErrorCode::kInvalid, "the step has " + std::to_string(real_logit_rows_) + " logit rows", ""};
  }
  if (out.size() != static_cast<size_t>(shape_.vocab_size)) {
    return Error{ErrorCode::kInvalid, "a logit row has " + std::to_string(shape_.vocab_size) + " elements",
                 ""};
  }
  RETURN_IF_ERROR(cuda_result(cudaStreamSynchronize(stream_), "reading logits"));
  return cuda_result(cudaMemcpy(out.data(), work_.logits + logit_row * logits_stride(),
                                out.size() * sizeof(float), cudaMemcpyDeviceToHost),
                     "reading logits");
}

}  // namespace cuda
}  // namespace hussar
