// Chooses tokens from logits: bias and mask, penalties, temperature, top_k, top_p, min_p, then a draw that
// depends on (seed, position) alone.
//
// No step sorts the vocabulary: the highest logit of each chunk of 64 tells which chunks can hold one of the
// k likeliest, and cuts are found by counting (a radix search over the bits of the numbers). A NaN counts as
// -infinity.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/page_buffer.h"
#include "kernels/cpu/thread_team.h"
#include "kernels/cpu/token_history.h"
#include "kernels/cpu/vector_ops.h"

namespace hussar::cpu {

// Uniform in [0, 1), 53 bits, from a counter-based generator.
double uniform_at(uint64_t seed, int32_t position);

class LogitSampler {
 public:
  LogitSampler(const VectorOps& ops, int32_t vocab_size, const StepLimits& limits, int32_t threads);

  // What is kept from step to step, and what is in use inside sample() alone. A counting carver only counts.
  void carve_histories(Carver& carver);
  void carve_scratch(Carver& carver);

  void begin_sequence(int32_t slot, std::span<const TokenId> prompt);
  void end_sequence(int32_t slot);

  // What was sampled last is settled; so it is when a sequence begins or ends.
  void begin_step() { counted_.clear(); }

  // Samples `rows` of logits[R, vocab] and counts the tokens, instead of those of an earlier call since
  // begin_step(). The result is valid until the next call.
  std::span<const SampledToken> sample(ThreadTeam& team, const float* logits,
                                       std::span<const SampleRow> rows);

  // As Backend::take_back().
  void take_back(std::span<const int32_t> rows);

 private:
  // One member's memory, each [vocab] or [chunks].
  struct Scratch {
    float* logits;    // as changed by bias, mask and penalties
    float* weights;   // exp of scaled logits, of all tokens or of the candidates
    float* gathered;  // logits, then weights, of the candidates
    uint32_t* keys;
    TokenId* ids;  // of the candidates, ascending
    float* maxima;
    float* sums;
    float* sorted_maxima;
  };
  struct Counted {
    size_t row;
    int32_t slot;
    TokenId token;
  };
  // Tokens that can be drawn, in ascending order; ids is null when it is every token.
  struct Candidates {
    const TokenId* ids;
    const float* weights;
    int64_t count;
  };

  void sample_slot(const float* logits, std::span<const SampleRow> rows, size_t first, Scratch& scratch);
  SampledToken sample_row(const float* logits, const SampleRow& row, Scratch& scratch,
                          std::vector<TokenLogprob>* top);
  const float* change(const float* logits, const SampleRow& row, Scratch& scratch) const;
  void penalise(const SampleRow& row, float* logits, Scratch& scratch) const;
  TokenId likeliest(const float* logits, const Scratch& scratch, float max) const;
  TokenId draw(const float* logits, const SampleRow& row, Scratch& scratch, float max) const;
  float highest(const float* logits, Scratch& scratch) const;
  int64_t collect_likeliest(const float* logits, int32_t count, Scratch& scratch) const;
  Candidates weigh(const float* logits, const SampleParams& params, Scratch& scratch, float max) const;
  Candidates above(float bound, Candidates all, Scratch& scratch, double* mass) const;
  Candidates nucleus(float top_p, Candidates all, Scratch& scratch) const;
  TokenId draw_from(const Candidates& candidates, double uniform, const Scratch& scratch) const;
  void log_probabilities(const float* logits, const SampleRow& row, Scratch& scratch, SampledToken* token,
                         std::vector<TokenLogprob>* top) const;

  const VectorOps& ops_;
  const int64_t vocab_size_, chunks_;
  const int32_t tokens_max_;
  std::vector<TokenHistory> histories_;         // of each slot
  std::vector<Scratch> scratch_;                // of each member
  std::vector<SampledToken> tokens_;            // of each row
  std::vector<Counted> counted_;                // since begin_step()
  std::vector<std::vector<TokenLogprob>> top_;  // of each row
};

}  // namespace hussar::cpu
