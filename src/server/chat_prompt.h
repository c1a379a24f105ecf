// What a chat template is given: messages, tools and settings, read from a request and rendered to tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/types.h"
#include "server/fields.h"
#include "server/tools.h"

namespace hussar {

struct ChatPrompt {
  // Objects of role and content, both strings; an assistant's may have tool_calls, a tool's tool_call_id.
  JsonArray messages;
  ToolOffer tools{};
  std::optional<bool> add_generation_prompt{};  // absent: unless the last message is to be continued
  bool continue_final_message = false;
  JsonObject variables{};  // further ones of the template
};

// Content parts are joined. Errors: kInvalid and kUnsupported, naming the member.
Result<JsonArray> read_messages(const Json& value, const FieldContext& context,
                                std::vector<std::string>* ignored);
// chat_template_kwargs.
Result<void> read_template_variables(std::string_view name, const Json& value, ChatPrompt* to);
// What only the whole request shows. Errors: kInvalid.
Result<void> check_chat_prompt(const ChatPrompt& prompt);

// Renders the template and encodes its text; special tokens are recognised only where the template itself
// put them. Errors: kUnsupported (no template), kInvalid (the template refuses the messages, or does not show
// the message that is to be continued).
Result<std::vector<TokenId>> encode_chat(const ChatPrompt& prompt, const ServerContext& context);

}  // namespace hussar
