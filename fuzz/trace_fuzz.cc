// Any bytes as a trace: refused with a place, or requests in rising order that can be sent.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "bench/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hussar::TraceLimits limits;
  limits.rows_max = 100;
  limits.row_bytes_max = 4096;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto trace = hussar::parse_trace(text, "data", {.speed = 2, .seconds = 1000}, limits);
  if (!trace.ok()) {
    CHECK(trace.error().message.starts_with("data:"));
    return 0;
  }
  CHECK(!trace->rows.empty() && trace->rows.size() <= limits.rows_max && trace->rows[0].at_ns == 0);
  int64_t before_ns = 0;
  for (const hussar::TraceRow& row : trace->rows) {
    CHECK(row.at_ns >= before_ns && row.at_ns <= 500'000'000'000);
    CHECK((row.input_tokens > 0) == (row.prompt.empty() && row.messages.empty()));
    CHECK(row.output_tokens == -1 || row.output_tokens > 0);
    before_ns = row.at_ns;
  }
  return 0;
}
