// Memory, streams and errors of one CUDA device, as values that clean up after themselves.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

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

// Cuts a buffer into arrays, each on a border of 256 bytes. Started with null it only counts, so that the
// size and the layout of a workspace are written down once.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  template <typename T>
  T* take(int64_t count) {
    std::byte* place = base_ == nullptr ? nullptr : base_ + used_bytes_;
    used_bytes_ += (count * static_cast<int64_t>(sizeof(T)) + 255) / 256 * 256;
    return reinterpret_cast<T*>(place);
  }
  int64_t used_bytes() const { return used_bytes_; }

 private:
  std::byte* base_;
  int64_t used_bytes_ = 0;
};

}  // namespace hussar::cuda
