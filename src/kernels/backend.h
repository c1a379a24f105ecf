// What a device must be able to do, and nothing about how: about ten coarse operations, each over a whole
// ragged batch. An op-by-op seam would forbid fusion; a whole-forward seam would copy every model for each
// device.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/check.h"
#include "base/memory.h"
#include "base/result.h"
#include "base/types.h"
#include "kernels/batch.h"
#include "kernels/weight.h"

namespace hussar {

enum class KvType : uint8_t { kF16, kBF16 };

struct DeviceInfo {
  std::string device;  // "cpu", "cuda:0 NVIDIA H100"
  std::string isa;     // "reference", "reference-tiles", "avx2", "avx512", "amx", "sm_90"
  int32_t threads = 1;
  int32_t memory_nodes = 1;         // NUMA nodes of the processors that these threads may run on
  int32_t steps_in_flight_max = 1;  // more: a batch may hold tokens that are not known yet
  bool takes_back = false;          // take_back() is there: tokens can be drafted
  int32_t step_rows = 512;          // of a step that keeps it busy without keeping others waiting for long
  int32_t kv_block_tokens = 32;     // positions that share a KV block
  bool owns_memory = false;         // memory_left_bytes() is set aside for this backend
  KvType kv_type = KvType::kF16;    // of keys and values, where nothing else is asked for
  bool roles_agree =
      false;  // prompt and generated rows get bit-identical sums: their KV blocks may stand in for each other
};

// Measured on this machine with the backend's own threads, for the roofline fractions of benchmarks.
struct DevicePeaks {
  double read_bytes_per_second = 0;  // streaming from memory
  // Multiply-accumulates of the fastest kind of product that the ISA's path for prompts uses: tiles of BF16,
  // dot products of integers.
  double macs_per_second = 0;
};

struct StepShape {
  int32_t rows = 0;  // T
  int32_t parts = 0;
  int32_t logit_rows = 0;  // R
};

struct StepLimits {
  int32_t rows_max = 512;  // T
  // Of these, rows of generated tokens, which may need wider buffers than those of prompts; 0: any of them.
  int32_t generated_rows_max = 0;
  int32_t parts_max = 64;       // parts of a step, and slots of sequences: 0 .. parts_max - 1
  int32_t logit_rows_max = 64;  // R
  int32_t context_max = 2048;   // positions of one sequence
};

struct KvOptions {
  KvType type = KvType::kF16;
  int32_t blocks = 0;
};

// Buffers inside the workspace, named and not shown: a backend keeps them in any type and layout.
enum class Activation : uint8_t { kHidden, kQuery, kAttended };  // [T, H], [T, Q], [T, Q]

// A device that runs forward passes. One engine thread owns it: no member may be called from two threads at
// once, and all step-time calls come from one thread.
//
// Load-time calls may allocate and may fail. Step-time calls never allocate KV or workspace and never fail on
// account of a request. Up to info().steps_in_flight_max steps may be under way; only finish_step() waits.
class Backend {
 public:
  // Issues the operations below for a step of this shape. It depends on the shape alone, so that a device may
  // record and replay it.
  using Forward = std::function<void(Backend&, const StepShape&)>;

  virtual ~Backend() = default;
  virtual const DeviceInfo& info() const = 0;

  // Bytes that weights and a reservation may still take where this device keeps them.
  virtual int64_t memory_left_bytes() const { return available_memory_bytes(); }

  // --- load time
  // -------------------------------------------------------------------------------------------------------------------
  // Repacks one weight; the view may be dropped afterwards. Errors: kUnsupported (type or shape), kInvalid
  // (size), kOutOfMemory.
  virtual Result<Weight> prepare_weight(const TensorView& tensor, WeightUse use) = 0;

  // The bytes that reserve() would take, so that a caller can choose `kv.blocks` by what is free.
  virtual int64_t reserve_bytes(const ModelShape& shape, const KvOptions& kv,
                                const StepLimits& limits) const = 0;

  // Reserves and touches the KV pool and every buffer that a step within `limits` can need. REQUIRES: once,
  // after all weights. Errors: kOutOfMemory with what was asked for and what is free, in bytes; kUnsupported.
  virtual Result<void> reserve(const ModelShape& shape, const KvOptions& kv, const StepLimits& limits) = 0;

  // Records what a device can replay: the operations that `forward` issues for steps of generated tokens
  // alone. May be left out. REQUIRES: after reserve(), before the first step, with the `forward` of all
  // steps. Errors: kDeviceFault, kOutOfMemory.
  virtual Result<void> prepare_steps(const Forward& /*forward*/) { return {}; }

  // What steps that read so many bytes of memory again and again can reach at best: a cache may hold them.
  virtual DevicePeaks measure_peaks(int64_t working_set_bytes) = 0;

  // --- step time
  // -------------------------------------------------------------------------------------------------------------------
  // Starts a slot's token counts (for penalties) with its prompt; a token that sample() returns for the slot
  // is counted at once.
  virtual void begin_sequence(int32_t slot, std::span<const TokenId> prompt) = 0;
  virtual void end_sequence(int32_t slot) = 0;

  // REQUIRES: the batch fits the reserved limits; token ids, positions and blocks are in range (CHECKed: they
  // are our own). With a step under way that has been sampled: steps_in_flight_max allows for one more.
  virtual void forward(const Batch& batch, const Forward& forward) = 0;
  // Samples rows of the step last given to forward(). Called again for the same step, behind its
  // finish_step(), it does so anew: what it sampled before counts no more, and the step's output is that of
  // the last call. What the rows point to is read before it returns.
  virtual void sample(std::span<const SampleRow> rows) = 0;
  // What these rows of the last sample() (its indexes, ascending; of each slot the last ones) brought counts
  // for nothing: tokens behind a draft that was wrong. To be called after finish_step().
  // REQUIRES: info().takes_back.
  virtual void take_back(std::span<const int32_t> /*rows*/) {
    CHECK_NOTE(false, "a device that can't take back tokens was given drafts");
  }
  // Waits for the oldest step. Errors: kDeviceFault; the backend is then unusable.
  virtual Result<StepOutput> finish_step() = 0;

  // --- operations, called by Forward only
  // --------------------------------------------------------------------------------------------
  virtual void embed(const Weight& table, Activation x) = 0;  // x[T, H] = table[tokens]
  // q = rope(head_norm(norm(x) Wq^T + bq)); keys (normed and rotated alike) and values of the T rows go to
  // their places in `layer` of the KV pool. head_norm only where the weights have q_norm and k_norm.
  virtual void norm_qkv_rope_store(Activation x, const AttentionWeights& w, int32_t layer, Activation q) = 0;
  // Each row attends to positions 0 .. its own through its part's blocks, scores scaled by head_dim^-1/2. KV
  // is split at fixed positions and merged in order: the sum depends on the context alone, never on the batch
  // or the number of threads.
  virtual void paged_attention(Activation q, int32_t layer, Activation out) = 0;
  virtual void linear_residual(Activation in, const Weight& w, Activation x) = 0;  // x += in W^T
  // x += (silu(n Wgate^T) * (n Wup^T)) Wdown^T, where n = norm(x).
  virtual void norm_gated_mlp(const MlpWeights& w, Activation x) = 0;
  // The R wanted rows: norm(x) Whead^T, [R, vocab] in float.
  virtual void logits(Activation x, const Weight& norm, const Weight& head) = 0;

  // --- tests and tools only
  // ------------------------------------------------------------------------------------------------------------
  // [T, width] of the last step: kHidden between the operations of its forward pass, the others before the
  // MLP that follows them. Later it may be anything.
  virtual Result<void> read_activation(Activation a, std::span<float> out) = 0;
  virtual Result<void> read_logits(int32_t logit_row,
                                   std::span<float> out) = 0;  // [vocab], before sampling changes
};

struct CpuOptions {
  int32_t threads = 0;       // 0: one for each core that the process may use
  std::string isa = "auto";  // or "reference", "reference-tiles", "avx2", "avx512", "amx"
};

// Errors: kUnsupported when the machine lacks the ISA that is asked for; names the ones that it has.
Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options);

struct CudaOptions {
  int32_t ordinal = 0;
  double memory_share = 0.9;  // of the device's memory, for weights, KV pool and buffers together
};

// Errors: kUnsupported when this build has no CUDA, or the device is too old; kNotFound when there is no such
// device or no driver.
Result<std::unique_ptr<Backend>> make_cuda_backend(const CudaOptions& options);

// Devices that make_cuda_backend() can be asked for; 0 in a build without CUDA and without a driver.
int32_t cuda_device_count();

}  // namespace hussar
