// Number formats of stored tensors: names, and how many bytes how many elements take. What the bits mean is
// in kernels/cpu/dequantize.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace hussar {

enum class DType : uint8_t { kF32, kF16, kBF16, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0, kQ4_K, kQ5_K, kQ6_K };

struct DTypeInfo {
  std::string_view name;   // as GGUF spells it: "Q4_K"
  int32_t block_elements;  // elements that share a block; a row's length is a multiple of it
  int32_t block_bytes;     // bytes of one block
};

const DTypeInfo& dtype_info(DType dtype);

}  // namespace hussar
