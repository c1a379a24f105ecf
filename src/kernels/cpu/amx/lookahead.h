// Memory that is unpacked soon, brought nearer piece by piece while something else is multiplied: unpacking
// reads in bursts, which the processor doesn't foresee. For translation units compiled for AMX alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace hussar::cpu::amx {
namespace {

class Lookahead {
 public:
  // All of [begin, end) in `calls` calls of advance(), at least one.
  Lookahead(const uint8_t* begin, const uint8_t* end, int32_t calls)
      : at_(begin), end_(end), step_bytes_(((end - begin) / (calls * kLineBytes) + 1) * kLineBytes) {}

  inline __attribute__((always_inline)) void advance() {
    for (const uint8_t* const stop = step_bytes_ < end_ - at_ ? at_ + step_bytes_ : end_; at_ < stop;
         at_ += kLineBytes)
      _mm_prefetch(at_, _MM_HINT_T1);
  }

 private:
  static constexpr int64_t kLineBytes = 64;
  const uint8_t *at_, *end_;
  int64_t step_bytes_;
};

}  // namespace
}  // namespace hussar::cpu::amx
