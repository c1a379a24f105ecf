#include "server/messages_request.h"

namespace hussar {

namespace {

constexpr size_t kTextBytesMax = SIZE_MAX;  // the body's limit is the limit
constexpr size_t kNameBytesMax = 256;
constexpr size_t kMessagesMax = 4096;
constexpr int64_t kTokensMax = 1 << 30;

Error invalid(const std::string& name, const std::string& message) {
  return {ErrorCode::kInvalid, name + " " + message, name};
}

Error unsupported(const std::string& name, const std::string& message) {
  return {ErrorCode::kUnsupported, name + " " + message, name};
}

std::string at(std::string_view name, size_t index) {
  return std::string(name) + "[" + std::to_string(index) + "]";
}

struct MessagesRequest : CompletionRequest {
  std::optional<std::string> system;
  std::optional<int64_t> answer_tokens_max;
  std::optional<Json> sent_messages;
};

struct Block {
  std::optional<std::string> type, text, id, name, tool_use_id, content;
  std::optional<Json> input;
  bool is_error = false;
};

Result<Block> read_block(const std::string& place, const Json& value, const FieldContext& context,
                         std::vector<std::string>* ignored);

// A string, or text blocks, joined.
Result<std::string> read_text(std::string_view name, const Json& value, const FieldContext& context,
                              std::vector<std::string>* ignored) {
  if (const std::string* text = value.as_string()) return *text;
  const JsonArray* blocks = value.as_array();
  if (blocks == nullptr)
    return invalid(std::string(name),
                   "must be a string or an array of text blocks, not " + std::string(value.type_name()));
  std::string joined;
  for (size_t i = 0; i < blocks->size(); ++i) {
    ASSIGN_OR_RETURN(const Block block, read_block(at(name, i), (*blocks)[i], context, ignored));
    if (*block.type != "text") return unsupported(at(name, i) + ".type", "must be text here");
    joined += *block.text;
  }
  return joined;
}

Result<void> keep_input(std::string_view name, const Json& value, const FieldContext&, Block* to) {
  if (value.as_object() == nullptr) return invalid(std::string(name), "must be an object");
  to->input = value;
  return {};
}

// Results are text, or text blocks; what is in them is no block that holds further ones.
Result<void> read_result(std::string_view name, const Json& value, const FieldContext& context, Block* to) {
  std::vector<std::string> ignored;
  ASSIGN_OR_RETURN(to->content, read_text(name, value, context, &ignored));
  return {};
}

constexpr Field<Block> kBlockFields[] = {
    {"type", StringField<Block>{&Block::type, kNameBytesMax}},
    {"text", StringField<Block>{&Block::text, kTextBytesMax}},
    {"id", StringField<Block>{&Block::id, kNameBytesMax}},
    {"name", StringField<Block>{&Block::name, kNameBytesMax}},
    {"input", CustomField<Block>{keep_input}},
    {"tool_use_id", StringField<Block>{&Block::tool_use_id, kNameBytesMax}},
    {"content", CustomField<Block>{read_result}},
    {"is_error", BoolField<Block>{&Block::is_error}},
    {"cache_control", HarmlessField{}},  // prefixes are cached by themselves
    {"citations", NeutralField{R"([[],{"enabled":false}])"}},
    {"caller", NeutralField{R"([{"type":"direct"}])"}},
};

Result<Block> read_block(const std::string& place, const Json& value, const FieldContext& context,
                         std::vector<std::string>* ignored) {
  const JsonObject* object = value.as_object();
  const Json* type = value.find("type");
  if (object == nullptr || type == nullptr || type->as_string() == nullptr)
    return invalid(place, "must be an object with a type");
  const std::string& kind = *type->as_string();
  if (kind != "text" && kind != "tool_use" && kind != "tool_result")
    return unsupported(place + ".type", "is not supported: this model reads text, tool_use and tool_result");
  Block block;
  RETURN_IF_ERROR(read_fields<Block>(*object, place + ".", kBlockFields, context, &block, ignored));
  if (kind == "text" && !block.text) return invalid(place + ".text", "is missing");
  if (kind == "tool_result" && !block.tool_use_id) return invalid(place + ".tool_use_id", "is missing");
  if (kind == "tool_use" && !block.id) return invalid(place + ".id", "is missing");
  if (kind == "tool_use" && !block.name) return invalid(place + ".name", "is missing");
  return block;
}

// One message becomes several of chat completions': there, the result of each tool is a message of its own.
Result<void> add_blocks(const std::string& place, const std::string& role, const JsonArray& blocks,
                        const FieldContext& context, std::vector<std::string>* ignored, JsonArray* messages) {
  std::string text;
  JsonArray calls;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string where = at(place + ".content", i);
    ASSIGN_OR_RETURN(const Block block, read_block(where, blocks[i], context, ignored));
    const bool of_assistant = *block.type == "tool_use";
    if (*block.type != "text" && (role == "assistant") != of_assistant)
      return invalid(where + ".type", "does not belong to a message of the " + role);
    if (*block.type == "text") {
      text += *block.text;
    } else if (of_assistant) {
      calls.push_back(
          JsonObject{{"id", *block.id},
                     {"type", "function"},
                     {"function",
                      JsonObject{{"name", *block.name}, {"arguments", block.input.value_or(JsonObject{})}}}});
    } else {
      const std::string prefix = block.is_error ? "Error: " : "";
      messages->push_back(JsonObject{{"role", "tool"},
                                     {"tool_call_id", *block.tool_use_id},
                                     {"content", prefix + block.content.value_or("")}});
    }
  }
  const bool results_only = text.empty() && role == "user" && !blocks.empty() && !messages->empty() &&
                            *messages->back().find("role")->as_string() == "tool";
  if (results_only) return {};
  JsonObject message{{"role", role}, {"content", std::move(text)}};
  if (!calls.empty()) message.emplace_back("tool_calls", std::move(calls));
  messages->push_back(std::move(message));
  return {};
}

struct Message {
  std::optional<std::string> role;
  std::optional<Json> content;
};

Result<void> keep_content(std::string_view, const Json& value, const FieldContext&, Message* to) {
  to->content = value;
  return {};
}

constexpr Field<Message> kMessageFields[] = {
    {"role", StringField<Message>{&Message::role, kNameBytesMax}},
    {"content", CustomField<Message>{keep_content}},
};

Result<void> add_messages(const Json& value, const FieldContext& context, std::vector<std::string>* ignored,
                          JsonArray* messages) {
  const JsonArray* items = value.as_array();
  if (items == nullptr) return invalid("messages", "must be an array, not " + std::string(value.type_name()));
  if (items->empty()) return invalid("messages", "must not be empty");
  if (items->size() > kMessagesMax)
    return invalid("messages", "may hold at most " + std::to_string(kMessagesMax) + " messages");
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = at("messages", i);
    const JsonObject* object = (*items)[i].as_object();
    if (object == nullptr) return invalid(place, "must be an object");
    Message message;
    RETURN_IF_ERROR(read_fields<Message>(*object, place + ".", kMessageFields, context, &message, ignored));
    if (!message.role || (*message.role != "user" && *message.role != "assistant"))
      return invalid(place + ".role", "must be user or assistant");
    if (!message.content) return invalid(place + ".content", "is missing");
    if (const std::string* text = message.content->as_string()) {
      messages->push_back(JsonObject{{"role", *message.role}, {"content", *text}});
      continue;
    }
    const JsonArray* blocks = message.content->as_array();
    if (blocks == nullptr) return invalid(place + ".content", "must be a string or an array of blocks");
    RETURN_IF_ERROR(add_blocks(place, *message.role, *blocks, context, ignored, messages));
  }
  return {};
}

struct Tool {
  std::optional<std::string> type, name, description;
  std::optional<Json> input_schema;
  bool strict = false;
};

Result<void> keep_schema(std::string_view, const Json& value, const FieldContext&, Tool* to) {
  to->input_schema = value;
  return {};
}

constexpr Field<Tool> kToolFields[] = {
    {"type", StringField<Tool>{&Tool::type, kNameBytesMax}},
    {"name", StringField<Tool>{&Tool::name, kNameBytesMax}},
    {"description", StringField<Tool>{&Tool::description, kTextBytesMax}},
    {"input_schema", CustomField<Tool>{keep_schema}},
    {"strict", BoolField<Tool>{&Tool::strict}},
    {"cache_control", HarmlessField{}},
};

using M = MessagesRequest;

Result<void> read_tool_list(std::string_view name, const Json& value, const FieldContext& context, M* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(std::string(name), "must be an array, not " + std::string(value.type_name()));
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = at(name, i);
    const JsonObject* object = (*items)[i].as_object();
    if (object == nullptr) return invalid(place, "must be an object");
    const Json* type = (*items)[i].find("type");
    if (type != nullptr && type->as_string() != nullptr && *type->as_string() != "custom")
      return unsupported(place + ".type", "is not supported: only custom is");
    Tool tool;
    RETURN_IF_ERROR(
        read_fields<Tool>(*object, place + ".", kToolFields, context, &tool, &to->ignored_fields));
    if (!tool.name) return invalid(place + ".name", "is missing");
    if (!tool.input_schema) return invalid(place + ".input_schema", "is missing");
    RETURN_IF_ERROR(add_tool(place, *tool.name, tool.description ? &*tool.description : nullptr,
                             &*tool.input_schema, context, &to->chat.tools));
    if (tool.strict) RETURN_IF_ERROR(make_strict(place, &to->chat.tools));
  }
  return {};
}

struct Choice {
  std::optional<std::string> type, name;
  bool disable_parallel_tool_use = false;
};

constexpr Field<Choice> kChoiceFields[] = {
    {"type", StringField<Choice>{&Choice::type, kNameBytesMax}},
    {"name", StringField<Choice>{&Choice::name, kNameBytesMax}},
    {"disable_parallel_tool_use", BoolField<Choice>{&Choice::disable_parallel_tool_use}},
};

Result<void> read_choice(std::string_view name, const Json& value, const FieldContext& context, M* to) {
  const std::string place(name);
  const JsonObject* object = value.as_object();
  if (object == nullptr) return invalid(place, "must be an object with a type");
  Choice choice;
  RETURN_IF_ERROR(
      read_fields<Choice>(*object, place + ".", kChoiceFields, context, &choice, &to->ignored_fields));
  static constexpr std::pair<std::string_view, ToolChoice::Kind> kTypes[] = {
      {"auto", ToolChoice::Kind::kAuto},
      {"any", ToolChoice::Kind::kRequired},
      {"none", ToolChoice::Kind::kNone},
      {"tool", ToolChoice::Kind::kNamed}};
  to->chat.tools.parallel = !choice.disable_parallel_tool_use;
  for (const auto& [word, kind] : kTypes) {
    if (choice.type != word) continue;
    if ((kind == ToolChoice::Kind::kNamed) != choice.name.has_value())
      return invalid(place + ".name", "is needed with type tool, and only there");
    to->chat.tools.choice = {kind, choice.name.value_or("")};
    return {};
  }
  return invalid(place + ".type", "must be one of auto, any, tool, none");
}

Result<void> read_model(std::string_view, const Json& value, const FieldContext& context, M*) {
  return check_model_name(value, context);
}

Result<void> keep_messages(std::string_view, const Json& value, const FieldContext&, M* to) {
  to->sent_messages = value;
  return {};
}

Result<void> read_system(std::string_view name, const Json& value, const FieldContext& context, M* to) {
  ASSIGN_OR_RETURN(to->system, read_text(name, value, context, &to->ignored_fields));
  return {};
}

constexpr Field<M> kFields[] = {
    {"model", CustomField<M>{read_model}},
    {"messages", CustomField<M>{keep_messages}},
    {"system", CustomField<M>{read_system}},
    {"max_tokens", IntField<M>{&M::answer_tokens_max, 1, kTokensMax}},
    {"temperature", NumberField<M>{&M::temperature, 0, 1}},
    {"top_p", NumberField<M>{&M::top_p, 0, 1}},
    {"top_k", IntField<M>{&M::top_k, 0, 1 << 30}},
    {"stop_sequences",
     CustomField<M>{[](std::string_view name, const Json& value, const FieldContext& context, M* to) {
       return read_stop_strings(name, value, context, &to->stop);
     }}},
    {"stream", BoolField<M>{&M::stream}},
    {"tools", CustomField<M>{read_tool_list}},
    {"tool_choice", CustomField<M>{read_choice}},
    // Not Anthropic's, but useful here too.
    {"seed", IntField<M>{&M::seed, INT64_MIN, INT64_MAX}},
    {"deadline_ms", IntField<M>{&M::deadline_ms, 1, kDeadlineMsMax}},
    {"priority", IntField<M>{&M::priority, -kPriorityMax, kPriorityMax}},

    {"thinking", NeutralField{R"([{"type":"disabled"}])"}},
    {"container", NeutralField{"[]"}},
    {"mcp_servers", NeutralField{"[[]]"}},
    {"context_management", NeutralField{"[]"}},
    {"output_config", NeutralField{"[{}]"}},
    {"inference_geo", NeutralField{"[]"}},
    {"metadata", HarmlessField{}},
    {"service_tier", HarmlessField{}},
    {"cache_control", HarmlessField{}},
};

}  // namespace

Result<CompletionRequest> read_messages_request(const Json& body, const FieldContext& context) {
  const JsonObject* object = body.as_object();
  if (object == nullptr) {
    return Error{ErrorCode::kInvalid, "the body must be a JSON object, not " + std::string(body.type_name()),
                 ""};
  }
  MessagesRequest request;
  static_cast<CompletionRequest&>(request) = request_with_defaults(Endpoint::kChat, context.options);
  request.dialect = Dialect::kMessages;
  RETURN_IF_ERROR(read_fields<M>(*object, "", kFields, context, &request, &request.ignored_fields));
  if (!request.sent_messages) return invalid("messages", "is missing");
  if (!request.answer_tokens_max) return invalid("max_tokens", "is missing");
  JsonArray messages;
  if (request.system) messages.push_back(JsonObject{{"role", "system"}, {"content", *request.system}});
  RETURN_IF_ERROR(add_messages(*request.sent_messages, context, &request.ignored_fields, &messages));
  ASSIGN_OR_RETURN(request.chat.messages, read_messages(messages, context, &request.ignored_fields));
  // There, an answer goes on where a last message of the assistant's ends.
  const Json& last = request.chat.messages.back();
  request.chat.continue_final_message =
      *last.find("role")->as_string() == "assistant" && last.find("tool_calls") == nullptr;
  request.tokens_max = request.answer_tokens_max;
  RETURN_IF_ERROR(check_completion_request(context, &request));
  return static_cast<CompletionRequest&&>(request);
}

Result<TokenizeAnswer> count_message_tokens(const Json& body, const ServerOptions& options,
                                            const ServerContext& context) {
  Json counted = body;
  JsonObject* members = std::get_if<JsonObject>(&counted.value());
  // The only field that is needed for an answer and not for a count.
  if (members != nullptr && body.find("max_tokens") == nullptr) members->emplace_back("max_tokens", 1);
  const FieldContext fields{options, context.model_name, context.tokenizer.vocab_size()};
  ASSIGN_OR_RETURN(CompletionRequest request, read_messages_request(counted, fields));
  ASSIGN_OR_RETURN(const std::vector<TokenId> tokens, encode_chat(request.chat, context));
  return TokenizeAnswer{write_json(JsonObject{{"input_tokens", static_cast<int64_t>(tokens.size())}}),
                        std::move(request.ignored_fields)};
}

}  // namespace hussar
