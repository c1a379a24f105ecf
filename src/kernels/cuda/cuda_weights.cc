// Weights of CudaBackend: whatever a file keeps them in, on the device they are rows of 16-bit numbers.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/float16.h"
#include "kernels/cuda/cuda_backend.h"

namespace hussar::cuda {
namespace {

constexpr int64_t kChunkElements = int64_t{4} << 20;  // converted and sent at once
constexpr int64_t kArenaBytes = int64_t{128} << 20;
constexpr int64_t kPlaceUnit = 256;   // bytes; what the fastest loads want
constexpr int64_t kColumnsUnit = 32;  // that products take at once

uint16_t to_half(HalfType type, float x) {
  if (type == HalfType::kBF16) return cpu::f32_to_bf16(x);
  constexpr float kLargest = 65504.0f;
  return cpu::f32_to_f16(x > kLargest ? kLargest : x < -kLargest ? -kLargest : x);
}

HalfType half_type_of(DType stored) {
  return stored == DType::kBF16 || stored == DType::kF32 ? HalfType::kBF16 : HalfType::kF16;
}

Result<void> check_size(const TensorView& tensor) {
  const std::string name(tensor.name);
  const DTypeInfo& type = dtype_info(tensor.dtype);
  if (tensor.rows < 1 || tensor.cols < 1 || tensor.cols % type.block_elements != 0) {
    return Error{ErrorCode::kUnsupported, name + ": its rows aren't whole blocks", name};
  }
  const auto size = static_cast<int64_t>(tensor.bytes.size());
  if (size % type.block_bytes != 0 ||
      size / type.block_bytes / tensor.rows != tensor.cols / type.block_elements ||
      size / type.block_bytes % tensor.rows != 0) {
    return Error{ErrorCode::kInvalid, name + ": its size doesn't fit its shape", name};
  }
  return {};
}

// The stored row that becomes row `row`: where pairs are kept as halves of a head, neighbours come together.
int64_t stored_row(const TensorView& tensor, int64_t row) {
  const int64_t head = tensor.interleaved_head_dim;
  if (head <= 0) return row;
  const int64_t within = row % head;
  return row - within + within / 2 + within % 2 * (head / 2);
}

}  // namespace

Result<Weight> CudaBackend::prepare_weight(const TensorView& tensor, WeightUse use) {
  RETURN_IF_ERROR(check_size(tensor));
  return use == WeightUse::kVector ? prepare_vector(tensor) : prepare_matrix(tensor);
}

Result<std::byte*> CudaBackend::place(int64_t bytes, const std::string& name) {
  const int64_t used = (bytes + kPlaceUnit - 1) / kPlaceUnit * kPlaceUnit;
  if (arenas_.empty() || arena_used_bytes_ + used > arenas_.back().size_bytes()) {
    ASSIGN_OR_RETURN(Buffer arena, Buffer::create(Buffer::Place::kDevice, std::max(kArenaBytes, used), name));
    arenas_.push_back(std::move(arena));
    arena_used_bytes_ = 0;
  }
  std::byte* data = arenas_.back().data() + arena_used_bytes_;
  arena_used_bytes_ += used;
  return data;
}

Weight CudaBackend::keep(std::byte* data, int64_t bytes, const TensorView& tensor) {
  const Weight weight{static_cast<int32_t>(weights_.size()), tensor.rows, tensor.cols, bytes};
  weights_.push_back(data);
  return weight;
}

Result<Weight> CudaBackend::prepare_vector(const TensorView& tensor) {
  const std::string name(tensor.name);
  if (tensor.rows != 1) return Error{ErrorCode::kUnsupported, name + ": not a vector", name};
  std::vector<float> values(static_cast<size_t>(tensor.cols));
  cpu::dequantize(tensor.dtype, tensor.bytes.data(), tensor.cols, values.data());
  const auto size = tensor.cols * static_cast<int64_t>(sizeof(float));
  ASSIGN_OR_RETURN(std::byte * data, place(size, name));
  RETURN_IF_ERROR(
      cuda_result(cudaMemcpy(data, values.data(), static_cast<size_t>(size), cudaMemcpyHostToDevice), name));
  return keep(data, size, tensor);
}

Result<Weight> CudaBackend::prepare_matrix(const TensorView& tensor) {
  const std::string name(tensor.name);
  if (tensor.cols % kColumnsUnit != 0) {
    return Error{ErrorCode::kUnsupported,
                 name + ": CUDA needs rows of a multiple of " + std::to_string(kColumnsUnit) + " columns",
                 name};
  }
  if (tensor.kept_as && *tensor.kept_as != DType::kBF16) {
    return Error{ErrorCode::kUnsupported, "w8 and w4 weights are for the CPU; CUDA keeps 16 bits",
                 "--weights"};
  }
  if (!type_) type_ = half_type_of(tensor.kept_as.value_or(tensor.dtype));
  const int64_t size = tensor.rows * tensor.cols * 2;
  ASSIGN_OR_RETURN(std::byte * data, place(size, name));
  const bool same = tensor.dtype == (*type_ == HalfType::kBF16 ? DType::kBF16 : DType::kF16);
  if (same && tensor.interleaved_head_dim == 0) {
    RETURN_IF_ERROR(cuda_result(
        cudaMemcpy(data, tensor.bytes.data(), tensor.bytes.size(), cudaMemcpyHostToDevice), name));
    return keep(data, size, tensor);
  }
  const int64_t row_bytes = static_cast<int64_t>(tensor.bytes.size()) / tensor.rows;
  const int64_t rows_at_once = std::clamp<int64_t>(kChunkElements / tensor.cols, 1, tensor.rows);
  std::vector<float> row(static_cast<size_t>(tensor.cols));
  std::vector<uint16_t> halves(static_cast<size_t>(rows_at_once * tensor.cols));
  for (int64_t first = 0; first < tensor.rows; first += rows_at_once) {
    const int64_t count = std::min(rows_at_once, tensor.rows - first);
    for (int64_t i = 0; i < count; i++) {
      const std::byte* stored = tensor.bytes.data() + stored_row(tensor, first + i) * row_bytes;
      cpu::dequantize(tensor.dtype, stored, tensor.cols, row.data());
      std::ranges::transform(row, halves.begin() + i * tensor.cols,
                             [this](float x) { return to_half(*type_, x); });
    }
    RETURN_IF_ERROR(
        cuda_result(cudaMemcpy(data + first * tensor.cols * 2, halves.data(),
                               static_cast<size_t>(count * tensor.cols * 2), cudaMemcpyHostToDevice),
                    name));
  }
  return keep(data, size, tensor);
}

const void* CudaBackend::matrix(const Weight& weight, int64_t rows, int64_t cols) const {
  CHECK(weight.exists() && weight.rows == rows && weight.cols == cols);
  return weights_[static_cast<size_t>(weight.id)];
}

const float* CudaBackend::vector(const Weight& weight, int64_t cols) const {
  if (!weight.exists()) return nullptr;
  CHECK(weight.rows == 1 && weight.cols == cols);
  return reinterpret_cast<const float*>(weights_[static_cast<size_t>(weight.id)]);
}

}  // namespace hussar::cuda
