#include "kernels/cpu/attention_kernels.h"

#include "kernels/cpu/avx512/math.h"

namespace hussar::cpu::avx512 {
namespace {

constexpr int32_t kWidth = 16;
// Query vectors that share a loaded vector of keys or values, 2 vectors of sums for each: 16 of the 32
// registers. Groups of 4 and more hide the latency of the multiply-add.
constexpr int32_t kQueries = 8;

struct F16 {
  static __m512 load(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
};

struct Bf16 {
  static __m512 load(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
};

// The blocks of a context lie anywhere, so the hardware doesn't foresee which memory comes next: each line of
// the next block is asked for while the same line of this one is used.
inline void prefetch(const uint16_t* memory) {
  _mm_prefetch(reinterpret_cast<const char*>(memory), _MM_HINT_T0);
}

// sums[q][v] += factors[q * stride] * vectors[16 v].
template <int Q, int V, typename Load>
inline void multiply_add(const float* factors, int64_t stride, const uint16_t* vectors,
                         __m512 (&sums)[Q][V]) {
  __m512 vector[V];
#pragma GCC unroll 2
  for (int v = 0; v < V; v++) vector[v] = Load::load(vectors + v * kWidth);
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) {
    const __m512 factor = _mm512_set1_ps(factors[q * stride]);
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sums[q][v] = _mm512_fmadd_ps(factor, vector[v], sums[q][v]);
  }
}

// Scores of Q queries against the 32 positions of a block.
template <int Q, typename Load>
void score_block(const float* queries, const uint16_t* keys, const uint16_t* next, int32_t head_dim,
                 float* scores) {
  __m512 sums[Q][2];
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) sums[q][0] = sums[q][1] = _mm512_setzero_ps();
  for (int32_t h = 0; h < head_dim; h++) {
    prefetch(next + int64_t{h} * kKvBlockTokens);
    multiply_add<Q, 2, Load>(queries + h, head_dim, keys + int64_t{h} * kKvBlockTokens, sums);
  }
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) {
    _mm512_storeu_ps(scores + q * kSplitTokens, sums[q][0]);
    _mm512_storeu_ps(scores + q * kSplitTokens + kWidth, sums[q][1]);
  }
}

// Adds the weighted values of positions [begin, end) of a block to V vectors of each of Q queries' sums.
template <int Q, int V, typename Load>
void add_vectors(const float* weights, const uint16_t* values, const uint16_t* next, int32_t width,
                 int32_t begin, int32_t end, float* out) {
  __m512 sums[Q][V];
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sums[q][v] = _mm512_loadu_ps(out + int64_t{q} * width + v * kWidth);
  }
  for (int32_t t = begin; t < end; t++) {
    prefetch(next + int64_t{t} * width);
    multiply_add<Q, V, Load>(weights + t, kSplitTokens, values + int64_t{t} * width, sums);
  }
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) _mm512_storeu_ps(out + int64_t{q} * width + v * kWidth, sums[q][v]);
  }
}

template <int Q, typename Load>
void add_block(const float* weights, const uint16_t* values, const uint16_t* next, int32_t width,
               int32_t begin, int32_t end, float* out) {
  int32_t w = 0;
  for (; w + 2 * kWidth <= width; w += 2 * kWidth) {
    add_vectors<Q, 2, Load>(weights, values + w, next + w, width, begin, end, out + w);
  }
  if (w < width) add_vectors<Q, 1, Load>(weights, values + w, next + w, width, begin, end, out + w);
}

// The queries are handled in groups of nearly equal size, at most kQueries. Returns where the group that
// starts at `query` ends.
inline int32_t group_end(int32_t query, int32_t count) {
  const int32_t groups = (count - query + kQueries - 1) / kQueries;
  return query + (count - query + groups - 1) / groups;
}

// All queries against one block; a query scores positions behind its own too, which are ignored afterwards.
template <typename Load>
void score_queries(const AttentionTile& tile, const uint16_t* keys, const uint16_t* next, int32_t block) {
  for (int32_t query = 0, end = 0; query < tile.count; query = end) {
    end = group_end(query, tile.count);
    const float* queries = tile.queries + int64_t{query} * tile.head_dim;
    float* scores = tile.scores + int64_t{query} * kSplitTokens + block * kKvBlockTokens;
    switch (end - query) {
      case 1:
        score_block<1, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      case 2:
        score_block<2, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      case 3:
        score_block<3, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      case 4:
        score_block<4, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      case 5:
        score_block<5, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      case 6:
        score_block<6, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      case 7:
        score_block<7, Load>(queries, keys, next, tile.head_dim, scores);
        break;
      default:
        score_block<8, Load>(queries, keys, next, tile.head_dim, scores);
        break;
    }
  }
}

// Positions of the block that a query sees.
inline int32_t visible_in(const AttentionTile& tile, int32_t query, int32_t block) {
  const int32_t left = tile.visible[query] - block * kKvBlockTokens;
  return left < 0 ? 0 : left < kKvBlockTokens ? left : kKvBlockTokens;
}

// What the first query of a group sees, all of it see; the rest of each is added alone. A position that a
// query doesn't see is never multiplied by zero: it may hold an infinity.
template <int Q, typename Load>
void add_group(const AttentionTile& tile, const uint16_t* values, const uint16_t* next, int32_t block,
               int32_t query) {
  const int32_t width = value_width(tile.head_dim);
  const float* weights = tile.scores + int64_t{query} * kSplitTokens + block * kKvBlockTokens;
  float* sums = tile.sums + int64_t{query} * width;
  const int32_t common = visible_in(tile, query, block);
  if (common > 0) add_block<Q, Load>(weights, values, next, width, 0, common, sums);
  for (int q = 1; q < Q; q++) {
    const int32_t end = visible_in(tile, query + q, block);
    if (end > common)
      add_block<1, Load>(weights + q * kSplitTokens, values, next, width, common, end,
                         sums + int64_t{q} * width);
  }
}

template <typename Load>
void add_queries(const AttentionTile& tile, const uint16_t* values, const uint16_t* next, int32_t block) {
  for (int32_t query = 0, end = 0; query < tile.count; query = end) {
    end = group_end(query, tile.count);
    switch (end - query) {
      case 1:
        add_group<1, Load>(tile, values, next, block, query);
        break;
      case 2:
        add_group<2, Load>(tile, values, next, block, query);
        break;
      case 3:
        add_group<3, Load>(tile, values, next, block, query);
        break;
      case 4:
        add_group<4, Load>(tile, values, next, block, query);
        break;
      case 5:
        add_group<5, Load>(tile, values, next, block, query);
        break;
      case 6:
        add_group<6, Load>(tile, values, next, block, query);
        break;
      case 7:
        add_group<7, Load>(tile, values, next, block, query);
        break;
      default:
        add_group<8, Load>(tile, values, next, block, query);
        break;
    }
  }
}

// Turns the scores of one query into weights, in place: those of the positions that it sees, rounded up to
// whole vectors with zeros.
void weigh(const AttentionTile& tile, int32_t query) {
  float* scores = tile.scores + int64_t{query} * kSplitTokens;
  const int32_t visible = tile.visible[query], end = (visible + 15) / 16 * 16;
  for (int32_t t = visible; t < end; t++) scores[t] = -__builtin_inff();
  __m512 highest16 = _mm512_loadu_ps(scores);
  for (int32_t t = kWidth; t < end; t += kWidth)
    highest16 = _mm512_max_ps(highest16, _mm512_loadu_ps(scores + t));
  const float highest = max_lanes(highest16);
  const __m512 max = _mm512_set1_ps(highest);
  __m512 lanes = _mm512_setzero_ps();
  for (int32_t t = 0; t < end; t += kWidth) {
    const __m512 weight = exponential(_mm512_sub_ps(_mm512_loadu_ps(scores + t), max));
    _mm512_storeu_ps(scores + t, weight);
    lanes = _mm512_add_ps(lanes, weight);
  }
  tile.maxima[query] = highest;
  tile.totals[query] = sum_lanes(lanes);
}

template <typename Load>
void attend(const AttentionTile& tile) {
  const int32_t width = value_width(tile.head_dim);
  const int32_t blocks = (tile.visible[tile.count - 1] + kKvBlockTokens - 1) / kKvBlockTokens;
  for (int32_t b = 0; b < blocks; b++) {
    const uint16_t* next = b + 1 < blocks ? tile.keys[b + 1] : tile.values[0];
    score_queries<Load>(tile, tile.keys[b], next, b);
  }
  for (int32_t query = 0; query < tile.count; query++) weigh(tile, query);
  for (int64_t i = 0; i < int64_t{tile.count} * width; i += kWidth)
    _mm512_storeu_ps(tile.sums + i, _mm512_setzero_ps());
  for (int32_t b = 0; b < blocks; b++) {
    const uint16_t* next = tile.values[b + 1 < blocks ? b + 1 : b];
    add_queries<Load>(tile, tile.values[b], next, b);
  }
}

void attend_split(const AttentionTile& tile) {
  if (tile.type == HalfType::kF16) {
    attend<F16>(tile);
  } else {
    attend<Bf16>(tile);
  }
}

void merge_split(float* sums, float* max, float* total, const float* later_sums, float later_max,
                 float later_total, int32_t width) {
  const float highest = later_max > *max ? later_max : *max;
  const __m512 a = exponential(_mm512_set1_ps(*max - highest)),
               b = exponential(_mm512_set1_ps(later_max - highest));
  for (int32_t w = 0; w < width; w += kWidth) {
    const __m512 later = _mm512_mul_ps(_mm512_loadu_ps(later_sums + w), b);
    _mm512_storeu_ps(sums + w, _mm512_fmadd_ps(_mm512_loadu_ps(sums + w), a, later));
  }
  const __m128 later = _mm_mul_ss(_mm_set_ss(later_total), _mm512_castps512_ps128(b));
  *total = _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(*total), _mm512_castps512_ps128(a), later));
  *max = highest;
}

void finish(const float* sums, float total, int32_t head_dim, float* out) {
  const __m512 inverse = _mm512_set1_ps(1.0f / total);
  for (int32_t h = 0; h < head_dim; h += kWidth) {
    _mm512_mask_storeu_ps(out + h, lane_mask(head_dim - h),
                          _mm512_mul_ps(_mm512_loadu_ps(sums + h), inverse));
  }
}

inline __m256i to_f16(__m512 x) {
  // A NaN passes both: the second operand is returned when one is a NaN.
  const __m512 below = _mm512_min_ps(_mm512_set1_ps(65504.0f), x);
  return _mm512_cvtps_ph(_mm512_max_ps(_mm512_set1_ps(-65504.0f), below), _MM_FROUND_TO_NEAREST_INT);
}

// Not the instruction of AVX512_BF16, which takes denormal numbers for zero.
inline __m256i to_bf16(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), quiet));
}

void to_kv(const float* x, int32_t count, HalfType type, uint16_t* out) {
  for (int32_t i = 0; i < count; i += kWidth) {
    const __mmask16 mask = lane_mask(count - i);
    const __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    _mm256_mask_storeu_epi16(out + i, mask, type == HalfType::kF16 ? to_f16(value) : to_bf16(value));
  }
}

}  // namespace

const AttentionKernels kAttention = {attend_split, merge_split, finish, to_kv};

}  // namespace hussar::cpu::avx512
