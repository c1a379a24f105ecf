// Which instruction set the kernels use: detected once, at start, and able to be forced by name.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace hussar::cpu {

enum class Isa : uint8_t {
  kReference,  // scalar, the truth that the others are compared with
  kAvx2,       // AVX2, FMA, F16C
  kAvx512,     // AVX-512 F, BW, VL, DQ, VNNI, BF16
};

std::string_view isa_name(Isa isa);  // "reference", "avx2", "avx512"

// True when both the processor and the operating system (which must save the registers) support it.
bool isa_supported(Isa isa);

// "auto" is the best one that this machine supports. Errors: kInvalid for an unknown name, kUnsupported when
// the machine lacks it; the message lists what can be chosen.
Result<Isa> choose_isa(std::string_view name);

}  // namespace hussar::cpu
