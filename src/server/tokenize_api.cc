#include "server/tokenize_api.h"

#include "base/utf8.h"
#include "server/chat_prompt.h"
#include "server/completion_request.h"
#include "server/fields.h"

namespace hussar {

namespace {

constexpr size_t kTextBytesMax = SIZE_MAX;  // the body's limit is the limit

struct TokenizeRequest {
  std::optional<std::string> prompt, content;
  ChatPrompt chat;
  bool add_special_tokens = true, return_token_strs = false;
  bool add_special = false, parse_special = true, with_pieces = false;
  std::vector<TokenId> tokens;
  bool tokens_given = false;
  std::vector<std::string> ignored_fields;
};

Result<void> read_model(std::string_view, const Json& value, const FieldContext& context, TokenizeRequest*) {
  return check_model_name(value, context);
}

Result<void> read_messages_field(std::string_view, const Json& value, const FieldContext& context,
                                 TokenizeRequest* to) {
  ASSIGN_OR_RETURN(to->chat.messages, read_messages(value, context, &to->ignored_fields));
  return {};
}

Result<void> read_tools_field(std::string_view name, const Json& value, const FieldContext& context,
                              TokenizeRequest* to) {
  return read_tools(name, value, context, &to->ignored_fields, &to->chat.tools);
}

Result<void> read_generation_prompt(std::string_view name, const Json& value, const FieldContext&,
                                    TokenizeRequest* to) {
  ASSIGN_OR_RETURN(to->chat.add_generation_prompt, read_bool(name, value));
  return {};
}

Result<void> read_continue(std::string_view name, const Json& value, const FieldContext&,
                           TokenizeRequest* to) {
  ASSIGN_OR_RETURN(to->chat.continue_final_message, read_bool(name, value));
  return {};
}

Result<void> read_variables(std::string_view name, const Json& value, const FieldContext&,
                            TokenizeRequest* to) {
  return read_template_variables(name, value, &to->chat);
}

Result<void> read_tokens(std::string_view name, const Json& value, const FieldContext& context,
                         TokenizeRequest* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr) {
    return Error{ErrorCode::kInvalid,
                 "tokens must be an array of token ids, not " + std::string(value.type_name()),
                 std::string(name)};
  }
  for (size_t i = 0; i < items->size(); ++i) {
    ASSIGN_OR_RETURN(const TokenId token,
                     read_token_id(std::string(name) + "[" + std::to_string(i) + "]", (*items)[i], context));
    to->tokens.push_back(token);
  }
  to->tokens_given = true;
  return {};
}

constexpr Field<TokenizeRequest> kTokenizeFields[] = {
    {"model", CustomField<TokenizeRequest>{read_model}},
    {"prompt", StringField<TokenizeRequest>{&TokenizeRequest::prompt, kTextBytesMax}},
    {"messages", CustomField<TokenizeRequest>{read_messages_field}},
    {"add_special_tokens", BoolField<TokenizeRequest>{&TokenizeRequest::add_special_tokens}},
    {"return_token_strs", BoolField<TokenizeRequest>{&TokenizeRequest::return_token_strs}},
    {"content", StringField<TokenizeRequest>{&TokenizeRequest::content, kTextBytesMax}},
    {"add_special", BoolField<TokenizeRequest>{&TokenizeRequest::add_special}},
    {"parse_special", BoolField<TokenizeRequest>{&TokenizeRequest::parse_special}},
    {"with_pieces", BoolField<TokenizeRequest>{&TokenizeRequest::with_pieces}},
    {"add_generation_prompt", CustomField<TokenizeRequest>{read_generation_prompt}},
    {"continue_final_message", CustomField<TokenizeRequest>{read_continue}},
    {"chat_template", NeutralField{"[]"}},
    {"chat_template_kwargs", CustomField<TokenizeRequest>{read_variables}},
    {"tools", CustomField<TokenizeRequest>{read_tools_field}},
};

constexpr Field<TokenizeRequest> kDetokenizeFields[] = {
    {"model", CustomField<TokenizeRequest>{read_model}},
    {"tokens", CustomField<TokenizeRequest>{read_tokens}},
};

Json tokens_json(const std::vector<TokenId>& tokens) {
  JsonArray array;
  for (const TokenId token : tokens) array.emplace_back(token);
  return array;
}

// llama-server's pieces: the id and its text, or its bytes where they are no text.
Json pieces_json(const std::vector<TokenId>& tokens, const Tokenizer& tokenizer) {
  JsonArray array;
  for (const TokenId token : tokens) {
    const std::string_view bytes = tokenizer.token_bytes(token);
    Json piece = bytes;
    if (!is_valid_utf8(bytes)) {
      JsonArray numbers;
      for (const char c : bytes) numbers.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
      piece = std::move(numbers);
    }
    array.push_back(JsonObject{{"id", token}, {"piece", std::move(piece)}});
  }
  return array;
}

FieldContext field_context(const ServerOptions& options, const ServerContext& context) {
  return {options, context.model_name, context.tokenizer.vocab_size()};
}

Result<TokenizeRequest> read(const Json& body, std::span<const Field<TokenizeRequest>> table,
                             const FieldContext& context) {
  const JsonObject* object = body.as_object();
  if (object == nullptr) {
    return Error{ErrorCode::kInvalid, "the body must be a JSON object, not " + std::string(body.type_name()),
                 ""};
  }
  TokenizeRequest request;
  RETURN_IF_ERROR(
      read_fields<TokenizeRequest>(*object, "", table, context, &request, &request.ignored_fields));
  return request;
}

}  // namespace

Result<TokenizeAnswer> tokenize(const Json& body, const ServerOptions& options,
                                const ServerContext& context) {
  ASSIGN_OR_RETURN(TokenizeRequest request, read(body, kTokenizeFields, field_context(options, context)));
  const int given =
      (request.prompt ? 1 : 0) + (request.content ? 1 : 0) + (request.chat.messages.empty() ? 0 : 1);
  if (given != 1) {
    return Error{ErrorCode::kInvalid, "exactly one of prompt, messages and content is needed",
                 given == 0 ? "prompt" : ""};
  }
  const Tokenizer& tokenizer = context.tokenizer;
  if (request.content) {
    const auto bos = request.add_special ? Tokenizer::Bos::kAdd : Tokenizer::Bos::kOmit;
    const std::vector<TokenId> tokens = request.parse_special ? tokenizer.encode(*request.content, {}, bos)
                                                              : tokenizer.encode_plain(*request.content, bos);
    Json list = request.with_pieces ? pieces_json(tokens, tokenizer) : tokens_json(tokens);
    return TokenizeAnswer{write_json(JsonObject{{"tokens", std::move(list)}}),
                          std::move(request.ignored_fields)};
  }
  std::vector<TokenId> tokens;
  if (request.prompt) {
    const auto bos = request.add_special_tokens ? Tokenizer::Bos::kAdd : Tokenizer::Bos::kOmit;
    tokens = tokenizer.encode_plain(*request.prompt, bos);
  } else {
    RETURN_IF_ERROR(check_chat_prompt(request.chat));
    ASSIGN_OR_RETURN(tokens, encode_chat(request.chat, context));
  }
  JsonObject answer{{"count", static_cast<int64_t>(tokens.size())},
                    {"max_model_len", context.engine.options().context_max},
                    {"tokens", tokens_json(tokens)}};
  Json strings;
  if (request.return_token_strs) {
    JsonArray array;
    for (const TokenId token : tokens) array.emplace_back(replace_invalid_utf8(tokenizer.token_bytes(token)));
    strings = std::move(array);
  }
  answer.emplace_back("token_strs", std::move(strings));
  return TokenizeAnswer{write_json(answer), std::move(request.ignored_fields)};
}

Result<TokenizeAnswer> detokenize(const Json& body, const ServerOptions& options,
                                  const ServerContext& context) {
  ASSIGN_OR_RETURN(TokenizeRequest request, read(body, kDetokenizeFields, field_context(options, context)));
  if (!request.tokens_given) return Error{ErrorCode::kInvalid, "tokens is missing", "tokens"};
  std::string bytes;
  for (const TokenId token : request.tokens) bytes += context.tokenizer.token_bytes(token);
  const std::string text = replace_invalid_utf8(bytes);
  return TokenizeAnswer{write_json(JsonObject{{"prompt", text}, {"content", text}}),
                        std::move(request.ignored_fields)};
}

}  // namespace hussar
