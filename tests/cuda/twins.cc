#include <algorithm>
#include <cstring>

#include "checks.h"
#include "kernels/cpu/float16.h"

namespace hussar::checks {

Stored random_matrix(DType dtype, int64_t rows, int64_t cols, float scale, std::mt19937& generator) {
  Stored stored{dtype, rows, cols, std::vector<std::byte>(static_cast<size_t>(rows * cols * 2))};
  std::normal_distribution<float> normal(0.0f, scale);
  for (size_t at = 0; at < stored.bytes.size(); at += 2) {
    const float value = normal(generator);
    const uint16_t half = dtype == DType::kBF16 ? cpu::f32_to_bf16(value) : cpu::f32_to_f16(value);
    std::memcpy(stored.bytes.data() + at, &half, sizeof(half));
  }
  return stored;
}

Stored random_vector(int64_t size, float mean, float scale, std::mt19937& generator) {
  Stored stored{DType::kF32, 1, size, std::vector<std::byte>(static_cast<size_t>(size * 4))};
  std::normal_distribution<float> normal(mean, scale);
  for (size_t at = 0; at < stored.bytes.size(); at += 4) {
    const float value = normal(generator);
    std::memcpy(stored.bytes.data() + at, &value, sizeof(value));
  }
  return stored;
}

double worst_row(const std::vector<float>& got, const std::vector<float>& wanted, int64_t width) {
  double worst = 0.0;
  for (size_t begin = 0; begin < wanted.size(); begin += static_cast<size_t>(width)) {
    double error = 0.0, length = 0.0;
    for (size_t i = begin; i < begin + static_cast<size_t>(width); i++) {
      error += std::pow(static_cast<double>(got[i]) - static_cast<double>(wanted[i]), 2);
      length += std::pow(static_cast<double>(wanted[i]), 2);
    }
    const double relative = std::sqrt(error) / std::sqrt(length);
    if (!(relative <= worst)) worst = relative;
    if (std::isnan(relative)) return relative;
  }
  return worst;
}

Twins::Twins(const TwinShape& model, const StepLimits& limits, int32_t blocks, uint32_t seed, Report& report)
    : model_(model), report_(report), generator_(seed) {
  const ModelShape& s = model.shape;
  const int64_t q = int64_t{s.heads} * s.head_dim, kv = int64_t{s.kv_heads} * s.head_dim;
  const auto unit = [](int64_t cols) { return 1.0f / std::sqrt(static_cast<float>(cols)); };
  std::vector<Stored> tensors;
  const auto matrix = [&](int64_t rows, int64_t cols, float scale) {
    tensors.push_back(random_matrix(model.dtype, rows, cols, scale, generator_));
  };
  const auto vector = [&](int64_t size, float mean, float scale) {
    tensors.push_back(random_vector(size, mean, scale, generator_));
  };
  matrix(s.vocab_size, s.hidden, 1.0f);
  for (int32_t layer = 0; layer < s.layers; layer++) {
    vector(s.hidden, 1.0f, 0.2f);
    // Scores of about 2, so that a position that is missed, or seen without right, shows in some row.
    matrix(q, s.hidden, 1.5f * unit(s.hidden));
    matrix(kv, s.hidden, 1.5f * unit(s.hidden));
    matrix(kv, s.hidden, unit(s.hidden));
    for (const int64_t size : {q, kv, kv}) vector(size, 0.0f, 0.3f);
    vector(s.head_dim, 1.4f, 0.2f);
    vector(s.head_dim, 1.4f, 0.2f);
    matrix(s.hidden, q, unit(q));
    vector(s.hidden, 1.0f, 0.2f);
    matrix(s.mlp_width, s.hidden, unit(s.hidden));
    matrix(s.mlp_width, s.hidden, unit(s.hidden));
    matrix(s.hidden, s.mlp_width, unit(s.mlp_width));
  }
  vector(s.hidden, 1.0f, 0.2f);
  cpu_ = make_side(value_or_fail(make_cpu_backend({})), tensors);
  device_ = make_side(value_or_fail(make_cuda_backend({})), tensors);
  for (Side* side : {&cpu_, &device_}) {
    ok_or_fail(side->backend->reserve(s, {KvType::kBF16, blocks}, limits));
    ok_or_fail(side->backend->prepare_steps([&](Backend& backend, const StepShape& step) {
      run(*side, backend, step, [](const char*, Activation) {});
    }));
  }
  for (int32_t block = 0; block < blocks; block++) free_.push_back(block);
  std::shuffle(free_.begin(), free_.end(), generator_);
}

Twins::Side Twins::make_side(std::unique_ptr<Backend> backend, const std::vector<Stored>& tensors) {
  Side side;
  size_t next = 0;
  const auto take = [&](WeightUse use) {
    return value_or_fail(backend->prepare_weight(tensors[next++].view(), use));
  };
  side.embedding = take(WeightUse::kLinearAndEmbedding);
  for (int32_t layer = 0; layer < model_.shape.layers; layer++) {
    Side::Layer& l = side.layers.emplace_back();
    l.attention.norm = take(WeightUse::kVector);
    for (Weight* w : {&l.attention.wq, &l.attention.wk, &l.attention.wv}) *w = take(WeightUse::kLinear);
    for (Weight* b : {&l.attention.bq, &l.attention.bk, &l.attention.bv}) {
      const Weight bias = take(WeightUse::kVector);
      if (model_.biased) *b = bias;
    }
    for (Weight* n : {&l.attention.q_norm, &l.attention.k_norm}) {
      const Weight norm = take(WeightUse::kVector);
      if (model_.head_norms) *n = norm;
    }
    l.output = take(WeightUse::kLinear);
    l.mlp.norm = take(WeightUse::kVector);
    for (Weight* w : {&l.mlp.gate, &l.mlp.up, &l.mlp.down}) *w = take(WeightUse::kLinear);
  }
  side.norm = take(WeightUse::kVector);
  side.backend = std::move(backend);
  return side;
}

void Twins::run(const Side& side, Backend& backend, const StepShape& step, const Tap& tap) const {
  backend.embed(side.embedding, Activation::kHidden);
  tap("embed", Activation::kHidden);
  for (size_t i = 0; i < side.layers.size(); i++) {
    const auto layer = static_cast<int32_t>(i);
    const Side::Layer& l = side.layers[i];
    backend.norm_qkv_rope_store(Activation::kHidden, l.attention, layer, Activation::kQuery);
    tap("norm_qkv_rope_store", Activation::kQuery);
    backend.paged_attention(Activation::kQuery, layer, Activation::kAttended);
    tap("paged_attention", Activation::kAttended);
    backend.linear_residual(Activation::kAttended, l.output, Activation::kHidden);
    tap("linear_residual", Activation::kHidden);
    backend.norm_gated_mlp(l.mlp, Activation::kHidden);
    tap("norm_gated_mlp", Activation::kHidden);
  }
  if (step.logit_rows > 0) backend.logits(Activation::kHidden, side.norm, side.embedding);
}

void Twins::step(const std::vector<Piece>& pieces, Compare compare, const std::string& what) {
  std::vector<BatchPart> parts;
  std::vector<TokenId> tokens;
  int32_t logit_rows = 0;
  for (const Piece& piece : pieces) {
    Sequence& sequence = sequences_[piece.slot];
    BatchPart part{piece.slot, sequence.length, piece.rows, piece.logit_rows, piece.role, {}};
    sequence.length += piece.rows;
    while (static_cast<int32_t>(sequence.blocks.size()) * 32 < sequence.length) {
      if (free_.empty()) fail("the check has too few blocks");
      sequence.blocks.push_back(free_.back());
      free_.pop_back();
    }
    parts.push_back(part);
    logit_rows += piece.logit_rows;
    for (int32_t i = 0; i < piece.rows; i++)
      tokens.push_back(static_cast<TokenId>(generator_() % static_cast<uint32_t>(model_.shape.vocab_size)));
  }
  for (size_t i = 0; i < pieces.size(); i++) parts[i].blocks = sequences_[pieces[i].slot].blocks;

  const ModelShape& s = model_.shape;
  struct Seen {
    std::string operation;
    int64_t width;
    double limit;
    std::vector<float> values;
  };
  std::vector<Seen> seen[2];
  for (int i = 0; i < 2; i++) {
    const Side& side = i == 0 ? cpu_ : device_;
    const Tap tap = [&](const char* operation, Activation a) {
      if (compare != Compare::kEveryOperation) return;
      const int64_t width = a == Activation::kHidden ? s.hidden : s.heads * s.head_dim;
      const double limit = a == Activation::kHidden ? 8 : a == Activation::kQuery ? 8 : 24;
      Seen& now = seen[i].emplace_back(Seen{operation, width, limit * kRounding, {}});
      now.values.resize(tokens.size() * static_cast<size_t>(width));
      ok_or_fail(side.backend->read_activation(a, now.values));
    };
    side.backend->forward({tokens, parts},
                          [&](Backend& backend, const StepShape& shape) { run(side, backend, shape, tap); });
    value_or_fail(side.backend->finish_step());
    Seen& logits = seen[i].emplace_back(Seen{"logits", s.vocab_size, 16 * kRounding, {}});
    for (int32_t row = 0; row < logit_rows; row++) {
      std::vector<float> values(static_cast<size_t>(s.vocab_size));
      ok_or_fail(side.backend->read_logits(row, values));
      logits.values.insert(logits.values.end(), values.begin(), values.end());
    }
  }
  for (size_t i = 0; i < seen[0].size(); i++) {
    const Seen& wanted = seen[0][i];
    report_.expect_at_most(model_.name + ", " + what + ", " + wanted.operation,
                           worst_row(seen[1][i].values, wanted.values, wanted.width), wanted.limit);
  }
}

void Twins::drop(int32_t slot) {
  Sequence& sequence = sequences_[slot];
  free_.insert(free_.begin(), sequence.blocks.begin(), sequence.blocks.end());
  sequences_.erase(slot);
}

}  // namespace hussar::checks
