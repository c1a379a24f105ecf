// The log line of one request, which never holds what a user wrote.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "server/metrics.h"

namespace hussar {

class Ticket;
struct Tenant;

struct RequestLog {
  uint64_t id = 0;
  std::string_view route;  // of the route table, or "other": a foreign path can't fill metrics or logs
  std::string peer;
  TimePoint received;
  std::optional<int64_t> deadline_ms;  // of the header X-Request-Deadline-Ms
  std::string trace_id;                // empty: none
  std::shared_ptr<Tenant> tenant;      // null: there are no keys
  std::shared_ptr<Ticket> ticket;      // a request's place, once it was let in

  // Counts the answer, charges its tokens, and writes the line. `finish` may be empty; `times` may be null.
  void write(Metrics* metrics, int status, std::string_view finish, const RequestTimes* times) const;
};

}  // namespace hussar
