// Matrix products of 16-bit numbers with sums in float, on tensor cores: y[rows, N] (+)= x[rows, K] W^T.
//
// Few rows read the weights straight into the tensor cores' registers, K split over the warps of a block and
// summed in a fixed order; many rows go through tiles in shared memory. Every way walks K in its own fixed
// order, so that the sums depend on the number of rows alone.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/row_kernels.h"

namespace hussar::cuda {

// Up to three matrices [rows, K] one below the other, or two whose results belong together.
struct Matrices {
  const void* w[3];
  int32_t end[3];  // row behind each one's last, counted over all; unused ones repeat the last
};

enum class Product : uint8_t {
  kStore,  // y = x W^T, float
  kAdd,    // y += x W^T, float
  kGated,  // y = silu(x W0^T) * (x W1^T), in the type of x; W0 and W1 have `columns` rows each
};

constexpr int32_t kSkinnyRowsMax = 32;  // up to here a library has nothing to gain

// Rows that a product by the library may compute: a few numbers, so that few plans are needed.
constexpr int32_t padded_rows(int32_t rows) {
  const int32_t unit = rows <= 512 ? 64 : 256;
  return (rows + unit - 1) / unit * unit;
}

// So few rows are normalised by the product itself, in every block anew: that is faster than a kernel more.
constexpr int32_t kNormRowsMax = 8;
constexpr int32_t kNormColumnsMax = 2048;

struct LinearArgs {
  const void* x = nullptr;  // [rows, k], the type of the weights
  // Or what x is still to be made of, where x is null: rows of floats, divided by their root mean square,
  // times `norm` [k]. REQUIRES: rows <= kNormRowsMax, k <= kNormColumnsMax.
  const float* raw = nullptr;
  const float* norm = nullptr;
  float epsilon = 0.0f;
  int32_t rows;
  int32_t k;        // a multiple of 32
  int32_t columns;  // of y
  Matrices matrices;
  void* y;
  int64_t y_stride;  // elements, even
  Product product;
};

void linear(HalfType type, const LinearArgs& args, const Stream& stream);

// Once, before the first linear(): lets kernels use as much shared memory as they need.
cudaError_t prepare_linear();

}  // namespace hussar::cuda
