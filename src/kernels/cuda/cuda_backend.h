// The CUDA backend: weights, workspace, KV pool and the operations of a step on one device.
//
// Everything lies in device memory that is taken at load and by reserve(). A step is one copy of its inputs,
// its operations on one stream, the sampling, and one copy of the sampled ids back; finish_step() alone
// waits. Two steps may be under way: the second reads from the device what the first one sampled. Steps of
// generated tokens alone are recorded as graphs by prepare_steps(), for a few numbers of rows; a step that
// lies between two is filled up with rows that go nowhere.
//
// Sums in float, weights and the inputs of products in 16 bits: BF16 where the first matrix is stored as BF16
// or F32, F16 where it is F16 or of a quantised format, whose scales are F16. The residual stream stays
// float.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/cublas_lt.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/linear.h"
#include "kernels/cuda/row_kernels.h"
#include "kernels/cuda/sample.h"
#include "kernels/cuda/step_inputs.h"

namespace hussar::cuda {

constexpr size_t kFlights = 2;

// T rows_max, R logit_rows_max, H hidden, Q heads * head_dim, KV kv_heads * head_dim, F mlp_width. "half" is
// a 16-bit number.
struct Workspace {
  float* hidden;       // [T, H]
  float* qkv;          // [T, Q + 2 KV]
  uint16_t* query;     // [T, Q] half, as in the pool
  uint16_t* attended;  // [T, Q] half
  uint16_t* normed;    // [max(T, R), H] half
  uint16_t* gate_up;   // [T, 2 F] half
  uint16_t* gated;     // [T, F] half
  float* logits;       // [R, logits stride]
  float* changed;      // [R, logits stride]
  float2* rotations;   // [context_max, dims / 2]
  float* partials;     // of attention
  int32_t* unfinished;
  uint32_t* counts;          // [slots, vocab]
  TokenId* prompt;           // [context_max]: of the sequence that begins
  uint16_t* pool;            // [layers, 2, blocks, KV * kBlockTokens] half
  std::byte* inputs;         // of a step, as laid out by InputLayout
  std::byte* sample_inputs;  // tasks, then biases, then masks
  SampleResult* results;     // [R], then TokenLogprob [R, kTopMax]
};

class CudaBackend final : public Backend {
 public:
  static Result<std::unique_ptr<CudaBackend>> create(const CudaOptions& options);
  ~CudaBackend() override;

  const DeviceInfo& info() const override { return info_; }
  int64_t memory_left_bytes() const override;
  Result<Weight> prepare_weight(const TensorView& tensor, WeightUse use) override;
  int64_t reserve_bytes(const ModelShape& shape, const KvOptions& kv,
                        const StepLimits& limits) const override;
  Result<void> reserve(const ModelShape& shape, const KvOptions& kv, const StepLimits& limits) override;
  Result<void> prepare_steps(const Forward& forward) override;
  DevicePeaks measure_peaks(int64_t working_set_bytes) override;

  void begin_sequence(int32_t slot, std::span<const TokenId> prompt) override;
  void end_sequence(int32_t slot) override;
  void forward(const Batch& batch, const Forward& forward) override;
  void sample(std::span<const SampleRow> rows) override;
  Result<StepOutput> finish_step() override;

  void embed(const Weight& table, Activation x) override;
  void norm_qkv_rope_store(Activation x, const AttentionWeights& w, int32_t layer, Activation q) override;
  void paged_attention(Activation q, int32_t layer, Activation out) override;
  void linear_residual(Activation in, const Weight& w, Activation x) override;
  void norm_gated_mlp(const MlpWeights& w, Activation x) override;
  void logits(Activation x, const Weight& norm, const Weight& head) override;

  Result<void> read_activation(Activation a, std::span<float> out) override;
  Result<void> read_logits(int32_t logit_row, std::span<float> out) override;

 private:
  // Where the arrays of a step's inputs lie, in bytes behind the start of staging and device memory alike.
  struct InputLayout {
    int64_t tokens, positions, places, tables, logit_rows, decode_count, decode_items, prefill_items,
        block_tables;
  };
  struct StepSize {
    int32_t rows = 0;  // with those that fill up
    int32_t logit_rows = 0;
    int32_t decode_items = 0;
    int32_t prefill_items = 0;
    int32_t table_entries = 0;
  };

  // What the host keeps of a step until the device has finished it.
  struct Flight {
    Buffer inputs, sample_inputs, results;  // as in Workspace
    cudaEvent_t finished = nullptr;
    bool end_recorded = false;
    int32_t rows = 0;
    size_t sampled_rows = 0;  // of its last sample()
  };

  CudaBackend(const CudaOptions& options, const cudaDeviceProp& properties);
  Result<void> open();

  // --- cuda_weights.cc
  Result<Weight> prepare_vector(const TensorView& tensor);
  Result<Weight> prepare_matrix(const TensorView& tensor);
  // Room for a weight behind the one before: what belongs together lies together.
  Result<std::byte*> place(int64_t bytes, const std::string& name);
  Weight keep(std::byte* data, int64_t bytes, const TensorView& tensor);
  const void* matrix(const Weight& weight, int64_t rows, int64_t cols) const;
  const float* vector(const Weight& weight, int64_t cols) const;  // null when it doesn't exist

  // --- cuda_backend.cc
  void carve(Carver& carver, const ModelShape& shape, const KvOptions& kv, const StepLimits& limits,
             Workspace* w) const;
  Result<void> fill_rotations();
  int32_t splits_max() const;
  int64_t logits_stride() const;
  InputLayout layout_of(const StepSize& size) const;
  // Bytes of what Workspace and Flight hold of a step.
  struct StepBytes {
    int64_t inputs, sample_inputs, results;
  };
  StepBytes step_bytes(const ModelShape& shape, const StepLimits& limits) const;
  void check_batch(const Batch& batch) const;
  std::vector<int32_t> graph_rows() const;
  Result<cudaGraphExec_t> record(int32_t rows, const Forward& forward);
  StepInputs device_inputs(const InputLayout& layout) const;

  // --- cuda_step.cc
  // By the library where there are many rows and it knows a way, else by our own kernels.
  void multiply(const LinearArgs& args);
  // The input of a product of all rows' hidden states.
  LinearArgs normed_input(const float* norm);
  bool multiply_large(const LinearArgs& args);
  bool is_decode(const BatchPart& part) const;
  StepSize size_of(const Batch& batch) const;
  void fill_inputs(const Batch& batch, const StepSize& size, const InputLayout& layout);
  void fill_items(const Batch& batch, const StepSize& size, const InputLayout& layout);
  size_t stage_rows(std::span<const SampleRow> rows, size_t begin);
  // The thread's calls go to this device.
  void enter() { works(cudaSetDevice(options_.ordinal), "choosing the device"); }
  // Remembers the first fault and what met it; what follows is skipped.
  bool works(cudaError_t status, std::string_view operation);
  bool launched(std::string_view operation) { return works(cudaGetLastError(), operation); }

  template <typename T>
  T* staged(int64_t offset) const {
    return reinterpret_cast<T*>(current().inputs.data() + offset);
  }
  Flight& current() { return flights_[current_]; }
  const Flight& current() const { return flights_[current_]; }
  void record_end(Flight& flight);
  uint16_t* keys(int32_t layer) const;
  uint16_t* values(int32_t layer) const;

  const CudaOptions options_;
  const int32_t multiprocessors_;
  const bool overlaps_;  // kernels that follow each other
  DeviceInfo info_;
  cudaStream_t stream_ = nullptr;
  Stream overlapping_;  // the same, for the operations of a step
  std::optional<Error> fault_;

  std::unique_ptr<CublasLt> library_;  // null: all products take our own kernels
  std::vector<Buffer> arenas_;         // of weights
  int64_t arena_used_bytes_ = 0;       // of the last one
  std::vector<std::byte*> weights_;
  std::optional<HalfType> type_;  // of matrices

  bool reserved_ = false;
  ModelShape shape_;
  KvOptions kv_;
  StepLimits limits_;
  Buffer memory_;
  std::array<Flight, kFlights> flights_;
  size_t current_ = 0;     // of flights_: the step last given to forward()
  int32_t under_way_ = 0;  // steps that finish_step() has not answered yet
  Workspace work_{};
  std::map<int32_t, cudaGraphExec_t> graphs_;  // by rows

  StepSize step_;  // under way, or being recorded
  StepInputs in_{};
  int32_t real_rows_ = 0, real_logit_rows_ = 0;
  bool counted_ = false;  // the results of this step's last sample() are in the counts
  bool top_wanted_ = false;
  std::vector<SampledToken> output_;
};

}  // namespace hussar::cuda
