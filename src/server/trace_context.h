// W3C trace context: a request belongs to a trace of its caller's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hussar {

struct TraceContext {
  std::string trace_id;   // 32 lower-case hexadecimal digits
  std::string parent_id;  // 16
  std::string flags;      // 2

  std::string text() const;  // as the header traceparent has it
};

// The header traceparent of version 00, or of a later one that begins alike; nothing where it is malformed,
// which is to be treated as absent.
std::optional<TraceContext> read_traceparent(std::string_view text);

// The same trace with this server's own span.
TraceContext child_of(const TraceContext& parent);

}  // namespace hussar
