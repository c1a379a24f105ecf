#include "bench/mock_request.h"

#include <algorithm>

#include "bench/mock_text.h"

namespace hussar {

namespace {

constexpr JsonLimits kBodyLimits{16 << 20, 64};
constexpr int64_t kTokensMax = 1'000'000'000;

Error invalid(std::string message, std::string field) {
  return {ErrorCode::kInvalid, std::move(message), std::move(field)};
}

Result<Json> parse_body(std::string_view body) {
  auto json = parse_json(body, kBodyLimits);
  if (!json.ok()) return invalid("the body is no JSON: " + json.error().message, "");
  if (json->as_object() == nullptr) return invalid("the body must be a JSON object", "");
  return json;
}

// Leaves `value` as it is where there is no such member, or a null.
Result<void> read_tokens(const Json& body, const char* name, int64_t* value) {
  const Json* member = body.find(name);
  if (member == nullptr || member->is_null()) return {};
  const int64_t* number = member->as_int();
  if (number == nullptr || *number < 0 || *number > kTokensMax) {
    return invalid(std::string(name) + " must be a whole number, at least 0", name);
  }
  *value = *number;
  return {};
}

Result<void> read_bool(const Json& body, const char* name, bool* value) {
  const Json* member = body.find(name);
  if (member == nullptr || member->is_null()) return {};
  if (member->as_bool() == nullptr) return invalid(std::string(name) + " must be a boolean", name);
  *value = *member->as_bool();
  return {};
}

// The mock's chat template: a line with the role, and the content, which is a string or an array of text
// parts.
Result<std::string> messages_text(const Json& messages) {
  const JsonArray* array = messages.as_array();
  if (array == nullptr || array->empty()) return invalid("messages must be an array of messages", "messages");
  std::string text;
  for (const Json& message : *array) {
    const Json* role = message.find("role");
    const Json* content = message.find("content");
    text += role != nullptr && role->as_string() != nullptr ? *role->as_string() : "user";
    text += '\n';
    if (content != nullptr && content->as_string() != nullptr) {
      text += *content->as_string();
    } else if (content != nullptr && content->as_array() != nullptr) {
      for (const Json& part : *content->as_array()) {
        const Json* part_text = part.find("text");
        if (part_text != nullptr && part_text->as_string() != nullptr) text += *part_text->as_string();
      }
    } else {
      return invalid("each message must have content", "messages");
    }
    text += '\n';
  }
  return text;
}

// Of the prompt, or of the messages.
Result<int64_t> count_prompt(const Json& body, bool chat) {
  if (chat) {
    const Json* messages = body.find("messages");
    if (messages == nullptr) return invalid("messages are missing", "messages");
    ASSIGN_OR_RETURN(const std::string text, messages_text(*messages));
    return count_mock_tokens(text);
  }
  const Json* prompt = body.find("prompt");
  if (prompt == nullptr) return invalid("the prompt is missing", "prompt");
  if (const std::string* text = prompt->as_string()) return count_mock_tokens(*text);
  const JsonArray* ids = prompt->as_array();
  const auto is_id = [](const Json& id) { return id.as_int() != nullptr; };
  if (ids == nullptr || ids->empty() || !std::all_of(ids->begin(), ids->end(), is_id)) {
    return invalid("the prompt must be a string or an array of token ids", "prompt");
  }
  return static_cast<int64_t>(ids->size());
}

Result<void> read_lengths(const Json& body, MockRequest* request) {
  for (const char* name : {"max_tokens", "max_completion_tokens", "max_new_tokens"}) {
    RETURN_IF_ERROR(read_tokens(body, name, &request->max_tokens));
  }
  RETURN_IF_ERROR(read_tokens(body, "min_tokens", &request->min_tokens));
  return read_bool(body, "ignore_eos", &request->ignore_eos);
}

Result<void> read_stream(const Json& body, MockRequest* request) {
  RETURN_IF_ERROR(read_bool(body, "stream", &request->stream));
  const Json* options = body.find("stream_options");
  if (options == nullptr || options->is_null()) return {};
  if (!request->stream || options->as_object() == nullptr) {
    return invalid("stream_options is an object for streams alone", "stream_options");
  }
  RETURN_IF_ERROR(read_bool(*options, "include_usage", &request->include_usage));
  return read_bool(*options, "continuous_usage_stats", &request->continuous_usage);
}

Result<void> check_context(const MockRequest& request, int64_t context_tokens) {
  const int64_t asked = request.prompt_tokens + std::max<int64_t>(request.max_tokens, 1);
  if (asked <= context_tokens) return {};
  return Error{ErrorCode::kTooLarge,
               "This model's maximum context length is " + std::to_string(context_tokens) +
                   " tokens. However, you requested " + std::to_string(asked) + " tokens (" +
                   std::to_string(request.prompt_tokens) + " in the prompt, " +
                   std::to_string(asked - request.prompt_tokens) + " in the answer).",
               request.chat ? "messages" : "prompt"};
}

}  // namespace

Result<MockRequest> read_mock_request(const HttpRequest& http, const MockOptions& options) {
  MockRequest request;
  request.chat = http.path == "/v1/chat/completions";
  if (const std::string* id = http.header("X-Request-Id")) request.request_id = *id;
  if (const std::string* fault = http.header("X-Mock-Fault")) {
    ASSIGN_OR_RETURN(request.fault, parse_mock_fault(*fault));
  }
  ASSIGN_OR_RETURN(const Json body, parse_body(http.body));
  const Json* model = body.find("model");
  if (model != nullptr && (model->as_string() == nullptr || *model->as_string() != options.model)) {
    return Error{ErrorCode::kNotFound, "this model is not served; there is " + options.model, "model"};
  }
  request.article = !request.chat && (model == nullptr || body.find("max_new_tokens") != nullptr);
  if (const Json* n = body.find("n"); n != nullptr && (n->as_int() == nullptr || *n->as_int() != 1)) {
    return invalid("n must be 1", "n");
  }
  RETURN_IF_ERROR(read_lengths(body, &request));
  RETURN_IF_ERROR(read_stream(body, &request));
  ASSIGN_OR_RETURN(request.prompt_tokens, count_prompt(body, request.chat));
  RETURN_IF_ERROR(check_context(request, options.context_tokens));
  return request;
}

Result<std::string> read_mock_tokenize_text(std::string_view text) {
  ASSIGN_OR_RETURN(const Json body, parse_body(text));
  for (const char* name : {"prompt", "content"}) {
    const Json* member = body.find(name);
    if (member != nullptr && member->as_string() != nullptr) return *member->as_string();
  }
  const Json* messages = body.find("messages");
  if (messages == nullptr) return invalid("there is neither prompt nor content nor messages", "prompt");
  return messages_text(*messages);
}

}  // namespace hussar
