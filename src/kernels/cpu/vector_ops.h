// The small vector operations between the matrix products: norm, rotation, gate, exponentials. Every ISA
// performs the same operations in the same order (sums over 16 virtual lanes, fused multiply-adds where
// written, an exponential of our own), so all give the same bits.
//
// Thread rule: pure functions; denormals are flushed by the calling thread (FlushDenormals).
#pragma once

#include <cstdint>

namespace hussar::cpu {

enum class Isa : uint8_t;  // isa.h, whose inline functions the translation units of an ISA must not see

// Lanes of every sum: element i belongs to lane i % 16; lane j then takes lane j + 8, j + 4, j + 2, j + 1.
inline constexpr int32_t kSumLanes = 16;
// Consecutive logits that share a maximum and a sum of weights, so that a sampler can skip most of the
// vocabulary.
inline constexpr int32_t kLogitChunk = 64;

struct VectorOps {
  // out[i] = (x[i] * (1 / sqrt(mean(x^2) + epsilon))) * weight[i]. out may be x.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int64_t count, float* out);
  // Rotates the first 2 * pairs elements of x in place: pair i by the angle of (cosines[i], sines[i]). A pair
  // is (x[2i], x[2i + 1]), or (x[i], x[i + pairs]).
  void (*rotate_interleaved)(float* x, const float* cosines, const float* sines, int64_t pairs);
  void (*rotate_halves)(float* x, const float* cosines, const float* sines, int64_t pairs);
  // gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i].
  void (*silu_multiply)(float* gate, const float* up, int64_t count);
  void (*add)(float* x, const float* y, int64_t count);  // x[i] += y[i]
  // out[i] = exp(x[i]) within 2 units in the last place for -86 <= x <= 88, 0 below, exp(88) above.
  void (*exponential)(const float* x, int64_t count, float* out);

  // For sampling. A NaN counts as -infinity. chunk_maxima[c] is the highest of logits[64 c ..]; the last
  // chunk may be short.
  void (*logit_maxima)(const float* logits, int64_t count, float* chunk_maxima);
  // weights[i] = exp((logits[i] - max) * inverse_temperature), exactly 1 where logits[i] == max, 0 for a NaN;
  // chunk_sums[c] is the sum of each chunk's weights. REQUIRES: max is finite or +infinity.
  void (*logit_weights)(const float* logits, int64_t count, float max, float inverse_temperature,
                        float* weights, float* chunk_sums);
};

const VectorOps& vector_ops(Isa isa);

namespace reference {
extern const VectorOps kVectorOps;
}
namespace avx2 {
extern const VectorOps kVectorOps;
}
namespace avx512 {
extern const VectorOps kVectorOps;
}

}  // namespace hussar::cpu
