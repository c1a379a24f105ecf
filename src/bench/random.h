// A seeded source of random numbers that draws the same on every machine: the standard library's generators
// are portable, its distributions are not.
#pragma once

#include <cstdint>

namespace hussar {

// xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64. Not for secrets. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t next();
  double uniform();                 // [0, 1), 53 bits
  uint64_t below(uint64_t limit);   // 0 .. limit - 1, without bias. REQUIRES: limit > 0
  double exponential();             // mean 1
  double normal();                  // mean 0, variance 1 (Marsaglia's polar method)
  double gamma(double shape);       // scale 1 (Marsaglia and Tsang, 2000). REQUIRES: shape > 0
  double beta(double a, double b);  // by two gammas. REQUIRES: a > 0, b > 0

 private:
  uint64_t state_[4];
};

}  // namespace hussar
