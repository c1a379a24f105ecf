#include "server/completion_request.h"

#include <charconv>

namespace hussar {

namespace {

constexpr size_t kMessagesMax = 4096;
constexpr size_t kStopIdsMax = 64;
constexpr size_t kBiasMax = 1024;
constexpr size_t kCacheSaltBytesMax = 256;
constexpr int64_t kTokensMax = 1 << 30;  // the context, which the engine checks, is far below

Error invalid(std::string_view name, std::string message) {
  return {ErrorCode::kInvalid, std::string(name) + " " + std::move(message), std::string(name)};
}

Result<void> read_prompt_tokens(std::string_view name, const JsonArray& items, const FieldContext& context,
                                CompletionRequest* to) {
  to->prompt_tokens.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    ASSIGN_OR_RETURN(const TokenId token, read_token_id(place, items[i], context));
    to->prompt_tokens.push_back(token);
  }
  return {};
}

// A string, an array of token ids, or an array of one of either.
Result<void> read_prompt(std::string_view name, const Json& value, const FieldContext& context,
                         CompletionRequest* to) {
  if (const std::string* text = value.as_string()) {
    to->prompt_text = *text;
    return {};
  }
  const JsonArray* items = value.as_array();
  if (items == nullptr) {
    return invalid(name, "must be a string or an array of token ids, not " + std::string(value.type_name()));
  }
  if (items->empty()) return invalid(name, "must not be empty");
  if (items->front().as_string() == nullptr && items->front().as_array() == nullptr) {
    return read_prompt_tokens(name, *items, context, to);
  }
  if (items->size() > 1) {
    return Error{ErrorCode::kUnsupported,
                 "several prompts in one request are not supported: send one request each",
                 std::string(name)};
  }
  if (const std::string* text = items->front().as_string()) {
    to->prompt_text = *text;
    return {};
  }
  if (items->front().as_array()->empty()) return invalid(name, "must not be empty");
  return read_prompt_tokens(std::string(name) + "[0]", *items->front().as_array(), context, to);
}

Result<void> read_messages_field(std::string_view, const Json& value, const FieldContext& context,
                                 CompletionRequest* to) {
  ASSIGN_OR_RETURN(to->messages, read_messages(value, context, &to->ignored_fields));
  return {};
}

Result<void> read_stop(std::string_view name, const Json& value, const FieldContext& context,
                       CompletionRequest* to) {
  const size_t count_max = static_cast<size_t>(context.options.stop_strings_max);
  const size_t bytes_max = static_cast<size_t>(context.options.stop_strings_bytes_max);
  JsonArray one;
  if (value.as_string() != nullptr) one.push_back(value);
  const JsonArray* items = one.empty() ? value.as_array() : &one;
  if (items == nullptr) {
    return invalid(name, "must be a string or an array of strings, not " + std::string(value.type_name()));
  }
  if (items->size() > count_max)
    return invalid(name, "may hold at most " + std::to_string(count_max) + " strings");
  size_t bytes = 0;
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place =
        one.empty() ? std::string(name) + "[" + std::to_string(i) + "]" : std::string(name);
    ASSIGN_OR_RETURN(std::string text, read_string(place, (*items)[i], bytes_max));
    if (text.empty()) return invalid(place, "must not be an empty string");
    bytes += text.size();
    to->stop.push_back(std::move(text));
  }
  if (bytes > bytes_max) return invalid(name, "may hold at most " + std::to_string(bytes_max) + " bytes");
  return {};
}

Result<void> read_stop_ids(std::string_view name, const Json& value, const FieldContext& context,
                           CompletionRequest* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(name, "must be an array of token ids, not " + std::string(value.type_name()));
  if (items->size() > kStopIdsMax)
    return invalid(name, "may hold at most " + std::to_string(kStopIdsMax) + " ids");
  for (size_t i = 0; i < items->size(); ++i) {
    ASSIGN_OR_RETURN(const TokenId token,
                     read_token_id(std::string(name) + "[" + std::to_string(i) + "]", (*items)[i], context));
    to->stop_ids.push_back(token);
  }
  return {};
}

Result<void> read_logit_bias(std::string_view name, const Json& value, const FieldContext& context,
                             CompletionRequest* to) {
  const JsonObject* members = value.as_object();
  if (members == nullptr) {
    return invalid(name, "must be an object of token ids and numbers, not " + std::string(value.type_name()));
  }
  if (members->size() > kBiasMax)
    return invalid(name, "may hold at most " + std::to_string(kBiasMax) + " entries");
  for (const auto& [key, bias] : *members) {
    const std::string place = std::string(name) + "." + key.substr(0, 32);
    TokenId token = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0 || token >= context.vocab_size) {
      return invalid(place,
                     "must be named by a token id from 0 to " + std::to_string(context.vocab_size - 1));
    }
    ASSIGN_OR_RETURN(const double number, read_number(place, bias, -100, 100));
    to->bias.push_back({token, static_cast<float>(number)});
  }
  return {};
}

Result<void> read_stream_options(std::string_view name, const Json& value, const FieldContext& context,
                                 CompletionRequest* to) {
  static constexpr Field<CompletionRequest> kTable[] = {
      {"include_usage", BoolField<CompletionRequest>{&CompletionRequest::include_usage}},
      {"continuous_usage_stats", NeutralField{"[false]"}},
      {"include_obfuscation", HarmlessField{}},
  };
  const JsonObject* members = value.as_object();
  if (members == nullptr) return invalid(name, "must be an object, not " + std::string(value.type_name()));
  to->stream_options_given = true;
  return read_fields<CompletionRequest>(*members, std::string(name) + ".", kTable, context, to,
                                        &to->ignored_fields);
}

Result<void> keep_format(Result<std::optional<AnswerFormat>> read, std::string_view name,
                         CompletionRequest* to) {
  ASSIGN_OR_RETURN(std::optional<AnswerFormat> format, std::move(read));
  if (!format) return {};
  if (to->format) return invalid(name, "can't be combined with " + to->format->field);
  to->format = std::move(format);
  return {};
}

Result<void> read_format_field(std::string_view name, const Json& value, const FieldContext& context,
                               CompletionRequest* to) {
  return keep_format(read_response_format(name, value, context, &to->ignored_fields), name, to);
}

Result<void> read_structured_field(std::string_view name, const Json& value, const FieldContext& context,
                                   CompletionRequest* to) {
  return keep_format(read_structured_outputs(name, value, context, &to->ignored_fields), name, to);
}

Result<void> read_model(std::string_view, const Json& value, const FieldContext& context,
                        CompletionRequest*) {
  return check_model_name(value, context);
}

// The token limit under its three names, of which one is enough.
Result<void> fold_tokens_max(CompletionRequest* request) {
  const std::pair<std::string_view, std::optional<int64_t>> names[] = {
      {"max_tokens", request->max_tokens},
      {"max_completion_tokens", request->max_completion_tokens},
      {"max_new_tokens", request->max_new_tokens},
  };
  for (const auto& [name, value] : names) {
    if (!value) continue;
    if (request->tokens_max && *request->tokens_max != *value) {
      return invalid(name, "is " + std::to_string(*value) + ", but the same limit is given as " +
                               std::to_string(*request->tokens_max) + " under another name");
    }
    request->tokens_max = value;
  }
  return {};
}

Result<void> fold_logprobs(CompletionRequest* request, const FieldContext& context) {
  if (request->endpoint == Endpoint::kCompletions) {
    if (request->logprobs_count) request->logprobs_top = static_cast<int32_t>(*request->logprobs_count);
  } else if (request->chat_logprobs) {
    request->logprobs_top = static_cast<int32_t>(request->top_logprobs.value_or(0));
  } else if (request->top_logprobs.value_or(0) > 0) {
    return invalid("top_logprobs", "needs logprobs: true");
  }
  if (request->logprobs_top > context.options.logprobs_top_max) {
    return invalid(request->endpoint == Endpoint::kChat ? "top_logprobs" : "logprobs",
                   "must be between 0 and " + std::to_string(context.options.logprobs_top_max) + ", not " +
                       std::to_string(request->logprobs_top));
  }
  return {};
}

// What both endpoints know. The order is that of the documentation.
constexpr Field<CompletionRequest> kSharedFields[] = {
    {"model", CustomField<CompletionRequest>{read_model}},
    {"max_tokens", IntField<CompletionRequest>{&CompletionRequest::max_tokens, 1, kTokensMax}},
    {"max_completion_tokens",
     IntField<CompletionRequest>{&CompletionRequest::max_completion_tokens, 1, kTokensMax}},
    {"max_new_tokens", IntField<CompletionRequest>{&CompletionRequest::max_new_tokens, 1, kTokensMax}},
    {"temperature", NumberField<CompletionRequest>{&CompletionRequest::temperature, 0, 2}},
    {"top_p", NumberField<CompletionRequest>{&CompletionRequest::top_p, 0, 1}},
    {"top_k", IntField<CompletionRequest>{&CompletionRequest::top_k, -1, 1 << 30}},
    {"min_p", NumberField<CompletionRequest>{&CompletionRequest::min_p, 0, 1}},
    {"repetition_penalty", NumberField<CompletionRequest>{&CompletionRequest::repetition_penalty, 0.01, 100}},
    {"presence_penalty", NumberField<CompletionRequest>{&CompletionRequest::presence_penalty, -2, 2}},
    {"frequency_penalty", NumberField<CompletionRequest>{&CompletionRequest::frequency_penalty, -2, 2}},
    {"logit_bias", CustomField<CompletionRequest>{read_logit_bias}},
    {"seed", IntField<CompletionRequest>{&CompletionRequest::seed, INT64_MIN, INT64_MAX}},
    {"stop", CustomField<CompletionRequest>{read_stop}},
    {"stop_token_ids", CustomField<CompletionRequest>{read_stop_ids}},
    {"ignore_eos", BoolField<CompletionRequest>{&CompletionRequest::ignore_eos}},
    {"min_tokens", IntField<CompletionRequest>{&CompletionRequest::tokens_min, 0, kTokensMax}},
    {"stream", BoolField<CompletionRequest>{&CompletionRequest::stream}},
    {"stream_options", CustomField<CompletionRequest>{read_stream_options}},
    {"cache_salt", StringField<CompletionRequest>{&CompletionRequest::cache_salt, kCacheSaltBytesMax}},
    {"deadline_ms", IntField<CompletionRequest>{&CompletionRequest::deadline_ms, 1, kDeadlineMsMax}},
    {"priority", IntField<CompletionRequest>{&CompletionRequest::priority, -kPriorityMax, kPriorityMax}},

    {"n", NeutralField{"[1]"}},
    {"best_of", NeutralField{"[1]"}},
    {"use_beam_search", NeutralField{"[false]"}},
    {"length_penalty", NeutralField{"[1]"}},
    {"early_stopping", NeutralField{"[false]"}},
    {"typical_p", NeutralField{"[1]"}},
    {"mirostat", NeutralField{"[0]"}},
    {"echo", NeutralField{"[false]"}},
    {"response_format", CustomField<CompletionRequest>{read_format_field}},
    {"structured_outputs", CustomField<CompletionRequest>{read_structured_field}},
    {"guided_json", NeutralField{"[]"}},
    {"guided_regex", NeutralField{"[]"}},
    {"guided_choice", NeutralField{"[]"}},
    {"guided_grammar", NeutralField{"[]"}},
    {"guided_decoding_backend", NeutralField{"[]"}},
    {"prompt_logprobs", NeutralField{"[]"}},
    {"allowed_token_ids", NeutralField{"[]"}},
    {"bad_words", NeutralField{"[[]]"}},
    {"logits_processors", NeutralField{"[[]]"}},
    {"skip_special_tokens", NeutralField{"[true]"}},
    {"spaces_between_special_tokens", NeutralField{"[true]"}},
    {"include_stop_str_in_output", NeutralField{"[false]"}},
    {"truncate_prompt_tokens", NeutralField{"[]"}},
    {"return_tokens_as_token_ids", NeutralField{"[false]"}},
    {"return_token_ids", NeutralField{"[false]"}},

    {"user", HarmlessField{}},
    {"metadata", HarmlessField{}},
    {"store", HarmlessField{}},
    {"service_tier", HarmlessField{}},
    {"safety_identifier", HarmlessField{}},
    {"prompt_cache_key", HarmlessField{}},
    {"prompt_cache_retention", HarmlessField{}},
    {"request_id", HarmlessField{}},
};

constexpr Field<CompletionRequest> kCompletionFields[] = {
    {"prompt", CustomField<CompletionRequest>{read_prompt}},
    {"logprobs", IntField<CompletionRequest>{&CompletionRequest::logprobs_count, 0, kTokensMax}},
    {"suffix", NeutralField{R"([""])"}},
    {"add_special_tokens", NeutralField{"[true]"}},
};

constexpr Field<CompletionRequest> kChatFields[] = {
    {"messages", CustomField<CompletionRequest>{read_messages_field}},
    {"logprobs", BoolField<CompletionRequest>{&CompletionRequest::chat_logprobs}},
    {"top_logprobs", IntField<CompletionRequest>{&CompletionRequest::top_logprobs, 0, kTokensMax}},
    {"tools", NeutralField{"[[]]"}},
    {"tool_choice", NeutralField{R"(["none","auto"])"}},
    {"parallel_tool_calls", NeutralField{"[true,false]"}},
    {"functions", NeutralField{"[[]]"}},
    {"function_call", NeutralField{R"(["none","auto"])"}},
    {"modalities", NeutralField{R"([["text"]])"}},
    {"audio", NeutralField{"[]"}},
    {"prediction", NeutralField{"[]"}},
    {"reasoning_effort", NeutralField{R"(["none"])"}},
    {"verbosity", NeutralField{R"(["medium"])"}},
    {"web_search_options", NeutralField{"[]"}},
    {"documents", NeutralField{"[[]]"}},
    {"chat_template", NeutralField{"[]"}},
    {"chat_template_kwargs", NeutralField{"[{}]"}},
    {"add_generation_prompt", NeutralField{"[true]"}},
    {"continue_final_message", NeutralField{"[false]"}},
    {"add_special_tokens", NeutralField{"[false]"}},
};

std::vector<Field<CompletionRequest>> join_tables(std::span<const Field<CompletionRequest>> own) {
  std::vector<Field<CompletionRequest>> table(own.begin(), own.end());
  table.insert(table.end(), std::begin(kSharedFields), std::end(kSharedFields));
  return table;
}

struct Message {
  std::optional<std::string> role;
  std::optional<std::string> content;
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

constexpr Field<Message> kMessageFields[] = {
    {"role", StringField<Message>{&Message::role, 64}},
    {"content", CustomField<Message>{read_content}},
    {"name", HarmlessField{}},  // the templates that we know have no place for it
    {"refusal", NeutralField{R"([""])"}},
    {"tool_calls", NeutralField{"[[]]"}},
    {"tool_call_id", NeutralField{"[]"}},
    {"function_call", NeutralField{"[]"}},
    {"audio", NeutralField{"[]"}},
    {"annotations", NeutralField{"[[]]"}},
    {"reasoning_content",
     HarmlessField{}},  // of earlier answers, which templates leave out of the next prompt
    {"reasoning", HarmlessField{}},
};

CompletionRequest request_with(const GenerationDefaults& defaults) {
  CompletionRequest request;
  request.temperature = defaults.temperature.value_or(request.temperature);
  request.top_p = defaults.top_p.value_or(request.top_p);
  request.min_p = defaults.min_p.value_or(request.min_p);
  request.repetition_penalty = defaults.repetition_penalty.value_or(request.repetition_penalty);
  request.top_k = defaults.top_k;
  return request;
}

}  // namespace

Result<TokenId> read_token_id(const std::string& name, const Json& value, const FieldContext& context) {
  ASSIGN_OR_RETURN(const int64_t token, read_int(name, value, 0, context.vocab_size - 1));
  return static_cast<TokenId>(token);
}

Result<void> check_model_name(const Json& value, const FieldContext& context) {
  constexpr size_t kNameBytesMax = 1024;
  ASSIGN_OR_RETURN(const std::string name, read_string("model", value, kNameBytesMax));
  if (name == context.model_name) return {};
  return Error{
      ErrorCode::kNotFound,
      "the model " + name + " does not exist here: this server has " + std::string(context.model_name),
      "model"};
}

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
    if (!message.role) return invalid(place + ".role", "is missing");
    std::string role = *message.role;
    if (role == "developer") role = "system";  // OpenAI's newer name of it
    if (role == "tool" || role == "function") {
      return Error{ErrorCode::kUnsupported, place + ".role is " + role + ", but tools are not supported",
                   place + ".role"};
    }
    if (role != "system" && role != "user" && role != "assistant") {
      return invalid(place + ".role", "must be one of system, developer, user, assistant, not " + role);
    }
    if (!message.content && role != "assistant") return invalid(place + ".content", "is missing");
    messages.push_back(JsonObject{{"role", role}, {"content", message.content.value_or("")}});
  }
  return messages;
}

Result<CompletionRequest> read_completion_request(Endpoint endpoint, const Json& body,
                                                  const FieldContext& context) {
  static const std::vector<Field<CompletionRequest>> completion_table = join_tables(kCompletionFields);
  static const std::vector<Field<CompletionRequest>> chat_table = join_tables(kChatFields);
  const JsonObject* object = body.as_object();
  if (object == nullptr) {
    return Error{ErrorCode::kInvalid, "the body must be a JSON object, not " + std::string(body.type_name()),
                 ""};
  }
  const bool chat = endpoint == Endpoint::kChat;
  CompletionRequest request = request_with(context.options.defaults);
  request.endpoint = endpoint;
  RETURN_IF_ERROR(read_fields<CompletionRequest>(*object, "", chat ? chat_table : completion_table, context,
                                                 &request, &request.ignored_fields));
  if (chat && request.messages.empty()) return invalid("messages", "is missing");
  if (!chat && !request.prompt_text && request.prompt_tokens.empty()) return invalid("prompt", "is missing");
  if (request.stream_options_given && !request.stream) return invalid("stream_options", "needs stream: true");
  RETURN_IF_ERROR(fold_tokens_max(&request));
  RETURN_IF_ERROR(fold_logprobs(&request, context));
  RETURN_IF_ERROR(check_format_conflicts(request));
  if (request.tokens_min.value_or(0) > request.tokens_max.value_or(kTokensMax)) {
    return invalid("min_tokens", "must not exceed the token limit of " + std::to_string(*request.tokens_max));
  }
  return request;
}

}  // namespace hussar
