#include "kernels/cpu/sample.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace hussar::cpu {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr size_t kTopReserved = 32;

uint64_t mix(uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Keeps the order of floats, as unsigned integers; -0 equals +0.
uint32_t ordered_key(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x + 0.0f);
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}

// Everything with a higher key, and the first `ties` with this one.
struct Cut {
  uint32_t key;
  int64_t ties;
};

// The shortest prefix, in descending order of the keys, whose mass reaches `target`; at least one element.
// mass(i) must be equal for equal keys. Digit by digit from the top: a histogram of the masses says in which
// bucket the border lies.
template <typename Mass>
Cut find_cut(const uint32_t* keys, int64_t count, double target, Mass mass) {
  constexpr uint32_t kBuckets = 256;
  double bucket_mass[kBuckets];
  int64_t bucket_count[kBuckets];
  uint32_t key = 0, known = 0;  // the digits found so far, and their bits
  double above = 0.0;
  uint32_t chosen = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    std::fill(bucket_mass, bucket_mass + kBuckets, 0.0);
    std::fill(bucket_count, bucket_count + kBuckets, int64_t{0});
    for (int64_t i = 0; i < count; i++) {
      if ((keys[i] & known) != key) continue;
      const uint32_t bucket = keys[i] >> shift & (kBuckets - 1);
      bucket_mass[bucket] += mass(i);
      bucket_count[bucket]++;
    }
    double sum = above;
    for (uint32_t bucket = kBuckets; bucket-- > 0;) {
      if (bucket_count[bucket] == 0) continue;
      chosen = bucket;  // the lowest that isn't empty, should rounding keep the target out of reach
      above = sum;
      sum += bucket_mass[bucket];
      if (sum >= target) break;
    }
    key |= chosen << shift;
    known |= (kBuckets - 1) << shift;
  }
  const auto equal = static_cast<double>(bucket_count[chosen]);
  const double each = bucket_mass[chosen] / equal;
  const double ties = each > 0.0 ? std::ceil((target - above) / each) : equal;
  return {key, static_cast<int64_t>(std::clamp(ties, 1.0, equal))};
}

}  // namespace

double uniform_at(uint64_t seed, int32_t position) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const uint64_t stream = mix(seed + kGolden);
  const uint64_t bits =
      mix(stream ^ mix((static_cast<uint64_t>(static_cast<uint32_t>(position)) + 1) * kGolden));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

LogitSampler::LogitSampler(const VectorOps& ops, int32_t vocab_size, const StepLimits& limits,
                           int32_t threads)
    : ops_(ops),
      vocab_size_(vocab_size),
      chunks_((vocab_size_ + kLogitChunk - 1) / kLogitChunk),
      tokens_max_(limits.context_max + 1),  // the last token of a full context is sampled too
      histories_(static_cast<size_t>(limits.parts_max)),
      scratch_(static_cast<size_t>(threads)),
      top_(static_cast<size_t>(limits.logit_rows_max)) {
  tokens_.reserve(static_cast<size_t>(limits.logit_rows_max));
  counted_.reserve(static_cast<size_t>(limits.logit_rows_max));
  for (std::vector<TokenLogprob>& top : top_) top.reserve(kTopReserved);
}

void LogitSampler::carve_histories(Carver& carver) {
  for (TokenHistory& history : histories_) history.carve(carver, tokens_max_);
}

void LogitSampler::carve_scratch(Carver& carver) {
  for (Scratch& scratch : scratch_) {
    scratch.logits = carver.take<float>(vocab_size_);
    scratch.weights = carver.take<float>(vocab_size_);
    scratch.gathered = carver.take<float>(vocab_size_);
    scratch.keys = carver.take<uint32_t>(vocab_size_);
    scratch.ids = carver.take<TokenId>(vocab_size_);
    scratch.maxima = carver.take<float>(chunks_);
    scratch.sums = carver.take<float>(chunks_);
    scratch.sorted_maxima = carver.take<float>(chunks_);
  }
}

void LogitSampler::begin_sequence(int32_t slot, std::span<const TokenId> prompt) {
  CHECK(slot >= 0 && static_cast<size_t>(slot) < histories_.size());
  begin_step();
  for (const TokenId token : prompt) CHECK(token >= 0 && token < vocab_size_);
  histories_[static_cast<size_t>(slot)].begin(prompt);
}

void LogitSampler::end_sequence(int32_t slot) {
  CHECK(slot >= 0 && static_cast<size_t>(slot) < histories_.size());
  begin_step();
  histories_[static_cast<size_t>(slot)].clear();
}

std::span<const SampledToken> LogitSampler::sample(ThreadTeam& team, const float* logits,
                                                   std::span<const SampleRow> rows) {
  CHECK(rows.size() <= top_.size());
  for (const SampleRow& row : rows) {
    CHECK(row.slot >= 0 && static_cast<size_t>(row.slot) < histories_.size());
    for (const TokenBias& bias : row.bias) CHECK(bias.token >= 0 && bias.token < vocab_size_);
  }
  for (; !counted_.empty(); counted_.pop_back()) {
    histories_[static_cast<size_t>(counted_.back().slot)].take_back_generated(counted_.back().token);
  }
  tokens_.assign(rows.size(), SampledToken{});
  std::atomic<size_t> next{0};
  team.run([&](int32_t member) {
    Scratch& scratch = scratch_[static_cast<size_t>(member)];
    for (size_t i = next.fetch_add(1); i < rows.size(); i = next.fetch_add(1))
      sample_slot(logits, rows, i, scratch);
  });
  for (size_t i = 0; i < rows.size(); i++) {
    if (tokens_[i].token >= 0) counted_.push_back({i, rows[i].slot, tokens_[i].token});
  }
  return tokens_;
}

void LogitSampler::take_back(std::span<const int32_t> rows) {
  for (auto counted = counted_.rbegin(); counted != counted_.rend(); ++counted) {
    if (!std::ranges::binary_search(rows, static_cast<int32_t>(counted->row))) continue;
    histories_[static_cast<size_t>(counted->slot)].take_back_generated(counted->token);
    counted->token = -1;
  }
  std::erase_if(counted_, [](const Counted& counted) { return counted.token < 0; });
}

// Rows of one slot see each other's tokens in their history, so the member that takes the first takes all of
// them, in order.
void LogitSampler::sample_slot(const float* logits, std::span<const SampleRow> rows, size_t first,
                               Scratch& scratch) {
  const int32_t slot = rows[first].slot;
  for (size_t i = 0; i < first; i++) {
    if (rows[i].slot == slot) return;
  }
  for (size_t i = first; i < rows.size(); i++) {
    if (rows[i].slot != slot) continue;
    tokens_[i] = sample_row(logits + rows[i].logit_row * vocab_size_, rows[i], scratch, &top_[i]);
    if (tokens_[i].token >= 0) histories_[static_cast<size_t>(slot)].add_generated(tokens_[i].token);
  }
}

SampledToken LogitSampler::sample_row(const float* logits, const SampleRow& row, Scratch& scratch,
                                      std::vector<TokenLogprob>* top) {
  SampledToken sampled;
  const float* changed = change(logits, row, scratch);
  const float max = highest(changed, scratch);
  if (max == kMinusInfinity) return sampled;
  sampled.token =
      row.params.temperature == 0.0f ? likeliest(changed, scratch, max) : draw(changed, row, scratch, max);
  if (row.logprobs_top >= 0) log_probabilities(logits, row, scratch, &sampled, top);
  return sampled;
}

const float* LogitSampler::change(const float* logits, const SampleRow& row, Scratch& scratch) const {
  const SampleParams& p = row.params;
  const bool penalised =
      p.repetition_penalty != 1.0f || p.presence_penalty != 0.0f || p.frequency_penalty != 0.0f;
  if (row.allow_mask == nullptr && row.bias.empty() && !penalised) return logits;
  float* changed = scratch.logits;
  std::copy(logits, logits + vocab_size_, changed);
  for (const TokenBias& bias : row.bias) changed[bias.token] += bias.bias;
  for (int64_t begin = 0; row.allow_mask != nullptr && begin < vocab_size_; begin += 32) {
    const int64_t end = std::min(vocab_size_, begin + 32);
    const uint32_t allowed = row.allow_mask[begin / 32];
    if (allowed == 0) {
      std::fill(changed + begin, changed + end, kMinusInfinity);
    } else if (allowed != 0xffffffffu) {
      for (int64_t i = begin; i < end; i++) {
        if ((allowed >> (i - begin) & 1) == 0) changed[i] = kMinusInfinity;
      }
    }
  }
  if (penalised) penalise(row, changed, scratch);
  return changed;
}

void LogitSampler::penalise(const SampleRow& row, float* logits, Scratch& scratch) const {
  const SampleParams& p = row.params;
  const TokenHistory& history = histories_[static_cast<size_t>(row.slot)];
  for_each_token(history, scratch.keys, [&](TokenId token, uint32_t generated) {
    float& logit = logits[token];
    logit = logit < 0.0f ? logit * p.repetition_penalty : logit / p.repetition_penalty;
    if (generated > 0) logit -= p.presence_penalty + p.frequency_penalty * static_cast<float>(generated);
  });
}

// Fills scratch.maxima; the highest logit of all.
float LogitSampler::highest(const float* logits, Scratch& scratch) const {
  ops_.logit_maxima(logits, vocab_size_, scratch.maxima);
  return *std::max_element(scratch.maxima, scratch.maxima + chunks_);
}

TokenId LogitSampler::likeliest(const float* logits, const Scratch& scratch, float max) const {
  const int64_t chunk = std::find(scratch.maxima, scratch.maxima + chunks_, max) - scratch.maxima;
  return static_cast<TokenId>(std::find(logits + chunk * kLogitChunk, logits + vocab_size_, max) - logits);
}

TokenId LogitSampler::draw(const float* logits, const SampleRow& row, Scratch& scratch, float max) const {
  Candidates candidates = weigh(logits, row.params, scratch, max);
  if (row.params.top_p < 1.0f) candidates = nucleus(row.params.top_p, candidates, scratch);
  if (row.params.min_p > 0.0f) {
    double mass = 0.0;
    candidates =
        above(std::min(row.params.min_p, 1.0f), candidates, scratch, &mass);  // the highest weight is 1
  }
  return draw_from(candidates, uniform_at(row.seed, row.position), scratch);
}

// Puts the ids of the `count` highest logits (ties to the lower id), ascending, into scratch.ids and their
// logits into scratch.gathered. REQUIRES: scratch.maxima is of these logits. Returns how many: fewer when
// there are fewer above -infinity.
int64_t LogitSampler::collect_likeliest(const float* logits, int32_t count, Scratch& scratch) const {
  float bound = std::numeric_limits<float>::lowest();
  if (count <= chunks_) {
    std::copy(scratch.maxima, scratch.maxima + chunks_, scratch.sorted_maxima);
    float* border = scratch.sorted_maxima + (count - 1);
    std::nth_element(scratch.sorted_maxima, border, scratch.sorted_maxima + chunks_, std::greater<>());
    bound = std::max(bound, *border);  // at least `count` logits reach it
  }
  int64_t found = 0;
  for (int64_t chunk = 0; chunk < chunks_; chunk++) {
    if (!(scratch.maxima[chunk] >= bound)) continue;
    for (int64_t i = chunk * kLogitChunk; i < std::min(vocab_size_, (chunk + 1) * kLogitChunk); i++) {
      if (!(logits[i] >= bound)) continue;
      scratch.ids[found] = static_cast<TokenId>(i);
      scratch.keys[found++] = ordered_key(logits[i]);
    }
  }
  Cut cut = {0, 0};  // below every key
  if (found > count) cut = find_cut(scratch.keys, found, count, [](int64_t) { return 1.0; });
  int64_t kept = 0;
  for (int64_t i = 0; i < found; i++) {
    if (scratch.keys[i] < cut.key || (scratch.keys[i] == cut.key && cut.ties-- <= 0)) continue;
    scratch.ids[kept] = scratch.ids[i];
    scratch.gathered[kept++] = logits[scratch.ids[i]];
  }
  return kept;
}

// The weights after temperature and top_k.
LogitSampler::Candidates LogitSampler::weigh(const float* logits, const SampleParams& params,
                                             Scratch& scratch, float max) const {
  const auto inverse_temperature = static_cast<float>(1.0 / static_cast<double>(params.temperature));
  if (params.top_k <= 0 || params.top_k >= vocab_size_) {
    ops_.logit_weights(logits, vocab_size_, max, inverse_temperature, scratch.weights, scratch.sums);
    return {nullptr, scratch.weights, vocab_size_};
  }
  const int64_t count = collect_likeliest(logits, params.top_k, scratch);
  ops_.logit_weights(scratch.gathered, count, max, inverse_temperature, scratch.weights, scratch.sums);
  return {scratch.ids, scratch.weights, count};
}

// The candidates whose weight reaches `bound`, and their mass. They may be moved within their own arrays.
LogitSampler::Candidates LogitSampler::above(float bound, Candidates all, Scratch& scratch,
                                             double* mass) const {
  int64_t kept = 0;
  *mass = 0.0;
  float* weights = all.ids == nullptr ? scratch.gathered : scratch.weights;
  for (int64_t begin = 0; begin < all.count; begin += kLogitChunk) {
    // A sum is never less than one of its weights.
    if (all.ids == nullptr && scratch.sums[begin / kLogitChunk] < bound) continue;
    for (int64_t i = begin; i < std::min(all.count, begin + kLogitChunk); i++) {
      if (!(all.weights[i] >= bound)) continue;
      *mass += static_cast<double>(all.weights[i]);
      scratch.ids[kept] = all.ids == nullptr ? static_cast<TokenId>(i) : all.ids[i];
      weights[kept++] = all.weights[i];
    }
  }
  return {scratch.ids, weights, kept};
}

LogitSampler::Candidates LogitSampler::nucleus(float top_p, Candidates all, Scratch& scratch) const {
  double total = 0.0;
  if (all.ids == nullptr) {
    for (int64_t chunk = 0; chunk < chunks_; chunk++) total += static_cast<double>(scratch.sums[chunk]);
  } else {
    for (int64_t i = 0; i < all.count; i++) total += static_cast<double>(all.weights[i]);
  }
  const double target = static_cast<double>(top_p) * total;
  Candidates kept = all;
  if (all.ids == nullptr) {
    // Most of the mass is in few tokens: look at those first.
    double mass = 0.0;
    for (const float bound : {0x1p-10f, 0x1p-20f, std::numeric_limits<float>::min()}) {
      kept = above(bound, all, scratch, &mass);
      if (mass >= target) break;
    }
  }
  for (int64_t i = 0; i < kept.count; i++) scratch.keys[i] = std::bit_cast<uint32_t>(kept.weights[i]);
  const float* weights = kept.weights;
  Cut cut =
      find_cut(scratch.keys, kept.count, target, [&](int64_t i) { return static_cast<double>(weights[i]); });
  float* to = all.ids == nullptr ? scratch.gathered : scratch.weights;
  int64_t count = 0;
  for (int64_t i = 0; i < kept.count; i++) {
    if (scratch.keys[i] < cut.key || (scratch.keys[i] == cut.key && cut.ties-- <= 0)) continue;
    scratch.ids[count] = scratch.ids[i];
    to[count++] = kept.weights[i];
  }
  return {scratch.ids, to, count};
}

// The first candidate at which the running sum of weights passes uniform * total.
TokenId LogitSampler::draw_from(const Candidates& candidates, double uniform, const Scratch& scratch) const {
  int64_t begin = 0, end = candidates.count;
  double total = 0.0, sum = 0.0;
  if (candidates.ids == nullptr) {
    for (int64_t chunk = 0; chunk < chunks_; chunk++) total += static_cast<double>(scratch.sums[chunk]);
    const double target = uniform * total;
    int64_t chosen = 0;
    double before = 0.0;
    for (int64_t chunk = 0; chunk < chunks_; chunk++) {
      if (scratch.sums[chunk] <= 0.0f) continue;
      chosen = chunk;
      before = sum;
      sum += static_cast<double>(scratch.sums[chunk]);
      if (sum > target) break;
    }
    sum = before;
    begin = chosen * kLogitChunk;
    end = std::min(end, begin + kLogitChunk);
  } else {
    for (int64_t i = 0; i < candidates.count; i++) total += static_cast<double>(candidates.weights[i]);
  }
  const double target = uniform * total;
  int64_t last = begin;
  for (int64_t i = begin; i < end; i++) {
    if (candidates.weights[i] <= 0.0f) continue;
    last = i;
    sum += static_cast<double>(candidates.weights[i]);
    if (sum > target) break;
  }
  return candidates.ids == nullptr ? static_cast<TokenId>(last) : candidates.ids[last];
}

void LogitSampler::log_probabilities(const float* logits, const SampleRow& row, Scratch& scratch,
                                     SampledToken* token, std::vector<TokenLogprob>* top) const {
  const float max = highest(logits, scratch);
  ops_.logit_weights(logits, vocab_size_, max, 1.0f, scratch.weights, scratch.sums);
  double sum = 0.0;
  for (int64_t chunk = 0; chunk < chunks_; chunk++) sum += static_cast<double>(scratch.sums[chunk]);
  const double log_sum = std::log(sum);
  const auto logprob = [&](TokenId id) {
    const double below = logits[id] == max ? 0.0 : static_cast<double>(logits[id]) - static_cast<double>(max);
    return static_cast<float>(below - log_sum);
  };
  token->logprob = logprob(token->token);
  top->clear();
  if (row.logprobs_top == 0) return;
  const int64_t count = collect_likeliest(logits, row.logprobs_top, scratch);
  for (int64_t i = 0; i < count; i++) top->push_back({scratch.ids[i], logprob(scratch.ids[i])});
  std::sort(top->begin(), top->end(), [&](const TokenLogprob& a, const TokenLogprob& b) {
    return logits[a.token] != logits[b.token] ? logits[a.token] > logits[b.token] : a.token < b.token;
  });
  token->top = *top;
}

}  // namespace hussar::cpu
