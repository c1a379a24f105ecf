// The CPU backend: weights, workspace, KV pool and the operations of a step over a thread team.
//
// A step's shape and rows are fixed by forward(); each operation is one or two runs of the team. Small inputs
// are normalised and quantised by the calling thread, since waking the others costs more.
#pragma once

#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/kv_pool.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/page_buffer.h"
#include "kernels/cpu/sample.h"
#include "kernels/cpu/thread_team.h"
#include "kernels/cpu/vector_ops.h"

namespace hussar::cpu {

// T rows_max, R logit_rows_max, H hidden, Q heads * head_dim, KV kv_heads * head_dim, F mlp_width; W the rows
// that don't go by tiles: of generated tokens and logits where all matrices of the layers take tiles, else
// all. What is never in use at the same time lies in the same memory: L is the layers', of that A attention's
// and M the gated product's; the logits lie over L, and what sampling uses over the head's inputs. All but
// the layers' input holds anything when an operation begins.
struct Workspace {
  float* hidden;            // [T, H]
  ActivationBlock* blocks;  // [W, max(H, Q) / 32]: the quantised input of a product
  float* normed;            // [W, H]; rows from R on L
  float* normed_row;        // L [threads, spread_stride(H)]: of a row that becomes tiles
  float* logits;            // [R, vocab]
  uint16_t* tiles;          // L BF16 tiles of the prompt rows: [T, max(H, Q)], a product's input
  float* rope_cosines;      // L [T, dims / 2], of the step
  float* rope_sines;        // L
  float* query;             // L A [T, Q]
  float* attended;          // L A [T, Q]
  float* key;               // L A [T, KV]
  float* value;             // L A [T, KV]
  float* gate;              // L M [W, spread_stride(F)]
  float* up;                // L M [W, spread_stride(F)]
  ActivationBlock* gated;   // L M [W, F / 32]
  uint16_t* gated_tiles;    // L M [T, F]
  uint16_t* halves;         // [threads, head_dim rounded up to a cache line]
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(Isa isa, std::unique_ptr<ThreadTeam> team);

  const DeviceInfo& info() const override { return info_; }
  Result<Weight> prepare_weight(const TensorView& tensor, WeightUse use) override;
  int64_t reserve_bytes(const ModelShape& shape, const KvOptions& kv,
                        const StepLimits& limits) const override;
  Result<void> reserve(const ModelShape& shape, const KvOptions& kv, const StepLimits& limits) override;
  DevicePeaks measure_peaks(int64_t working_set_bytes) override;

  void begin_sequence(int32_t slot, std::span<const TokenId> prompt) override;
  void end_sequence(int32_t slot) override;
  void forward(const Batch& batch, const Forward& forward) override;
  void sample(std::span<const SampleRow> rows) override;
  void take_back(std::span<const int32_t> rows) override { sampler_->take_back(rows); }
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
  struct Prepared {
    WeightUse use = WeightUse::kVector;
    PackedMatrix matrix;        // of a linear weight or an embedding
    std::vector<float> vector;  // of a norm or a bias
  };
  // Where a row of the batch stands.
  struct Row {
    TokenId token;
    int32_t position;
    int32_t block;
  };
  // Rows to be normalised and made ready for the products that follow: the first ones take the arithmetic of
  // generated rows, the rest that of tiles.
  struct Input {
    const float* x;
    int64_t stride;
    const float* norm;        // null: taken as they are
    const int32_t* gathered;  // row i is row gathered[i] of x; null: row i
    int32_t rows;
    int32_t untiled_rows;
    int32_t cols;
    bool quantised;  // some product reads blocks
    bool tiled;      // some product reads tiles
  };
  // A product of all rows of an input.
  struct Product {
    LinearArgs args;
    const uint16_t* tiles;
    int32_t untiled_rows;
  };

  Result<Weight> prepare_vector(const TensorView& tensor);
  // Lays out everything that steps use.
  void carve(Carver& carver, const ModelShape& shape, const StepLimits& limits, Workspace* w,
             PagedAttention* attention, LogitSampler* sampler) const;
  void carve_layers(Carver& carver, const ModelShape& shape, const StepLimits& limits, Workspace* w,
                    PagedAttention* attention) const;
  int64_t wide_rows(const StepLimits& limits) const;  // W
  void find_rope_frequencies();
  void turn_rows();
  void check_batch(const Batch& batch) const;
  const MatrixView& matrix(const Weight& weight, int64_t rows, int64_t cols) const;
  const float* vector(const Weight& weight, int64_t cols) const;  // null when it doesn't exist
  float* activation(Activation a) const;
  int32_t activation_width(Activation a) const;

  static bool is_small(const Input& input);
  void prepare_rows(const Input& input, int64_t begin, int64_t end, int32_t member);
  void prepare_share(const Input& input, int32_t member);
  Input input_of(const float* x, int64_t cols) const;
  void add_reader(const MatrixView& w, Input* input) const;
  Product product(const Input& input, const MatrixView& w, const float* bias, float* y, int64_t y_stride,
                  StoreMode mode);
  // What this member reads next comes nearer while it waits for others: the matrix behind those of the
  // operation that is under way, or the given one.
  void prefetch_next(int32_t member) const;
  void prefetch_share(const MatrixView& w, int32_t member) const;
  bool divides_rows(int64_t prompt_rows) const;
  Range divided_rows(int64_t prompt_rows, int32_t member) const;
  void multiply_untiled(const Product& product, Range panels) const;
  void multiply_tiles(const Product& product, Range rows, Range panels) const;
  void multiply_share(const Product& product, int32_t member) const;
  void rotate_and_store(const AttentionWeights& w, int32_t layer, int64_t begin, int64_t end, int32_t member);
  static bool is_fused(const Product& gate, const Product& up, const Product& down);
  void rotate_share(const AttentionWeights& w, int32_t layer, int32_t member);
  void fused_share(const Product& gate, const Product& up, Range rows, Range panels) const;
  void gated_share(const Product& gate, const Product& up, const Product& down, int32_t member);

  const Isa isa_;
  const std::unique_ptr<ThreadTeam> team_;
  const LinearKernels& linear_;
  const TileKernels* const tile_kernels_;  // null: prompt rows take the arithmetic of generated ones
  const VectorOps& ops_;
  const AttentionKernels& attention_kernels_;
  DeviceInfo info_;

  std::vector<Prepared> weights_;
  ModelShape shape_;
  StepLimits limits_;
  int64_t wide_rows_ = 0;
  PageBuffer memory_;
  Workspace work_{};
  KvPool pool_;
  std::unique_ptr<PagedAttention> attention_;
  std::unique_ptr<LogitSampler> sampler_;

  std::vector<double> rope_frequencies_;  // [dims / 2]

  std::vector<Row> rows_;            // of the step
  int32_t untiled_rows_ = 0;         // the first ones, before those of prompts that take tiles
  std::vector<int32_t> logit_rows_;  // rows of the batch whose logits are wanted
  // Matrices in the order of their products, of this step and of the one before: steps are alike.
  std::vector<const MatrixView*> matrices_, matrices_before_;
  std::span<const SampledToken> sampled_;
};

}  // namespace hussar::cpu
