// Any schema and any instance: a schema is refused in one plain line or compiled; an instance gets the same
// verdict each time, and one that names places that exist.
//
// Input: the schema up to a NUL byte, then the instance.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "grammar/json_schema_documents.h"
#include "grammar/json_schema_tree.h"
#include "grammar/json_schema_validator.h"

namespace {

using hussar::JsonSchema;
using hussar::SchemaVerdict;

// What a slow machine with sanitizers still does in a moment.
JsonSchema::Options options() {
  JsonSchema::Options options;
  options.limits.json.bytes_max = 1 << 16;
  options.limits.regex_instructions_max = 20'000;
  return options;
}

JsonSchema::InstanceLimits instance_limits() {
  JsonSchema::InstanceLimits limits;
  limits.steps_max = 300'000;
  limits.depth_max = 300;
  return limits;
}

void check_place(std::string_view text, const std::string& pointer) {
  const auto tree = hussar::JsonTree::parse(text, {});
  CHECK(tree.ok());
  bool found = false;
  for (uint32_t node = 0; node < tree->nodes() && !found; ++node) found = tree->pointer_to(node) == pointer;
  CHECK_NOTE(found, "a verdict names a place that is not there");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(0, end);
  const std::string_view instance = input.substr(std::min(end + 1, input.size()));
  const auto schema = JsonSchema::compile(text, options());
  if (!schema.ok()) {
    const hussar::Error& error = schema.error();
    CHECK(!error.message.empty() && hussar::is_valid_utf8(error.message));
    CHECK(error.message.find('\n') == std::string::npos && error.message.size() < 1024);
    return 0;
  }
  const SchemaVerdict verdict = schema->validate(instance, instance_limits());
  const SchemaVerdict again = schema->validate(instance, instance_limits());
  CHECK(verdict.kind == again.kind && verdict.keyword == again.keyword);
  CHECK(verdict.schema_path == again.schema_path && verdict.instance_path == again.instance_path);
  if (verdict.kind != SchemaVerdict::Kind::kInvalid || !verdict.reason.empty()) return 0;
  if (text.size() > 2'000 || instance.size() > 2'000) return 0;  // the search below is a square
  check_place(instance, verdict.instance_path);
  if (verdict.document.empty()) check_place(text, verdict.schema_path);
  return 0;
}
