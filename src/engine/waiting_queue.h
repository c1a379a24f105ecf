// The requests that wait, and whose turn it is: fair between tenants, by priority and age within one.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/types.h"
#include "engine/request.h"

namespace hussar {

struct WaitingRequest {
  RequestId id = 0;
  Request request;
  TimePoint arrived;
};

// Whose work is under way or waits. A tenant is forgotten when it has neither.
struct TenantState {
  double share = 1;                           // of the device, as its last request said
  double served = 0;                          // tokens, over its share
  int32_t running = 0;                        // sequences
  int64_t blocks = 0;                         // that they hold or are promised
  int64_t prompt_tokens = 0, tokens_max = 0;  // of the requests that wait
  // By when they would have arrived at priority 0, then by arrival: priorities age without a clock, because
  // a request that waits `ageing` longer has gained exactly one step on each that is one step more urgent.
  std::map<std::pair<TimePoint, uint64_t>, WaitingRequest> waiting;
};

// Between tenants turns go to the one that was served least for its share; one that comes back starts level
// with the least served of those that are here, so that nobody saves up for a flood. A generated token counts
// as much as kGeneratedCost prompt tokens, since it needs a pass of its own.
class WaitingQueue {
 public:
  static constexpr double kGeneratedCost = 2;

  explicit WaitingQueue(std::chrono::milliseconds ageing) : ageing_(ageing) {}

  int32_t size() const { return size_; }
  int64_t tokens() const { return tokens_; }        // of prompts and of answers at most
  int32_t deadlines() const { return deadlines_; }  // requests that have one
  const std::map<TenantId, TenantState>& tenants() const { return tenants_; }

  void add(WaitingRequest waiting);
  // The tenants that have waiting requests, those whose turn it is first.
  void turns(std::vector<TenantId>* order) const;
  const WaitingRequest& first(TenantId tenant) const;  // REQUIRES: it has one
  // All waiting requests in the order in which they would start if nothing else came.
  void order(std::vector<const WaitingRequest*>* all) const;
  // Those with a deadline, the earliest first.
  void by_deadline(std::vector<const WaitingRequest*>* all) const;
  const WaitingRequest* find(RequestId id) const;      // null: it does not wait
  WaitingRequest take(const WaitingRequest& waiting);  // REQUIRES: it is in the queue

  // The accounts of those who run.
  void start(TenantId tenant, int64_t blocks);
  void serve(TenantId tenant, double cost);
  void end(TenantId tenant, int64_t blocks);

 private:
  using Key = std::pair<TimePoint, uint64_t>;
  Key key_of(const WaitingRequest& waiting) const;
  TenantState& tenant_of(const Request& request);
  void forget_if_idle(TenantId tenant);

  const std::chrono::milliseconds ageing_;
  std::map<TenantId, TenantState> tenants_;
  int32_t size_ = 0, deadlines_ = 0;
  int64_t tokens_ = 0;
};

}  // namespace hussar
