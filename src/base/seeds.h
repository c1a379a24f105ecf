// Seeds made from a seed.
#pragma once

#include <cstdint>

namespace hussar {

// The seed of the n-th of the draws that one seed stands for: itself for n = 0, and else unrelated to it and
// to that of any other n. SplitMix64, a bijection for each n.
inline uint64_t nth_seed(uint64_t seed, uint64_t n) {
  if (n == 0) return seed;
  uint64_t mixed = seed + n * 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return mixed ^ (mixed >> 31);
}

}  // namespace hussar
