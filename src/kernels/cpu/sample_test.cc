#include "kernels/cpu/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/cpu/isa.h"

namespace hussar::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr uint32_t kSeed = 424243;

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kReference, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (isa_supported(isa)) isas.push_back(isa);
  }
  return isas;
}

// A sampler with its memory and threads.
class Sampling {
 public:
  explicit Sampling(int32_t vocab_size, Isa isa = Isa::kReference, int32_t threads = 1)
      : vocab_size_(vocab_size), team_(ThreadTeam::create(threads).value()) {
    StepLimits limits;
    limits.parts_max = 8;
    limits.logit_rows_max = 64;
    limits.context_max = 512;
    sampler_ = std::make_unique<LogitSampler>(vector_ops(isa), vocab_size, limits, threads);
    Carver counter(nullptr);
    sampler_->carve_histories(counter);
    sampler_->carve_scratch(counter);
    memory_ = PageBuffer::create(counter.used_bytes(), "a test", *team_).value();
    Carver carver(memory_.data());
    sampler_->carve_histories(carver);
    sampler_->carve_scratch(carver);
  }

  LogitSampler& operator*() { return *sampler_; }
  LogitSampler* operator->() { return sampler_.get(); }

  std::span<const SampledToken> sample(const std::vector<float>& logits, const std::vector<SampleRow>& rows) {
    EXPECT_EQ(logits.size() % static_cast<size_t>(vocab_size_), 0u);
    const FlushDenormals flush;
    return sampler_->sample(*team_, logits.data(), rows);
  }
  TokenId one(const std::vector<float>& logits, const SampleRow& row) {
    return sample(logits, {row})[0].token;
  }

 private:
  int32_t vocab_size_;
  std::unique_ptr<ThreadTeam> team_;
  PageBuffer memory_;
  std::unique_ptr<LogitSampler> sampler_;
};

SampleRow row_of(const SampleParams& params, int32_t position = 0, uint64_t seed = 1) {
  SampleRow row;
  row.params = params;
  row.position = position;
  row.seed = seed;
  return row;
}

SampleParams greedy() {
  SampleParams params;
  params.temperature = 0.0f;
  return params;
}

// Multiples of 1/4, so that there are ties.
std::vector<float> logits_with_ties(size_t count, std::mt19937& generator, float scale) {
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = std::round(normal(generator) * 4.0f) / 4.0f;
  return logits;
}

// The plain way: sort everything, in double. Token and probability of all that can be drawn. `slack` says
// that a border of top_p or min_p is so near that rounding may decide.
std::map<TokenId, double> plain_distribution(const std::vector<float>& logits, const SampleParams& p,
                                             bool* slack) {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < logits.size(); i++) {
    if (!std::isnan(logits[i]) && logits[i] != -kInfinity) ids.push_back(static_cast<TokenId>(i));
  }
  const auto logit = [&](TokenId id) { return static_cast<double>(logits[static_cast<size_t>(id)]); };
  std::stable_sort(ids.begin(), ids.end(), [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
  if (p.top_k > 0 && ids.size() > static_cast<size_t>(p.top_k)) ids.resize(static_cast<size_t>(p.top_k));
  std::vector<double> weights;
  for (const TokenId id : ids)
    weights.push_back(std::exp((logit(id) - logit(ids[0])) / static_cast<double>(p.temperature)));
  *slack = false;
  size_t kept = ids.size();
  if (p.top_p < 1.0f) {
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    const double target = static_cast<double>(p.top_p) * total;
    double sum = 0.0;
    for (kept = 0; kept < ids.size();) {
      sum += weights[kept++];
      if (std::abs(sum - target) < 1e-5 * total) *slack = true;
      if (sum >= target) break;
    }
  }
  std::map<TokenId, double> distribution;
  double total = 0.0;
  for (size_t i = 0; i < kept; i++) {
    if (std::abs(weights[i] - static_cast<double>(p.min_p)) < 1e-5) *slack = *slack || i > 0;
    if (i > 0 && weights[i] < static_cast<double>(p.min_p)) continue;
    distribution[ids[i]] = weights[i];
    total += weights[i];
  }
  for (auto& [id, probability] : distribution) probability /= total;
  return distribution;
}

std::map<TokenId, int> draw_many(Sampling& sampling, const std::vector<float>& logits,
                                 const SampleParams& params, int draws) {
  std::map<TokenId, int> counts;
  std::vector<SampleRow> rows;
  for (int i = 0; i < draws; i++) {
    rows.push_back(row_of(params, i, kSeed));
    if (rows.size() < 64 && i + 1 < draws) continue;
    for (const SampledToken& token : sampling.sample(logits, rows)) counts[token.token]++;
    rows.clear();
  }
  return counts;
}

TEST(Sample, GreedyTakesTheHighestAndTheLowerIdOfATie) {
  for (const Isa isa : supported_isas()) {
    Sampling sampling(1000, isa);
    std::vector<float> logits(1000, -5.0f);
    logits[700] = logits[300] = logits[301] = 2.0f;
    EXPECT_EQ(sampling.one(logits, row_of(greedy())), 300);
    logits[999] = 3.0f;
    EXPECT_EQ(sampling.one(logits, row_of(greedy())), 999);
  }
}

TEST(Sample, NanIsNeverChosenAndNothingAllowedGivesMinusOne) {
  for (const Isa isa : supported_isas()) {
    Sampling sampling(130, isa);
    std::vector<float> logits(130, kNan);
    EXPECT_EQ(sampling.one(logits, row_of(greedy())), -1);
    EXPECT_EQ(sampling.one(logits, row_of({})), -1);
    logits[77] = -3.0f;
    EXPECT_EQ(sampling.one(logits, row_of(greedy())), 77);
    SampleParams all;
    all.top_k = 5;
    all.top_p = 0.5f;
    all.min_p = 0.1f;
    EXPECT_EQ(sampling.one(logits, row_of(all)), 77);
    const std::vector<uint32_t> mask(5, 0);
    SampleRow row = row_of({});
    row.allow_mask = mask.data();
    EXPECT_EQ(sampling.one(std::vector<float>(130, 1.0f), row), -1);
    std::vector<float> infinite(130, 0.0f);
    infinite[3] = infinite[5] = kInfinity;
    for (int i = 0; i < 20; i++) {
      const TokenId token = sampling.one(infinite, row_of({}, i));
      EXPECT_TRUE(token == 3 || token == 5) << token;
    }
  }
}

TEST(Sample, MaskAndBiasComeBeforeTheChoice) {
  Sampling sampling(100);
  std::vector<float> logits(100);
  for (size_t i = 0; i < 100; i++) logits[i] = static_cast<float>(i);
  std::vector<uint32_t> mask(4, 0xffffffffu);
  mask[3] = 0;           // 96 ..
  mask[2] = 0x7fffffff;  // not 95
  SampleRow row = row_of(greedy());
  row.allow_mask = mask.data();
  EXPECT_EQ(sampling.one(logits, row), 94);
  const TokenBias bias[] = {{94, -kInfinity}, {10, 85.0f}};
  row.bias = bias;
  EXPECT_EQ(sampling.one(logits, row), 10);
}

// The set of tokens that can be drawn is exactly the sorted reference's; each of its tokens comes up, and no
// other.
TEST(Sample, CutsAgreeWithASortedReference) {
  std::mt19937 generator(kSeed);
  int compared = 0;
  for (int trial = 0; trial < 60; trial++) {
    const auto vocab_size = static_cast<int32_t>(5 + generator() % 700);
    std::vector<float> logits =
        logits_with_ties(static_cast<size_t>(vocab_size), generator, trial % 3 == 0 ? 0.5f : 3.0f);
    if (trial % 4 == 0) logits[generator() % logits.size()] = kNan;
    SampleParams params;
    params.temperature = 0.5f + static_cast<float>(generator() % 20) / 10.0f;
    if (trial % 2 == 0) params.top_k = static_cast<int32_t>(1 + generator() % 40);
    if (trial % 3 != 0) params.top_p = static_cast<float>(generator() % 100) / 100.0f;
    if (trial % 5 == 0) params.min_p = static_cast<float>(1 + generator() % 60) / 100.0f;
    bool slack = false;
    const std::map<TokenId, double> expected = plain_distribution(logits, params, &slack);
    if (slack) continue;
    compared++;
    Sampling sampling(vocab_size);
    for (const auto& [token, count] : draw_many(sampling, logits, params, 640)) {
      ASSERT_TRUE(expected.contains(token)) << "trial " << trial << ", token " << token << ", seed " << kSeed;
    }
    // The complement: what is as likely as 1 in 20 is missed by 640 draws less than once in 10^14.
    const std::map<TokenId, int> counts = draw_many(sampling, logits, params, 640);
    for (const auto& [token, probability] : expected) {
      ASSERT_TRUE(probability < 0.05 || counts.contains(token)) << "trial " << trial << ", token " << token;
    }
  }
  EXPECT_GE(compared, 40);
}

// Chi-square over at most 40 tokens and the rest: 100 is passed by chance less than once in 10^6 at 40
// degrees of freedom.
TEST(Sample, DrawsFollowTheDistribution) {
  std::mt19937 generator(kSeed);
  for (const Isa isa : supported_isas()) {
    for (const SampleParams& params :
         {SampleParams{.temperature = 1.0f}, SampleParams{.temperature = 0.7f, .top_k = 20},
          SampleParams{.temperature = 1.5f, .top_p = 0.9f},
          SampleParams{.temperature = 1.2f, .min_p = 0.05f}}) {
      const std::vector<float> logits = logits_with_ties(300, generator, 1.5f);
      bool slack = false;
      const std::map<TokenId, double> expected = plain_distribution(logits, params, &slack);
      Sampling sampling(300, isa, 2);
      constexpr int kDraws = 20000;
      std::map<TokenId, int> counts = draw_many(sampling, logits, params, kDraws);
      std::vector<std::pair<double, TokenId>> likeliest;
      for (const auto& [token, probability] : expected) likeliest.push_back({probability, token});
      std::sort(likeliest.rbegin(), likeliest.rend());
      if (likeliest.size() > 40) likeliest.resize(40);
      double chi_square = 0.0, rest = 1.0;
      int rest_count = kDraws;
      for (const auto& [probability, token] : likeliest) {
        const double mean = probability * kDraws, difference = counts[token] - mean;
        chi_square += difference * difference / mean;
        rest -= probability;
        rest_count -= counts[token];
      }
      if (rest * kDraws > 5.0) {
        const double difference = rest_count - rest * kDraws;
        chi_square += difference * difference / (rest * kDraws);
      }
      EXPECT_LT(chi_square, 100.0) << isa_name(isa) << ", seed " << kSeed;
    }
  }
}

TEST(Sample, RandomnessDependsOnSeedAndPositionAlone) {
  std::mt19937 generator(kSeed);
  const std::vector<float> logits = logits_with_ties(500, generator, 1.0f);
  std::vector<float> rows_logits;
  for (int i = 0; i < 6; i++) rows_logits.insert(rows_logits.end(), logits.begin(), logits.end());
  std::vector<TokenId> expected;
  for (const Isa isa : supported_isas()) {
    for (const int32_t threads : {1, 3}) {
      Sampling alone(500, isa, threads), together(500, isa, threads);
      std::vector<SampleRow> rows;
      std::vector<TokenId> tokens;
      for (int32_t i = 0; i < 6; i++) {
        SampleRow row = row_of({.temperature = 0.8f, .top_p = 0.95f}, 10 + i, static_cast<uint64_t>(i) << 40);
        row.slot = 5 - i;
        tokens.push_back(alone.one(logits, row));
        row.logit_row = i;
        rows.push_back(row);
      }
      const std::span<const SampledToken> sampled = together.sample(rows_logits, rows);
      for (size_t i = 0; i < 6; i++) EXPECT_EQ(sampled[i].token, tokens[i]);
      if (expected.empty()) expected = tokens;
      EXPECT_EQ(tokens, expected) << isa_name(isa);
    }
  }
  std::set<double> uniforms;
  for (uint64_t seed = 0; seed < 50; seed++) {
    for (int32_t position = 0; position < 50; position++) {
      const double u = uniform_at(seed, position);
      EXPECT_TRUE(u >= 0.0 && u < 1.0);
      uniforms.insert(u);
    }
  }
  EXPECT_EQ(uniforms.size(), 2500u);
}

// Against the definition, token by token, with counts kept beside: repetition over prompt and generated
// tokens, presence and frequency over generated.
TEST(Sample, PenaltiesAgreeWithAPlainReference) {
  std::mt19937 generator(kSeed);
  constexpr int32_t kVocab = 90;
  Sampling sampling(kVocab);
  const SampleParams params{
      .temperature = 0.0f, .repetition_penalty = 1.3f, .presence_penalty = 0.4f, .frequency_penalty = 0.25f};
  for (int sequence = 0; sequence < 5; sequence++) {
    const int32_t slot = sequence % 3;
    std::vector<TokenId> prompt;
    for (int i = 0; i < 12; i++) prompt.push_back(static_cast<TokenId>(generator() % kVocab));
    sampling->begin_sequence(slot, prompt);
    const std::set<TokenId> in_prompt(prompt.begin(), prompt.end());
    std::map<TokenId, int> generated;
    for (int step = 0; step < 60; step++) {
      const std::vector<float> logits = logits_with_ties(kVocab, generator, 1.0f);
      TokenId best = -1;
      float highest = -kInfinity;
      for (TokenId token = 0; token < kVocab; token++) {
        float logit = logits[static_cast<size_t>(token)];
        const int count = generated.contains(token) ? generated[token] : 0;
        if (count > 0 || in_prompt.contains(token)) logit = logit < 0 ? logit * 1.3f : logit / 1.3f;
        if (count > 0) logit -= 0.4f + 0.25f * static_cast<float>(count);
        if (logit > highest) {
          highest = logit;
          best = token;
        }
      }
      SampleRow row = row_of(params, step);
      row.slot = slot;
      sampling->begin_step();
      ASSERT_EQ(sampling.one(logits, row), best)
          << "sequence " << sequence << ", step " << step << ", seed " << kSeed;
      generated[best]++;
    }
    if (sequence % 2 == 0) sampling->end_sequence(slot);
  }
}

// Two rows of a slot in one call: the second sees the first's token.
TEST(Sample, RowsOfOneSlotAreSampledInOrder) {
  Sampling sampling(10, Isa::kReference, 3);
  std::vector<float> logits(20, 0.0f);
  logits[4] = logits[14] = 5.0f;
  logits[7] = logits[17] = 4.9f;
  SampleRow row = row_of({.temperature = 0.0f, .presence_penalty = 1.0f});
  SampleRow second = row;
  second.logit_row = 1;
  const std::span<const SampledToken> sampled = sampling.sample(logits, {row, second});
  EXPECT_EQ(sampled[0].token, 4);
  EXPECT_EQ(sampled[1].token, 7);
}

// exp and the sum in float cost a few units of 2^-24 relative, the sum of a chunk 16 more; the logarithm
// takes that as an absolute error. The result is rounded to float once.
TEST(Sample, SampledAgainInTheSameStepOnlyTheLastTokensCount) {
  constexpr int32_t kVocab = 100;
  SampleParams penalised = greedy();
  penalised.frequency_penalty = 1.0f;
  std::vector<float> logits(kVocab, 0.0f);
  logits[7] = 2.5f, logits[8] = 2.0f, logits[9] = 1.0f;
  std::vector<uint32_t> without_7(4, ~0u);
  without_7[0] &= ~(1u << 7);
  Sampling sampling(kVocab), plain(kVocab);
  for (Sampling* one : {&sampling, &plain}) (*one)->begin_sequence(0, std::vector<TokenId>{9});
  SampleRow row = row_of(penalised);
  SampleRow masked = row;
  masked.allow_mask = without_7.data();
  for (int step = 0; step < 3; step++) {
    sampling->begin_step();
    EXPECT_EQ(sampling.one(logits, row), 7);
    EXPECT_EQ(sampling.one(logits, row), 7) << "the first one counts no more";
    const TokenId again = sampling.one(logits, masked);
    plain->begin_step();
    EXPECT_EQ(again, plain.one(logits, masked));
  }
  sampling->begin_step();
  EXPECT_EQ(sampling.one(logits, row), 7) << "it never counted";
}

TEST(Sample, LogProbabilitiesAreOfTheUnchangedLogits) {
  std::mt19937 generator(kSeed);
  for (const Isa isa : supported_isas()) {
    for (const int32_t vocab_size : {40, 1000, 5000}) {
      const std::vector<float> logits = logits_with_ties(static_cast<size_t>(vocab_size), generator, 4.0f);
      Sampling sampling(vocab_size, isa);
      SampleRow row = row_of({.temperature = 0.9f, .top_k = 3, .frequency_penalty = 2.0f});
      const TokenBias bias[] = {{3, 2.0f}};
      row.bias = bias;
      row.logprobs_top = 25;
      const SampledToken token = sampling.sample(logits, {row})[0];
      double sum = 0.0;
      for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
      std::vector<TokenId> ids(logits.size());
      std::iota(ids.begin(), ids.end(), 0);
      std::stable_sort(ids.begin(), ids.end(), [&](TokenId a, TokenId b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
      });
      const auto expected = [&](TokenId id) {
        return static_cast<double>(logits[static_cast<size_t>(id)]) - std::log(sum);
      };
      const auto tolerance = [&](double logprob) { return 24.0 * 0x1p-24 + std::abs(logprob) * 0x1p-24; };
      EXPECT_NEAR(static_cast<double>(token.logprob), expected(token.token),
                  tolerance(expected(token.token)));
      ASSERT_EQ(token.top.size(), 25u);
      for (size_t i = 0; i < 25; i++) {
        EXPECT_EQ(token.top[i].token, ids[i]) << i;
        EXPECT_NEAR(static_cast<double>(token.top[i].logprob), expected(ids[i]), tolerance(expected(ids[i])));
      }
    }
  }
}

TEST(TokenHistory, TellsEachTokenOnceAndHowOftenItWasGenerated) {
  constexpr int32_t kTokensMax = 300, kVocabSize = 500;
  const std::unique_ptr<ThreadTeam> team = ThreadTeam::create(1).value();
  TokenHistory history;
  Carver counter(nullptr);
  TokenHistory().carve(counter, kTokensMax);
  const PageBuffer memory = PageBuffer::create(counter.used_bytes(), "a test", *team).value();
  Carver carver(memory.data());
  history.carve(carver, kTokensMax);
  std::mt19937 generator(kSeed);
  const auto random_token = [&] { return static_cast<TokenId>(generator() % kVocabSize); };
  std::vector<uint32_t> counts(kVocabSize, 12345);
  for (int round = 0; round < 20; round++) {
    std::vector<TokenId> prompt(generator() % kTokensMax);
    for (TokenId& token : prompt) token = random_token();
    std::map<TokenId, uint32_t> expected, found;
    for (const TokenId token : prompt) expected[token] = 0;
    history.begin(prompt);
    for (size_t i = prompt.size(); i < kTokensMax; i++) {
      const TokenId token = random_token();
      history.add_generated(token);
      if (generator() % 4 == 0) {
        history.take_back_generated(token);
      } else {
        expected[token]++;
      }
    }
    for_each_token(history, counts.data(), [&](TokenId token, uint32_t generated) {
      EXPECT_TRUE(found.emplace(token, generated).second) << token;
    });
    EXPECT_EQ(found, expected) << "round " << round << ", seed " << kSeed;
  }
  history.clear();
  for_each_token(history, counts.data(), [](TokenId token, uint32_t) { ADD_FAILURE() << token; });
}

}  // namespace
}  // namespace hussar::cpu
