// Any bytes as a file of API keys: what is accepted is sound, and what is refused is refused without showing
// the file's contents.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/api_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto keys = hussar::read_api_keys(text);
  if (!keys.ok()) {
    CHECK(!keys.error().message.empty() && keys.error().field == "--api-keys");
    return 0;
  }
  CHECK(!keys->empty());
  std::set<std::string> names;
  for (const hussar::ApiKey& key : *keys) {
    CHECK(names.insert(key.name).second && !key.name.empty());
    CHECK(key.key.size() >= 8 && key.weight > 0);
    CHECK(key.requests_per_minute >= 0 && key.tokens_per_minute >= 0 && key.concurrency_max >= 0);
    CHECK(hussar::equal_in_constant_time(key.key, key.key));
    CHECK(!hussar::equal_in_constant_time(key.key, key.key + "x"));
  }
  return 0;
}
