#include "cli/kv_plan.h"

#include <algorithm>
#include <string>

#include "base/memory.h"

namespace hussar {
namespace {

constexpr int64_t kContextUnknown = 2048;  // of a model whose file doesn't say
constexpr int64_t kContextUseful = 512;    // a default context is not made smaller than this

// The largest n in [low, high] for which fits(n), which is true up to some n and false from there on; low - 1
// when there is none.
int64_t largest_fitting(int64_t low, int64_t high, const std::function<bool(int64_t)>& fits) {
  if (low > high || !fits(low)) return low - 1;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

struct Planner {
  const KvWish& wish;
  int64_t context_trained;
  int64_t block_tokens;
  int64_t available_bytes;
  const std::function<int64_t(int32_t, int32_t)>& reserve_bytes;

  int64_t blocks_of(int64_t tokens) const { return (tokens + block_tokens - 1) / block_tokens; }
  int64_t bytes(int64_t context, int64_t blocks) const {
    return reserve_bytes(static_cast<int32_t>(context), static_cast<int32_t>(blocks));
  }
  KvPlan plan(int64_t context, int64_t blocks) const {
    return {static_cast<int32_t>(context), static_cast<int32_t>(blocks), bytes(context, blocks)};
  }
  // The longest context whose own blocks fit `budget_bytes`.
  int64_t longest_context(int64_t budget_bytes) const {
    return largest_fitting(2, context_trained, [&](int64_t context) {
      return bytes(context, blocks_of(context)) <= budget_bytes;
    });
  }
  // `advice`: what would fit, or nothing.
  Error too_little(const char* flag, int64_t tokens, int64_t needed_bytes, const std::string& advice) const {
    return Error{ErrorCode::kOutOfMemory,
                 "too little memory: " + std::to_string(tokens) + " tokens need " + bytes_text(needed_bytes) +
                     " for the KV cache and buffers, and " + bytes_text(available_bytes) + " are left; " +
                     (advice.empty() ? "end other programs or choose a smaller model" : advice),
                 flag};
  }
  std::string advise_context() const {
    const int64_t fitting = longest_context(available_bytes);
    return fitting < kContextUseful ? "" : "at most --ctx " + std::to_string(fitting) + " fits";
  }
  std::string advise_pool(int64_t context, int64_t blocks) const {
    const int64_t one = blocks_of(context);
    const int64_t fitting =
        largest_fitting(one, blocks, [&](int64_t n) { return bytes(context, n) <= available_bytes; });
    return fitting < one ? advise_context()
                         : "at most --kv-tokens " + std::to_string(fitting * block_tokens) + " fits";
  }

  Result<KvPlan> with_pool() const {
    const int64_t blocks = blocks_of(wish.pool_tokens);
    const int64_t pool_tokens = blocks * block_tokens;
    if (wish.context_tokens > pool_tokens) {
      return Error{ErrorCode::kInvalid,
                   std::to_string(wish.pool_tokens) + " is less than one context of " +
                       std::to_string(wish.context_tokens) + " (--ctx)",
                   "--kv-tokens"};
    }
    const int64_t context =
        wish.context_tokens > 0 ? wish.context_tokens : std::min(context_trained, pool_tokens);
    const int64_t needed = bytes(context, blocks);
    if (needed > available_bytes)
      return too_little("--kv-tokens", wish.pool_tokens, needed, advise_pool(context, blocks));
    return plan(context, blocks);
  }

  Result<KvPlan> with_default_pool() const {
    const auto budget_bytes = static_cast<int64_t>(static_cast<double>(available_bytes) * wish.default_share);
    int64_t context = wish.context_tokens;
    if (context == 0) {
      context = longest_context(budget_bytes);
      const int64_t least = std::min(kContextUseful, context_trained);
      if (context < least) return too_little("--ctx", least, bytes(least, blocks_of(least)), "");
    }
    const int64_t one = blocks_of(context);
    const int64_t blocks = largest_fitting(one, one * wish.contexts_max,
                                           [&](int64_t n) { return bytes(context, n) <= budget_bytes; });
    if (blocks >= one) return plan(context, blocks);
    // A context that was asked for by name may take more than the half.
    const int64_t needed = bytes(context, one);
    if (needed > available_bytes) return too_little("--ctx", context, needed, advise_context());
    return plan(context, one);
  }
};

}  // namespace

Result<KvPlan> plan_kv(const KvWish& wish, int32_t context_trained, int32_t block_tokens,
                       int64_t available_bytes,
                       const std::function<int64_t(int32_t context_max, int32_t blocks)>& reserve_bytes) {
  const int64_t trained = context_trained > 0 ? context_trained : kContextUnknown;
  if (wish.context_tokens > trained) {
    return Error{ErrorCode::kInvalid,
                 std::to_string(wish.context_tokens) + " is more than the " + std::to_string(trained) +
                     " tokens that the model was trained for",
                 "--ctx"};
  }
  const Planner planner{wish, trained, block_tokens, available_bytes, reserve_bytes};
  return wish.pool_tokens > 0 ? planner.with_pool() : planner.with_default_pool();
}

}  // namespace hussar
