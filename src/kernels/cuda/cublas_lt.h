// Large products by NVIDIA's cuBLASLt, which is loaded where it is installed: the binary needs it no more
// than the driver needs it. Plans are kept by shape; a caller rounds its rows up so that there are few.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "base/result.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/row_kernels.h"

namespace hussar::cuda {

// y[rows, columns] (+)= x[rows, k] w[columns, k]^T, sums in float.
struct LargeProduct {
  enum class Result : uint8_t {
    kFloat,
    kAddFloat,
    kHalf
  };  // y is float, is added to, or has the inputs' type
  const void* x;
  const void* w;
  int32_t rows, columns, k;
  void* y;
  int64_t y_stride;
  Result result;
};

class CublasLt {
 public:
  // Null where the library isn't installed. Errors: kDeviceFault, kOutOfMemory.
  static hussar::Result<std::unique_ptr<CublasLt>> open();
  ~CublasLt();

  // False when the library has no way for this shape, or the launch failed: `status` says which.
  bool multiply(HalfType type, const LargeProduct& product, cudaStream_t stream, cublasStatus_t* status);

 private:
  struct Functions {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmul) matmul;
    decltype(&cublasLtMatmulDescCreate) desc_create;
    decltype(&cublasLtMatmulDescDestroy) desc_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  };
  struct Plan {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    bool exists = false;  // the library has a way
  };
  using Key = std::tuple<HalfType, LargeProduct::Result, int32_t, int32_t, int32_t, int64_t>;

  CublasLt(void* library, const Functions& functions) : library_(library), functions_(functions) {}
  const Plan& plan(HalfType type, const LargeProduct& product);

  void* const library_;
  const Functions functions_;
  cublasLtHandle_t handle_ = nullptr;
  Buffer workspace_;
  std::map<Key, Plan> plans_;
};

}  // namespace hussar::cuda
