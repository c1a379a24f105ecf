#include "kernels/cpu/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/float16.h"
#include "kernels/cpu/isa.h"

namespace hussar::cpu {
namespace {

constexpr double kEpsilon = 0x1p-24;  // of one rounding
constexpr uint32_t kSeed = 77001;

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kReference, Isa::kReferenceTiles, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (isa_supported(isa)) isas.push_back(isa);
  }
  return isas;
}

struct PartCase {
  int32_t first_position;
  int32_t rows;
};

struct Case {
  int32_t kv_heads;
  int32_t group_heads;
  int32_t head_dim;
  KvType type;
  std::vector<PartCase> parts;
};

// A filled pool and queries, from which attention is computed by the code under test and in double.
class Fixture {
 public:
  // Rows of prompts, or of generated tokens.
  Fixture(const Case& c, Isa isa, int32_t threads, RowRole role = RowRole::kGenerated)
      : case_(c), role_(role), kernels_(attention_kernels(isa)), tiles_(tile_kernels(isa)) {
    team_ = ThreadTeam::create(threads).value();
    shape_.layers = 2;
    shape_.heads = c.kv_heads * c.group_heads;
    shape_.kv_heads = c.kv_heads;
    shape_.head_dim = c.head_dim;
    fill();
  }

  std::vector<float> attend() {
    PagedAttention attention(kernels_, tiles_, shape_, limits_, team_->size());
    Carver counter(nullptr);
    attention.carve(counter);
    const PageBuffer memory = PageBuffer::create(counter.used_bytes(), "a test", *team_).value();
    Carver carver(memory.data());
    attention.carve(carver);
    std::vector<float> out(queries_.size(), std::numeric_limits<float>::quiet_NaN());
    attention.plan(parts_);
    for (int i = 0; i < 2; i++) {  // twice: a layer leaves nothing behind
      attention.start_layer();
      team_->run([&](int32_t member) { attention.run(pool_, kLayer, queries_.data(), out.data(), member); });
    }
    return out;
  }

  // Compares with attention in double over the stored (rounded) keys and values, so that only the sums'
  // errors remain. With eps of one rounding: a score of n = head_dim products has error d <= (n + 2) eps sum
  // |q k|; a weight exp(s - m) has relative error 2 d + |s - m| eps + 2^-22 (the exponential's two units),
  // and a merge adds as much again for each split; the sums of t terms add (t + 3 splits + 20) eps. A
  // quotient of two such sums has twice that, times the largest value.
  void expect_close(const std::vector<float>& out) const {
    const int64_t width = int64_t{shape_.heads} * shape_.head_dim;
    int64_t row = 0;
    for (size_t p = 0; p < parts_.size(); p++) {
      for (int32_t i = 0; i < parts_[p].rows; i++, row++) {
        for (int32_t head = 0; head < shape_.heads; head++) {
          expect_head_close(p, parts_[p].first_position + i, head,
                            &queries_[static_cast<size_t>(row * width + head * shape_.head_dim)],
                            &out[static_cast<size_t>(row * width + head * shape_.head_dim)]);
        }
      }
    }
  }

 private:
  static constexpr int32_t kLayer = 1;

  void fill() {
    std::mt19937 generator(kSeed);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    int32_t rows = 0, context_max = 1, blocks = 0;
    for (const PartCase& part : case_.parts) {
      const int32_t context = part.first_position + part.rows;
      rows += part.rows;
      context_max = std::max(context_max, context);
      blocks += (context + kKvBlockTokens - 1) / kKvBlockTokens;
    }
    limits_.rows_max = rows;
    limits_.context_max = context_max;
    limits_.parts_max = static_cast<int32_t>(case_.parts.size());
    pool_ = KvPool::create(shape_, {case_.type, blocks + 3}, *team_).value();
    std::vector<int32_t> free(static_cast<size_t>(blocks) + 3);
    for (size_t i = 0; i < free.size(); i++) free[i] = static_cast<int32_t>(i);
    std::shuffle(free.begin(), free.end(), generator);
    const auto head_dim = static_cast<size_t>(shape_.head_dim);
    std::vector<uint16_t> scratch(head_dim);
    // What no row may see: infinities everywhere.
    const std::vector<float> poison(head_dim, std::numeric_limits<float>::infinity());
    blocks_.resize(case_.parts.size());
    for (size_t p = 0; p < case_.parts.size(); p++) {
      const int32_t context = case_.parts[p].first_position + case_.parts[p].rows;
      for (int32_t position = 0; position % kKvBlockTokens != 0 || position < context; position++) {
        if (position % kKvBlockTokens == 0) {
          blocks_[p].push_back(free.back());
          free.pop_back();
        }
        for (int32_t head = 0; head < shape_.kv_heads; head++) {
          std::vector<float> key(head_dim), value(head_dim);
          for (float& x : key) x = normal(generator) * 1.5f;
          for (float& x : value) x = normal(generator);
          const bool seen = position < context;
          // A value beyond F16 is clamped, so that poison stored as F16 would be finite: BF16 carries it.
          pool_.store(kernels_, kLayer, blocks_[p].back(), position % kKvBlockTokens, head,
                      seen ? key.data() : poison.data(), seen ? value.data() : poison.data(), scratch.data());
        }
      }
      BatchPart part{};
      part.role = role_;
      part.first_position = case_.parts[p].first_position;
      part.rows = case_.parts[p].rows;
      part.blocks = blocks_[p];
      parts_.push_back(part);
    }
    queries_.resize(static_cast<size_t>(rows) * static_cast<size_t>(shape_.heads) * head_dim);
    for (float& x : queries_) x = normal(generator) * 1.5f;
  }

  double stored(const uint16_t* element) const {
    return static_cast<double>(case_.type == KvType::kF16 ? f16_to_f32(*element) : bf16_to_f32(*element));
  }

  void expect_head_close(size_t part, int32_t position, int32_t head, const float* query,
                         const float* out) const {
    const int32_t kv_head = head / case_.group_heads, dim = shape_.head_dim, count = position + 1;
    std::vector<double> scores(static_cast<size_t>(count)), sums(static_cast<size_t>(dim), 0.0);
    double highest = -1e300, lowest = 1e300, score_error = 0.0, total = 0.0, largest = 0.0;
    for (int32_t t = 0; t < count; t++) {
      const uint16_t* key = pool_.keys(kLayer, blocks_[part][static_cast<size_t>(t / 32)], kv_head) + t % 32;
      double score = 0.0, magnitude = 0.0;
      for (int32_t h = 0; h < dim; h++) {
        const double product =
            static_cast<double>(query[h]) * stored(key + h * 32) / std::sqrt(static_cast<double>(dim));
        score += product;
        magnitude += std::abs(product);
      }
      scores[static_cast<size_t>(t)] = score;
      highest = std::max(highest, score);
      lowest = std::min(lowest, score);
      score_error = std::max(score_error, (dim + 2) * kEpsilon * magnitude);
    }
    for (int32_t t = 0; t < count; t++) {
      const double weight = std::exp(scores[static_cast<size_t>(t)] - highest);
      const uint16_t* value = pool_.values(kLayer, blocks_[part][static_cast<size_t>(t / 32)], kv_head) +
                              t % 32 * value_width(dim);
      total += weight;
      for (int32_t h = 0; h < dim; h++) {
        sums[static_cast<size_t>(h)] += weight * stored(value + h);
        largest = std::max(largest, std::abs(stored(value + h)));
      }
    }
    const double splits = (count + kSplitTokens - 1) / kSplitTokens;
    const double weight_error = 2.0 * score_error + (highest - lowest) * kEpsilon + 0x1p-22;
    const double tolerance =
        2.0 * largest * ((1.0 + splits) * weight_error + (count + 3.0 * splits + 20.0) * kEpsilon);
    for (int32_t h = 0; h < dim; h++) {
      ASSERT_NEAR(static_cast<double>(out[h]), sums[static_cast<size_t>(h)] / total, tolerance)
          << "position " << position << ", head " << head << ", element " << h << ", seed " << kSeed;
    }
  }

  Case case_;
  RowRole role_;
  const AttentionKernels& kernels_;
  const TileKernels* tiles_;
  std::unique_ptr<ThreadTeam> team_;
  ModelShape shape_;
  StepLimits limits_;
  KvPool pool_;
  std::vector<std::vector<int32_t>> blocks_;
  std::vector<BatchPart> parts_;
  std::vector<float> queries_;
};

std::vector<Case> odd_cases() {
  std::vector<Case> cases;
  const std::vector<PartCase> mixed = {{0, 1}, {31, 1}, {255, 1}, {256, 1}, {299, 3}, {0, 33}, {250, 12}};
  for (const KvType type : {KvType::kF16, KvType::kBF16}) {
    for (int32_t group = 1; group <= 9; group++) cases.push_back({group % 3 + 1, group, 16, type, mixed});
    for (const int32_t head_dim : {2, 20, 48, 64, 80, 128})
      cases.push_back({2, 3, head_dim, type, {{700, 1}, {511, 2}, {0, 17}}});
    cases.push_back({1, 32, 32, type, {{40, 2}}});  // more heads of a KV head than a tile has queries
    cases.push_back({1, 7, 64, type, {{1030, 1}}});
    cases.push_back({3, 3, 64, type, {{505, 20}}});
  }
  return cases;
}

std::string describe(const Case& c, Isa isa) {
  return std::string(isa_name(isa)) + ", " + std::to_string(c.kv_heads) + " KV heads of " +
         std::to_string(c.group_heads) + ", head " + std::to_string(c.head_dim) +
         (c.type == KvType::kF16 ? ", F16" : ", BF16");
}

TEST(Attention, AgreesWithDouble) {
  for (const Case& c : odd_cases()) {
    for (const Isa isa : supported_isas()) {
      SCOPED_TRACE(describe(c, isa));
      Fixture fixture(c, isa, 2);
      fixture.expect_close(fixture.attend());
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Attention, IsaAndThreadsChangeNoBit) {
  for (const Case& c : odd_cases()) {
    const std::vector<float> expected = Fixture(c, Isa::kReference, 1).attend();
    for (const Isa isa : supported_isas()) {
      for (const int32_t threads : {1, 3}) {
        SCOPED_TRACE(describe(c, isa) + ", threads " + std::to_string(threads));
        const std::vector<float> out = Fixture(c, isa, threads).attend();
        ASSERT_EQ(out.size(), expected.size());
        for (size_t i = 0; i < out.size(); i++) {
          ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected[i])) << "element " << i;
        }
      }
    }
  }
}

// Queries, keys, weights and values are rounded to BF16, by 2^-9 in the root mean square: a score of
// magnitude 7 at most changes by as much for its queries and for its keys, a sum of weighted values for its
// weights and for its values.
TEST(Attention, PromptsByTilesAreCloseToThoseWithout) {
  for (const Case& c : odd_cases()) {
    const std::vector<float> exact = Fixture(c, Isa::kReference, 1).attend();
    const std::vector<float> tiled = Fixture(c, Isa::kReferenceTiles, 2, RowRole::kPrompt).attend();
    double error = 0, magnitude = 0;
    for (size_t i = 0; i < exact.size(); i++) {
      error += std::pow(double{tiled[i]} - double{exact[i]}, 2);
      magnitude += std::pow(double{exact[i]}, 2);
    }
    EXPECT_LT(std::sqrt(error / magnitude), 7 * 2 * 0x1p-9 + 2 * 0x1p-9) << describe(c, Isa::kReferenceTiles);
    EXPECT_EQ(error > 0, c.head_dim >= kTiledHeadDimMin);
  }
}

TEST(Attention, TilesChangeNoBitWhateverTheThreads) {
  if (!isa_supported(Isa::kAmx)) GTEST_SKIP() << "no AMX";
  for (const Case& c : odd_cases()) {
    const std::vector<float> expected = Fixture(c, Isa::kReferenceTiles, 1, RowRole::kPrompt).attend();
    for (const int32_t threads : {1, 3}) {
      SCOPED_TRACE(describe(c, Isa::kAmx) + ", threads " + std::to_string(threads));
      const std::vector<float> out = Fixture(c, Isa::kAmx, threads, RowRole::kPrompt).attend();
      for (size_t i = 0; i < out.size(); i++) {
        ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected[i])) << "element " << i;
      }
    }
  }
}

TEST(Attention, StoredNumbersAreTheSameBitsOnEveryIsa) {
  std::mt19937 generator(kSeed);
  std::vector<float> x;
  for (int i = 0; i < 20003; i++) x.push_back(std::bit_cast<float>(static_cast<uint32_t>(generator())));
  for (const float value :
       {65504.0f, 65519.0f, 65520.0f, 1e30f, -1e30f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f, -0.0f})
    x.push_back(value);
  const FlushDenormals flush;
  for (const Isa isa : supported_isas()) {
    for (const HalfType type : {HalfType::kF16, HalfType::kBF16}) {
      std::vector<uint16_t> expected(x.size()), stored(x.size());
      attention_kernels(Isa::kReference)
          .to_kv(x.data(), static_cast<int32_t>(x.size()), type, expected.data());
      attention_kernels(isa).to_kv(x.data(), static_cast<int32_t>(x.size()), type, stored.data());
      for (size_t i = 0; i < x.size(); i++)
        ASSERT_EQ(stored[i], expected[i]) << isa_name(isa) << ": " << x[i];
    }
  }
  uint16_t largest = 0;
  const float beyond = 1e9f;
  attention_kernels(Isa::kReference).to_kv(&beyond, 1, HalfType::kF16, &largest);
  EXPECT_EQ(f16_to_f32(largest), 65504.0f);
}

TEST(PageBuffer, RefusesWhatTheMachineDoesNotHave) {
  const std::unique_ptr<ThreadTeam> team = ThreadTeam::create(1).value();
  const Result<PageBuffer> buffer = PageBuffer::create(int64_t{1} << 50, "the KV cache", *team);
  ASSERT_FALSE(buffer.ok());
  EXPECT_EQ(buffer.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(buffer.error().message.find("1125899906842624 bytes"), std::string::npos)
      << buffer.error().message;
  EXPECT_NE(buffer.error().message.find("free"), std::string::npos);
}

}  // namespace
}  // namespace hussar::cpu
