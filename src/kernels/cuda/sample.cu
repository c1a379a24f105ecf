#include "kernels/cpu/exp_constants.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/sample.h"

namespace hussar::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / kWarp;
constexpr int kBuckets = 256;
constexpr uint32_t kInPrompt = 0x80000000u;
constexpr float kMinusInfinity = -__builtin_huge_valf();
constexpr int kNoTie = 0x7fffffff;

using Mass = unsigned long long;  // of weights, in units of 2^-40

__device__ uint64_t mix(uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// As the CPU's uniform_at.
__device__ double uniform_at(uint64_t seed, int32_t position) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const uint64_t stream = mix(seed + kGolden);
  const uint64_t bits =
      mix(stream ^ mix((static_cast<uint64_t>(static_cast<uint32_t>(position)) + 1) * kGolden));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Keeps the order of floats; -0 equals +0.
__device__ __forceinline__ uint32_t ordered_key(float x) {
  const uint32_t bits = __float_as_uint(__fadd_rn(x, 0.0f));
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}

// The same operations as on the CPU.
__device__ __forceinline__ float exponential(float x) {
  using namespace cpu;
  const float clamped = fminf(fmaxf(x, kExpLow), kExpHigh);
  const float shifted = __fmaf_rn(clamped, kLog2E, kRoundMagic);
  const float n = __fsub_rn(shifted, kRoundMagic);
  float r = __fmaf_rn(-n, kLn2High, clamped);
  r = __fmaf_rn(-n, kLn2Low, r);
  float p = __fmaf_rn(kExp4, r, kExp3);
  p = __fmaf_rn(p, r, kExp2);
  p = __fmaf_rn(p, r, kExp1);
  p = __fmaf_rn(p, r, kExp0);
  p = __fadd_rn(__fmaf_rn(p, __fmul_rn(r, r), r), 1.0f);
  const float scaled = __uint_as_float(__float_as_uint(p) + (__float_as_uint(shifted) << 23));
  return x < kExpLow ? 0.0f : scaled;
}

__device__ __forceinline__ Mass mass_of(float weight) { return __float2ull_rz(weight * 0x1p40f); }

__device__ __forceinline__ Mass warp_sum(Mass x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kAllLanes, x, lanes);
  return x;
}
__device__ __forceinline__ double warp_sum(double x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kAllLanes, x, lanes);
  return x;
}

// What the block shares.
struct Shared {
  Mass masses[kBuckets];
  uint32_t counts[kBuckets];
  Mass warps[kWarps];
  double sums[kWarps];
  int32_t found;
  uint32_t used;
  TokenId ids[kTopMax];
  float values[kTopMax];
};

// A row of logits; each warp owns a contiguous span of it.
struct Row {
  const float* logits;
  int32_t vocab;

  __device__ int span() const { return (vocab + kWarps * 128 - 1) / (kWarps * 128) * 128; }
  __device__ float at(int i) const {
    const float x = logits[i];
    return x == x ? x : kMinusInfinity;
  }
  // fn(id, logit) for this thread's share.
  template <typename Fn>
  __device__ __forceinline__ void for_each(Fn fn) const {
    const int begin = threadIdx.x / kWarp * span(), end = min(vocab, begin + span());
#pragma unroll 2
    for (int i = begin + threadIdx.x % kWarp * 4; i < end; i += kWarp * 4) {
      const float4 v = *reinterpret_cast<const float4*>(logits + i);
      const float x[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int e = 0; e < 4; e++) {
        if (i + e < end) fn(i + e, x[e] == x[e] ? x[e] : kMinusInfinity);
      }
    }
  }
};

template <typename X>
__device__ X block_sum(X mine, X* warps) {
  mine = warp_sum(mine);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = mine;
  __syncthreads();
  X sum = 0;
  for (int i = 0; i < kWarps; i++) sum += warps[i];
  return sum;
}

// The id of the highest logit, ties to the lower id.
__device__ TokenId likeliest(const Row& row, Shared& shared) {
  Mass best = 0;
  row.for_each([&](int id, float x) {
    const Mass candidate =
        static_cast<Mass>(ordered_key(x)) << 32 | (0xffffffffu - static_cast<uint32_t>(id));
    best = best > candidate ? best : candidate;
  });
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const Mass other = __shfl_xor_sync(kAllLanes, best, lanes);
    best = best > other ? best : other;
  }
  __syncthreads();
  if (threadIdx.x % kWarp == 0) shared.warps[threadIdx.x / kWarp] = best;
  __syncthreads();
  for (int i = 0; i < kWarps; i++) best = best > shared.warps[i] ? best : shared.warps[i];
  return static_cast<TokenId>(0xffffffffu - static_cast<uint32_t>(best));
}

// The first id at which the running sum of mass(id, logit) passes `target`. REQUIRES: target is less than the
// sum of all.
template <typename Fn>
__device__ TokenId find_passing(const Row& row, Mass target, Shared& shared, Fn mass) {
  Mass mine = 0;
  row.for_each([&](int id, float x) { mine += mass(id, x); });
  mine = warp_sum(mine);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) shared.warps[threadIdx.x / kWarp] = mine;
  __syncthreads();
  Mass before = 0;
  int chosen = 0;
  for (; chosen < kWarps - 1 && before + shared.warps[chosen] <= target; chosen++)
    before += shared.warps[chosen];
  // The whole block looks closer at that warp's span.
  const int each = (row.span() + kThreads - 1) / kThreads;
  const int begin = chosen * row.span() + threadIdx.x * each;
  const int end = min(min(row.vocab, (chosen + 1) * row.span()), begin + each);
  mine = 0;
  for (int i = begin; i < end; i++) mine += mass(i, row.at(i));
  Mass reached = mine;
  for (int lanes = 1; lanes < kWarp; lanes *= 2) {
    const Mass other = __shfl_up_sync(kAllLanes, reached, lanes);
    if (threadIdx.x % kWarp >= lanes) reached += other;
  }
  __syncthreads();
  if (threadIdx.x % kWarp == kWarp - 1) shared.warps[threadIdx.x / kWarp] = reached;
  if (threadIdx.x == 0) shared.found = 0;
  __syncthreads();
  for (int i = 0; i < static_cast<int>(threadIdx.x) / kWarp; i++) before += shared.warps[i];
  Mass sum = before + reached - mine;
  if (sum <= target && target < before + reached) {
    for (int i = begin; i < end; i++) {
      sum += mass(i, row.at(i));
      if (sum > target) {
        shared.found = i;
        break;
      }
    }
  }
  __syncthreads();
  return shared.found;
}

// Everything with a higher key, and those with this one up to an id.
struct Cut {
  uint32_t key = 0;
  TokenId last_tie = kNoTie;
  __device__ bool admits(uint32_t other, int id) const {
    return other > key || (other == key && id <= last_tie);
  }
};

// The shortest prefix, in descending order of the keys, whose mass reaches `target`. key(id, x) gives the
// element's key, 0 when it doesn't take part; mass(x) must be equal for equal keys.
template <bool kCounts, typename Key, typename MassOf>
__device__ Cut find_cut(const Row& row, Mass target, Shared& shared, Key key, MassOf mass) {
  Cut cut;
  uint32_t known = 0;
  Mass above = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    __syncthreads();
    for (int i = threadIdx.x; i < kBuckets; i += kThreads) {
      shared.masses[i] = 0;
      shared.counts[i] = 0;
    }
    __syncthreads();
    row.for_each([&](int id, float x) {
      const uint32_t k = key(id, x);
      if (k == 0 || (k & known) != cut.key) return;
      const uint32_t bucket = k >> shift & (kBuckets - 1);
      if (kCounts) {
        // Most keys share their first digit: one lane adds for all of its bucket.
        const unsigned same = __match_any_sync(__activemask(), bucket);
        if (threadIdx.x % kWarp == __ffs(same) - 1) atomicAdd(&shared.counts[bucket], __popc(same));
      } else {
        atomicAdd(&shared.counts[bucket], 1u);
        atomicAdd(&shared.masses[bucket], mass(x));
      }
    });
    __syncthreads();
    Mass sum = above;
    uint32_t chosen = 0;
    for (int bucket = kBuckets - 1; bucket >= 0; bucket--) {
      if (shared.counts[bucket] == 0) continue;
      chosen = bucket;
      above = sum;
      sum += kCounts ? shared.counts[bucket] : shared.masses[bucket];
      if (sum >= target) break;
    }
    cut.key |= chosen << shift;
    known |= static_cast<uint32_t>(kBuckets - 1) << shift;
  }
  const uint32_t last = cut.key & (kBuckets - 1);
  const Mass equal = shared.counts[last];
  if (equal <= 1) return cut;
  const Mass each = (kCounts ? equal : shared.masses[last]) / equal;
  const Mass missing = target > above ? target - above : 0;
  const Mass ties = each == 0 ? equal : max((missing + each - 1) / each, Mass{1});
  if (ties >= equal) return cut;
  cut.last_tie = find_passing(row, ties - 1, shared,
                              [&](int id, float x) { return static_cast<Mass>(key(id, x) == cut.key); });
  return cut;
}

__device__ Cut cut_likeliest(const Row& row, int count, Shared& shared) {
  return find_cut<true>(
      row, count, shared, [](int, float x) { return x == kMinusInfinity ? 0u : ordered_key(x); },
      [](float) { return Mass{1}; });
}

// Bias and mask, then penalties; the row that the rest goes on with.
__device__ Row change(const SampleArgs& a, const SampleTask& task, const Row& row) {
  const bool penalised =
      task.repetition_penalty != 1.0f || task.presence_penalty != 0.0f || task.frequency_penalty != 0.0f;
  if (task.mask_at < 0 && task.bias_count == 0 && !penalised) return row;
  float* changed = a.changed + task.logit_row * a.stride;
  const uint32_t* counts = a.counts + static_cast<int64_t>(task.slot) * a.vocab;
  Row from = row;
  __syncthreads();
  if (task.bias_count > 0) {
    row.for_each([&](int id, float x) { changed[id] = x; });
    __syncthreads();
    for (int i = threadIdx.x; i < task.bias_count; i += kThreads) {
      const TokenBias bias = a.biases[task.bias_at + i];
      atomicAdd(changed + bias.token, bias.bias);
    }
    __syncthreads();
    from.logits = changed;
  }
  from.for_each([&](int id, float x) {
    if (task.mask_at >= 0 && (a.masks[task.mask_at + id / 32] >> (id % 32) & 1) == 0) x = kMinusInfinity;
    const uint32_t count = penalised ? counts[id] : 0;
    if (count != 0) {
      x = x < 0.0f ? x * task.repetition_penalty : x / task.repetition_penalty;
      const uint32_t generated = count & ~kInPrompt;
      if (generated > 0) {
        x = __fsub_rn(x, __fadd_rn(task.presence_penalty,
                                   __fmul_rn(task.frequency_penalty, static_cast<float>(generated))));
      }
    }
    changed[id] = x;
  });
  __syncthreads();
  return Row{changed, a.vocab};
}

__device__ TokenId draw(const SampleTask& task, const Row& row, float max, Shared& shared) {
  const auto inverse = static_cast<float>(1.0 / static_cast<double>(task.temperature));
  const bool has_k = task.top_k > 0 && task.top_k < row.vocab;
  Cut likely, nucleus;
  if (has_k) likely = cut_likeliest(row, task.top_k, shared);
  const auto weight = [&](float x) {
    return x == max ? 1.0f : x == kMinusInfinity ? 0.0f : exponential(__fmul_rn(__fsub_rn(x, max), inverse));
  };
  const auto in_k = [&](int id, float x) {
    return x != kMinusInfinity && (!has_k || likely.admits(ordered_key(x), id));
  };
  const auto is_in = [&](int id, float x) {
    if (!in_k(id, x)) return false;
    const float w = weight(x);
    if (task.top_p < 1.0f && !nucleus.admits(__float_as_uint(w), id)) return false;
    return !(task.min_p > 0.0f) || w >= fminf(task.min_p, 1.0f);
  };
  if (task.top_p < 1.0f) {
    // Most of the mass is in few tokens: look at those alone where they are enough.
    Mass all = 0, likely_mass = 0, less_likely_mass = 0;
    row.for_each([&](int id, float x) {
      if (!in_k(id, x)) return;
      const float w = weight(x);
      all += mass_of(w);
      if (w >= 0x1p-20f) less_likely_mass += mass_of(w);
      if (w >= 0x1p-10f) likely_mass += mass_of(w);
    });
    all = block_sum(all, shared.warps);
    likely_mass = block_sum(likely_mass, shared.warps);
    less_likely_mass = block_sum(less_likely_mass, shared.warps);
    const auto target = static_cast<Mass>(ceil(static_cast<double>(task.top_p) * static_cast<double>(all)));
    const float bound = likely_mass >= target ? 0x1p-10f : less_likely_mass >= target ? 0x1p-20f : 0x1p-126f;
    const Cut found = find_cut<false>(
        row, target, shared,
        [&](int id, float x) {
          const float w = weight(x);
          return w >= bound && in_k(id, x) ? __float_as_uint(w) : 0u;
        },
        [&](float x) { return mass_of(weight(x)); });
    nucleus = found;
  }
  const auto mass = [&](int id, float x) { return is_in(id, x) ? mass_of(weight(x)) : Mass{0}; };
  Mass all = 0;
  row.for_each([&](int id, float x) { all += mass(id, x); });
  all = block_sum(all, shared.warps);
  if (all == 0) return likeliest(row, shared);
  const auto target = static_cast<Mass>(uniform_at(task.seed, task.position) * static_cast<double>(all));
  return find_passing(row, target < all ? target : all - 1, shared, mass);
}

// Of the model's own distribution.
__device__ void log_probabilities(const SampleTask& task, const Row& row, TokenId token, SampleResult* result,
                                  TokenLogprob* top, Shared& shared) {
  const float max = row.at(likeliest(row, shared));
  double sum = 0.0;
  row.for_each(
      [&](int, float x) { sum += static_cast<double>(x == max ? 1.0f : exponential(__fsub_rn(x, max))); });
  sum = block_sum(sum, shared.sums);
  const double log_sum = log(sum);
  const auto logprob = [&](float x) {
    return static_cast<float>((x == max ? 0.0 : static_cast<double>(x) - static_cast<double>(max)) - log_sum);
  };
  if (threadIdx.x == 0) {
    result->logprob = logprob(row.at(token));
    result->top_count = 0;
  }
  if (task.logprobs_top <= 0) return;
  const Cut cut = cut_likeliest(row, task.logprobs_top, shared);
  __syncthreads();
  if (threadIdx.x == 0) shared.used = 0;
  __syncthreads();
  row.for_each([&](int id, float x) {
    if (x == kMinusInfinity || !cut.admits(ordered_key(x), id)) return;
    const uint32_t at = atomicAdd(&shared.used, 1u);
    if (at >= kTopMax) return;
    shared.ids[at] = id;
    shared.values[at] = x;
  });
  __syncthreads();
  const int used = min(static_cast<int>(shared.used), kTopMax);
  for (int i = threadIdx.x; i < used; i += kThreads) {
    const float x = shared.values[i];
    const TokenId id = shared.ids[i];
    int rank = 0;
    for (int j = 0; j < used; j++) {
      rank += shared.values[j] > x || (shared.values[j] == x && shared.ids[j] < id);
    }
    top[rank] = {id, logprob(x)};
  }
  if (threadIdx.x == 0) result->top_count = used;
}

// A block for each slot: its tasks see each other's tokens in the counts, so it takes them in order.
__global__ void __launch_bounds__(kThreads, 1) sample_kernel(SampleArgs a, int begin) {
  __shared__ Shared shared;
  int at = begin + blockIdx.x;
  if (a.tasks[at].comes_first == 0) return;
  for (; at >= 0; at = a.tasks[at].next) {
    const SampleTask task = a.tasks[at];
    const Row own{a.logits + task.logit_row * a.stride, a.vocab};
    const Row row = change(a, task, own);
    const TokenId first = likeliest(row, shared);
    const float max = row.at(first);
    SampleResult* result = a.results + at;
    if (max == kMinusInfinity) {
      if (threadIdx.x == 0) *result = {-1, 0.0f, 0};
      continue;
    }
    const TokenId token = task.temperature == 0.0f ? first : draw(task, row, max, shared);
    if (threadIdx.x == 0) {
      *result = {token, 0.0f, 0};
      a.counts[static_cast<int64_t>(task.slot) * a.vocab + token]++;
    }
    if (task.logprobs_top >= 0)
      log_probabilities(task, own, token, result, a.top + static_cast<int64_t>(at) * kTopMax, shared);
    __syncthreads();
  }
}

__global__ void take_back_kernel(SampleArgs a, int tasks) {
  for (int i = threadIdx.x; i < tasks; i += kThreads) {
    const TokenId token = a.results[i].token;
    if (token >= 0) atomicSub(a.counts + static_cast<int64_t>(a.tasks[i].slot) * a.vocab + token, 1u);
  }
}

__global__ void mark_kernel(uint32_t* counts, const TokenId* prompt, int tokens) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i < tokens) atomicOr(counts + prompt[i], kInPrompt);
}

}  // namespace

void sample_rows(const SampleArgs& args, int32_t begin, int32_t end, cudaStream_t stream) {
  sample_kernel<<<end - begin, kThreads, 0, stream>>>(args, begin);
}

void take_back(const SampleArgs& args, int32_t tasks, cudaStream_t stream) {
  take_back_kernel<<<1, kThreads, 0, stream>>>(args, tasks);
}

void mark_prompt(uint32_t* counts, const TokenId* prompt, int32_t tokens, cudaStream_t stream) {
  if (tokens > 0)
    mark_kernel<<<(tokens + kThreads - 1) / kThreads, kThreads, 0, stream>>>(counts, prompt, tokens);
}

}  // namespace hussar::cuda
