// Any bytes as what a client writes into its headers: Host, traceparent, the deadline. Nothing is accepted
// that could not be answered with.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/admission.h"
#include "server/host_check.h"
#include "server/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto parent = hussar::read_traceparent(text)) {
    const hussar::TraceContext own = hussar::child_of(*parent);
    CHECK(own.trace_id == parent->trace_id && own.parent_id != parent->parent_id);
    const auto again = hussar::read_traceparent(own.text());
    CHECK(again && again->text() == own.text());
  }
  // A local name stays one with a port behind it, whatever the port.
  if (hussar::is_local_host_header(text, {}) && text.find(':') == std::string_view::npos)
    CHECK(hussar::is_local_host_header(std::string(text) + ":80", {}));
  hussar::HttpRequest request;
  request.headers.push_back({"X-Request-Deadline-Ms", std::string(text)});
  const auto deadline = hussar::read_deadline_header(request);
  if (deadline.ok()) CHECK(**deadline >= 1 && **deadline <= hussar::kDeadlineMsMax);
  return 0;
}
