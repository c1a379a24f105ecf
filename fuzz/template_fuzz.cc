// A template and its variables, both foreign: the source up to a NUL byte, then a JSON object. Whatever they
// are, the answer is a text whose marks are in order, or an error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t border = std::min(input.find('\0'), input.size());
  hussar::TemplateLimits limits;
  limits.steps_max = 20'000;
  limits.output_bytes_max = 1 << 16;
  limits.memory_bytes_max = 1 << 20;
  const auto compiled = hussar::ChatTemplate::compile(input.substr(0, border), limits);
  if (!compiled.ok()) return 0;
  hussar::Json foreign{hussar::JsonObject()};
  if (border < input.size()) {
    auto parsed = hussar::parse_json(input.substr(border + 1), {});
    if (parsed.ok()) foreign = *std::move(parsed);
  }
  const hussar::JsonObject trusted = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_generation_prompt", true}};
  const auto rendered = compiled->render(trusted, foreign, 1'753'000'000);
  if (!rendered.ok()) return 0;
  CHECK(rendered->text.size() <= limits.output_bytes_max);
  CHECK(hussar::is_valid_utf8(rendered->text));
  size_t end = 0;
  for (const hussar::ByteRange& range : rendered->foreign) {
    CHECK(range.begin >= end && range.begin < range.end);
    end = range.end;
  }
  CHECK(end <= rendered->text.size());
  return 0;
}
