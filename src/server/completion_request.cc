#include "server/completion_request.h"

#include <charconv>

namespace hussar {

namespace {

constexpr size_t kStopIdsMax = 64;
constexpr size_t kBiasMax = 1024;
constexpr size_t kCacheSaltBytesMax = 256;
constexpr size_t kBadWordsMax = 256;
constexpr size_t kBadWordBytesMax = 256;
constexpr int64_t kTokensMax = 1 << 30;  // the context, which the engine checks, is far below

Error invalid(std::string_view name, std::string message) {
  return {ErrorCode::kInvalid, std::string(name) + " " + std::move(message), std::string(name)};
}

Result<std::vector<TokenId>> read_tokens(std::string_view name, const Json& value,
                                         const FieldContext& context) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(name, "must be an array of token ids, not " + std::string(value.type_name()));
  std::vector<TokenId> tokens;
  tokens.reserve(items->size());
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    ASSIGN_OR_RETURN(const TokenId token, read_token_id(place, (*items)[i], context));
    tokens.push_back(token);
  }
  return tokens;
}

Result<void> add_prompt(std::string_view name, const Json& value, const FieldContext& context,
                        CompletionRequest* to) {
  if (const std::string* text = value.as_string()) {
    to->prompts.push_back({*text, {}});
    return {};
  }
  ASSIGN_OR_RETURN(std::vector<TokenId> tokens, read_tokens(name, value, context));
  if (tokens.empty()) return invalid(name, "must not be empty");
  to->prompts.push_back({std::nullopt, std::move(tokens)});
  return {};
}

// A string, an array of token ids, or an array of any of these.
Result<void> read_prompt(std::string_view name, const Json& value, const FieldContext& context,
                         CompletionRequest* to) {
  const JsonArray* items = value.as_array();
  if (value.as_string() == nullptr && items == nullptr) {
    return invalid(name, "must be a string or an array of token ids, not " + std::string(value.type_name()));
  }
  if (items != nullptr && items->empty()) return invalid(name, "must not be empty");
  const bool several =
      items != nullptr && (items->front().as_string() != nullptr || items->front().as_array() != nullptr);
  if (!several) return add_prompt(name, value, context, to);
  if (items->size() > static_cast<size_t>(context.options.choices_max)) {
    return invalid(name, "may hold at most " + std::to_string(context.options.choices_max) + " prompts");
  }
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    const Json& item = (*items)[i];
    if (item.as_string() == nullptr && item.as_array() == nullptr)
      return invalid(place, "must be a string or an array of token ids, as the first one");
    RETURN_IF_ERROR(add_prompt(place, item, context, to));
  }
  return {};
}

Result<void> read_messages_field(std::string_view, const Json& value, const FieldContext& context,
                                 CompletionRequest* to) {
  ASSIGN_OR_RETURN(to->chat.messages, read_messages(value, context, &to->ignored_fields));
  return {};
}

Result<void> read_tools_field(std::string_view name, const Json& value, const FieldContext& context,
                              CompletionRequest* to) {
  return read_tools(name, value, context, &to->ignored_fields, &to->chat.tools);
}

Result<void> read_tool_choice_field(std::string_view name, const Json& value, const FieldContext& context,
                                    CompletionRequest* to) {
  return read_tool_choice(name, value, context, &to->ignored_fields, &to->chat.tools);
}

Result<void> read_parallel_calls(std::string_view name, const Json& value, const FieldContext&,
                                 CompletionRequest* to) {
  ASSIGN_OR_RETURN(to->chat.tools.parallel, read_bool(name, value));
  return {};
}

Result<void> read_generation_prompt(std::string_view name, const Json& value, const FieldContext&,
                                    CompletionRequest* to) {
  ASSIGN_OR_RETURN(to->chat.add_generation_prompt, read_bool(name, value));
  return {};
}

Result<void> read_continue(std::string_view name, const Json& value, const FieldContext&,
                           CompletionRequest* to) {
  ASSIGN_OR_RETURN(to->chat.continue_final_message, read_bool(name, value));
  return {};
}

Result<void> read_variables(std::string_view name, const Json& value, const FieldContext&,
                            CompletionRequest* to) {
  return read_template_variables(name, value, &to->chat);
}

Result<void> read_allowed_ids(std::string_view name, const Json& value, const FieldContext& context,
                              CompletionRequest* to) {
  ASSIGN_OR_RETURN(to->allowed_ids, read_tokens(name, value, context));
  if (to->allowed_ids.empty()) return invalid(name, "must not be empty: no token could be generated");
  return {};
}

Result<void> read_bad_words(std::string_view name, const Json& value, const FieldContext&,
                            CompletionRequest* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(name, "must be an array of strings, not " + std::string(value.type_name()));
  if (items->size() > kBadWordsMax)
    return invalid(name, "may hold at most " + std::to_string(kBadWordsMax) + " words");
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    ASSIGN_OR_RETURN(std::string word, read_string(place, (*items)[i], kBadWordBytesMax));
    if (word.find_first_not_of(' ') == std::string::npos) return invalid(place, "must not be empty");
    to->bad_words.push_back(std::move(word));
  }
  return {};
}

// -1, or from 1.
Result<void> read_truncation(std::string_view name, const Json& value, const FieldContext&,
                             CompletionRequest* to) {
  ASSIGN_OR_RETURN(const int64_t tokens, read_int(name, value, -1, kTokensMax));
  if (tokens == 0) return invalid(name, "must be -1, or at least 1");
  to->truncate_prompt_tokens = tokens;
  return {};
}

Result<void> read_stop(std::string_view name, const Json& value, const FieldContext& context,
                       CompletionRequest* to) {
  return read_stop_strings(name, value, context, &to->stop);
}

Result<void> read_stop_ids(std::string_view name, const Json& value, const FieldContext& context,
                           CompletionRequest* to) {
  if (value.as_array() != nullptr && value.as_array()->size() > kStopIdsMax)
    return invalid(name, "may hold at most " + std::to_string(kStopIdsMax) + " ids");
  ASSIGN_OR_RETURN(to->stop_ids, read_tokens(name, value, context));
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
    request->tokens_max_name = name;
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

// How many answers there are, and what can't be had of several.
Result<void> check_choices(const CompletionRequest& request, const FieldContext& context) {
  if (request.best_of.value_or(request.choices()) != request.choices()) {
    return Error{ErrorCode::kUnsupported,
                 "best_of is not supported beyond n: ask for more choices and take the best", "best_of"};
  }
  const int64_t prompts =
      request.endpoint == Endpoint::kChat ? 1 : static_cast<int64_t>(request.prompts.size());
  if (request.choices() * prompts > context.options.choices_max) {
    return invalid(
        "n", "times the number of prompts may be at most " + std::to_string(context.options.choices_max));
  }
  if (request.echo && request.logprobs_top >= 0) {
    return Error{ErrorCode::kUnsupported,
                 "echo with logprobs is not supported: a prompt's log-probabilities are not computed",
                 "echo"};
  }
  // What stop strings are looked for in does not hold the names of special tokens.
  if (!request.skip_special_tokens && !request.stop.empty()) {
    return Error{ErrorCode::kUnsupported, "skip_special_tokens: false is not supported together with stop",
                 "skip_special_tokens"};
  }
  return {};
}

// A forced call is a format of the answer.
Result<void> fold_forced_call(CompletionRequest* request) {
  const ToolOffer& offer = request->chat.tools;
  if (offer.forced()) {
    if (request->format) {
      return invalid("tool_choice", "can't be combined with " + request->format->field +
                                        ": the answer is a call or is held to a format");
    }
    if (request->chat.continue_final_message)
      return invalid("tool_choice", "must be auto or none where a message is to be continued");
    ForcedCall call = forced_call(offer);
    request->format = {{GrammarKind::kJsonSchema, std::move(call.schema), {}}, std::move(call.field)};
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
    {"n", IntField<CompletionRequest>{&CompletionRequest::n, 1, kTokensMax}},
    {"best_of", IntField<CompletionRequest>{&CompletionRequest::best_of, 1, kTokensMax}},
    {"allowed_token_ids", CustomField<CompletionRequest>{read_allowed_ids}},
    {"bad_words", CustomField<CompletionRequest>{read_bad_words}},
    {"truncate_prompt_tokens", CustomField<CompletionRequest>{read_truncation}},
    {"include_stop_str_in_output", BoolField<CompletionRequest>{&CompletionRequest::include_stop}},
    {"skip_special_tokens", BoolField<CompletionRequest>{&CompletionRequest::skip_special_tokens}},
    {"return_token_ids", BoolField<CompletionRequest>{&CompletionRequest::return_token_ids}},
    {"return_tokens_as_token_ids", BoolField<CompletionRequest>{&CompletionRequest::tokens_as_ids}},

    {"use_beam_search", NeutralField{"[false]"}},
    {"length_penalty", NeutralField{"[1]"}},
    {"early_stopping", NeutralField{"[false]"}},
    {"typical_p", NeutralField{"[1]"}},
    {"mirostat", NeutralField{"[0]"}},
    {"response_format", CustomField<CompletionRequest>{read_format_field}},
    {"structured_outputs", CustomField<CompletionRequest>{read_structured_field}},
    {"guided_json", NeutralField{"[]"}},
    {"guided_regex", NeutralField{"[]"}},
    {"guided_choice", NeutralField{"[]"}},
    {"guided_grammar", NeutralField{"[]"}},
    {"guided_decoding_backend", NeutralField{"[]"}},
    {"prompt_logprobs", NeutralField{"[]"}},
    {"logits_processors", NeutralField{"[[]]"}},
    {"spaces_between_special_tokens", NeutralField{"[true,false]"}},  // no text has a space of its own there
    {"truncation_side", NeutralField{R"(["left"])"}},
    {"detokenize", NeutralField{"[true]"}},

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
    {"echo", BoolField<CompletionRequest>{&CompletionRequest::echo}},
    {"add_special_tokens", BoolField<CompletionRequest>{&CompletionRequest::add_special_tokens}},
    {"suffix", NeutralField{R"([""])"}},
};

constexpr Field<CompletionRequest> kChatFields[] = {
    {"messages", CustomField<CompletionRequest>{read_messages_field}},
    {"logprobs", BoolField<CompletionRequest>{&CompletionRequest::chat_logprobs}},
    {"top_logprobs", IntField<CompletionRequest>{&CompletionRequest::top_logprobs, 0, kTokensMax}},
    {"tools", CustomField<CompletionRequest>{read_tools_field}},
    {"tool_choice", CustomField<CompletionRequest>{read_tool_choice_field}},
    {"parallel_tool_calls", CustomField<CompletionRequest>{read_parallel_calls}},
    {"add_generation_prompt", CustomField<CompletionRequest>{read_generation_prompt}},
    {"continue_final_message", CustomField<CompletionRequest>{read_continue}},
    {"chat_template_kwargs", CustomField<CompletionRequest>{read_variables}},
    {"echo", NeutralField{"[false]"}},
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
    {"add_special_tokens", NeutralField{"[false]"}},
};

std::vector<Field<CompletionRequest>> join_tables(std::span<const Field<CompletionRequest>> own) {
  std::vector<Field<CompletionRequest>> table(own.begin(), own.end());
  table.insert(table.end(), std::begin(kSharedFields), std::end(kSharedFields));
  return table;
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

Result<void> read_stop_strings(std::string_view name, const Json& value, const FieldContext& context,
                               std::vector<std::string>* to) {
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
    to->push_back(std::move(text));
  }
  if (bytes > bytes_max) return invalid(name, "may hold at most " + std::to_string(bytes_max) + " bytes");
  return {};
}

CompletionRequest request_with_defaults(Endpoint endpoint, const ServerOptions& options) {
  const GenerationDefaults& defaults = options.defaults;
  CompletionRequest request;
  request.endpoint = endpoint;
  request.temperature = defaults.temperature.value_or(request.temperature);
  request.top_p = defaults.top_p.value_or(request.top_p);
  request.min_p = defaults.min_p.value_or(request.min_p);
  request.repetition_penalty = defaults.repetition_penalty.value_or(request.repetition_penalty);
  request.top_k = defaults.top_k;
  return request;
}

Result<void> check_completion_request(const FieldContext& context, CompletionRequest* request) {
  if (request->endpoint == Endpoint::kChat) {
    RETURN_IF_ERROR(check_chat_prompt(request->chat));
    RETURN_IF_ERROR(fold_forced_call(request));
  } else if (request->prompts.empty()) {
    return invalid("prompt", "is missing");
  }
  if (request->stream_options_given && !request->stream)
    return invalid("stream_options", "needs stream: true");
  RETURN_IF_ERROR(fold_tokens_max(request));
  RETURN_IF_ERROR(fold_logprobs(request, context));
  RETURN_IF_ERROR(check_choices(*request, context));
  RETURN_IF_ERROR(check_format_conflicts(*request));
  if (request->tokens_min.value_or(0) > request->tokens_max.value_or(kTokensMax)) {
    return invalid("min_tokens",
                   "must not exceed the token limit of " + std::to_string(*request->tokens_max));
  }
  return {};
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
  CompletionRequest request = request_with_defaults(endpoint, context.options);
  RETURN_IF_ERROR(read_fields<CompletionRequest>(*object, "", chat ? chat_table : completion_table, context,
                                                 &request, &request.ignored_fields));
  RETURN_IF_ERROR(check_completion_request(context, &request));
  return request;
}

}  // namespace hussar
