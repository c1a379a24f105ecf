#include "kernels/cuda/cublas_lt.h"

#include <dlfcn.h>

#include <string>

namespace hussar::cuda {
namespace {

constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

void* open_library() {
  const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  return library != nullptr ? library
                            : dlopen(("/usr/local/cuda/lib64/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
}

template <typename Function>
bool find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

cudaDataType half_data(HalfType type) { return type == HalfType::kBF16 ? CUDA_R_16BF : CUDA_R_16F; }

}  // namespace

Result<std::unique_ptr<CublasLt>> CublasLt::open() {
  void* library = open_library();
  if (library == nullptr) return std::unique_ptr<CublasLt>();
  Functions f{};
  const bool whole = find(library, "cublasLtCreate", &f.create) &&
                     find(library, "cublasLtDestroy", &f.destroy) &&
                     find(library, "cublasLtMatmul", &f.matmul) &&
                     find(library, "cublasLtMatmulDescCreate", &f.desc_create) &&
                     find(library, "cublasLtMatmulDescDestroy", &f.desc_destroy) &&
                     find(library, "cublasLtMatmulDescSetAttribute", &f.desc_set) &&
                     find(library, "cublasLtMatrixLayoutCreate", &f.layout_create) &&
                     find(library, "cublasLtMatrixLayoutDestroy", &f.layout_destroy) &&
                     find(library, "cublasLtMatmulPreferenceCreate", &f.preference_create) &&
                     find(library, "cublasLtMatmulPreferenceDestroy", &f.preference_destroy) &&
                     find(library, "cublasLtMatmulPreferenceSetAttribute", &f.preference_set) &&
                     find(library, "cublasLtMatmulAlgoGetHeuristic", &f.heuristic);
  if (!whole) {
    dlclose(library);
    return std::unique_ptr<CublasLt>();
  }
  std::unique_ptr<CublasLt> lt(new CublasLt(library, f));
  // One that doesn't start on this device is as good as none: our own kernels multiply then.
  if (f.create(&lt->handle_) != CUBLAS_STATUS_SUCCESS) return std::unique_ptr<CublasLt>();
  ASSIGN_OR_RETURN(lt->workspace_,
                   Buffer::create(Buffer::Place::kDevice, kWorkspaceBytes, "the workspace of products"));
  return lt;
}

CublasLt::~CublasLt() {
  for (const auto& [key, plan] : plans_) {
    for (const cublasLtMatrixLayout_t layout : {plan.w, plan.x, plan.y}) {
      if (layout != nullptr) functions_.layout_destroy(layout);
    }
    if (plan.operation != nullptr) functions_.desc_destroy(plan.operation);
  }
  if (handle_ != nullptr) functions_.destroy(handle_);
  dlclose(library_);
}

// The library thinks in columns: y^T [columns, rows] = (w^T)^T x^T.
const CublasLt::Plan& CublasLt::plan(HalfType type, const LargeProduct& p) {
  const auto [found, is_new] = plans_.try_emplace(Key{type, p.result, p.rows, p.columns, p.k, p.y_stride});
  Plan& plan = found->second;
  if (!is_new) return plan;
  const cudaDataType half = half_data(type);
  const cudaDataType result = p.result == LargeProduct::Result::kHalf ? half : CUDA_R_32F;
  const auto rows = static_cast<uint64_t>(p.rows), columns = static_cast<uint64_t>(p.columns);
  const auto k = static_cast<uint64_t>(p.k);
  const cublasOperation_t transposed = CUBLAS_OP_T;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t best{};
  int count = 0;
  const bool good =
      functions_.desc_create(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
      functions_.desc_set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed)) ==
          CUBLAS_STATUS_SUCCESS &&
      functions_.layout_create(&plan.w, half, k, columns, p.k) == CUBLAS_STATUS_SUCCESS &&
      functions_.layout_create(&plan.x, half, k, rows, p.k) == CUBLAS_STATUS_SUCCESS &&
      functions_.layout_create(&plan.y, result, columns, rows, p.y_stride) == CUBLAS_STATUS_SUCCESS &&
      functions_.preference_create(&preference) == CUBLAS_STATUS_SUCCESS &&
      functions_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspaceBytes,
                                sizeof(kWorkspaceBytes)) == CUBLAS_STATUS_SUCCESS &&
      functions_.heuristic(handle_, plan.operation, plan.w, plan.x, plan.y, plan.y, preference, 1, &best,
                           &count) == CUBLAS_STATUS_SUCCESS;
  if (preference != nullptr) functions_.preference_destroy(preference);
  plan.exists = good && count > 0;
  plan.algorithm = best.algo;
  return plan;
}

bool CublasLt::multiply(HalfType type, const LargeProduct& p, cudaStream_t stream, cublasStatus_t* status) {
  *status = CUBLAS_STATUS_SUCCESS;
  const Plan& way = plan(type, p);
  if (!way.exists) return false;
  const float one = 1.0f, beta = p.result == LargeProduct::Result::kAddFloat ? 1.0f : 0.0f;
  *status =
      functions_.matmul(handle_, way.operation, &one, p.w, way.w, p.x, way.x, &beta, p.y, way.y, p.y, way.y,
                        &way.algorithm, workspace_.data(), static_cast<size_t>(kWorkspaceBytes), stream);
  return *status == CUBLAS_STATUS_SUCCESS;
}

}  // namespace hussar::cuda
