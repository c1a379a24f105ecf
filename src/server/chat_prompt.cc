#include "server/chat_prompt.h"

#include <algorithm>

namespace hussar {

namespace {

constexpr size_t kMessagesMax = 4096;
constexpr size_t kVariablesMax = 64;
constexpr size_t kVariableNameBytesMax = 64;
constexpr size_t kCallIdBytesMax = 256;

Error invalid(std::string_view name, std::string message) {
  return {ErrorCode::kInvalid, std::string(name) + " " + std::move(message), std::string(name)};
}

struct Message {
  std::optional<std::string> role, content, tool_call_id;
  std::optional<Json> tool_calls;
};

// A string, or an array of {"type": "text", "text": ...} parts.
Result<void> read_content(std::string_view name, const Json& value, const FieldContext&, Message* to) {
  if (const std::string* text = value.as_string()) {
    to->content = *text;
    return {};
  }
  const JsonArray* parts = value.as_array();
  if (parts == nullptr) {
    return invalid(name, "must be a string or an array of text parts, not " + std::string(value.type_name()));
  }
  to->content.emplace();
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    const Json* type = (*parts)[i].find("type");
    if (type == nullptr || type->as_string() == nullptr)
      return invalid(place, "must be an object with a type");
    if (*type->as_string() != "text") {
      return Error{ErrorCode::kUnsupported, place + " is not text: this model reads text only", place};
    }
    const Json* text = (*parts)[i].find("text");
    if (text == nullptr || text->as_string() == nullptr) return invalid(place + ".text", "must be a string");
    for (const auto& [key, member] : *(*parts)[i].as_object()) {
      if (key == "type" || key == "text" || key == "cache_control" || key == "prompt_cache_breakpoint")
        continue;
      if (!member.is_null()) {
        return Error{ErrorCode::kUnsupported, place + "." + key + " is not supported", place + "." + key};
      }
    }
    *to->content += *text->as_string();
  }
  return {};
}

Result<void> keep_tool_calls(std::string_view, const Json& value, const FieldContext&, Message* to) {
  to->tool_calls = value;
  return {};
}

constexpr Field<Message> kMessageFields[] = {
    {"role", StringField<Message>{&Message::role, 64}},
    {"content", CustomField<Message>{read_content}},
    {"name", HarmlessField{}},  // the templates that we know have no place for it
    {"refusal", NeutralField{R"([""])"}},
    {"tool_calls", CustomField<Message>{keep_tool_calls}},
    {"tool_call_id", StringField<Message>{&Message::tool_call_id, kCallIdBytesMax}},
    {"function_call", NeutralField{"[]"}},
    {"audio", NeutralField{"[]"}},
    {"annotations", NeutralField{"[[]]"}},
    {"reasoning_content",
     HarmlessField{}},  // of earlier answers, which templates leave out of the next prompt
    {"reasoning", HarmlessField{}},
};

Result<Json> template_message(const std::string& place, const Message& message, const FieldContext& context,
                              std::vector<std::string>* ignored) {
  if (!message.role) return invalid(place + ".role", "is missing");
  std::string role = *message.role;
  if (role == "developer") role = "system";  // OpenAI's newer name of it
  if (role == "function") {
    return Error{ErrorCode::kUnsupported, place + ".role is function: use tools and the role tool",
                 place + ".role"};
  }
  if (role != "system" && role != "user" && role != "assistant" && role != "tool") {
    return invalid(place + ".role", "must be one of system, developer, user, assistant, tool, not " + role);
  }
  JsonArray calls;
  if (message.tool_calls) {
    ASSIGN_OR_RETURN(calls, read_tool_calls(place + ".tool_calls", *message.tool_calls, context, ignored));
  }
  if (!calls.empty() && role != "assistant")
    return invalid(place + ".tool_calls", "belongs to a message of the assistant");
  if (role == "tool" && !message.tool_call_id) return invalid(place + ".tool_call_id", "is missing");
  if (role != "tool" && message.tool_call_id)
    return invalid(place + ".tool_call_id", "belongs to a message of a tool");
  if (!message.content && role != "assistant") return invalid(place + ".content", "is missing");
  JsonObject out{{"role", role}, {"content", message.content.value_or("")}};
  if (!calls.empty()) out.emplace_back("tool_calls", std::move(calls));
  if (message.tool_call_id) out.emplace_back("tool_call_id", *message.tool_call_id);
  return Json(std::move(out));
}

// Names that the server gives a meaning, or that no template could read.
bool is_own_variable(std::string_view name) {
  static constexpr std::string_view kOwn[] = {"messages",  "tools",     "documents",
                                              "bos_token", "eos_token", "add_generation_prompt"};
  return std::ranges::find(kOwn, name) != std::end(kOwn);
}

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= kVariableNameBytesMax && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// Cuts what the template put behind the last message's text. Templates often trim it: then what was trimmed
// is gone.
Result<void> cut_behind(const std::string& content, RenderedText* rendered) {
  const std::string_view shown = trim(content);
  const size_t begin = rendered->text.rfind(shown);
  const bool from_message = std::ranges::any_of(rendered->foreign, [&](const ByteRange& range) {
    return range.begin <= begin && begin + shown.size() <= range.end;
  });
  if (begin == std::string::npos || !from_message) {
    return Error{ErrorCode::kInvalid, "the model's chat template does not show the message to be continued",
                 "continue_final_message"};
  }
  size_t end = begin + shown.size();
  const std::string_view kept = std::string_view(content).substr(content.find(shown));  // its end untrimmed
  if (std::string_view(rendered->text).substr(begin).starts_with(kept)) end = begin + kept.size();
  rendered->text.resize(end);
  std::erase_if(rendered->foreign, [end](const ByteRange& range) { return range.begin >= end; });
  if (!rendered->foreign.empty()) rendered->foreign.back().end = std::min(rendered->foreign.back().end, end);
  return {};
}

}  // namespace

Result<JsonArray> read_messages(const Json& value, const FieldContext& context,
                                std::vector<std::string>* ignored) {
  const JsonArray* items = value.as_array();
  if (items == nullptr) return invalid("messages", "must be an array, not " + std::string(value.type_name()));
  if (items->empty()) return invalid("messages", "must not be empty");
  if (items->size() > kMessagesMax) {
    return invalid("messages", "may hold at most " + std::to_string(kMessagesMax) + " messages");
  }
  JsonArray messages;
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = "messages[" + std::to_string(i) + "]";
    const JsonObject* object = (*items)[i].as_object();
    if (object == nullptr)
      return invalid(place, "must be an object, not " + std::string((*items)[i].type_name()));
    Message message;
    RETURN_IF_ERROR(read_fields<Message>(*object, place + ".", kMessageFields, context, &message, ignored));
    ASSIGN_OR_RETURN(Json out, template_message(place, message, context, ignored));
    messages.push_back(std::move(out));
  }
  return messages;
}

Result<void> read_template_variables(std::string_view name, const Json& value, ChatPrompt* to) {
  const JsonObject* members = value.as_object();
  if (members == nullptr) return invalid(name, "must be an object, not " + std::string(value.type_name()));
  if (members->size() > kVariablesMax)
    return invalid(name, "may hold at most " + std::to_string(kVariablesMax) + " variables");
  for (const auto& [key, member] : *members) {
    const std::string place = std::string(name) + "." + key.substr(0, kVariableNameBytesMax);
    if (!is_variable_name(key)) return invalid(place, "is no name of a variable");
    if (is_own_variable(key)) return invalid(place, "is set by the server: use the field of the request");
  }
  to->variables = *members;
  return {};
}

Result<void> check_chat_prompt(const ChatPrompt& prompt) {
  if (prompt.messages.empty()) return invalid("messages", "is missing");
  RETURN_IF_ERROR(check_tool_offer(prompt.tools));
  if (!prompt.continue_final_message) return {};
  if (prompt.add_generation_prompt.value_or(false))
    return invalid("continue_final_message", "and add_generation_prompt exclude each other");
  const Json& last = prompt.messages.back();
  if (trim(*last.find("content")->as_string()).empty() || last.find("tool_calls") != nullptr)
    return invalid("continue_final_message", "needs a last message with text to continue");
  return {};
}

Result<std::vector<TokenId>> encode_chat(const ChatPrompt& prompt, const ServerContext& context) {
  if (context.chat_template == nullptr) {
    return Error{ErrorCode::kUnsupported, "this model has no chat template: use /v1/completions", "messages"};
  }
  const bool knows_tools = context.chat_template->mentions("tools");
  const bool offered = prompt.tools.active();
  const Json tools = offered && knows_tools ? Json(prompt.tools.tools) : Json();
  const JsonArray messages =
      knows_tools ? prompt.messages
                  : spell_out_tools(prompt.messages, offered ? prompt.tools.tools : JsonArray{});
  const JsonObject trusted{
      {"bos_token", context.bos_token},
      {"eos_token", context.eos_token},
      {"add_generation_prompt", prompt.add_generation_prompt.value_or(!prompt.continue_final_message)},
      {"documents", nullptr}};
  JsonObject foreign = prompt.variables;
  foreign.emplace_back("messages", messages);
  foreign.emplace_back("tools", tools);
  auto rendered = context.chat_template->render(trusted, foreign);
  if (!rendered.ok()) {
    return Error{ErrorCode::kInvalid,
                 "the model's chat template refuses the messages: " + rendered.error().message, "messages"};
  }
  if (prompt.continue_final_message)
    RETURN_IF_ERROR(cut_behind(*messages.back().find("content")->as_string(), &*rendered));
  if (prompt.tools.forced()) {
    const bool tagged = !knows_tools || context.chat_template->spells("<tool_call>");
    rendered->text += forced_call_begin(prompt.tools, tagged ? CallForm::kTagged : CallForm::kBare);
  }
  return context.tokenizer.encode(rendered->text, rendered->foreign, Tokenizer::Bos::kAdd);
}

}  // namespace hussar
