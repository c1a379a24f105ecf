// The log line of one request, which never holds what a user wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "server/metrics.h"

namespace hussar {

struct RequestLog {
  uint64_t id = 0;
  std::string_view route;  // of the route table, or "other": a foreign path can't fill metrics or logs
  std::string peer;
  TimePoint received;
  std::optional<int64_t> deadline_ms;  // of the header X-Request-Deadline-Ms

  // Counts the answer and writes the line. `finish` may be empty; `times` may be null.
  void write(Metrics* metrics, int status, std::string_view finish, const RequestTimes* times) const;
};

}  // namespace hussar
