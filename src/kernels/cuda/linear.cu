#include <algorithm>

#include "kernels/cuda/linear.h"
#include "kernels/cuda/math.cuh"

namespace hussar::cuda {
namespace {

constexpr int kChunk = 32;     // columns of K that a warp takes at once
constexpr int kTileRows = 16;  // rows of W in a tensor-core product

__device__ __forceinline__ float silu(float x) { return x / (1.0f + __expf(-x)); }

// Rows of W as the products see them: 0 .. rows_of(args) - 1. Where two matrices are gated, 8 rows of the
// one alternate with 8 of the other, so that both halves of a result are in one thread's registers.
template <Product kProduct>
__host__ __device__ __forceinline__ int rows_of(const LinearArgs& args) {
  return kProduct == Product::kGated ? 2 * args.columns : args.columns;
}

template <typename T, Product kProduct>
__device__ __forceinline__ const T* row_of(const LinearArgs& args, int n) {
  if constexpr (kProduct == Product::kGated) {
    const int row = min(n / 16 * 8 + n % 8, args.columns - 1);
    return static_cast<const T*>(n / 8 % 2 == 0 ? args.matrices.w[0] : args.matrices.w[1]) +
           static_cast<int64_t>(row) * args.k;
  }
  n = min(n, args.columns - 1);
  const Matrices& m = args.matrices;
  if (n < m.end[0]) return static_cast<const T*>(m.w[0]) + static_cast<int64_t>(n) * args.k;
  if (n < m.end[1]) return static_cast<const T*>(m.w[1]) + static_cast<int64_t>(n - m.end[0]) * args.k;
  return static_cast<const T*>(m.w[2]) + static_cast<int64_t>(n - m.end[1]) * args.k;
}

// Elements from one normalised row in shared memory to the next: so that eight lanes of two rows read other
// banks.
__host__ __device__ constexpr int norm_stride(int k) { return k % 64 == 0 ? k + 32 : k; }

// One warp: out[k] = raw row / rms * norm.
template <typename T>
__device__ __forceinline__ void norm_row(const LinearArgs& args, int row, T* out) {
  const int lane = threadIdx.x % kWarp;
  const auto* from = reinterpret_cast<const float4*>(args.raw + static_cast<int64_t>(row) * args.k);
  const auto* scales = reinterpret_cast<const float4*>(args.norm);
  float sum = 0.0f;
#pragma unroll 4
  for (int i = lane; i < args.k / 4; i += kWarp) {
    const float4 v = from[i];
    sum += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  const float scale = 1.0f / sqrtf(warp_sum(sum) / static_cast<float>(args.k) + args.epsilon);
  auto* to = reinterpret_cast<uint2*>(out);
#pragma unroll 4
  for (int i = lane; i < args.k / 4; i += kWarp) {
    const float4 v = from[i], w = scales[i];
    to[i] = make_uint2(pack<T>(v.x * scale * w.x, v.y * scale * w.y),
                       pack<T>(v.z * scale * w.z, v.w * scale * w.w));
  }
}

// Up to 8 kTokenTiles rows of x. A block takes 16 rows of W, its warps chunks of K in turn. The sum over K
// doesn't care which column stands where: each lane loads 8 consecutive columns of W and of x and feeds them
// to the products as if they were the columns that it should hold.
// kRows of 8 leaves half of each product unused, and has twice as many blocks where few would leave
// multiprocessors idle.
template <typename T, int kTokenTiles, int kWarps, Product kProduct, bool kNorms, int kRows>
__global__ void __launch_bounds__(kWarps* kWarp) skinny_kernel(LinearArgs args) {
  constexpr int kTokens = 8 * kTokenTiles, kAhead = kTokenTiles <= 2 ? 4 : 2;
  __shared__ float partial[kWarps][kRows][kTokens + 1];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const int first = blockIdx.x * kRows, chunks = args.k / kChunk;
  const T* w0 = row_of<T, kProduct>(args, first + g) + t * 8;
  const T* w1 = row_of<T, kProduct>(args, first + g + 8) + t * 8;
  const T* x[kTokenTiles];
#pragma unroll
  for (int i = 0; i < kTokenTiles; i++)
    x[i] =
        static_cast<const T*>(args.x) + static_cast<int64_t>(min(i * 8 + g, args.rows - 1)) * args.k + t * 8;
  uint4 now[kAhead][2], next[kAhead][2];
  const auto load = [&](uint4(&to)[kAhead][2], int begin) {
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const int chunk = begin + i * kWarps;
      to[i][0] = to[i][1] = make_uint4(0, 0, 0, 0);
      if (chunk >= chunks) continue;
      to[i][0] = load_once(w0 + chunk * kChunk);
      if (kRows == kTileRows) to[i][1] = load_once(w1 + chunk * kChunk);
    }
  };
  let_next_start();
  load(now, warp);  // weights don't wait for the kernel before
  await_previous();
  if constexpr (kNorms) {
    extern __shared__ __align__(16) uint8_t norm_space[];
    T* normed = reinterpret_cast<T*>(norm_space);
    const int stride = norm_stride(args.k);
    for (int row = warp; row < args.rows; row += kWarps) norm_row(args, row, normed + row * stride);
    __syncthreads();
    x[0] = normed + min(g, args.rows - 1) * stride + t * 8;
  }
  float sums[kTokenTiles][4] = {};
  for (int begin = warp; begin < chunks; begin += kWarps * kAhead) {
    load(next, begin + kWarps * kAhead);
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const int chunk = min(begin + i * kWarps, chunks - 1);
#pragma unroll
      for (int tile = 0; tile < kTokenTiles; tile++) {
        const uint4 b = *reinterpret_cast<const uint4*>(x[tile] + chunk * kChunk);
        multiply_add<T>(sums[tile], now[i][0].x, now[i][1].x, now[i][0].y, now[i][1].y, b.x, b.y);
        multiply_add<T>(sums[tile], now[i][0].z, now[i][1].z, now[i][0].w, now[i][1].w, b.z, b.w);
      }
    }
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      now[i][0] = next[i][0];
      now[i][1] = next[i][1];
    }
  }
#pragma unroll
  for (int tile = 0; tile < kTokenTiles; tile++) {
    const int token = tile * 8 + 2 * t;
    partial[warp][g][token] = sums[tile][0];
    partial[warp][g][token + 1] = sums[tile][1];
    if constexpr (kRows == kTileRows) {
      partial[warp][g + 8][token] = sums[tile][2];
      partial[warp][g + 8][token + 1] = sums[tile][3];
    }
  }
  __syncthreads();
  const auto total = [&](int row, int token) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < kWarps; i++) sum += partial[i][row][token];
    return sum;
  };
  if constexpr (kProduct == Product::kGated) {
    for (int i = threadIdx.x; i < 8 * args.rows; i += kWarps * kWarp) {
      const int row = i % 8, token = i / 8, column = blockIdx.x * 8 + row;
      if (column >= args.columns) continue;
      static_cast<T*>(args.y)[token * args.y_stride + column] =
          from_float<T>(silu(total(row, token)) * total(row + 8, token));
    }
  } else {
    for (int i = threadIdx.x; i < kRows * args.rows; i += kWarps * kWarp) {
      const int row = i % kRows, token = i / kRows, column = first + row;
      if (column >= args.columns) continue;
      float* y = static_cast<float*>(args.y) + token * args.y_stride + column;
      const float sum = total(row, token);
      *y = kProduct == Product::kAdd ? *y + sum : sum;
    }
  }
}

// Tiles of kM rows of x and kN rows of W; each warp computes kWarpM x kWarpN of it. Shared memory holds
// kStages tiles of kChunk columns; 16-byte pieces of a row are exchanged by its number, so that no two of
// the eight rows that are read at once lie in the same banks.
template <int kM, int kN, int kWarpM, int kWarpN, int kStages>
struct Tiling {
  static constexpr int m = kM, n = kN, warp_m = kWarpM, warp_n = kWarpN, stages = kStages;
  static constexpr int threads = (kM / kWarpM) * (kN / kWarpN) * kWarp;
  static constexpr int stage_bytes = (kM + kN) * kChunk * 2;
  static constexpr int shared_bytes = stage_bytes * kStages;
};
using LargeTiling = Tiling<128, 128, 64, 32, 4>;
using SmallTiling = Tiling<64, 64, 32, 32, 4>;

__device__ __forceinline__ int piece_offset(int row, int piece) {
  return row * (kChunk * 2) + ((piece ^ (row >> 1)) & 3) * 16;
}

template <typename T, typename Tile, Product kProduct>
__global__ void __launch_bounds__(Tile::threads) tiled_kernel(LinearArgs args) {
  extern __shared__ __align__(128) uint8_t shared[];
  constexpr int kPiecesX = Tile::m * 4 / Tile::threads, kPiecesW = Tile::n * 4 / Tile::threads;
  constexpr int kTilesM = Tile::warp_m / 16, kTilesN = Tile::warp_n / 8;
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const int first_token = blockIdx.x * Tile::m, first = blockIdx.y * Tile::n, chunks = args.k / kChunk;
  const int warp_m = warp % (Tile::m / Tile::warp_m) * Tile::warp_m;
  const int warp_n = warp / (Tile::m / Tile::warp_m) * Tile::warp_n;
  const uint32_t base = shared_address(shared);

  const T* from_x[kPiecesX];
  const T* from_w[kPiecesW];
  int bytes_x[kPiecesX];
#pragma unroll
  for (int i = 0; i < kPiecesX; i++) {
    const int piece = threadIdx.x + i * Tile::threads, token = first_token + piece / 4;
    bytes_x[i] = token < args.rows ? 16 : 0;
    from_x[i] = static_cast<const T*>(args.x) + static_cast<int64_t>(min(token, args.rows - 1)) * args.k +
                piece % 4 * 8;
  }
#pragma unroll
  for (int i = 0; i < kPiecesW; i++) {
    const int piece = threadIdx.x + i * Tile::threads;
    from_w[i] = row_of<T, kProduct>(args, first + piece / 4) + piece % 4 * 8;
  }
  const auto fetch = [&](int chunk) {
    if (chunk < chunks) {
      const uint32_t to = base + chunk % Tile::stages * Tile::stage_bytes;
#pragma unroll
      for (int i = 0; i < kPiecesX; i++) {
        const int piece = threadIdx.x + i * Tile::threads;
        copy_async(to + piece_offset(piece / 4, piece % 4), from_x[i] + chunk * kChunk, bytes_x[i]);
      }
#pragma unroll
      for (int i = 0; i < kPiecesW; i++) {
        const int piece = threadIdx.x + i * Tile::threads;
        copy_async(to + Tile::m * kChunk * 2 + piece_offset(piece / 4, piece % 4), from_w[i] + chunk * kChunk,
                   16);
      }
    }
    commit_copies();
  };

  let_next_start();
  await_previous();
  float sums[kTilesM][kTilesN][4] = {};
  for (int i = 0; i < Tile::stages - 1; i++) fetch(i);
  for (int chunk = 0; chunk < chunks; chunk++) {
    await_copies<Tile::stages - 2>();
    __syncthreads();
    fetch(chunk + Tile::stages - 1);
    const uint32_t at = base + chunk % Tile::stages * Tile::stage_bytes;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      uint32_t a[kTilesM][4], b[kTilesN / 2][4];
#pragma unroll
      for (int i = 0; i < kTilesM; i++)
        load_matrices(a[i], at + piece_offset(warp_m + i * 16 + lane % 16, half * 2 + lane / 16));
#pragma unroll
      for (int j = 0; j < kTilesN / 2; j++) {
        load_matrices(b[j],
                      at + Tile::m * kChunk * 2 +
                          piece_offset(warp_n + j * 16 + lane % 8 + lane / 16 * 8, half * 2 + lane / 8 % 2));
      }
#pragma unroll
      for (int i = 0; i < kTilesM; i++) {
#pragma unroll
        for (int j = 0; j < kTilesN; j++)
          multiply_add<T>(sums[i][j], a[i][0], a[i][1], a[i][2], a[i][3], b[j / 2][j % 2 * 2],
                          b[j / 2][j % 2 * 2 + 1]);
      }
    }
  }

#pragma unroll
  for (int i = 0; i < kTilesM; i++) {
#pragma unroll
    for (int upper = 0; upper < 2; upper++) {
      const int token = first_token + warp_m + i * 16 + upper * 8 + g;
      if (token >= args.rows) continue;
      if constexpr (kProduct == Product::kGated) {
#pragma unroll
        for (int j = 0; j < kTilesN; j += 2) {
          const int column = (first + warp_n + j * 8) / 2 + 2 * t;
          if (column >= args.columns) continue;
          const float* gate = sums[i][j] + upper * 2;
          const float* up = sums[i][j + 1] + upper * 2;
          *reinterpret_cast<uint32_t*>(static_cast<T*>(args.y) + token * args.y_stride + column) =
              pack<T>(silu(gate[0]) * up[0], silu(gate[1]) * up[1]);
        }
      } else {
#pragma unroll
        for (int j = 0; j < kTilesN; j++) {
          const int column = first + warp_n + j * 8 + 2 * t;
#pragma unroll
          for (int e = 0; e < 2; e++) {
            if (column + e >= args.columns) continue;
            float* y = static_cast<float*>(args.y) + token * args.y_stride + column + e;
            const float sum = sums[i][j][upper * 2 + e];
            *y = kProduct == Product::kAdd ? *y + sum : sum;
          }
        }
      }
    }
  }
}

constexpr int kFewBlocks = 96;     // up to here, half of the rows for each block
constexpr int kLongSum = 2048;     // columns that are enough for 16 warps
constexpr int kManyBlocks = 1024;  // from so many on, each block has fewer warps

template <typename T, int kTokenTiles, Product kProduct, bool kNorms = false>
void launch_skinny(const LinearArgs& args, const Stream& stream) {
  const int blocks = (rows_of<kProduct>(args) + kTileRows - 1) / kTileRows;
  const int shared_bytes = kNorms ? args.rows * norm_stride(args.k) * static_cast<int>(sizeof(T)) : 0;
  const auto start = [&]<int kWarps, int kRows>() {
    const int count = (rows_of<kProduct>(args) + kRows - 1) / kRows;
    launch(skinny_kernel<T, kTokenTiles, kWarps, kProduct, kNorms, kRows>, count, kWarps * kWarp,
           shared_bytes, stream, args);
  };
  if constexpr (kProduct != Product::kGated && kTokenTiles <= 2) {
    if (blocks <= kFewBlocks && args.k >= kLongSum) return start.template operator()<16, kTileRows / 2>();
    if (blocks <= kFewBlocks) return start.template operator()<8, kTileRows / 2>();
  }
  if (blocks >= kManyBlocks) return start.template operator()<4, kTileRows>();
  start.template operator()<8, kTileRows>();
}

template <typename T, typename Tile, Product kProduct>
void launch_tiled(const LinearArgs& args, const Stream& stream) {
  const dim3 grid((args.rows + Tile::m - 1) / Tile::m, (rows_of<kProduct>(args) + Tile::n - 1) / Tile::n);
  launch(tiled_kernel<T, Tile, kProduct>, grid, Tile::threads, Tile::shared_bytes, stream, args);
}

// Large tiles read less, but must be enough for all multiprocessors.
constexpr int kLargeTilesMin = 128;

template <typename T, Product kProduct>
void launch_for_rows(const LinearArgs& args, const Stream& stream) {
  if (args.x == nullptr) return launch_skinny<T, 1, kProduct, true>(args, stream);
  if (args.rows <= 8) return launch_skinny<T, 1, kProduct>(args, stream);
  if (args.rows <= 16) return launch_skinny<T, 2, kProduct>(args, stream);
  if (args.rows <= 32) return launch_skinny<T, 4, kProduct>(args, stream);
  if (args.rows <= 64) return launch_skinny<T, 8, kProduct>(args, stream);
  const int64_t large = int64_t{(args.rows + 127) / 128} * ((rows_of<kProduct>(args) + 127) / 128);
  if (large >= kLargeTilesMin) return launch_tiled<T, LargeTiling, kProduct>(args, stream);
  launch_tiled<T, SmallTiling, kProduct>(args, stream);
}

template <typename T>
void launch_product(const LinearArgs& args, const Stream& stream) {
  switch (args.product) {
    case Product::kStore:
      return launch_for_rows<T, Product::kStore>(args, stream);
    case Product::kAdd:
      return launch_for_rows<T, Product::kAdd>(args, stream);
    case Product::kGated:
      return launch_for_rows<T, Product::kGated>(args, stream);
  }
}

template <typename T, typename Tile, Product kProduct>
cudaError_t allow_shared() {
  return cudaFuncSetAttribute(tiled_kernel<T, Tile, kProduct>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              Tile::shared_bytes);
}

}  // namespace

void linear(HalfType type, const LinearArgs& args, const Stream& stream) {
  type == HalfType::kBF16 ? launch_product<BF16>(args, stream) : launch_product<F16>(args, stream);
}

cudaError_t prepare_linear() {
  for (const cudaError_t status :
       {allow_shared<BF16, LargeTiling, Product::kStore>(), allow_shared<BF16, LargeTiling, Product::kAdd>(),
        allow_shared<BF16, LargeTiling, Product::kGated>(), allow_shared<F16, LargeTiling, Product::kStore>(),
        allow_shared<F16, LargeTiling, Product::kAdd>(), allow_shared<F16, LargeTiling, Product::kGated>()}) {
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

}  // namespace hussar::cuda
