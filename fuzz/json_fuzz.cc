// Any bytes: the JSON reader must refuse or accept them without harm, and what it accepts must survive being
// written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const hussar::JsonLimits limits;
  const auto parsed = hussar::parse_json(text, limits);
  if (!parsed.ok()) return 0;
  CHECK(hussar::is_valid_utf8(text));
  const std::string written = hussar::write_json(*parsed);
  const auto again = hussar::parse_json(written, hussar::JsonLimits{.bytes_max = written.size()});
  CHECK_NOTE(again.ok(), "what was written can't be read");
  CHECK_NOTE(hussar::write_json(*again) == written, "a second round changed the text");
  return 0;
}
