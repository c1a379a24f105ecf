#include "kernels/cpu/vector_ops.h"

#include "base/check.h"
#include "kernels/cpu/isa.h"

namespace hussar::cpu {

const VectorOps& vector_ops(Isa isa) {
  switch (isa) {
    case Isa::kReference:
    case Isa::kReferenceTiles:
      return reference::kVectorOps;
    case Isa::kAvx2:
      return avx2::kVectorOps;
    case Isa::kAvx512:
    case Isa::kAmx:
      return avx512::kVectorOps;
  }
  CHECK_NOTE(false, "no such ISA");
}

}  // namespace hussar::cpu
