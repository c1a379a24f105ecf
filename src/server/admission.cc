#include "server/admission.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace hussar {
namespace {

constexpr const char* kDeadlineHeader = "X-Request-Deadline-Ms";
constexpr int64_t kReserve = 8;  // one in so many places is for tenants below their share

ApiError too_many(const char* code, std::string message, double wait_seconds) {
  const double wait_ms = std::ceil(std::min(wait_seconds, 1e6) * 1000);
  ApiError error =
      to_api_error({ErrorCode::kFull, std::move(message), "", static_cast<int64_t>(std::max(0.0, wait_ms))});
  error.code = code;
  return error;
}

}  // namespace

// --- terms

Result<std::optional<int64_t>> read_deadline_header(const HttpRequest& request) {
  const std::string* text = request.header(kDeadlineHeader);
  if (text == nullptr) return std::optional<int64_t>();
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), ms);
  if (error != std::errc() || end != text->data() + text->size() || ms < 1 || ms > kDeadlineMsMax) {
    return Error{ErrorCode::kInvalid,
                 std::string(kDeadlineHeader) + " must be a number of milliseconds from 1 to " +
                     std::to_string(kDeadlineMsMax),
                 kDeadlineHeader};
  }
  return std::optional(ms);
}

Result<void> check_time_left(const CompletionRequest& body, const RequestLog& log) {
  const std::optional<int64_t> deadline_ms = body.deadline_ms ? body.deadline_ms : log.deadline_ms;
  if (!deadline_ms || Clock::now() < log.received + std::chrono::milliseconds(*deadline_ms)) return {};
  return Error{ErrorCode::kDeadline, "the deadline passed before the request could be started",
               "deadline_ms"};
}

Result<void> apply_terms(const CompletionRequest& body, const RequestLog& log, Request* request) {
  if (body.deadline_ms && log.deadline_ms && *body.deadline_ms != *log.deadline_ms) {
    return Error{ErrorCode::kInvalid,
                 "deadline_ms and the header X-Request-Deadline-Ms differ: send one of them", "deadline_ms"};
  }
  RETURN_IF_ERROR(check_time_left(body, log));
  const std::optional<int64_t> deadline_ms = body.deadline_ms ? body.deadline_ms : log.deadline_ms;
  if (deadline_ms) request->deadline = log.received + std::chrono::milliseconds(*deadline_ms);
  request->priority = static_cast<int32_t>(body.priority.value_or(0));
  if (log.ticket) {
    request->tenant = log.ticket->tenant_id();
    request->tenant_share = log.ticket->tenant_share();
  }
  return {};
}

// --- admission

LoadEstimate Admission::load_of(const Tenant* tenant) const {
  return tenant == nullptr ? engine_.load(0, 1) : engine_.load(tenant->id, tenant->share);
}

// What is being prepared stands in front as well.
double Admission::wait_seconds(const Tenant* tenant, const LoadEstimate& load) const {
  if (load.wait_seconds <= 0) return 0;
  const auto preparing = static_cast<double>(tenant == nullptr ? preparing_ : tenant->preparing);
  return load.wait_seconds + preparing * load.request_seconds / (tenant == nullptr ? 1 : tenant->share);
}

double Admission::wait_seconds(const Tenant* tenant) const {
  std::lock_guard lock(keys_->tenants_mutex());
  return wait_seconds(tenant, load_of(tenant));
}

std::optional<ApiError> Admission::check_tenant(Tenant& tenant, const LoadEstimate& load, TimePoint now) {
  if (tenant.key.concurrency_max > 0 && tenant.active >= tenant.key.concurrency_max) {
    return too_many("concurrency_limit",
                    "this key has " + std::to_string(tenant.active) +
                        " requests under way, which is its limit: wait for one to end",
                    load.request_seconds);
  }
  if (const double wait = tenant.requests.wait_seconds(1, now); wait > 0) {
    return too_many("rate_limit_requests",
                    "this key may send " + std::to_string(tenant.key.requests_per_minute) +
                        " requests a minute: try again later",
                    wait);
  }
  if (const double wait = tenant.tokens.wait_seconds(1, now); wait > 0) {
    return too_many("rate_limit_tokens",
                    "this key may use " + std::to_string(tenant.key.tokens_per_minute) +
                        " tokens a minute: try again later",
                    wait);
  }
  return std::nullopt;
}

std::optional<ApiError> Admission::check_queue(const Tenant* tenant, size_t body_bytes,
                                               const LoadEstimate& load) {
  const int64_t places = engine_.options().queue_max;
  const int64_t waiting = load.waiting + preparing_;
  const std::string all = std::to_string(places);
  if (waiting >= places)
    return too_many("queue_full", "all " + all + " places of the queue are taken: try again later",
                    load.request_seconds);
  if (tenant != nullptr && tenant->share < 1) {
    const double own = std::max(1.0, tenant->share * static_cast<double>(places));
    if (static_cast<double>(load.tenant_waiting + tenant->preparing) >= own &&
        places - waiting <= places / kReserve) {
      return too_many("queue_full", "this key's share of the queue is taken: try again later",
                      load.request_seconds / tenant->share);
    }
  }
  if (body_bytes_ + body_bytes > static_cast<size_t>(options_.queue_bytes_max)) {
    return too_many("queue_full",
                    "the bodies of waiting requests take all the room there is: try again later",
                    load.request_seconds);
  }
  const double wait_ms = wait_seconds(tenant, load) * 1000;
  const auto wait_ms_max = static_cast<double>(options_.queue_wait_ms_max);
  if (wait_ms > wait_ms_max) {
    return too_many("queue_wait",
                    "a request would wait for about " + std::to_string(static_cast<int64_t>(wait_ms)) +
                        " ms, and at most " + std::to_string(options_.queue_wait_ms_max) +
                        " ms are promised: try again later",
                    (wait_ms - wait_ms_max) / 1000);
  }
  return std::nullopt;
}

std::optional<ApiError> Admission::enter(std::shared_ptr<Tenant> tenant, size_t body_bytes,
                                         std::shared_ptr<Ticket>* ticket) {
  const TimePoint now = Clock::now();
  std::lock_guard lock(keys_->tenants_mutex());
  const LoadEstimate load = load_of(tenant.get());
  if (tenant) {
    if (auto error = check_tenant(*tenant, load, now)) return error;
  }
  if (auto error = check_queue(tenant.get(), body_bytes, load)) return error;
  if (tenant) {
    tenant->requests.take(1);
    ++tenant->active;
    ++tenant->preparing;
  }
  ++active_;
  ++preparing_;
  body_bytes_ += body_bytes;
  *ticket = std::make_shared<Ticket>(shared_from_this(), std::move(tenant), body_bytes);
  return std::nullopt;
}

int64_t Admission::active() const {
  std::lock_guard lock(keys_->tenants_mutex());
  return active_;
}

int64_t Admission::preparing() const {
  std::lock_guard lock(keys_->tenants_mutex());
  return preparing_;
}

// --- tickets

Ticket::~Ticket() {
  std::lock_guard lock(admission_->keys_->tenants_mutex());
  leave_queue();
  --admission_->active_;
  if (tenant_) --tenant_->active;
}

void Ticket::submitted() {
  std::lock_guard lock(admission_->keys_->tenants_mutex());
  leave_queue();
}

void Ticket::leave_queue() {
  if (!std::exchange(preparing_, false)) return;
  --admission_->preparing_;
  admission_->body_bytes_ -= body_bytes_;
  if (tenant_) --tenant_->preparing;
}

void Ticket::charge_tokens(int64_t tokens) {
  if (!tenant_) return;
  std::lock_guard lock(admission_->keys_->tenants_mutex());
  tenant_->tokens.take(static_cast<double>(tokens));
}

double Ticket::tenant_share() const {
  if (!tenant_) return 1;
  std::lock_guard lock(admission_->keys_->tenants_mutex());
  return tenant_->share;
}

std::string Ticket::tenant_name() const {
  if (!tenant_) return "";
  std::lock_guard lock(admission_->keys_->tenants_mutex());
  return tenant_->key.name;
}

}  // namespace hussar
