// Which instruction set the kernels use: detected once, at start, and able to be forced by name.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace hussar::cpu {

enum class Isa : uint8_t {
  kReference,       // scalar, the truth that the others are compared with
  kReferenceTiles,  // scalar too, with the arithmetic of AMX for prompt rows
  kAvx2,            // AVX2, FMA, F16C
  kAvx512,          // AVX-512 F, BW, VL, DQ, VNNI, BF16
  kAmx,             // the same, and AMX tiles: of BF16 for prompt rows, of INT8
};

std::string_view isa_name(Isa isa);  // "reference", "reference-tiles", "avx2", "avx512", "amx"

// True when both the processor and the operating system (which must save the registers, and for AMX let this
// process use them) support it.
bool isa_supported(Isa isa);

// "auto" is the best one that this machine supports. Errors: kInvalid for an unknown name, kUnsupported when
// the machine lacks it; the message lists what can be chosen.
Result<Isa> choose_isa(std::string_view name);

}  // namespace hussar::cpu
