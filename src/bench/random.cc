#include "bench/random.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace hussar {

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    seed += 0x9E3779B97F4A7C15u;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    word = z ^ (z >> 31);
  }
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

uint64_t Random::below(uint64_t limit) {
  DCHECK(limit > 0);
  // Lemire's multiplication; the few low products that would favour some results are drawn again.
  using Wide = unsigned __int128;
  Wide product = Wide{next()} * limit;
  if (static_cast<uint64_t>(product) < limit) {
    const uint64_t threshold = (0 - limit) % limit;
    while (static_cast<uint64_t>(product) < threshold) product = Wide{next()} * limit;
  }
  return static_cast<uint64_t>(product >> 64);
}

double Random::exponential() { return -std::log1p(-uniform()); }

double Random::normal() {
  while (true) {
    const double u = 2 * uniform() - 1, v = 2 * uniform() - 1;
    const double square = u * u + v * v;
    if (square > 0 && square < 1) return u * std::sqrt(-2 * std::log(square) / square);
  }
}

double Random::gamma(double shape) {
  DCHECK(shape > 0);
  // Below 1, by the gamma of shape + 1 (Marsaglia and Tsang's own note).
  if (shape < 1) return gamma(shape + 1) * std::pow(1 - uniform(), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal();
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(1 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double Random::beta(double a, double b) {
  const double x = gamma(a);
  return x / (x + gamma(b));
}

}  // namespace hussar
