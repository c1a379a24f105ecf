// Who gets in, and on what terms: a place in the queue before any work is done, a deadline, a priority, a
// name.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "engine/engine.h"
#include "net/http.h"
#include "server/api_error.h"
#include "server/api_keys.h"
#include "server/completion_request.h"
#include "server/request_log.h"
#include "server/server.h"

namespace hussar {

// The header X-Request-Deadline-Ms; nothing without one. Errors: kInvalid.
Result<std::optional<int64_t>> read_deadline_header(const HttpRequest& request);

// Puts the terms of the body, of the headers and of the key into the engine's request. Errors: kInvalid, when
// body and header name different deadlines; those of check_time_left().
Result<void> apply_terms(const CompletionRequest& body, const RequestLog& log, Request* request);

// Errors: kDeadline, when the deadline of body or header has passed already.
Result<void> check_time_left(const CompletionRequest& body, const RequestLog& log);

class Ticket;

// Counts what is on its way to the engine, and refuses what would wait too long, before a body is looked at.
// Thread-safe.
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  // `options` and `engine` are there for as long as anybody calls enter() or wait_seconds().
  Admission(const ServerOptions& options, const Engine& engine, std::shared_ptr<const ApiKeys> keys)
      : options_(options), engine_(engine), keys_(std::move(keys)) {}

  // A place in the queue for a body of this size, or a 429 that says when to come again. `tenant` is null
  // where there are no keys.
  std::optional<ApiError> enter(std::shared_ptr<Tenant> tenant, size_t body_bytes,
                                std::shared_ptr<Ticket>* ticket);

  int64_t active() const;     // tickets that are held
  int64_t preparing() const;  // of those, not yet with the engine
  // Seconds that a request of this tenant (null: of anybody) that comes now would wait.
  double wait_seconds(const Tenant* tenant) const;

 private:
  friend class Ticket;
  std::optional<ApiError> check_tenant(Tenant& tenant, const LoadEstimate& load, TimePoint now);
  std::optional<ApiError> check_queue(const Tenant* tenant, size_t body_bytes, const LoadEstimate& load);
  double wait_seconds(const Tenant* tenant, const LoadEstimate& load) const;
  LoadEstimate load_of(const Tenant* tenant) const;

  const ServerOptions& options_;
  const Engine& engine_;
  const std::shared_ptr<const ApiKeys> keys_;
  // Guarded by keys_->tenants_mutex(), as the tenants are.
  int64_t active_ = 0, preparing_ = 0;
  size_t body_bytes_ = 0;
};

// A request's place, from its admission until its answer is complete: goes with the last reference.
class Ticket {
 public:
  Ticket(std::shared_ptr<Admission> admission, std::shared_ptr<Tenant> tenant, size_t body_bytes)
      : admission_(std::move(admission)), tenant_(std::move(tenant)), body_bytes_(body_bytes) {}
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  void submitted();                    // the engine counts it from now on
  void charge_tokens(int64_t tokens);  // against the tenant's allowance
  TenantId tenant_id() const { return tenant_ ? tenant_->id : 0; }
  double tenant_share() const;
  std::string tenant_name() const;  // empty: none

 private:
  void leave_queue();  // REQUIRES: the mutex

  const std::shared_ptr<Admission> admission_;
  const std::shared_ptr<Tenant> tenant_;
  const size_t body_bytes_;
  bool preparing_ = true;
};

}  // namespace hussar
