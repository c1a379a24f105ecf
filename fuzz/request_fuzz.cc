// A request's body for each of the APIs, and a text in which a model calls tools, all foreign: the body up to
// a NUL byte, then the text. Whatever they are, a body becomes a request within the limits or an error of one
// line, and a text comes out again as text and as calls of tools that were offered.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "server/completion_request.h"
#include "server/messages_request.h"
#include "server/responses_request.h"
#include "server/tool_parser.h"

namespace {

using hussar::CompletionRequest;
using hussar::Result;

void check(const Result<CompletionRequest>& request, const hussar::ServerOptions& options) {
  if (!request.ok()) {
    CHECK(!request.error().message.empty());
    return;
  }
  CHECK(request->choices() >= 1 && request->choices() <= options.choices_max);
  CHECK(request->prompts.empty() == (request->endpoint == hussar::Endpoint::kChat));
  CHECK(request->chat.messages.empty() == (request->endpoint != hussar::Endpoint::kChat));
  CHECK(request->chat.tools.tools.size() <= static_cast<size_t>(options.tools_max));
  CHECK(!request->chat.tools.forced() || request->format.has_value());
}

void call_tools(std::string_view text, const CompletionRequest& request) {
  const hussar::ToolOffer& offer = request.chat.tools;
  hussar::ToolParser parser(offer);
  const auto look = [&](const std::vector<hussar::ToolParser::Piece>& pieces) {
    for (const auto& piece : pieces) {
      for (const auto& call : piece.calls) CHECK(offer.find(call.name) != nullptr);
    }
  };
  for (size_t begin = 0; begin < text.size(); begin += 3) look(parser.add(text.substr(begin, 3)));
  look(parser.finish());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t border = std::min(input.find('\0'), input.size());
  const auto body = hussar::parse_json(input.substr(0, border), {});
  if (!body.ok()) return 0;
  hussar::ServerOptions options;
  options.tools_max = 3;
  options.choices_max = 4;
  const hussar::FieldContext context{options, "m", 1000};
  check(read_completion_request(hussar::Endpoint::kCompletions, *body, context), options);
  check(hussar::read_responses_request(*body, context), options);
  check(hussar::read_messages_request(*body, context), options);
  const auto chat = read_completion_request(hussar::Endpoint::kChat, *body, context);
  check(chat, options);
  if (chat.ok() && chat->chat.tools.active() && border < input.size())
    call_tools(input.substr(border + 1), *chat);
  return 0;
}
