// The numbers that GGUF gives to tensor types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/dtype.h"

namespace hussar {

// Nothing for a type that this build does not read.
std::optional<DType> dtype_of_type_number(uint32_t number);

// How an error calls a type that this build does not read: "Q2_K", or "number 77" where the number has no
// known meaning.
std::string tensor_type_text(uint32_t number);

}  // namespace hussar
