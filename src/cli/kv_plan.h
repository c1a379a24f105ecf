// How long a context and how large a KV pool fit, by what is asked for and what memory is left.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace hussar {

struct KvWish {
  int64_t context_tokens = 0;  // of one sequence; 0: the model's own where that fits
  int64_t pool_tokens =
      0;  // of all together; 0: the smaller of contexts_max contexts and half of what is left
  int32_t contexts_max = 16;
  double default_share = 0.5;  // of what is left, that defaults take at most
};

struct KvPlan {
  int32_t context_max = 0;
  int32_t blocks = 0;
  int64_t bytes = 0;  // that the reservation takes
};

// `reserve_bytes(context_max, blocks)` never falls when either grows. What is asked for by name may take all
// of `available_bytes`; defaults take `default_share` of it and shrink to
// that. Errors: kInvalid (more than the model
// was trained for, a pool smaller than the context), kOutOfMemory; each names the flag and says what would
// fit.
Result<KvPlan> plan_kv(const KvWish& wish, int32_t context_trained, int32_t block_tokens,
                       int64_t available_bytes,
                       const std::function<int64_t(int32_t context_max, int32_t blocks)>& reserve_bytes);

}  // namespace hussar
