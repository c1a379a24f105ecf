// Reads a safetensors file's tensor table from foreign bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

// What a file may ask for. Real models stay a factor of ten below each of these.
struct SafetensorsLimits {
  uint64_t header_bytes_max = 16 << 20;  // the format's own limit is 100 MB; 700 tensors take 80 kB
  size_t tensors_max = 1 << 16;
  size_t tensor_name_bytes_max = 1024;
  size_t dimensions_max = 8;
};

// Parses `bytes`: 8 bytes with the header's length, a JSON header, the data. As the format demands, the
// tensors' bytes follow each other without a hole or an overlap and end where the file ends; each tensor's
// byte count is its shape's. A scalar comes out as a vector of one. The tensors come in the order of their
// bytes. `name` starts each error message. Errors: kInvalid (malformed; says where), kUnsupported (a type
// other than F32, F16 and BF16, a dimension of 0; names the tensor), kTooLarge (a limit above).
Result<std::vector<StoredTensor>> read_safetensors(std::span<const std::byte> bytes, const std::string& name);

}  // namespace hussar
