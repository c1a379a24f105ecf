#include "base/dtype.h"

#include <array>

#include "base/check.h"

namespace hussar {

const DTypeInfo& dtype_info(DType dtype) {
  // Sizes from the block structures of ggml-common.h: an f16 scale is 2 bytes, a K-quant super-block holds
  // 256 elements.
  static constexpr std::array<DTypeInfo, 11> kInfos = {{
      {"F32", 1, 4},
      {"F16", 1, 2},
      {"BF16", 1, 2},
      {"Q4_0", 32, 2 + 16},
      {"Q4_1", 32, 2 + 2 + 16},
      {"Q5_0", 32, 2 + 4 + 16},
      {"Q5_1", 32, 2 + 2 + 4 + 16},
      {"Q8_0", 32, 2 + 32},
      {"Q4_K", 256, 2 + 2 + 12 + 128},
      {"Q5_K", 256, 2 + 2 + 12 + 32 + 128},
      {"Q6_K", 256, 128 + 64 + 16 + 2},
  }};
  const auto index = static_cast<size_t>(dtype);
  CHECK(index < kInfos.size());
  return kInfos[index];
}

}  // namespace hussar
