// Any bytes as the results of a run: they are refused with one line, or can be compared with themselves.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "bench/compare.h"
#include "bench/run_results.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto results = hussar::parse_results({reinterpret_cast<const char*>(data), size});
  if (!results.ok()) {
    CHECK(!results.error().message.empty());
    return 0;
  }
  const auto comparison = hussar::compare_runs(*results, *results, {.confidence = 0.5});
  CHECK(comparison.ok() || results->rows.empty());
  if (!comparison.ok()) return 0;
  CHECK(!hussar::comparison_to_text(*comparison).empty());
  CHECK(hussar::parse_json(hussar::write_json(hussar::comparison_to_json(*comparison)),
                           hussar::JsonLimits{.bytes_max = size_t{1} << 30})
            .ok());
  (void)hussar::regressions(*comparison, 5);
  (void)hussar::comparison_section(*comparison);
  return 0;
}
