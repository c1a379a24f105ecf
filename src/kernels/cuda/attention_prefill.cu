// Attention of prompts.
#include "kernels/cuda/attention_common.cuh"

namespace hussar::cuda {
namespace {

// Tiles of 16 packed rows that a warp has at once: two use every key and value twice, where registers allow.
__host__ __device__ constexpr int row_tiles(int head_dim) { return head_dim <= 64 ? 2 : 1; }
__host__ __device__ constexpr int prefill_threads(int head_dim) {
  return kPrefillQueries / 16 / row_tiles(head_dim) * kWarp;
}
constexpr int kTileTokens = 64;  // positions of the context that a tile takes at once

template <int kHeadDim>
__host__ __device__ constexpr int tile_bytes() {
  return 2 * kTileTokens * kHeadDim * 2;  // keys and values
}

// Byte offset of a 16-byte piece in a tile of keys [kTileTokens, kHeadDim].
template <int kHeadDim>
__device__ __forceinline__ int key_offset(int token, int piece) {
  return token * kHeadDim * 2 + (piece ^ (token & 7)) * 16;
}
// And of values [blocks][kHeadDim, kBlockTokens], behind the keys.
template <int kHeadDim>
__device__ __forceinline__ int value_offset(int block, int d, int piece) {
  return kTileTokens * kHeadDim * 2 + (block * kHeadDim + d) * kBlockTokens * 2 +
         ((piece ^ (d >> 1)) & 3) * 16;
}

// Two blocks of keys and values. Every thread copies the same pieces of each block.
template <typename KV, int kHeadDim>
__device__ __forceinline__ void fetch_tile(const AttentionArgs& a, const int32_t* table, int kv_head,
                                           int tile, int context, uint32_t to) {
  constexpr int kHeadPieces = kHeadDim / 8, kThreads = prefill_threads(kHeadDim);
  constexpr int kPieces = kBlockTokens * kHeadPieces / kThreads;  // of each thread
  static_assert(kPieces * kThreads == kBlockTokens * kHeadPieces);
  const bool is_whole = (tile + 1) * kTileTokens <= context;
#pragma unroll
  for (int block = 0; block < kTileTokens / kBlockTokens; block++) {
    const int first_token = tile * kTileTokens + block * kBlockTokens;
    const int32_t place = first_token < context ? table[first_token / kBlockTokens] : 0;
    const int64_t at =
        (static_cast<int64_t>(place) * a.kv_heads + kv_head) * kBlockTokens * kHeadDim + threadIdx.x * 8;
    const KV* keys = static_cast<const KV*>(a.keys) + at;
    const KV* values = static_cast<const KV*>(a.values) + at;
#pragma unroll
    for (int i = 0; i < kPieces; i++) {
      const int within = threadIdx.x + i * kThreads;
      const int token = within / kHeadPieces, d = within / 4, value_piece = within % 4;
      int key_bytes = 16, value_bytes = 16;
      if (!is_whole) {
        key_bytes = first_token + token < context ? 16 : 0;
        value_bytes = 2 * min(8, max(0, context - first_token - value_piece * 8));
      }
      copy_async(to + key_offset<kHeadDim>(block * kBlockTokens + token, within % kHeadPieces),
                 keys + i * kThreads * 8, key_bytes);
      copy_async(to + value_offset<kHeadDim>(block, d, value_piece), values + i * kThreads * 8, value_bytes);
    }
  }
  commit_copies();
}

template <typename KV, typename T, int kHeadDim>
__global__ void __launch_bounds__(prefill_threads(kHeadDim)) prefill_kernel(AttentionArgs a, StepInputs in) {
  extern __shared__ __align__(128) uint8_t shared[];
  constexpr int kRowTiles = row_tiles(kHeadDim);
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const int kv_head = blockIdx.y, group = a.heads / a.kv_heads;
  let_next_start();
  await_previous();
  const PrefillItem item = in.prefill_items[blockIdx.x];
  const int64_t width = static_cast<int64_t>(a.heads) * kHeadDim;
  const float scale = kLog2E / sqrtf(static_cast<float>(kHeadDim));
  const uint32_t base = shared_address(shared);
  const int packed = item.rows * group;
  const int last_row = (min(packed, (item.tile + 1) * kPrefillQueries) - 1) / group;
  const int context = item.first_position + last_row + 1;
  const int tiles = (context + kTileTokens - 1) / kTileTokens;
  const int32_t* table = in.block_tables + item.table;
  fetch_tile<KV, kHeadDim>(a, table, kv_head, 0, context, base);

  // This lane's packed rows, two of each tile.
  int visible[kRowTiles][2];
  int64_t offset[kRowTiles][2];
  bool exists[kRowTiles][2];
  uint32_t query[kRowTiles][kHeadDim / 16][4];
#pragma unroll
  for (int m = 0; m < kRowTiles; m++) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const int row = item.tile * kPrefillQueries + (warp * kRowTiles + m) * 16 + r * 8 + g;
      exists[m][r] = row < packed;
      const int token = exists[m][r] ? row / group : 0, head = exists[m][r] ? row % group : 0;
      visible[m][r] = exists[m][r] ? item.first_position + token + 1 : 1;
      offset[m][r] = (item.first_row + token) * width + (kv_head * group + head) * kHeadDim;
    }
#pragma unroll
    for (int c = 0; c < kHeadDim / 16; c++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        query[m][c][i] = *reinterpret_cast<const uint32_t*>(static_cast<const KV*>(a.query) +
                                                            offset[m][i % 2] + c * 16 + i / 2 * 8 + 2 * t);
      }
    }
  }
  Running<kHeadDim> running[kRowTiles];
#pragma unroll
  for (int m = 0; m < kRowTiles; m++) running[m].scale = scale;
  const int all_see = item.first_position + item.tile * kPrefillQueries / group + 1;  // so many positions
  for (int tile = 0; tile < tiles; tile++) {
    __syncthreads();  // the other stage has been read
    if (tile + 1 < tiles) {
      fetch_tile<KV, kHeadDim>(a, table, kv_head, tile + 1, context,
                               base + (tile + 1) % 2 * tile_bytes<kHeadDim>());
    } else {
      commit_copies();
    }
    await_copies<1>();
    __syncthreads();
    const uint32_t at = base + tile % 2 * tile_bytes<kHeadDim>();
    float scores[kRowTiles][kTileTokens / 8][4] = {};
#pragma unroll
    for (int c = 0; c < kHeadDim / 16; c++) {
#pragma unroll
      for (int j = 0; j < kTileTokens / 16; j++) {
        uint32_t k[4];
        load_matrices(k, at + key_offset<kHeadDim>(j * 16 + lane % 8 + lane / 16 * 8, c * 2 + lane / 8 % 2));
#pragma unroll
        for (int m = 0; m < kRowTiles; m++) {
          const uint32_t* q = query[m][c];
          multiply_add<KV>(scores[m][2 * j], q[0], q[1], q[2], q[3], k[0], k[1]);
          multiply_add<KV>(scores[m][2 * j + 1], q[0], q[1], q[2], q[3], k[2], k[3]);
        }
      }
    }
    uint32_t weights[kRowTiles][kTileTokens / 8][2];
#pragma unroll
    for (int m = 0; m < kRowTiles; m++) {
      if ((tile + 1) * kTileTokens > all_see) {
#pragma unroll
        for (int j = 0; j < kTileTokens / 8; j++) {
#pragma unroll
          for (int i = 0; i < 4; i++) {
            const int position = tile * kTileTokens + j * 8 + 2 * t + i % 2;
            if (position >= visible[m][i / 2]) scores[m][j][i] = kMinusInfinity;
          }
        }
      }
      float highest[2] = {kMinusInfinity, kMinusInfinity};
#pragma unroll
      for (int j = 0; j < kTileTokens / 8; j++) {
#pragma unroll
        for (int i = 0; i < 4; i++) highest[i / 2] = fmaxf(highest[i / 2], scores[m][j][i]);
      }
      running[m].raise(highest);
#pragma unroll
      for (int j = 0; j < kTileTokens / 8; j++) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
          const float first = running[m].weight(scores[m][j][2 * r], r);
          const float second = running[m].weight(scores[m][j][2 * r + 1], r);
          running[m].total[r] += first + second;
          weights[m][j][r] = pack_small<KV>(first, second);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < kTileTokens / 16; j++) {
#pragma unroll
      for (int i = 0; i < kHeadDim / 16; i++) {
        uint32_t v[4];
        load_matrices(v, at + value_offset<kHeadDim>(j / 2, i * 16 + lane % 8 + lane / 16 * 8,
                                                     j % 2 * 2 + lane / 8 % 2));
#pragma unroll
        for (int m = 0; m < kRowTiles; m++) {
          const auto* w = weights[m] + 2 * j;
          multiply_add<KV>(running[m].sums[2 * i], w[0][0], w[0][1], w[1][0], w[1][1], v[0], v[1]);
          multiply_add<KV>(running[m].sums[2 * i + 1], w[0][0], w[0][1], w[1][0], w[1][1], v[2], v[3]);
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < kRowTiles; m++) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const float total = running[m].row_total(r);
      if (!exists[m][r]) continue;
      T* out = static_cast<T*>(a.out) + offset[m][r];
#pragma unroll
      for (int i = 0; i < kHeadDim / 8; i++) {
        *reinterpret_cast<uint32_t*>(out + i * 8 + 2 * t) =
            pack<T>(running[m].sums[i][2 * r] / total, running[m].sums[i][2 * r + 1] / total);
      }
    }
  }
}

template <typename KV, typename T, int kHeadDim>
void launch_prefill(const AttentionArgs& args, const StepInputs& in, int32_t items, const Stream& stream) {
  const dim3 grid(items, args.kv_heads);
  launch(prefill_kernel<KV, T, kHeadDim>, grid, prefill_threads(kHeadDim), 2 * tile_bytes<kHeadDim>(), stream,
         args, in);
}

}  // namespace

bool attention_supports(int32_t head_dim) { return head_dim == 64 || head_dim == 128; }

void attend_prompts(HalfType kv_type, HalfType type, const AttentionArgs& args, const StepInputs& in,
                    int32_t items, const Stream& stream) {
  with_types(kv_type, type, args.head_dim, [&]<typename KV, typename T, int kHeadDim>() {
    launch_prefill<KV, T, kHeadDim>(args, in, items, stream);
  });
}

cudaError_t prepare_attention() {
  cudaError_t status = cudaSuccess;
  for (const HalfType kv_type : {HalfType::kBF16, HalfType::kF16}) {
    for (const HalfType type : {HalfType::kBF16, HalfType::kF16}) {
      for (const int32_t head_dim : {64, 128}) {
        with_types(kv_type, type, head_dim, [&]<typename KV, typename T, int kHeadDim>() {
          if (status != cudaSuccess) return;
          status =
              cudaFuncSetAttribute(prefill_kernel<KV, T, kHeadDim>,
                                   cudaFuncAttributeMaxDynamicSharedMemorySize, 2 * tile_bytes<kHeadDim>());
        });
      }
    }
  }
  return status;
}

}  // namespace hussar::cuda
