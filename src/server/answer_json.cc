#include "server/answer_json.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"

namespace hussar {

namespace {

// JSON has no infinity; what OpenAI's clients know for "impossible" is this number.
constexpr double kLogprobMin = -9999.0;

Json logprob_json(float logprob) {
  return logprob > kLogprobMin ? static_cast<double>(logprob) : kLogprobMin;
}

Json bytes_json(std::string_view bytes) {
  JsonArray array;
  for (const char c : bytes) array.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return array;
}

// A token of /v1/completions has no field for bytes; where it is no text, OpenAI spells them like this.
std::string legacy_token_text(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char c : bytes) {
    char hex[8];
    std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
    text += hex;
  }
  return text;
}

JsonObject chat_token(std::string_view bytes, float logprob) {
  return {{"token", replace_invalid_utf8(bytes)},
          {"logprob", logprob_json(logprob)},
          {"bytes", bytes_json(bytes)}};
}

Json usage_json(const Usage& usage) {
  return JsonObject{{"prompt_tokens", usage.prompt_tokens},
                    {"completion_tokens", usage.completion_tokens},
                    {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
                    {"prompt_tokens_details", JsonObject{{"cached_tokens", usage.cached_tokens}}}};
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  if (reason == FinishReason::kDeadline) return "deadline";
  return reason == FinishReason::kStop ? "stop" : "length";
}

void append_sse(std::string_view document, std::string* out) {
  *out += "data: ";
  *out += document;
  *out += "\n\n";
}

AnswerJson::AnswerJson(Endpoint endpoint, std::string id, std::string model, int64_t created_unix_seconds,
                       const Tokenizer& tokenizer, Logprobs logprobs, bool include_usage)
    : chat_(endpoint == Endpoint::kChat),
      id_(std::move(id)),
      model_(std::move(model)),
      created_(created_unix_seconds),
      tokenizer_(tokenizer),
      logprobs_(logprobs),
      include_usage_(include_usage) {}

JsonObject AnswerJson::head(std::string_view object) const {
  return {{"id", id_}, {"object", object}, {"created", created_}, {"model", model_}};
}

std::string_view AnswerJson::whole_token_bytes(TokenId token) const {
  return token >= 0 && token < tokenizer_.vocab_size() ? tokenizer_.token_bytes(token) : std::string_view();
}

Json AnswerJson::chat_logprobs(const std::vector<ShownToken>& tokens) const {
  JsonArray content;
  for (const ShownToken& shown : tokens) {
    JsonObject entry = chat_token(shown.bytes, shown.logprob);
    JsonArray top;
    for (const TokenLogprob& likely : shown.top) {
      top.push_back(chat_token(whole_token_bytes(likely.token), likely.logprob));
    }
    entry.emplace_back("top_logprobs", std::move(top));
    content.push_back(std::move(entry));
  }
  return JsonObject{{"content", std::move(content)}, {"refusal", nullptr}};
}

Json AnswerJson::completion_logprobs(const std::vector<ShownToken>& tokens) const {
  JsonArray texts, logprobs, tops, offsets;
  for (const ShownToken& shown : tokens) {
    texts.emplace_back(legacy_token_text(shown.bytes));
    logprobs.push_back(logprob_json(shown.logprob));
    offsets.emplace_back(shown.text_offset);
    JsonObject top;  // several tokens may be spelled alike; the likeliest one stands for them
    for (const TokenLogprob& likely : shown.top) {
      std::string text = legacy_token_text(whole_token_bytes(likely.token));
      if (std::ranges::none_of(top, [&](const auto& member) { return member.first == text; })) {
        top.emplace_back(std::move(text), logprob_json(likely.logprob));
      }
    }
    tops.push_back(std::move(top));
  }
  return JsonObject{{"tokens", std::move(texts)},
                    {"token_logprobs", std::move(logprobs)},
                    {"top_logprobs", std::move(tops)},
                    {"text_offset", std::move(offsets)}};
}

Json AnswerJson::logprobs(const std::vector<ShownToken>& tokens) const {
  if (logprobs_ == Logprobs::kNo) return nullptr;
  return chat_ ? chat_logprobs(tokens) : completion_logprobs(tokens);
}

std::string AnswerJson::whole(const AnswerText::Piece& answer, FinishReason reason, const Usage& usage,
                              double ttft_seconds) const {
  JsonObject choice{{"index", 0}};
  if (chat_) {
    choice.emplace_back("message",
                        JsonObject{{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}});
  } else {
    choice.emplace_back("text", answer.text);
  }
  choice.emplace_back("logprobs", logprobs(answer.tokens));
  choice.emplace_back("finish_reason", finish_reason_name(reason));
  JsonObject object = head(chat_ ? "chat.completion" : "text_completion");
  object.emplace_back("choices", JsonArray{std::move(choice)});
  object.emplace_back("usage", usage_json(usage));
  if (!chat_) {
    object.emplace_back("text", answer.text);
    object.emplace_back("ttft", ttft_seconds);
  }
  return write_json(object);
}

JsonObject AnswerJson::chunk_object(Json choice) const {
  JsonObject object = head(chat_ ? "chat.completion.chunk" : "text_completion");
  object.emplace_back("choices", JsonArray{std::move(choice)});
  if (include_usage_) object.emplace_back("usage", nullptr);
  return object;
}

Json AnswerJson::choice(const AnswerText::Piece& piece, std::optional<FinishReason> reason) const {
  JsonObject choice{{"index", 0}};
  if (chat_) {
    JsonObject delta;
    if (!piece.text.empty()) delta.emplace_back("content", piece.text);
    choice.emplace_back("delta", std::move(delta));
  } else {
    choice.emplace_back("text", piece.text);
  }
  const bool no_tokens = piece.tokens.empty() && reason;
  choice.emplace_back("logprobs", no_tokens ? Json() : logprobs(piece.tokens));
  choice.emplace_back("finish_reason", reason ? Json(finish_reason_name(*reason)) : Json());
  return choice;
}

std::string AnswerJson::first_chunk() const {
  JsonObject delta{{"role", "assistant"}, {"content", ""}};
  return write_json(chunk_object(JsonObject{
      {"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", nullptr}}));
}

std::string AnswerJson::chunk(const AnswerText::Piece& piece) const {
  return write_json(chunk_object(choice(piece, std::nullopt)));
}

std::string AnswerJson::finish_chunk(const AnswerText::Piece& rest, FinishReason reason,
                                     double ttft_seconds) const {
  JsonObject object = chunk_object(choice(rest, reason));
  if (!chat_) object.emplace_back("ttft", ttft_seconds);
  return write_json(object);
}

std::string AnswerJson::usage_chunk(const Usage& usage, double ttft_seconds) const {
  JsonObject object = head(chat_ ? "chat.completion.chunk" : "text_completion");
  object.emplace_back("choices", JsonArray{});
  object.emplace_back("usage", usage_json(usage));
  if (!chat_) object.emplace_back("ttft", ttft_seconds);
  return write_json(object);
}

}  // namespace hussar
