// Attention of generated tokens.
#include "kernels/cuda/attention_common.cuh"

namespace hussar::cuda {
namespace {

constexpr int kSplitBlocks = kSplitTokens / kBlockTokens;

// Of two 16-bit numbers, keeps the first `count`.
__device__ __forceinline__ uint32_t keep(uint32_t pair, int count) {
  return count >= 2 ? pair : count == 1 ? pair & 0xffffu : 0u;
}

// One block of positions for one warp, `visible` of them. As in linear.cu, each lane loads 8 consecutive
// elements and the order within a sum is permuted alike on both sides: of the head's elements for the scores,
// of the positions for the values. Lane t of a row's four holds the scores of positions 8 t .. 8 t + 7.
template <typename KV, int kHeadDim>
__device__ __forceinline__ void attend_block(const KV* keys, const KV* values,
                                             const uint4 (&query)[kHeadDim / 32][2], int visible,
                                             Running<kHeadDim>* running) {
  const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  float scores[4][4] = {};
#pragma unroll
  for (int j = 0; j < 4; j++) {
    const KV* key = keys + (g / 2 * 8 + j * 2 + g % 2) * kHeadDim + t * 8;
#pragma unroll
    for (int c = 0; c < kHeadDim / 32; c++) {
      const uint4 k = *reinterpret_cast<const uint4*>(key + c * 32);
      multiply_add<KV>(scores[j], query[c][0].x, query[c][1].x, query[c][0].y, query[c][1].y, k.x, k.y);
      multiply_add<KV>(scores[j], query[c][0].z, query[c][1].z, query[c][0].w, query[c][1].w, k.z, k.w);
    }
  }
  float highest[2] = {kMinusInfinity, kMinusInfinity};
#pragma unroll
  for (int j = 0; j < 4; j++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      scores[j][i] = t * 8 + j * 2 + i % 2 < visible ? scores[j][i] : kMinusInfinity;
      highest[i / 2] = fmaxf(highest[i / 2], scores[j][i]);
    }
  }
  running->raise(highest);
  uint32_t weights[4][2];
#pragma unroll
  for (int j = 0; j < 4; j++) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const float first = running->weight(scores[j][2 * r], r),
                  second = running->weight(scores[j][2 * r + 1], r);
      running->total[r] += first + second;
      weights[j][r] = pack_small<KV>(first, second);
    }
  }
#pragma unroll
  for (int i = 0; i < kHeadDim / 8; i++) {
    uint4 v = *reinterpret_cast<const uint4*>(values + (i * 8 + g) * kBlockTokens + t * 8);
    if (visible < kBlockTokens) {
      // What stands behind the context is another's: a weight of zero would not help against its NaN.
      const int left = visible - t * 8;
      v = make_uint4(keep(v.x, left), keep(v.y, left - 2), keep(v.z, left - 4), keep(v.w, left - 6));
    }
    multiply_add<KV>(running->sums[i], weights[0][0], weights[0][1], weights[1][0], weights[1][1], v.x, v.y);
    multiply_add<KV>(running->sums[i], weights[2][0], weights[2][1], weights[3][0], weights[3][1], v.z, v.w);
  }
}

// The warps' results become those of the block: sums [kGroupHeads, kHeadDim], then maxima, then totals.
template <int kHeadDim>
struct SplitResult {
  float sums[kGroupHeads][kHeadDim + 8];  // so that fewer rows share banks
  float max[kGroupHeads];
  float total[kGroupHeads];
};

// Warps of a block: each takes one KV block of a split, or two where the results of more wouldn't fit.
__host__ __device__ constexpr int decode_warps(int head_dim) { return head_dim <= 64 ? 8 : 4; }

template <typename KV, typename T, int kHeadDim>
__global__ void __launch_bounds__(decode_warps(kHeadDim) * kWarp)
    decode_kernel(AttentionArgs a, StepInputs in) {
  constexpr int kDecodeWarps = decode_warps(kHeadDim);
  __shared__ SplitResult<kHeadDim> results[kDecodeWarps];
  __shared__ float merged_max[kGroupHeads], merged_total[kGroupHeads];
  __shared__ int finished_before;
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const int group = a.heads / a.kv_heads, tiles = (group + kGroupHeads - 1) / kGroupHeads;
  const int kv_head = blockIdx.y / tiles, first_head = blockIdx.y % tiles * kGroupHeads;
  const int heads = min(kGroupHeads, group - first_head);
  const int64_t width = static_cast<int64_t>(a.heads) * kHeadDim;
  const float scale = kLog2E / sqrtf(static_cast<float>(kHeadDim));
  let_next_start();
  await_previous();
  const int count = *in.decode_count;
  for (int at = blockIdx.x; at < count; at += gridDim.x) {
    const DecodeItem item = in.decode_items[at];
    const int context = in.positions[item.row] + 1;
    const int first_block = item.split * kSplitBlocks;
    const int blocks = min(kSplitBlocks, (context + kBlockTokens - 1) / kBlockTokens - first_block);
    const int64_t head_offset = item.row * width + (kv_head * group + first_head) * kHeadDim;
    const KV* query_row = static_cast<const KV*>(a.query) + head_offset + t * 8;
    uint4 query[kHeadDim / 32][2];
#pragma unroll
    for (int c = 0; c < kHeadDim / 32; c++) {
#pragma unroll
      for (int r = 0; r < 2; r++) {
        query[c][r] = make_uint4(0, 0, 0, 0);
        if (g + 8 * r < heads)
          query[c][r] = *reinterpret_cast<const uint4*>(query_row + (g + 8 * r) * kHeadDim + c * 32);
      }
    }
    Running<kHeadDim> running{scale};
    const int32_t* table = in.block_tables + in.tables[item.row] + first_block;
    for (int b = warp; b < blocks; b += kDecodeWarps) {
      const int64_t piece = (static_cast<int64_t>(table[b]) * a.kv_heads + kv_head) * kBlockTokens * kHeadDim;
      attend_block<KV, kHeadDim>(static_cast<const KV*>(a.keys) + piece,
                                 static_cast<const KV*>(a.values) + piece, query,
                                 context - (first_block + b) * kBlockTokens, &running);
    }
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const float total = running.row_total(r);
      if (t == 0) {
        results[warp].max[g + 8 * r] = running.max[r];
        results[warp].total[g + 8 * r] = total;
      }
#pragma unroll
      for (int i = 0; i < kHeadDim / 8; i++) {
        results[warp].sums[g + 8 * r][i * 8 + 2 * t] = running.sums[i][2 * r];
        results[warp].sums[g + 8 * r][i * 8 + 2 * t + 1] = running.sums[i][2 * r + 1];
      }
    }
    __syncthreads();

    const int splits = (context + kSplitTokens - 1) / kSplitTokens;
    const int64_t place = static_cast<int64_t>(item.row) * gridDim.y + blockIdx.y;
    constexpr int kRecord = kHeadDim + 2;
    float* partial = a.partials + (place * a.splits_max + item.split) * kGroupHeads * kRecord;
    for (int i = threadIdx.x; i < heads * kHeadDim; i += kDecodeWarps * kWarp) {
      const int head = i / kHeadDim, d = i % kHeadDim;
      float max = kMinusInfinity, total = 0.0f, sum = 0.0f;
#pragma unroll
      for (int w = 0; w < kDecodeWarps; w++) max = fmaxf(max, results[w].max[head]);
#pragma unroll
      for (int w = 0; w < kDecodeWarps; w++) {
        const float factor = power_of_two(results[w].max[head] - max);
        total += results[w].total[head] * factor;
        sum += results[w].sums[head][d] * factor;
      }
      if (splits == 1) {
        static_cast<T*>(a.out)[head_offset + i] = from_float<T>(sum / total);
        continue;
      }
      partial[head * kRecord + 2 + d] = sum;
      if (d == 0) {
        partial[head * kRecord] = max;
        partial[head * kRecord + 1] = total;
      }
    }
    if (splits > 1) {
      __threadfence();
      __syncthreads();
      if (threadIdx.x == 0) finished_before = atomicAdd(a.unfinished + place, 1);
      __syncthreads();
      if (finished_before == splits - 1) {
        __threadfence();
        const float* first = a.partials + place * a.splits_max * kGroupHeads * kRecord;
        const auto record = [&](int s, int head) { return first + (s * kGroupHeads + head) * kRecord; };
        for (int head = warp; head < heads; head += kDecodeWarps) {
          float max = kMinusInfinity, total = 0.0f;
          for (int s = lane; s < splits; s += kWarp) max = fmaxf(max, __ldcg(record(s, head)));
          for (int lanes = kWarp / 2; lanes > 0; lanes /= 2)
            max = fmaxf(max, __shfl_xor_sync(kAllLanes, max, lanes));
          for (int s = lane; s < splits; s += kWarp)
            total += __ldcg(record(s, head) + 1) * power_of_two(__ldcg(record(s, head)) - max);
          total = warp_sum(total);
          if (lane == 0) {
            merged_max[head] = max;
            merged_total[head] = total;
          }
        }
        __syncthreads();
        for (int i = threadIdx.x; i < heads * kHeadDim; i += kDecodeWarps * kWarp) {
          const int head = i / kHeadDim, d = i % kHeadDim;
          float sum = 0.0f;
#pragma unroll 4
          for (int s = 0; s < splits; s++)
            sum += __ldcg(record(s, head) + 2 + d) * power_of_two(__ldcg(record(s, head)) - merged_max[head]);
          static_cast<T*>(a.out)[head_offset + i] = from_float<T>(sum / merged_total[head]);
        }
        if (threadIdx.x == 0) a.unfinished[place] = 0;
      }
    }
    __syncthreads();
  }
}

template <typename KV, typename T, int kHeadDim>
void launch_decode(const AttentionArgs& args, const StepInputs& in, int32_t blocks, const Stream& stream) {
  const dim3 grid(blocks, args.kv_heads * head_tiles(args.heads, args.kv_heads));
  launch(decode_kernel<KV, T, kHeadDim>, grid, decode_warps(kHeadDim) * kWarp, 0, stream, args, in);
}

}  // namespace

void attend_generated(HalfType kv_type, HalfType type, const AttentionArgs& args, const StepInputs& in,
                      int32_t blocks, const Stream& stream) {
  with_types(kv_type, type, args.head_dim, [&]<typename KV, typename T, int kHeadDim>() {
    launch_decode<KV, T, kHeadDim>(args, in, blocks, stream);
  });
}

}  // namespace hussar::cuda
