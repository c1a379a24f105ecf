// Safetensors files of foreign origin: whatever the bytes, the reader accepts or refuses them, and what it
// accepts covers the data exactly.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "weights/safetensors_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto tensors = hussar::read_safetensors(bytes, "fuzz");
  if (!tensors.ok()) {
    CHECK(!tensors.error().message.empty());
    return 0;
  }
  // Kept out of the optimiser's sight, so that each byte of each tensor is really read.
  volatile uint8_t sum = 0;
  const std::byte* end = nullptr;
  for (const hussar::StoredTensor& tensor : *tensors) {
    CHECK(end == nullptr || tensor.bytes.data() == end);
    CHECK(!tensor.shape.empty() && !tensor.bytes.empty());
    end = tensor.bytes.data() + tensor.bytes.size();
    for (const std::byte byte : tensor.bytes) sum = sum ^ static_cast<uint8_t>(byte);
  }
  CHECK(end == nullptr || end == bytes.data() + bytes.size());
  return 0;
}
