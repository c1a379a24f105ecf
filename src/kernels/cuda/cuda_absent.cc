// What a build without CUDA answers.
#include "kernels/backend.h"

namespace hussar {

Result<std::unique_ptr<Backend>> make_cuda_backend(const CudaOptions&) {
  return Error{ErrorCode::kUnsupported,
               "this hussar was built without CUDA; build it with 'make build CUDA=1', or choose cpu",
               "--device"};
}

int32_t cuda_device_count() { return 0; }

}  // namespace hussar
