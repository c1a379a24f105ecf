#include "engine/waiting_queue.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/check.h"

namespace hussar {

namespace {

int64_t tokens_of(const Request& request) {
  return static_cast<int64_t>(request.prompt.size()) + request.tokens_max;
}

}  // namespace

WaitingQueue::Key WaitingQueue::key_of(const WaitingRequest& waiting) const {
  return {waiting.arrived + waiting.request.priority * ageing_, waiting.id};
}

TenantState& WaitingQueue::tenant_of(const Request& request) {
  const auto [found, is_new] = tenants_.try_emplace(request.tenant);
  TenantState& tenant = found->second;
  tenant.share = request.tenant_share;
  if (is_new && tenants_.size() > 1) {
    tenant.served = std::numeric_limits<double>::infinity();
    for (const auto& [id, other] : tenants_) tenant.served = std::min(tenant.served, other.served);
  }
  return tenant;
}

void WaitingQueue::forget_if_idle(TenantId tenant) {
  const auto found = tenants_.find(tenant);
  if (found->second.running == 0 && found->second.waiting.empty()) tenants_.erase(found);
}

void WaitingQueue::add(WaitingRequest waiting) {
  TenantState& tenant = tenant_of(waiting.request);
  tenant.prompt_tokens += static_cast<int64_t>(waiting.request.prompt.size());
  tenant.tokens_max += waiting.request.tokens_max;
  ++size_;
  tokens_ += tokens_of(waiting.request);
  deadlines_ += waiting.request.has_deadline() ? 1 : 0;
  const Key key = key_of(waiting);
  tenant.waiting.emplace(key, std::move(waiting));
}

void WaitingQueue::turns(std::vector<TenantId>* order) const {
  order->clear();
  for (const auto& [id, tenant] : tenants_) {
    if (!tenant.waiting.empty()) order->push_back(id);
  }
  const auto rank = [this](TenantId id) {
    const TenantState& tenant = tenants_.at(id);
    return std::tuple(tenant.served, tenant.running, tenant.waiting.begin()->first);
  };
  std::ranges::sort(*order, {}, rank);
}

const WaitingRequest& WaitingQueue::first(TenantId tenant) const {
  return tenants_.at(tenant).waiting.begin()->second;
}

void WaitingQueue::order(std::vector<const WaitingRequest*>* all) const {
  all->clear();
  struct Turn {
    double served;
    double share;
    std::map<Key, WaitingRequest>::const_iterator next, end;
  };
  std::vector<Turn> turns;
  for (const auto& [id, tenant] : tenants_) {
    if (tenant.waiting.empty()) continue;
    turns.push_back({tenant.served, tenant.share, tenant.waiting.begin(), tenant.waiting.end()});
  }
  while (!turns.empty()) {
    const auto turn =
        std::ranges::min_element(turns, {}, [](const Turn& t) { return std::pair(t.served, t.next->first); });
    const Request& request = turn->next->second.request;
    all->push_back(&turn->next->second);
    turn->served +=
        (static_cast<double>(request.prompt.size()) + kGeneratedCost * request.tokens_max) / turn->share;
    if (++turn->next == turn->end) turns.erase(turn);
  }
}

void WaitingQueue::by_deadline(std::vector<const WaitingRequest*>* all) const {
  all->clear();
  if (deadlines_ == 0) return;
  for (const auto& [id, tenant] : tenants_) {
    for (const auto& [key, waiting] : tenant.waiting) {
      if (waiting.request.has_deadline()) all->push_back(&waiting);
    }
  }
  std::ranges::sort(*all, {}, [](const WaitingRequest* w) { return std::pair(w->request.deadline, w->id); });
}

const WaitingRequest* WaitingQueue::find(RequestId id) const {
  for (const auto& [tenant_id, tenant] : tenants_) {
    for (const auto& [key, waiting] : tenant.waiting) {
      if (waiting.id == id) return &waiting;
    }
  }
  return nullptr;
}

WaitingRequest WaitingQueue::take(const WaitingRequest& waiting) {
  const TenantId id = waiting.request.tenant;
  TenantState& tenant = tenants_.at(id);
  auto node = tenant.waiting.extract(key_of(waiting));
  CHECK(!node.empty());
  WaitingRequest taken = std::move(node.mapped());
  tenant.prompt_tokens -= static_cast<int64_t>(taken.request.prompt.size());
  tenant.tokens_max -= taken.request.tokens_max;
  --size_;
  tokens_ -= tokens_of(taken.request);
  deadlines_ -= taken.request.has_deadline() ? 1 : 0;
  forget_if_idle(id);
  return taken;
}

void WaitingQueue::start(TenantId id, int64_t blocks) {
  TenantState& tenant = tenants_.at(id);
  ++tenant.running;
  tenant.blocks += blocks;
}

void WaitingQueue::serve(TenantId id, double cost) {
  TenantState& tenant = tenants_.at(id);
  tenant.served += cost / tenant.share;
}

void WaitingQueue::end(TenantId id, int64_t blocks) {
  TenantState& tenant = tenants_.at(id);
  --tenant.running;
  tenant.blocks -= blocks;
  forget_if_idle(id);
}

}  // namespace hussar
