// From a weight's format as it stands in a file to code that is compiled for this format.
#pragma once

#include <type_traits>

#include "base/dtype.h"

namespace hussar::cpu {

// fn(std::integral_constant<DType, dtype>). Inlined, since callers are compiled for different instruction
// sets.
template <typename Fn>
inline __attribute__((always_inline)) decltype(auto) with_format(DType dtype, Fn&& fn) {
#define HUSSAR_FORMAT(F) \
  case DType::F:         \
    return fn(std::integral_constant<DType, DType::F>())
  switch (dtype) {
    HUSSAR_FORMAT(kF32);
    HUSSAR_FORMAT(kF16);
    HUSSAR_FORMAT(kBF16);
    HUSSAR_FORMAT(kQ4_0);
    HUSSAR_FORMAT(kQ4_1);
    HUSSAR_FORMAT(kQ5_0);
    HUSSAR_FORMAT(kQ5_1);
    HUSSAR_FORMAT(kQ8_0);
    HUSSAR_FORMAT(kQ4_K);
    HUSSAR_FORMAT(kQ5_K);
    HUSSAR_FORMAT(kQ6_K);
  }
#undef HUSSAR_FORMAT
  __builtin_unreachable();
}

}  // namespace hussar::cpu
