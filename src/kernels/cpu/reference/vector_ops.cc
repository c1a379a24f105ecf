#include <algorithm>
#include <limits>

#include "kernels/cpu/reference/scalar_math.h"
#include "kernels/cpu/vector_ops.h"

namespace hussar::cpu::reference {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

void rms_norm(const float* x, const float* weight, float epsilon, int64_t count, float* out) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < count; i++) lanes[i % kLanes] = std::fma(x[i], x[i], lanes[i % kLanes]);
  const float mean = sum_lanes(lanes) / static_cast<float>(count);
  const float scale = 1.0f / std::sqrt(mean + epsilon);
  for (int64_t i = 0; i < count; i++) out[i] = (x[i] * scale) * weight[i];
}

void rotate(float* first, float* second, float cosine, float sine) {
  const float a = *first, b = *second;
  *first = std::fma(a, cosine, -(b * sine));
  *second = std::fma(b, cosine, a * sine);
}

void rotate_interleaved(float* x, const float* cosines, const float* sines, int64_t pairs) {
  for (int64_t i = 0; i < pairs; i++) rotate(&x[2 * i], &x[2 * i + 1], cosines[i], sines[i]);
}

void rotate_halves(float* x, const float* cosines, const float* sines, int64_t pairs) {
  for (int64_t i = 0; i < pairs; i++) rotate(&x[i], &x[i + pairs], cosines[i], sines[i]);
}

void silu_multiply(float* gate, const float* up, int64_t count) {
  for (int64_t i = 0; i < count; i++) gate[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

void add(float* x, const float* y, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] += y[i];
}

void exponential_all(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i++) out[i] = exponential(x[i]);
}

void logit_maxima(const float* logits, int64_t count, float* chunk_maxima) {
  for (int64_t begin = 0; begin < count; begin += kLogitChunk) {
    float highest = kMinusInfinity;
    for (int64_t i = begin; i < std::min(count, begin + kLogitChunk); i++)
      highest = max_of(logits[i], highest);
    chunk_maxima[begin / kLogitChunk] = highest;
  }
}

float logit_weight(float logit, float max, float inverse_temperature) {
  if (logit == max) return 1.0f;
  const float weight = exponential((logit - max) * inverse_temperature);
  return logit == logit ? weight : 0.0f;
}

void logit_weights(const float* logits, int64_t count, float max, float inverse_temperature, float* weights,
                   float* chunk_sums) {
  for (int64_t begin = 0; begin < count; begin += kLogitChunk) {
    float lanes[kLanes] = {};
    for (int64_t i = begin; i < std::min(count, begin + kLogitChunk); i++) {
      weights[i] = logit_weight(logits[i], max, inverse_temperature);
      lanes[i % kLanes] += weights[i];
    }
    chunk_sums[begin / kLogitChunk] = sum_lanes(lanes);
  }
}

}  // namespace

const VectorOps kVectorOps = {rms_norm, rotate_interleaved, rotate_halves, silu_multiply,
                              add,      exponential_all,    logit_maxima,  logit_weights};

}  // namespace hussar::cpu::reference
