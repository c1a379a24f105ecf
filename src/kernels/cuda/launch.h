// Launches of kernels that may overlap: on devices that can (compute capability 9.0), the next kernel of a
// stream is set up while this one still runs. Every kernel that is launched so calls let_next_start() first,
// and await_previous() before it reads or writes anything that an earlier kernel touches.
#pragma once

#include <cuda_runtime.h>

namespace hussar::cuda {

struct Stream {
  cudaStream_t handle = nullptr;
  bool overlaps = false;
};

#ifdef __CUDACC__
__device__ __forceinline__ void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::);
#endif
}
__device__ __forceinline__ void await_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, int threads, int shared_bytes, const Stream& stream,
            Arguments... arguments) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = stream.handle;
  config.attrs = &overlap;
  config.numAttrs = stream.overlaps ? 1 : 0;
  // The caller asks cudaGetLastError() once for all launches of an operation.
  (void)cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}
#endif

}  // namespace hussar::cuda
