// Renders one template for each line of standard input, {"template", "trusted", "foreign", "now", "limits"},
// and answers with one line:
// {"text", "foreign": [[begin, end], ...]} or {"error", "code"}.
#include <ctime>
#include <iostream>
#include <string>

#include "base/json.h"
#include "text/chat_template.h"

namespace {

using hussar::ChatTemplate;
using hussar::Error;
using hussar::ErrorCode;
using hussar::Json;
using hussar::JsonArray;
using hussar::JsonObject;
using hussar::RenderedText;
using hussar::Result;

std::string code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kTooLarge:
      return "too_large";
    default:
      return "other";
  }
}

int64_t integer(const Json& request, std::string_view key, int64_t absent) {
  const Json* value = request.find(key);
  return value != nullptr && value->as_int() != nullptr ? *value->as_int() : absent;
}

Result<RenderedText> render(const Json& request) {
  const Json empty{JsonObject()};
  const Json* source = request.find("template");
  const Json* trusted = request.find("trusted");
  const Json* foreign = request.find("foreign");
  if (source == nullptr || source->as_string() == nullptr)
    return Error{ErrorCode::kInvalid, "no template", ""};
  hussar::TemplateLimits limits;
  if (const Json* given = request.find("limits")) {
    limits.steps_max = integer(*given, "steps_max", limits.steps_max);
    limits.output_bytes_max = static_cast<size_t>(integer(*given, "output_bytes_max", 8 << 20));
    limits.memory_bytes_max = static_cast<size_t>(integer(*given, "memory_bytes_max", 256 << 20));
    limits.depth_max = static_cast<int32_t>(integer(*given, "depth_max", limits.depth_max));
  }
  ASSIGN_OR_RETURN(const ChatTemplate compiled, ChatTemplate::compile(*source->as_string(), limits));
  return compiled.render(trusted != nullptr ? *trusted : empty, foreign != nullptr ? *foreign : empty,
                         static_cast<std::time_t>(integer(request, "now", 0)));
}

Json answer(const Result<RenderedText>& rendered) {
  if (!rendered.ok()) {
    return JsonObject{{"error", rendered.error().message}, {"code", code_name(rendered.error().code)}};
  }
  JsonArray ranges;
  for (const hussar::ByteRange& range : rendered->foreign) {
    ranges.emplace_back(JsonArray{static_cast<int64_t>(range.begin), static_cast<int64_t>(range.end)});
  }
  return JsonObject{{"text", rendered->text}, {"foreign", std::move(ranges)}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = hussar::parse_json(line, {.bytes_max = 64 << 20, .depth_max = 200});
    const Json reply =
        request.ok() ? answer(render(*request)) : answer(Result<RenderedText>(request.error()));
    std::cout << hussar::write_json(reply) << std::endl;
  }
  return 0;
}
