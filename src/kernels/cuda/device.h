// Memory, streams and errors of one CUDA device, as values that clean up after themselves.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "kernels/carver.h"

namespace hussar::cuda {

// kOutOfMemory for exhausted memory, else kDeviceFault; the message names what was tried.
Error cuda_error(cudaError_t status, std::string_view what);
Result<void> cuda_result(cudaError_t status, std::string_view what);

// Bytes on the device, or pinned bytes of the host. Move-only.
class Buffer {
 public:
  enum class Place : uint8_t { kDevice, kPinnedHost };

  // Zeroed. Errors: kOutOfMemory, naming `purpose`, what was asked for and what is free.
  static Result<Buffer> create(Place place, int64_t size_bytes, std::string_view purpose);

  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::byte* data() const { return data_; }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t size_bytes_ = 0;
  Place place_ = Place::kDevice;
};

using Carver = BorderCarver<256>;  // what cudaMalloc aligns to

}  // namespace hussar::cuda
