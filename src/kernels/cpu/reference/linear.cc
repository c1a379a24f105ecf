// Matrix products in plain C++: the truth that the kernels of every ISA are compared with, bit for bit.
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/linear_kernels.h"
#include "kernels/cpu/packed_matrix.h"

namespace hussar::cpu::reference {
namespace {

constexpr int32_t kTokensAtOnce = 16;

bool is_k_block(DType dtype) { return dtype == DType::kQ4_K || dtype == DType::kQ5_K; }
bool has_min(DType dtype) { return dtype == DType::kQ4_1 || dtype == DType::kQ5_1 || is_k_block(dtype); }

// The sum over a block of (q + offset) * a, times the small scales of Q6_K. The largest is Q6_K's 2 * 128 *
// 16 * 32 * 127, below 2^24.
int32_t integer_sum(DType dtype, const StoredBlock& w, const ActivationBlock& a) {
  int32_t halves[2] = {0, 0};
  const int32_t offset = quant_offset(dtype);
  for (int32_t k = 0; k < kBlockColumns; k++) halves[k / 16] += (w.q[k] + offset) * a.q[k];
  if (dtype == DType::kQ6_K) return w.scales[0] * halves[0] + w.scales[1] * halves[1];
  return halves[0] + halves[1];
}

float add_block(DType dtype, const StoredBlock& w, const ActivationBlock& a, float acc) {
  const float scale = f16_to_f32(w.scale), min = f16_to_f32(w.min);
  const float d = is_k_block(dtype) ? scale * static_cast<float>(w.scales[0]) : scale;
  acc = std::fma(d * a.scale, static_cast<float>(integer_sum(dtype, w, a)), acc);
  if (!has_min(dtype)) return acc;
  const float m = is_k_block(dtype) ? -(min * static_cast<float>(w.mins)) : min;
  return std::fma(m, a.scaled_sum, acc);
}

void store(const LinearArgs& args, int32_t token, int32_t row, float acc) {
  float* y = args.y + token * args.y_stride + row;
  if (args.bias != nullptr) acc += args.bias[row];
  *y = args.mode == StoreMode::kAdd ? acc + *y : acc;
}

void block_row(const LinearArgs& args, int32_t row) {
  const int64_t row_blocks = args.w.cols / kBlockColumns;
  for (int32_t first = 0; first < args.tokens; first += kTokensAtOnce) {
    const int32_t count = args.tokens - first < kTokensAtOnce ? args.tokens - first : kTokensAtOnce;
    float acc[kTokensAtOnce] = {};
    for (int64_t i = 0; i < row_blocks; i++) {
      StoredBlock w;
      read_packed_block(args.w, row, i, &w);
      for (int32_t t = 0; t < count; t++) {
        acc[t] = add_block(args.w.dtype, w, args.blocks[(first + t) * row_blocks + i], acc[t]);
      }
    }
    for (int32_t t = 0; t < count; t++) store(args, first + t, row, acc[t]);
  }
}

void float_row(const LinearArgs& args, int32_t row) {
  const int64_t size = dtype_info(args.w.dtype).block_bytes;
  const uint8_t* first = args.w.panels + row / kPanelRows * args.w.panel_bytes + row % kPanelRows * size;
  for (int32_t token = 0; token < args.tokens; token++) {
    float acc = 0;
    for (int64_t k = 0; k < args.w.cols; k++) {
      float w = 0;
      dequantize(args.w.dtype, reinterpret_cast<const std::byte*>(first + k * kPanelRows * size), 1, &w);
      acc = std::fma(w, args.x[token * args.x_stride + k], acc);
    }
    store(args, token, row, acc);
  }
}

void linear(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  const int64_t row_end = panel_end * kPanelRows < args.w.rows ? panel_end * kPanelRows : args.w.rows;
  const bool blocks = dtype_info(args.w.dtype).block_elements > 1;
  for (int64_t row = panel_begin * kPanelRows; row < row_end; row++) {
    blocks ? block_row(args, static_cast<int32_t>(row)) : float_row(args, static_cast<int32_t>(row));
  }
}

void quantize_block(const float* x, ActivationBlock* out) {
  // As integers, magnitudes order finite numbers, then infinity, then NaNs, in every ISA alike.
  uint32_t largest = 0;
  for (int32_t k = 0; k < kBlockColumns; k++) {
    uint32_t bits = 0;
    std::memcpy(&bits, x + k, sizeof(bits));
    bits &= 0x7fffffffu;
    if (bits > largest) largest = bits;
  }
  constexpr uint32_t kInfinity = 0x7f800000u;
  float amax = 0;
  std::memcpy(&amax, &largest, sizeof(amax));
  std::memset(out, 0, sizeof(*out));
  if (largest >= kInfinity) {
    out->scale = out->scaled_sum = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  if (amax < kSmallestMagnitude) return;
  const float inverse = 127.0f / amax;
  int32_t sum = 0;
  for (int32_t k = 0; k < kBlockColumns; k++) {
    const auto q =
        static_cast<int32_t>(std::nearbyint(x[k] * inverse));  // to even, the mode that every thread is in
    const int32_t pair = k % 4 / 2;
    out->q[k] = static_cast<int8_t>(q);
    out->pairs[pair] = static_cast<int16_t>(out->pairs[pair] - 8 * q);
    if (k < 16) out->first_pairs[pair] = out->pairs[pair];
    sum += q;
  }
  out->scale = amax / 127.0f;
  out->scaled_sum = out->scale * static_cast<float>(sum);
}

void quantize_row(const float* x, int32_t cols, ActivationBlock* blocks) {
  for (int32_t i = 0; i < cols / kBlockColumns; i++) quantize_block(x + i * kBlockColumns, blocks + i);
}

}  // namespace

const LinearKernels kLinear = {linear, quantize_row};

}  // namespace hussar::cpu::reference
