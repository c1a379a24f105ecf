#include "kernels/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/float16.h"
#include "kernels/cpu/isa.h"

namespace hussar {
namespace {

constexpr uint32_t kSeed = 990017;

std::vector<std::string> supported_isas() {
  std::vector<std::string> names;
  for (const cpu::Isa isa : {cpu::Isa::kReference, cpu::Isa::kReferenceTiles, cpu::Isa::kAvx2,
                             cpu::Isa::kAvx512, cpu::Isa::kAmx}) {
    if (cpu::isa_supported(isa)) names.emplace_back(cpu::isa_name(isa));
  }
  return names;
}

// A stored tensor with random contents, whatever its format; and its values.
struct Stored {
  DType dtype;
  int64_t rows, cols;
  std::vector<std::byte> bytes;
  TensorView view() const { return {"test", dtype, rows, cols, bytes}; }
};

void put_half(std::byte* at, float value) {
  const uint16_t half = cpu::f32_to_f16(value);
  std::memcpy(at, &half, sizeof(half));
}

Stored random_tensor(DType dtype, int64_t rows, int64_t cols, float scale, std::mt19937& generator) {
  const DTypeInfo& info = dtype_info(dtype);
  Stored stored{dtype, rows, cols, {}};
  stored.bytes.resize(static_cast<size_t>(rows * cols / info.block_elements * info.block_bytes));
  std::normal_distribution<float> normal(0.0f, scale);
  for (size_t at = 0; at < stored.bytes.size(); at += static_cast<size_t>(info.block_bytes)) {
    std::byte* block = stored.bytes.data() + at;
    for (int32_t i = 0; i < info.block_bytes; i++) block[i] = static_cast<std::byte>(generator());
    if (dtype == DType::kF32) {
      const float value = normal(generator);
      std::memcpy(block, &value, sizeof(value));
    } else if (dtype == DType::kQ8_0) {
      put_half(block, scale / 70.0f);
    } else {
      EXPECT_EQ(dtype, DType::kQ4_1);
      put_half(block, scale / 5.0f);
      put_half(block + 2, -scale * 1.5f);
    }
  }
  return stored;
}

// A small model of random weights, the same for the same dtype, on any backend.
class TinyModel {
 public:
  TinyModel(DType dtype, RopeStyle style, bool biased) {
    shape.layers = 2;
    shape.hidden = 64;
    shape.heads = 6;
    shape.kv_heads = 2;
    shape.head_dim = 32;
    shape.mlp_width = 160;
    shape.vocab_size = 131;
    shape.rope.style = style;
    shape.rope.dims = style == RopeStyle::kHalves ? 32 : 24;  // the whole head, or a part of it
    shape.rope.linear_scale = style == RopeStyle::kHalves ? 1.0 : 2.0;
    if (style == RopeStyle::kInterleaved) shape.rope.frequency_divisors.assign(12, 1.5f);
    std::mt19937 generator(kSeed);
    const auto add = [&](DType type, int64_t rows, int64_t cols, float scale) {
      tensors.push_back(random_tensor(type, rows, cols, scale, generator));
    };
    add(dtype, shape.vocab_size, shape.hidden, 1.0f);
    for (int32_t layer = 0; layer < shape.layers; layer++) {
      add(DType::kF32, 1, 64, 1.0f);
      add(dtype, 192, 64, 0.2f);
      add(dtype, 64, 64, 0.2f);
      add(dtype, 64, 64, 0.2f);
      for (const int64_t width : {192, 64, 64}) add(DType::kF32, 1, biased ? width : 1, 0.3f);
      add(dtype, 64, 192, 0.1f);
      add(DType::kF32, 1, 64, 1.0f);
      add(dtype, 160, 64, 0.2f);
      add(dtype, 160, 64, 0.2f);
      add(dtype, 64, 160, 0.1f);
    }
    add(DType::kF32, 1, 64, 1.0f);
    is_biased = biased;
  }

  ModelShape shape;
  bool is_biased = false;
  std::vector<Stored> tensors;
};

// The model on one backend, and sequences run through it.
class Running {
 public:
  Running(const TinyModel& model, const std::string& isa, int32_t threads, KvType kv = KvType::kF16)
      : shape_(model.shape) {
    CpuOptions options;
    options.isa = isa;
    options.threads = threads;
    backend_ = make_cpu_backend(options).value();
    size_t next = 0;
    const auto take = [&](WeightUse use) {
      return backend_->prepare_weight(model.tensors[next++].view(), use).value();
    };
    embedding_ = take(WeightUse::kLinearAndEmbedding);
    for (int32_t layer = 0; layer < shape_.layers; layer++) {
      Layer& l = layers_.emplace_back();
      l.attention.norm = take(WeightUse::kVector);
      for (Weight* w : {&l.attention.wq, &l.attention.wk, &l.attention.wv}) *w = take(WeightUse::kLinear);
      for (Weight* b : {&l.attention.bq, &l.attention.bk, &l.attention.bv}) {
        const Weight bias = take(WeightUse::kVector);
        if (model.is_biased) *b = bias;
      }
      l.output = take(WeightUse::kLinear);
      l.mlp.norm = take(WeightUse::kVector);
      for (Weight* w : {&l.mlp.gate, &l.mlp.up, &l.mlp.down}) *w = take(WeightUse::kLinear);
    }
    norm_ = take(WeightUse::kVector);
    StepLimits limits;
    limits.rows_max = 400;
    limits.parts_max = 8;
    limits.logit_rows_max = 400;
    limits.context_max = 512;
    const KvOptions options_kv{kv, 64};
    EXPECT_GT(backend_->reserve_bytes(shape_, options_kv, limits), 0);
    EXPECT_TRUE(backend_->reserve(shape_, options_kv, limits).ok());
    for (int32_t block = 63; block >= 0; block--) free_.push_back(block);
  }

  // A part of a step: tokens of one sequence, which are appended to it.
  struct Piece {
    int32_t sequence;
    std::vector<TokenId> tokens;
    RowRole role = RowRole::kPrompt;
  };

  // Runs a step and returns the logits of all its rows, [rows][vocab].
  std::vector<std::vector<float>> step(const std::vector<Piece>& pieces) {
    std::vector<BatchPart> parts;
    std::vector<TokenId> tokens;
    for (const Piece& piece : pieces) {
      Sequence& sequence = sequences_[piece.sequence];
      BatchPart part{};
      part.slot = piece.sequence;
      part.first_position = sequence.length;
      part.rows = part.logit_rows = static_cast<int32_t>(piece.tokens.size());
      part.role = piece.role;
      sequence.length += part.rows;
      while (static_cast<int32_t>(sequence.blocks.size()) * 32 < sequence.length) {
        sequence.blocks.push_back(free_.back());
        free_.pop_back();
      }
      part.blocks = sequence.blocks;
      parts.push_back(part);
      tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
    }
    backend_->forward({tokens, parts}, [this](Backend& backend, const StepShape&) { run(backend); });
    std::vector<std::vector<float>> logits(tokens.size(),
                                           std::vector<float>(static_cast<size_t>(shape_.vocab_size)));
    for (size_t row = 0; row < logits.size(); row++) {
      EXPECT_TRUE(backend_->read_logits(static_cast<int32_t>(row), logits[row]).ok());
    }
    EXPECT_TRUE(backend_->finish_step().ok());
    return logits;
  }

  Backend& backend() { return *backend_; }

 private:
  struct Layer {
    AttentionWeights attention;
    Weight output;
    MlpWeights mlp;
  };
  struct Sequence {
    int32_t length = 0;
    std::vector<int32_t> blocks;
  };

  void run(Backend& backend) {
    backend.embed(embedding_, Activation::kHidden);
    for (int32_t layer = 0; layer < shape_.layers; layer++) {
      const Layer& l = layers_[static_cast<size_t>(layer)];
      backend.norm_qkv_rope_store(Activation::kHidden, l.attention, layer, Activation::kQuery);
      backend.paged_attention(Activation::kQuery, layer, Activation::kAttended);
      backend.linear_residual(Activation::kAttended, l.output, Activation::kHidden);
      backend.norm_gated_mlp(l.mlp, Activation::kHidden);
    }
    backend.logits(Activation::kHidden, norm_, embedding_);
  }

  ModelShape shape_;
  std::unique_ptr<Backend> backend_;
  Weight embedding_, norm_;
  std::vector<Layer> layers_;
  std::map<int32_t, Sequence> sequences_;
  std::vector<int32_t> free_;
};

std::vector<TokenId> random_tokens(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens) token = static_cast<TokenId>(generator() % 131);
  return tokens;
}

std::vector<TokenId> slice(const std::vector<TokenId>& tokens, size_t begin, size_t end) {
  return {tokens.begin() + static_cast<ptrdiff_t>(begin),
          tokens.begin() + static_cast<ptrdiff_t>(std::min(end, tokens.size()))};
}

void expect_same_logits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b,
                        size_t first_row) {
  for (size_t row = 0; row < b.size(); row++) {
    ASSERT_LT(first_row + row, a.size());
    for (size_t i = 0; i < b[row].size(); i++) {
      ASSERT_EQ(std::bit_cast<uint32_t>(a[first_row + row][i]), std::bit_cast<uint32_t>(b[row][i]))
          << "row " << first_row + row << ", token " << i << ", seed " << kSeed;
    }
  }
}

constexpr DType kDTypes[] = {DType::kF32, DType::kQ8_0, DType::kQ4_1};

// The promise: a row's logits depend on its sequence alone. The prompt crosses splits (256) and blocks (32).
TEST(CpuBackend, ChunksBatchAndThreadsChangeNoBit) {
  const std::vector<TokenId> prompt = random_tokens(290, kSeed);
  for (const DType dtype : kDTypes) {
    for (const std::string& isa : supported_isas()) {
      if (isa.starts_with("reference") && dtype != DType::kQ8_0)
        continue;  // slow; the ISAs are compared with it below
      SCOPED_TRACE(std::string(dtype_info(dtype).name) + " " + isa);
      const TinyModel model(dtype, RopeStyle::kHalves, true);
      const std::vector<std::vector<float>> whole = Running(model, isa, 1).step({{0, prompt}});
      for (const int32_t threads : {1, 2, 3}) {
        expect_same_logits(whole, Running(model, isa, threads).step({{0, prompt}}), 0);
        for (const size_t chunk : {size_t{1}, size_t{7}, size_t{32}}) {
          if (chunk == 1 && threads != 2) continue;
          SCOPED_TRACE("chunk " + std::to_string(chunk) + ", threads " + std::to_string(threads));
          Running running(model, isa, threads);
          for (size_t begin = 0; begin < prompt.size(); begin += chunk) {
            expect_same_logits(whole, running.step({{0, slice(prompt, begin, begin + chunk)}}), begin);
            if (HasFatalFailure()) return;
          }
        }
      }
      // Among others: some generate, some read prompts, at other positions.
      Running running(model, isa, 2);
      for (int32_t other = 1; other < 6; other++) {
        running.step(
            {{other, random_tokens(static_cast<size_t>(other) * 11, kSeed + static_cast<uint32_t>(other))}});
      }
      for (size_t begin = 0, step = 0; begin < prompt.size(); begin += 41, step++) {
        std::vector<Running::Piece> pieces;
        for (int32_t other = 1; other < 6; other++) {
          const size_t rows = other == 5 ? 13 : 1;
          if (other != 5 || step < 4) {
            pieces.push_back({other, random_tokens(rows, static_cast<uint32_t>(step)), RowRole::kGenerated});
          }
        }
        size_t rows_before = 0;
        for (const Running::Piece& piece : pieces) rows_before += piece.tokens.size();
        pieces.push_back({0, slice(prompt, begin, begin + 41)});
        std::vector<std::vector<float>> logits = running.step(pieces);
        logits.erase(logits.begin(), logits.begin() + static_cast<ptrdiff_t>(rows_before));
        expect_same_logits(whole, logits, begin);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// So many prompt rows that the members divide them, beside generated ones.
TEST(CpuBackend, LongPromptsAreDividedWithoutAChange) {
  const std::vector<TokenId> prompt = random_tokens(397, kSeed + 3);
  const TinyModel model(DType::kQ8_0, RopeStyle::kHalves, true);
  for (const std::string& isa : supported_isas()) {
    if (isa == "reference") continue;  // slow, and nothing is divided
    SCOPED_TRACE(isa);
    const std::vector<std::vector<float>> whole = Running(model, isa, 1).step({{0, prompt}});
    Running running(model, isa, 2);
    running.step({{1, random_tokens(5, 1)}});
    std::vector<std::vector<float>> logits =
        running.step({{1, random_tokens(1, 2), RowRole::kGenerated}, {0, prompt}});
    logits.erase(logits.begin());
    expect_same_logits(whole, logits, 0);
    if (HasFatalFailure()) return;
  }
}

// Those of generated rows; prompts have an arithmetic of their own where there are tiles.
TEST(CpuBackend, EveryIsaGivesTheSameBits) {
  const std::vector<TokenId> tokens = random_tokens(60, kSeed + 1);
  for (const DType dtype : kDTypes) {
    for (const KvType kv : {KvType::kF16, KvType::kBF16}) {
      const TinyModel model(dtype, RopeStyle::kInterleaved, false);
      const auto run = [&](const std::string& isa, RowRole role) {
        return Running(model, isa, 2, kv).step({{0, tokens, role}});
      };
      const std::vector<std::vector<float>> reference = run("reference", RowRole::kGenerated);
      const std::vector<std::vector<float>> tiled = run("reference-tiles", RowRole::kPrompt);
      for (const std::string& isa : supported_isas()) {
        SCOPED_TRACE(std::string(dtype_info(dtype).name) + " " + isa);
        expect_same_logits(reference, run(isa, RowRole::kGenerated), 0);
        const bool has_tiles = isa == "reference-tiles" || isa == "amx";
        expect_same_logits(has_tiles ? tiled : reference, run(isa, RowRole::kPrompt), 0);
        if (HasFatalFailure()) return;
      }
      // Else the roles would not be told apart.
      EXPECT_NE(tiled, reference);
    }
  }
}

// The model in double, straight from the definitions, for F32 weights.
class PlainModel {
 public:
  explicit PlainModel(const TinyModel& model) : model_(model), s_(model.shape) {}

  std::vector<std::vector<double>> logits(const std::vector<TokenId>& tokens) {
    next_ = 0;
    const std::vector<double> table = take();
    const auto hidden = static_cast<size_t>(s_.hidden);
    std::vector<std::vector<double>> x;
    for (const TokenId token : tokens) {
      const auto row = table.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(token) * hidden);
      x.emplace_back(row, row + s_.hidden);
    }
    for (int32_t layer = 0; layer < s_.layers; layer++) run_layer(&x);
    const std::vector<double> norm = take();
    std::vector<std::vector<double>> result;
    for (const std::vector<double>& row : x) result.push_back(multiply(table, normed(row, norm)));
    return result;
  }

 private:
  std::vector<double> take() {
    const Stored& stored = model_.tensors[next_++];
    std::vector<float> floats(stored.bytes.size() / sizeof(float));
    std::memcpy(floats.data(), stored.bytes.data(), stored.bytes.size());
    return {floats.begin(), floats.end()};
  }

  std::vector<double> normed(const std::vector<double>& x, const std::vector<double>& weight) const {
    double sum = 0.0;
    for (const double value : x) sum += value * value;
    const double scale =
        1.0 / std::sqrt(sum / static_cast<double>(x.size()) + static_cast<double>(s_.norm_epsilon));
    std::vector<double> result(x.size());
    for (size_t i = 0; i < x.size(); i++) result[i] = x[i] * scale * weight[i];
    return result;
  }

  static std::vector<double> multiply(const std::vector<double>& w, const std::vector<double>& x) {
    std::vector<double> y(w.size() / x.size(), 0.0);
    for (size_t row = 0; row < y.size(); row++) {
      for (size_t i = 0; i < x.size(); i++) y[row] += w[row * x.size() + i] * x[i];
    }
    return y;
  }

  void rotate(double* head, int32_t position) const {
    const RopeParams& rope = s_.rope;
    for (int32_t i = 0; i < rope.dims / 2; i++) {
      double angle = position / rope.linear_scale * std::pow(rope.base, -2.0 * i / rope.dims);
      if (!rope.frequency_divisors.empty())
        angle /= static_cast<double>(rope.frequency_divisors[static_cast<size_t>(i)]);
      double& a = head[rope.style == RopeStyle::kInterleaved ? 2 * i : i];
      double& b = head[rope.style == RopeStyle::kInterleaved ? 2 * i + 1 : i + rope.dims / 2];
      const double first = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = first;
    }
  }

  void run_layer(std::vector<std::vector<double>>* x) {
    const std::vector<double> norm = take();
    std::vector<double> weights[3], biases[3];
    for (std::vector<double>& w : weights) w = take();
    for (std::vector<double>& b : biases) b = take();
    const std::vector<double> output = take(), mlp_norm = take(), gate = take(), up = take(), down = take();
    const auto head_dim = static_cast<size_t>(s_.head_dim);
    std::vector<std::vector<double>> qkv[3];
    for (size_t position = 0; position < x->size(); position++) {
      const std::vector<double> input = normed((*x)[position], norm);
      for (size_t which = 0; which < 3; which++) {
        std::vector<double> y = multiply(weights[which], input);
        for (size_t i = 0; i < y.size() && model_.is_biased; i++) y[i] += biases[which][i];
        for (size_t head = 0; which < 2 && head < y.size() / head_dim; head++) {
          rotate(&y[head * head_dim], static_cast<int32_t>(position));
        }
        qkv[which].push_back(std::move(y));
      }
    }
    for (size_t position = 0; position < x->size(); position++) {
      std::vector<double> attended(qkv[0][0].size(), 0.0);
      for (size_t head = 0; head < static_cast<size_t>(s_.heads); head++) {
        const size_t kv_at = head / static_cast<size_t>(s_.heads / s_.kv_heads) * head_dim,
                     at = head * head_dim;
        std::vector<double> scores;
        for (size_t t = 0; t <= position; t++) {
          double score = 0.0;
          for (size_t h = 0; h < head_dim; h++) score += qkv[0][position][at + h] * qkv[1][t][kv_at + h];
          scores.push_back(std::exp(score / std::sqrt(static_cast<double>(head_dim))));
        }
        const double total = std::accumulate(scores.begin(), scores.end(), 0.0);
        for (size_t t = 0; t <= position; t++) {
          for (size_t h = 0; h < head_dim; h++) attended[at + h] += scores[t] / total * qkv[2][t][kv_at + h];
        }
      }
      add(&(*x)[position], multiply(output, attended));
      const std::vector<double> input = normed((*x)[position], mlp_norm);
      std::vector<double> gated = multiply(gate, input);
      const std::vector<double> upped = multiply(up, input);
      for (size_t i = 0; i < gated.size(); i++) gated[i] *= upped[i] / (1.0 + std::exp(-gated[i]));
      add(&(*x)[position], multiply(down, gated));
    }
  }

  static void add(std::vector<double>* x, const std::vector<double>& y) {
    for (size_t i = 0; i < x->size(); i++) (*x)[i] += y[i];
  }

  const TinyModel& model_;
  const ModelShape& s_;
  size_t next_ = 0;
};

// Rounding keys and values to F16 (2^-11 each) dwarfs all other errors of F32 weights. A score of this model
// is below 16 in magnitude, so a weight changes by at most 2 * 16 * 2^-11 relative, a value by 2^-11: 33 *
// 2^-11 of an attention output, which is a part (below one half) of the residual; twice for two layers. In
// practice errors are independent and the mean square is about a sixteenth of that.
TEST(CpuBackend, AgreesWithAPlainModelInDouble) {
  const std::vector<TokenId> prompt = random_tokens(70, kSeed + 2);
  for (const bool biased : {false, true}) {
    const TinyModel model(DType::kF32, biased ? RopeStyle::kHalves : RopeStyle::kInterleaved, biased);
    const std::vector<std::vector<double>> expected = PlainModel(model).logits(prompt);
    const std::vector<std::vector<float>> logits =
        Running(model, "auto", 2).step({{0, prompt, RowRole::kGenerated}});
    double error = 0.0, magnitude = 0.0;
    for (size_t row = 0; row < expected.size(); row++) {
      for (size_t i = 0; i < expected[row].size(); i++) {
        const double difference = static_cast<double>(logits[row][i]) - expected[row][i];
        error += difference * difference;
        magnitude += expected[row][i] * expected[row][i];
      }
    }
    EXPECT_LT(std::sqrt(error / magnitude), 33.0 * 0x1p-11 / 16.0) << "seed " << kSeed;
    EXPECT_GT(error, 0.0);
  }
}

// What a small model needs beside its weights and the KV pool is what decides where it fits.
TEST(CpuBackend, ReservesLittleBesideThePoolForASmallModel) {
  ModelShape shape;  // of SmolLM2-135M
  shape.layers = 30;
  shape.hidden = 576;
  shape.heads = 9;
  shape.kv_heads = 3;
  shape.head_dim = 64;
  shape.mlp_width = 1536;
  shape.vocab_size = 49152;
  shape.rope.dims = 64;
  const KvOptions kv{.type = KvType::kF16, .blocks = 256};
  const StepLimits limits{.rows_max = 512, .parts_max = 64, .logit_rows_max = 64, .context_max = 8192};
  constexpr int64_t kPoolBytes = int64_t{256} * 32 * 30 * 3 * 64 * 2 * 2;
  constexpr int64_t kLogitBytes = int64_t{64} * 49152 * 4;
  for (const std::string& isa : supported_isas()) {
    const auto backend = make_cpu_backend({.threads = 2, .isa = isa}).value();
    const int64_t workspace_bytes = backend->reserve_bytes(shape, kv, limits) - kPoolBytes;
    EXPECT_LT(workspace_bytes, kLogitBytes + 4'500'000) << isa;
    EXPECT_GT(workspace_bytes, kLogitBytes) << isa;
  }
}

TEST(CpuBackend, ReadsActivationsAndRefusesWrongSizes) {
  const TinyModel model(DType::kQ8_0, RopeStyle::kHalves, false);
  Running running(model, "auto", 1);
  running.step({{0, random_tokens(5, 1)}});
  std::vector<float> hidden(5 * 64), query(5 * 192), wrong(7);
  EXPECT_TRUE(running.backend().read_activation(Activation::kHidden, hidden).ok());
  EXPECT_TRUE(running.backend().read_activation(Activation::kQuery, query).ok());
  EXPECT_FALSE(running.backend().read_activation(Activation::kAttended, wrong).ok());
  EXPECT_FALSE(running.backend().read_logits(5, hidden).ok());
  EXPECT_FALSE(running.backend().read_logits(0, wrong).ok());
}

TEST(CpuBackend, SamplesTheStepsLogits) {
  const TinyModel model(DType::kQ8_0, RopeStyle::kHalves, false);
  Running running(model, "auto", 2);
  const std::vector<TokenId> prompt = random_tokens(9, 3);
  running.backend().begin_sequence(0, prompt);
  const std::vector<std::vector<float>> logits = running.step({{0, prompt}});
  SampleRow row;
  row.logit_row = 8;
  row.params.temperature = 0.0f;
  row.logprobs_top = 2;
  running.backend().sample({&row, 1});
  const Result<StepOutput> output = running.backend().finish_step();
  ASSERT_TRUE(output.ok());
  ASSERT_EQ(output->rows.size(), 1u);
  const auto best = std::max_element(logits[8].begin(), logits[8].end()) - logits[8].begin();
  EXPECT_EQ(output->rows[0].token, best);
  ASSERT_EQ(output->rows[0].top.size(), 2u);
  EXPECT_EQ(output->rows[0].top[0].token, best);
  EXPECT_EQ(output->rows[0].top[0].logprob, output->rows[0].logprob);
  running.backend().end_sequence(0);
}

TEST(CpuBackend, RefusesWhatItCannotDo) {
  CpuOptions options;
  options.threads = -1;
  EXPECT_EQ(make_cpu_backend(options).error().code, ErrorCode::kInvalid);
  options.threads = 1;
  options.isa = "mmx";
  EXPECT_EQ(make_cpu_backend(options).error().code, ErrorCode::kInvalid);
  options.isa = "auto";
  const std::unique_ptr<Backend> backend = make_cpu_backend(options).value();
  EXPECT_EQ(backend->info().threads, 1);
  std::mt19937 generator(kSeed);
  Stored stored = random_tensor(DType::kF32, 1, 64, 1.0f, generator);
  stored.bytes.pop_back();
  EXPECT_EQ(backend->prepare_weight(stored.view(), WeightUse::kVector).error().code, ErrorCode::kInvalid);
  stored = random_tensor(DType::kF32, 2, 64, 1.0f, generator);
  EXPECT_EQ(backend->prepare_weight(stored.view(), WeightUse::kVector).error().code, ErrorCode::kUnsupported);
  ModelShape shape = TinyModel(DType::kF32, RopeStyle::kHalves, false).shape;
  const Result<void> too_large = backend->reserve(shape, {KvType::kF16, 1 << 30}, {});
  ASSERT_FALSE(too_large.ok());
  EXPECT_EQ(too_large.error().code, ErrorCode::kOutOfMemory);
  shape.rope.dims = 31;
  EXPECT_EQ(backend->reserve(shape, {KvType::kF16, 8}, {}).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace hussar
