// Any pattern and any text: what is a regular expression by the standard's letter is one by the lenient
// reading too, and a search costs time linear in the text.
//
// Input: the pattern up to a NUL byte, then the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "grammar/json_schema_regex.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using hussar::RegexDialect;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view pattern = input.substr(0, end);
  const std::string text = hussar::replace_invalid_utf8(input.substr(std::min(end + 1, input.size())));
  const bool strict = hussar::parse_regex(pattern, RegexDialect::kStrict, {}).ok();
  const bool lenient = hussar::parse_regex(pattern, RegexDialect::kLenient, {}).ok();
  CHECK(lenient || !strict);
  const auto regex = hussar::SchemaRegex::compile(pattern, {.syntax = {}, .instructions_max = 2'000});
  if (!regex.ok()) {
    const std::string& message = regex.error().message;
    CHECK(!message.empty() && hussar::is_valid_utf8(message) && message.find('\n') == std::string::npos);
    return 0;
  }
  CHECK(lenient);
  // Each instruction is met at most once at each position, from at most one entry more than there are.
  const auto positions = static_cast<int64_t>(text.size()) + 1;
  const int64_t steps_max = positions * (3 * static_cast<int64_t>(regex->instructions()) + 8) + 64;
  hussar::StepBudget budget{steps_max};
  hussar::RegexScratch scratch;
  const bool found = regex->search(text, &budget, &scratch);
  CHECK_NOTE(!budget.is_spent(), "a search took more than linear time");
  hussar::StepBudget more{steps_max};
  CHECK(regex->search(text, &more, &scratch) == found);
  return 0;
}
