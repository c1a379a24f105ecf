// Any bytes as a dataset: refused with a place, or rows that can be asked.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "bench/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hussar::DatasetLimits limits;
  limits.rows_max = 100;
  limits.row_bytes_max = 4096;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto dataset = hussar::parse_dataset(text, "data", limits);
  if (!dataset.ok()) {
    CHECK(dataset.error().message.starts_with("data:"));
    return 0;
  }
  CHECK(!dataset->rows.empty() && dataset->rows.size() <= limits.rows_max);
  for (const hussar::DatasetRow& row : dataset->rows) {
    CHECK(row.prompt.empty() != row.messages.empty());
    CHECK(row.output_tokens == -1 || row.output_tokens > 0);
  }
  return 0;
}
