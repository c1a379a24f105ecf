#include "server/responses_request.h"

#include <algorithm>

namespace hussar {

namespace {

constexpr size_t kTextBytesMax = SIZE_MAX;  // the body's limit is the limit
constexpr size_t kNameBytesMax = 256;
constexpr size_t kItemsMax = 4096;
constexpr int64_t kTokensMax = 1 << 30;

Error invalid(const std::string& name, const std::string& message) {
  return {ErrorCode::kInvalid, name + " " + message, name};
}

Error unsupported(const std::string& name, const std::string& message) {
  return {ErrorCode::kUnsupported, name + " " + message, name};
}

struct ResponsesRequest : CompletionRequest {
  std::optional<std::string> instructions, user;
  std::optional<int64_t> max_output_tokens;
  std::optional<Json> input, metadata, sent_tools, sent_choice, sent_text;
};

// --- items of the input

struct Item {
  std::optional<std::string> type, role, content, call_id, name, arguments, output;
};

// A string, or an array of {"type": "input_text" or "output_text", "text": ...} parts, joined.
Result<std::string> read_parts(std::string_view name, const Json& value) {
  if (const std::string* text = value.as_string()) return *text;
  const JsonArray* parts = value.as_array();
  if (parts == nullptr)
    return invalid(std::string(name),
                   "must be a string or an array of text parts, not " + std::string(value.type_name()));
  std::string joined;
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    const Json* type = (*parts)[i].find("type");
    const Json* text = (*parts)[i].find("text");
    if (type == nullptr || type->as_string() == nullptr)
      return invalid(place, "must be an object with a type");
    const std::string& kind = *type->as_string();
    if (kind != "input_text" && kind != "output_text" && kind != "text")
      return unsupported(place + ".type", "is not supported: this model reads text only");
    if (text == nullptr || text->as_string() == nullptr) return invalid(place + ".text", "must be a string");
    for (const auto& [key, member] : *(*parts)[i].as_object()) {
      const bool known = key == "type" || key == "text" || key == "annotations" || key == "logprobs";
      if (!known && !member.is_null()) return unsupported(place + "." + key, "is not supported");
    }
    joined += *text->as_string();
  }
  return joined;
}

Result<void> read_content(std::string_view name, const Json& value, const FieldContext&, Item* to) {
  ASSIGN_OR_RETURN(to->content, read_parts(name, value));
  return {};
}

Result<void> read_output(std::string_view name, const Json& value, const FieldContext&, Item* to) {
  ASSIGN_OR_RETURN(to->output, read_parts(name, value));
  return {};
}

constexpr Field<Item> kItemFields[] = {
    {"type", StringField<Item>{&Item::type, kNameBytesMax}},
    {"role", StringField<Item>{&Item::role, kNameBytesMax}},
    {"content", CustomField<Item>{read_content}},
    {"call_id", StringField<Item>{&Item::call_id, kNameBytesMax}},
    {"name", StringField<Item>{&Item::name, kNameBytesMax}},
    {"arguments", StringField<Item>{&Item::arguments, kTextBytesMax}},
    {"output", CustomField<Item>{read_output}},
    // Of earlier answers, sent back as they came.
    {"id", HarmlessField{}},
    {"status", HarmlessField{}},
    {"phase", HarmlessField{}},
};

// As chat completions spell it. A call joins the assistant's message before it, as in one answer.
Result<void> add_item(const std::string& place, const Item& item, JsonArray* messages) {
  const std::string type = item.type.value_or("message");
  if (type == "message") {
    if (!item.role) return invalid(place + ".role", "is missing");
    if (!item.content) return invalid(place + ".content", "is missing");
    if (*item.role == "tool")
      return invalid(place + ".role", "must be one of system, developer, user, assistant");
    messages->push_back(JsonObject{{"role", *item.role}, {"content", *item.content}});
    return {};
  }
  if (type == "function_call_output") {
    if (!item.call_id) return invalid(place + ".call_id", "is missing");
    if (!item.output) return invalid(place + ".output", "is missing");
    messages->push_back(
        JsonObject{{"role", "tool"}, {"tool_call_id", *item.call_id}, {"content", *item.output}});
    return {};
  }
  if (type != "function_call") return unsupported(place + ".type", "is not supported: " + type.substr(0, 64));
  if (!item.call_id) return invalid(place + ".call_id", "is missing");
  if (!item.name) return invalid(place + ".name", "is missing");
  const JsonObject call{
      {"id", *item.call_id},
      {"type", "function"},
      {"function", JsonObject{{"name", *item.name}, {"arguments", item.arguments.value_or("{}")}}}};
  JsonObject* last = messages->empty() ? nullptr : std::get_if<JsonObject>(&messages->back().value());
  if (last == nullptr || *last->front().second.as_string() != "assistant") {
    messages->push_back(JsonObject{{"role", "assistant"}, {"content", ""}});
    last = &std::get<JsonObject>(messages->back().value());
  }
  if (last->back().first != "tool_calls") last->emplace_back("tool_calls", JsonArray{});
  std::get<JsonArray>(last->back().second.value()).push_back(call);
  return {};
}

Result<void> add_input(const Json& input, const FieldContext& context, std::vector<std::string>* ignored,
                       JsonArray* messages) {
  if (const std::string* text = input.as_string()) {
    messages->push_back(JsonObject{{"role", "user"}, {"content", *text}});
    return {};
  }
  const JsonArray* items = input.as_array();
  if (items == nullptr)
    return invalid("input", "must be a string or an array of items, not " + std::string(input.type_name()));
  if (items->empty()) return invalid("input", "must not be empty");
  if (items->size() > kItemsMax)
    return invalid("input", "may hold at most " + std::to_string(kItemsMax) + " items");
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = "input[" + std::to_string(i) + "]";
    const JsonObject* object = (*items)[i].as_object();
    if (object == nullptr) return invalid(place, "must be an object");
    // Before its members are looked at, so that an item of a kind that is not known is refused as that.
    const Json* type = (*items)[i].find("type");
    static constexpr std::string_view kTypes[] = {"message", "function_call", "function_call_output"};
    if (type != nullptr && type->as_string() != nullptr &&
        std::ranges::find(kTypes, *type->as_string()) == std::end(kTypes))
      return unsupported(place + ".type", "is not supported: " + type->as_string()->substr(0, 64));
    Item item;
    RETURN_IF_ERROR(read_fields<Item>(*object, place + ".", kItemFields, context, &item, ignored));
    RETURN_IF_ERROR(add_item(place, item, messages));
  }
  return {};
}

// --- tools

struct Tool {
  std::optional<std::string> type, name, description;
  std::optional<Json> parameters;
  bool strict = false;
};

Result<void> read_parameters(std::string_view, const Json& value, const FieldContext&, Tool* to) {
  to->parameters = value;
  return {};
}

constexpr Field<Tool> kToolFields[] = {
    {"type", StringField<Tool>{&Tool::type, kNameBytesMax}},
    {"name", StringField<Tool>{&Tool::name, kNameBytesMax}},
    {"description", StringField<Tool>{&Tool::description, kTextBytesMax}},
    {"parameters", CustomField<Tool>{read_parameters}},
    {"strict", BoolField<Tool>{&Tool::strict}},
};

Result<void> read_tool_list(std::string_view name, const Json& value, const FieldContext& context,
                            ResponsesRequest* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(std::string(name), "must be an array, not " + std::string(value.type_name()));
  to->sent_tools = value;
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    const JsonObject* object = (*items)[i].as_object();
    if (object == nullptr) return invalid(place, "must be an object");
    const Json* type = (*items)[i].find("type");
    if (type == nullptr || type->as_string() == nullptr) return invalid(place + ".type", "is missing");
    if (*type->as_string() != "function")
      return unsupported(place + ".type", "is not supported: only function is");
    Tool tool;
    RETURN_IF_ERROR(
        read_fields<Tool>(*object, place + ".", kToolFields, context, &tool, &to->ignored_fields));
    if (!tool.name) return invalid(place + ".name", "is missing");
    RETURN_IF_ERROR(add_tool(place, *tool.name, tool.description ? &*tool.description : nullptr,
                             tool.parameters ? &*tool.parameters : nullptr, context, &to->chat.tools));
    if (tool.strict) RETURN_IF_ERROR(make_strict(place, &to->chat.tools));
  }
  return {};
}

// A word as in chat completions, or {"type": "function", "name": ...}.
Result<void> read_choice(std::string_view name, const Json& value, const FieldContext& context,
                         ResponsesRequest* to) {
  to->sent_choice = value;
  const Json* type = value.find("type");
  const Json* function = value.find("name");
  if (value.as_object() == nullptr)
    return read_tool_choice(name, value, context, &to->ignored_fields, &to->chat.tools);
  if (type == nullptr || type->as_string() == nullptr || *type->as_string() != "function")
    return unsupported(std::string(name) + ".type", "is not supported: only function is");
  for (const auto& [key, member] : *value.as_object()) {
    if (key != "type" && key != "name" && !member.is_null())
      return unsupported(std::string(name) + "." + key, "is not supported");
  }
  if (function == nullptr || function->as_string() == nullptr)
    return invalid(std::string(name) + ".name", "must be a string");
  to->chat.tools.choice = {ToolChoice::Kind::kNamed, *function->as_string()};
  return {};
}

Result<void> read_parallel(std::string_view name, const Json& value, const FieldContext&,
                           ResponsesRequest* to) {
  ASSIGN_OR_RETURN(to->chat.tools.parallel, read_bool(name, value));
  return {};
}

// --- text.format

struct TextSettings {
  std::optional<Json> format;
};

Result<void> read_format(std::string_view, const Json& value, const FieldContext&, TextSettings* to) {
  to->format = value;
  return {};
}

constexpr Field<TextSettings> kTextFields[] = {
    {"format", CustomField<TextSettings>{read_format}},
    {"verbosity", NeutralField{R"(["medium"])"}},
};

// What chat completions put into an object of its own stands beside the type here.
Json as_response_format(const Json& format) {
  const JsonObject* members = format.as_object();
  if (members == nullptr) return format;
  const Json* type = format.find("type");
  JsonObject outer, inner;
  for (const auto& [key, member] : *members) {
    (key == "type" ? outer : inner).emplace_back(key, member);
  }
  const bool schema = type != nullptr && type->as_string() != nullptr && *type->as_string() == "json_schema";
  if (schema) {
    outer.emplace_back("json_schema", std::move(inner));
  } else {
    outer.insert(outer.end(), inner.begin(), inner.end());
  }
  return outer;
}

Result<void> read_text(std::string_view name, const Json& value, const FieldContext& context,
                       ResponsesRequest* to) {
  const JsonObject* members = value.as_object();
  if (members == nullptr)
    return invalid(std::string(name), "must be an object, not " + std::string(value.type_name()));
  to->sent_text = value;
  TextSettings settings;
  RETURN_IF_ERROR(read_fields<TextSettings>(*members, std::string(name) + ".", kTextFields, context,
                                            &settings, &to->ignored_fields));
  if (!settings.format) return {};
  ASSIGN_OR_RETURN(to->format,
                   read_response_format(std::string(name) + ".format", as_response_format(*settings.format),
                                        context, &to->ignored_fields));
  return {};
}

// --- the body

Result<void> read_model(std::string_view, const Json& value, const FieldContext& context, ResponsesRequest*) {
  return check_model_name(value, context);
}

Result<void> keep_input(std::string_view, const Json& value, const FieldContext&, ResponsesRequest* to) {
  to->input = value;
  return {};
}

Result<void> keep_metadata(std::string_view name, const Json& value, const FieldContext&,
                           ResponsesRequest* to) {
  if (value.as_object() == nullptr) return invalid(std::string(name), "must be an object");
  to->metadata = value;
  return {};
}

Result<void> read_stream_options(std::string_view name, const Json& value, const FieldContext& context,
                                 ResponsesRequest* to) {
  static constexpr Field<ResponsesRequest> kTable[] = {{"include_obfuscation", HarmlessField{}}};
  const JsonObject* members = value.as_object();
  if (members == nullptr) return invalid(std::string(name), "must be an object");
  to->stream_options_given = true;
  return read_fields<ResponsesRequest>(*members, std::string(name) + ".", kTable, context, to,
                                       &to->ignored_fields);
}

using R = ResponsesRequest;
constexpr Field<R> kFields[] = {
    {"model", CustomField<R>{read_model}},
    {"input", CustomField<R>{keep_input}},
    {"instructions", StringField<R>{&R::instructions, kTextBytesMax}},
    {"max_output_tokens", IntField<R>{&R::max_output_tokens, 1, kTokensMax}},
    {"temperature", NumberField<R>{&R::temperature, 0, 2}},
    {"top_p", NumberField<R>{&R::top_p, 0, 1}},
    {"stream", BoolField<R>{&R::stream}},
    {"stream_options", CustomField<R>{read_stream_options}},
    {"tools", CustomField<R>{read_tool_list}},
    {"tool_choice", CustomField<R>{read_choice}},
    {"parallel_tool_calls", CustomField<R>{read_parallel}},
    {"text", CustomField<R>{read_text}},
    {"metadata", CustomField<R>{keep_metadata}},
    {"user", StringField<R>{&R::user, kTextBytesMax}},
    // Not OpenAI's, but useful here too.
    {"seed", IntField<R>{&R::seed, INT64_MIN, INT64_MAX}},
    {"deadline_ms", IntField<R>{&R::deadline_ms, 1, kDeadlineMsMax}},
    {"priority", IntField<R>{&R::priority, -kPriorityMax, kPriorityMax}},

    {"previous_response_id", NeutralField{"[]"}},  // nothing is kept
    {"conversation", NeutralField{"[]"}},
    {"store", NeutralField{"[false]"}},
    {"background", NeutralField{"[false]"}},
    {"include", NeutralField{"[[]]"}},
    {"prompt", NeutralField{"[]"}},
    {"reasoning", NeutralField{R"([{},{"effort":null},{"effort":"none"},{"effort":null,"summary":null}])"}},
    {"truncation", NeutralField{R"(["disabled"])"}},
    {"max_tool_calls", NeutralField{"[]"}},
    {"top_logprobs", NeutralField{"[0]"}},
    {"context_management", NeutralField{"[[]]"}},
    {"service_tier", HarmlessField{}},
    {"safety_identifier", HarmlessField{}},
    {"prompt_cache_key", HarmlessField{}},
    {"prompt_cache_retention", HarmlessField{}},
};

JsonObject settings_of(const ResponsesRequest& request) {
  const auto text = [](const std::optional<std::string>& value) { return value ? Json(*value) : Json(); };
  return {{"instructions", text(request.instructions)},
          {"max_output_tokens", request.max_output_tokens ? Json(*request.max_output_tokens) : Json()},
          {"metadata", request.metadata.value_or(JsonObject{})},
          {"parallel_tool_calls", request.chat.tools.parallel},
          {"previous_response_id", nullptr},
          {"store", false},
          {"temperature", request.temperature},
          {"text", request.sent_text.value_or(JsonObject{{"format", JsonObject{{"type", "text"}}}})},
          {"tool_choice", request.sent_choice.value_or("auto")},
          {"tools", request.sent_tools.value_or(JsonArray{})},
          {"top_p", request.top_p},
          {"truncation", "disabled"},
          {"user", text(request.user)}};
}

}  // namespace

Result<CompletionRequest> read_responses_request(const Json& body, const FieldContext& context) {
  const JsonObject* object = body.as_object();
  if (object == nullptr) {
    return Error{ErrorCode::kInvalid, "the body must be a JSON object, not " + std::string(body.type_name()),
                 ""};
  }
  ResponsesRequest request;
  static_cast<CompletionRequest&>(request) = request_with_defaults(Endpoint::kChat, context.options);
  request.dialect = Dialect::kResponses;
  RETURN_IF_ERROR(read_fields<R>(*object, "", kFields, context, &request, &request.ignored_fields));
  if (!request.input) return invalid("input", "is missing");
  JsonArray messages;
  if (request.instructions)
    messages.push_back(JsonObject{{"role", "system"}, {"content", *request.instructions}});
  RETURN_IF_ERROR(add_input(*request.input, context, &request.ignored_fields, &messages));
  ASSIGN_OR_RETURN(request.chat.messages, read_messages(messages, context, &request.ignored_fields));
  RETURN_IF_ERROR(check_completion_request(context, &request));
  request.tokens_max = request.max_output_tokens;
  request.tokens_max_name = "max_output_tokens";
  request.echoed_settings = settings_of(request);
  return static_cast<CompletionRequest&&>(request);
}

}  // namespace hussar
