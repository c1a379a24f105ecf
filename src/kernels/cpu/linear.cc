#include "kernels/cpu/linear.h"

#include <algorithm>

#include "base/check.h"

namespace hussar::cpu {

const LinearKernels& linear_kernels(Isa isa) {
  switch (isa) {
    case Isa::kReference:
    case Isa::kReferenceTiles:
      return reference::kLinear;
    case Isa::kAvx2:
      return avx2::kLinear;
    case Isa::kAvx512:
      return avx512::kLinear;
    case Isa::kAmx:
      return amx::kLinear;
  }
  CHECK_NOTE(false, "no such ISA");
}

bool reads_blocks(DType dtype) { return dtype_info(dtype).block_elements > 1; }

void quantize_rows(const LinearKernels& kernels, const float* x, int64_t x_stride, int32_t tokens,
                   int32_t cols, ActivationBlock* blocks, int32_t member, int32_t size) {
  DCHECK(cols % kBlockColumns == 0);
  const int64_t row_blocks = cols / kBlockColumns;
  // One row is cut between the members too, or a single token would be quantised by one of them while the
  // others wait.
  const Range range = split_range(tokens * row_blocks, member, size);
  for (int64_t at = range.begin; at < range.end;) {
    const int64_t token = at / row_blocks, block = at % row_blocks;
    const int64_t end =
        token * row_blocks + row_blocks < range.end ? row_blocks : range.end - token * row_blocks;
    kernels.quantize_row(x + token * x_stride + block * kBlockColumns,
                         static_cast<int32_t>((end - block) * kBlockColumns), blocks + at);
    at += end - block;
  }
}

Range panel_share(int64_t rows, int32_t member, int32_t size) {
  const int64_t panels = (rows + kPanelRows - 1) / kPanelRows;
  const Range pairs = split_range((panels + 1) / 2, member, size);
  return {std::min(panels, 2 * pairs.begin), std::min(panels, 2 * pairs.end)};
}

void linear(const LinearKernels& kernels, const LinearArgs& args, int32_t member, int32_t size) {
  const Range range = panel_share(args.w.rows, member, size);
  if (range.begin < range.end) kernels.linear(args, range.begin, range.end);
}

}  // namespace hussar::cpu
