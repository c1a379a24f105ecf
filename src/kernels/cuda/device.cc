#include "kernels/cuda/device.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/memory.h"

namespace hussar::cuda {

Error cuda_error(cudaError_t status, std::string_view what) {
  const ErrorCode code = status == cudaErrorMemoryAllocation         ? ErrorCode::kOutOfMemory
                         : status == cudaErrorNoKernelImageForDevice ? ErrorCode::kUnsupported
                                                                     : ErrorCode::kDeviceFault;
  return Error{code, std::string(what) + ": " + cudaGetErrorString(status), ""};
}

Result<void> cuda_result(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return {};
  return cuda_error(status, what);
}

Result<Buffer> Buffer::create(Place place, int64_t size_bytes, std::string_view purpose) {
  Buffer buffer;
  buffer.place_ = place;
  if (size_bytes == 0) return buffer;
  void* data = nullptr;
  const auto size = static_cast<size_t>(size_bytes);
  if (place == Place::kPinnedHost) {
    RETURN_IF_ERROR(cuda_result(cudaHostAlloc(&data, size, cudaHostAllocDefault), purpose));
    std::memset(data, 0, size);
  } else {
    if (const cudaError_t status = cudaMalloc(&data, size); status != cudaSuccess) {
      size_t free_bytes = 0, all_bytes = 0;
      (void)cudaGetLastError();
      if (status != cudaErrorMemoryAllocation || cudaMemGetInfo(&free_bytes, &all_bytes) != cudaSuccess)
        return cuda_error(status, purpose);
      return Error{ErrorCode::kOutOfMemory,
                   std::string(purpose) + " needs " + bytes_text(size_bytes) + " on the device, and " +
                       bytes_text(static_cast<int64_t>(free_bytes)) + " are free",
                   ""};
    }
  }
  buffer.data_ = static_cast<std::byte*>(data);
  buffer.size_bytes_ = size_bytes;
  if (place == Place::kDevice) RETURN_IF_ERROR(cuda_result(cudaMemset(data, 0, size), purpose));
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      place_(other.place_) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(place_, other.place_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  // After a fault nothing can be freed any more, and the process is about to end.
  (void)(place_ == Place::kDevice ? cudaFree(data_) : cudaFreeHost(data_));
}

}  // namespace hussar::cuda
