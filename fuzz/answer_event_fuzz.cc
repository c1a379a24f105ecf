// Any bytes as the document of an event: the quick scanner must find what parse_json's tree holds, and refuse
// what that refuses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "bench/event_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  hussar::AnswerEvent event;
  std::string text;
  std::string_view wrong_field;
  const hussar::ScanEnd end = hussar::scan_answer_event(json, &event, &text, &wrong_field);
  CHECK(end == hussar::ScanEnd::kFine || text.empty());
  CHECK(agrees(hussar::EventReference::read(json), end, event, text));
  return 0;
}
