// Reads a GGUF file's metadata and tensor table from foreign bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

struct GgufContents {
  std::vector<std::pair<std::string, MetaValue>> metadata;  // keys are unique
  std::vector<StoredTensor> tensors;  // names are unique, bytes are disjoint and inside the file
};

// What a file may ask for, over and above what its size allows. Real models stay a factor of ten below each
// of these.
struct GgufLimits {
  uint64_t key_bytes_max = 65535;       // the format's own limit
  uint64_t tensor_name_bytes_max = 64;  // the format's own limit
  uint64_t string_bytes_max = 16 << 20;
  uint64_t keys_max = 1 << 16;
  uint64_t tensors_max = 1 << 16;
  uint64_t array_elements_max = 4 << 20;    // of all arrays together; a 256k vocabulary has about 1.5 M
  uint64_t metadata_bytes_max = 256 << 20;  // header, metadata and tensor table
  uint64_t alignment_min = 8;               // the format asks for a multiple of 8
  uint64_t alignment_max = 1 << 20;
};

// Parses `bytes`. Nothing is allocated for a count before the bytes that it promises are known to exist, so
// that what is returned takes at most about ten times the metadata's bytes in the file. `name` starts each
// error message. Errors: kInvalid (malformed; says where), kUnsupported (version, byte order, tensor type),
// kTooLarge (a limit above).
Result<GgufContents> read_gguf(std::span<const std::byte> bytes, const std::string& name);

}  // namespace hussar
