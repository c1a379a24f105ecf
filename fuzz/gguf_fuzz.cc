// Model files of foreign origin: whatever the bytes, the reader accepts or refuses them, and what it accepts
// is true of the bytes.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "weights/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const hussar::Result<hussar::ModelFile> file = hussar::ModelFile::parse_gguf(bytes, "fuzz");
  if (!file.ok()) {
    CHECK(!file.error().message.empty());
    return 0;
  }
  // Kept out of the optimiser's sight, so that each byte of each tensor is really read.
  volatile uint8_t sum = 0;
  for (const hussar::StoredTensor& tensor : file->tensors()) {
    CHECK(file->find_tensor(tensor.name) == &tensor);
    CHECK(!tensor.bytes.empty());
    for (const std::byte byte : tensor.bytes) sum = sum ^ static_cast<uint8_t>(byte);
  }
  for (const auto& [key, value] : file->metadata()) CHECK(file->find(key) == &value);
  return 0;
}
