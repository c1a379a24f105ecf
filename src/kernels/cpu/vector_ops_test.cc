#include "kernels/cpu/vector_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr uint32_t kSeed = 20240611;

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kReference, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (isa_supported(isa)) isas.push_back(isa);
  }
  return isas;
}

std::vector<float> random_floats(size_t count, std::mt19937& generator, float scale) {
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b, const char* what, Isa isa,
                      size_t count) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); i++) {
    ASSERT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i]))
        << what << " of " << isa_name(isa) << ", " << count << " elements, element " << i << ": " << a[i]
        << " and " << b[i] << ", seed " << kSeed;
  }
}

TEST(VectorOps, ExponentialIsWithinTwoUnitsInTheLastPlace) {
  const FlushDenormals flush;
  for (const Isa isa : supported_isas()) {
    std::vector<float> x, out;
    for (double value = -86.0; value <= 88.0; value += 0.00037) x.push_back(static_cast<float>(value));
    out.resize(x.size());
    vector_ops(isa).exponential(x.data(), static_cast<int64_t>(x.size()), out.data());
    for (size_t i = 0; i < x.size(); i++) {
      const double exact = std::exp(static_cast<double>(x[i]));
      const double unit = std::ldexp(1.0, std::ilogb(exact) - 23);
      ASSERT_LE(std::abs(static_cast<double>(out[i]) - exact), 2.0 * unit) << isa_name(isa) << " at " << x[i];
    }
  }
}

TEST(VectorOps, ExponentialStaysFiniteAtTheEnds) {
  const FlushDenormals flush;
  for (const Isa isa : supported_isas()) {
    const float x[] = {-kInfinity, -1e30f, -86.001f, 0.0f, 88.0f, 1000.0f, kInfinity};
    float out[7];
    vector_ops(isa).exponential(x, 7, out);
    EXPECT_EQ(out[0], 0.0f);
    EXPECT_EQ(out[1], 0.0f);
    EXPECT_EQ(out[2], 0.0f);
    EXPECT_EQ(out[3], 1.0f);
    EXPECT_EQ(out[5], out[4]);
    EXPECT_EQ(out[6], out[4]);
    EXPECT_TRUE(std::isfinite(out[4]));
  }
}

// In double: mean of squares, root, product. The kernel's sum has relative error (n / 16 + 5) eps, halved by
// the root; five more roundings.
TEST(VectorOps, NormAgreesWithDouble) {
  const FlushDenormals flush;
  std::mt19937 generator(kSeed);
  for (const Isa isa : supported_isas()) {
    for (const size_t count : {1, 7, 16, 33, 576, 1001}) {
      const std::vector<float> x = random_floats(count, generator, 3.0f),
                               weight = random_floats(count, generator, 1.0f);
      std::vector<float> out(count);
      vector_ops(isa).rms_norm(x.data(), weight.data(), 1e-5f, static_cast<int64_t>(count), out.data());
      double sum = 0.0;
      for (const float value : x) sum += static_cast<double>(value) * static_cast<double>(value);
      const double scale = 1.0 / std::sqrt(sum / static_cast<double>(count) + static_cast<double>(1e-5f));
      const double tolerance = (static_cast<double>(count) / 32.0 + 8.0) * std::ldexp(1.0, -24);
      for (size_t i = 0; i < count; i++) {
        const double exact = static_cast<double>(x[i]) * scale * static_cast<double>(weight[i]);
        ASSERT_LE(std::abs(static_cast<double>(out[i]) - exact), tolerance * std::abs(exact))
            << isa_name(isa);
      }
    }
  }
}

TEST(VectorOps, EveryIsaGivesTheSameBits) {
  const FlushDenormals flush;
  const VectorOps& reference = vector_ops(Isa::kReference);
  for (const Isa isa : supported_isas()) {
    const VectorOps& ops = vector_ops(isa);
    std::mt19937 generator(kSeed);
    for (size_t count = 1; count < 200; count++) {
      const auto n = static_cast<int64_t>(count);
      std::vector<float> x = random_floats(count, generator, 20.0f),
                         y = random_floats(count, generator, 2.0f);
      if (count > 20) {
        x[3] = kInfinity;
        x[4] = -kInfinity;
        x[5] = 1e-41f;
      }
      std::vector<float> a(count), b(count);
      reference.exponential(x.data(), n, a.data());
      ops.exponential(x.data(), n, b.data());
      expect_same_bits(a, b, "exponential", isa, count);
      a = b = y;
      reference.add(a.data(), x.data(), n);
      ops.add(b.data(), x.data(), n);
      expect_same_bits(a, b, "add", isa, count);
      a = b = random_floats(count, generator, 10.0f);
      reference.silu_multiply(a.data(), y.data(), n);
      ops.silu_multiply(b.data(), y.data(), n);
      expect_same_bits(a, b, "silu", isa, count);
      reference.rms_norm(y.data(), x.data(), 1e-6f, n, a.data());
      ops.rms_norm(y.data(), x.data(), 1e-6f, n, b.data());
      expect_same_bits(a, b, "norm", isa, count);
      const std::vector<float> cosines = random_floats(count, generator, 1.0f),
                               sines = random_floats(count, generator, 1.0f);
      for (const auto rotate : {&VectorOps::rotate_interleaved, &VectorOps::rotate_halves}) {
        a = b = random_floats(2 * count + 1, generator, 1.0f);
        (reference.*rotate)(a.data(), cosines.data(), sines.data(), n);
        (ops.*rotate)(b.data(), cosines.data(), sines.data(), n);
        expect_same_bits(a, b, "rotate", isa, count);
      }
    }
  }
}

TEST(VectorOps, RotationTurnsEachPair) {
  const FlushDenormals flush;
  for (const Isa isa : supported_isas()) {
    const float cosines[] = {0.0f, 1.0f, -1.0f}, sines[] = {1.0f, 0.0f, 0.0f};
    std::vector<float> x = {1, 2, 3, 4, 5, 6, 7};
    vector_ops(isa).rotate_interleaved(x.data(), cosines, sines, 3);
    EXPECT_EQ(x, (std::vector<float>{-2, 1, 3, 4, -5, -6, 7}));
    x = {1, 2, 3, 4, 5, 6, 7};
    vector_ops(isa).rotate_halves(x.data(), cosines, sines, 3);
    EXPECT_EQ(x, (std::vector<float>{-4, 2, -3, 1, 5, -6, 7}));
  }
}

TEST(VectorOps, LogitPassesGiveTheSameBitsAndTakeNanForMinusInfinity) {
  const FlushDenormals flush;
  const VectorOps& reference = vector_ops(Isa::kReference);
  for (const Isa isa : supported_isas()) {
    std::mt19937 generator(kSeed);
    for (const size_t count : {1, 15, 63, 64, 65, 130, 1000, 4099}) {
      const auto n = static_cast<int64_t>(count);
      std::vector<float> logits = random_floats(count, generator, 5.0f);
      for (size_t i = 2; i < count; i += 97) logits[i] = kNan;
      for (size_t i = 5; i < count; i += 89) logits[i] = -kInfinity;
      const size_t chunks = (count + kLogitChunk - 1) / kLogitChunk;
      std::vector<float> a(chunks), b(chunks);
      reference.logit_maxima(logits.data(), n, a.data());
      vector_ops(isa).logit_maxima(logits.data(), n, b.data());
      expect_same_bits(a, b, "maxima", isa, count);
      float max = -kInfinity;
      for (const float logit : logits) max = logit > max ? logit : max;
      EXPECT_EQ(*std::max_element(b.begin(), b.end()), max);
      std::vector<float> weights_a(count), weights_b(count);
      reference.logit_weights(logits.data(), n, max, 1.3f, weights_a.data(), a.data());
      vector_ops(isa).logit_weights(logits.data(), n, max, 1.3f, weights_b.data(), b.data());
      expect_same_bits(a, b, "sums", isa, count);
      expect_same_bits(weights_a, weights_b, "weights", isa, count);
      for (size_t i = 0; i < count; i++) {
        if (std::isnan(logits[i]) || logits[i] == -kInfinity) {
          EXPECT_EQ(weights_b[i], 0.0f);
        } else if (logits[i] == max) {
          EXPECT_EQ(weights_b[i], 1.0f);
        }
      }
    }
  }
}

}  // namespace
}  // namespace hussar::cpu
