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

Json ids_json(const std::vector<TokenId>& ids) {
  JsonArray array;
  for (const TokenId id : ids) array.emplace_back(id);
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

Json usage_json(const Usage& usage) {
  JsonObject json{{"prompt_tokens", usage.prompt_tokens},
                  {"completion_tokens", usage.completion_tokens},
                  {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
                  {"prompt_tokens_details", JsonObject{{"cached_tokens", usage.cached_tokens}}}};
  if (usage.discarded_tokens > 0) {
    json.emplace_back("completion_tokens_details", JsonObject{{"discarded_tokens", usage.discarded_tokens}});
  }
  return json;
}

std::string_view end_name(const ChoiceEnd& end) {
  return end.called && end.reason == FinishReason::kStop ? "tool_calls" : finish_reason_name(end.reason);
}

Json call_json(const ToolCall& call) {
  return JsonObject{{"id", call.id},
                    {"type", "function"},
                    {"function", JsonObject{{"name", call.name}, {"arguments", call.arguments}}}};
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

JsonObject AnswerJson::head(std::string_view object) const {
  return {{"id", options_.id},
          {"object", object},
          {"created", options_.created_unix_seconds},
          {"model", options_.model}};
}

std::string_view AnswerJson::whole_token_bytes(TokenId token) const {
  return token >= 0 && token < tokenizer_.vocab_size() ? tokenizer_.token_bytes(token) : std::string_view();
}

JsonObject AnswerJson::chat_token(TokenId token, std::string_view bytes, float logprob) const {
  return {
      {"token", options_.tokens_as_ids ? "token_id:" + std::to_string(token) : replace_invalid_utf8(bytes)},
      {"logprob", logprob_json(logprob)},
      {"bytes", bytes_json(bytes)}};
}

std::string AnswerJson::completion_token(TokenId token, std::string_view bytes) const {
  return options_.tokens_as_ids ? "token_id:" + std::to_string(token) : legacy_token_text(bytes);
}

Json AnswerJson::chat_logprobs(const std::vector<ShownToken>& tokens) const {
  JsonArray content;
  for (const ShownToken& shown : tokens) {
    JsonObject entry = chat_token(shown.token, shown.bytes, shown.logprob);
    JsonArray top;
    for (const TokenLogprob& likely : shown.top) {
      top.push_back(chat_token(likely.token, whole_token_bytes(likely.token), likely.logprob));
    }
    entry.emplace_back("top_logprobs", std::move(top));
    content.push_back(std::move(entry));
  }
  return JsonObject{{"content", std::move(content)}, {"refusal", nullptr}};
}

Json AnswerJson::completion_logprobs(const std::vector<ShownToken>& tokens) const {
  JsonArray texts, logprobs, tops, offsets;
  for (const ShownToken& shown : tokens) {
    texts.emplace_back(completion_token(shown.token, shown.bytes));
    logprobs.push_back(logprob_json(shown.logprob));
    offsets.emplace_back(shown.text_offset);
    JsonObject top;  // several tokens may be spelled alike; the likeliest one stands for them
    for (const TokenLogprob& likely : shown.top) {
      std::string text = completion_token(likely.token, whole_token_bytes(likely.token));
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
  if (!options_.logprobs) return nullptr;
  return chat_ ? chat_logprobs(tokens) : completion_logprobs(tokens);
}

Json AnswerJson::prompt_ids(size_t index) const {
  return ids_json(options_.prompt_ids[index / options_.choices_per_prompt]);
}

Json AnswerJson::whole_choice(size_t index, const WholeChoice& choice) const {
  ChoicePiece all;
  for (const ChoicePiece& piece : choice.pieces) {
    all.text += piece.text;
    all.calls.insert(all.calls.end(), piece.calls.begin(), piece.calls.end());
    all.tokens.insert(all.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    all.ids.insert(all.ids.end(), piece.ids.begin(), piece.ids.end());
  }
  JsonObject object{{"index", static_cast<int64_t>(index)}};
  if (chat_) {
    const bool no_text = all.text.empty() && !all.calls.empty();
    JsonObject message{
        {"role", "assistant"}, {"content", no_text ? Json() : Json(all.text)}, {"refusal", nullptr}};
    JsonArray calls;
    for (const ToolCall& call : all.calls) calls.push_back(call_json(call));
    if (!calls.empty()) message.emplace_back("tool_calls", std::move(calls));
    object.emplace_back("message", std::move(message));
  } else {
    object.emplace_back("text", all.text);
  }
  object.emplace_back("logprobs", logprobs(all.tokens));
  object.emplace_back("finish_reason", end_name(choice.end));
  if (!options_.prompt_ids.empty()) {
    object.emplace_back("token_ids", ids_json(all.ids));
    if (!chat_) object.emplace_back("prompt_token_ids", prompt_ids(index));
  }
  return object;
}

std::string AnswerJson::whole(std::span<const WholeChoice> choices, const Usage& usage, double ttft_seconds) {
  JsonArray list;
  for (size_t i = 0; i < choices.size(); ++i) list.push_back(whole_choice(i, choices[i]));
  Json text;
  if (!chat_) text = *list.front().find("text");
  JsonObject object = head(chat_ ? "chat.completion" : "text_completion");
  object.emplace_back("choices", std::move(list));
  object.emplace_back("usage", usage_json(usage));
  if (chat_ && !options_.prompt_ids.empty()) object.emplace_back("prompt_token_ids", prompt_ids(0));
  if (!chat_) {
    object.emplace_back("text", std::move(text));
    object.emplace_back("ttft", ttft_seconds);
  }
  return write_json(object);
}

AnswerJson::Begun& AnswerJson::begun(size_t index) {
  if (begun_.size() <= index) begun_.resize(index + 1);
  return begun_[index];
}

JsonObject AnswerJson::chunk_object(JsonObject choice) const {
  JsonObject object = head(chat_ ? "chat.completion.chunk" : "text_completion");
  object.emplace_back("choices", JsonArray{std::move(choice)});
  if (options_.include_usage) object.emplace_back("usage", nullptr);
  return object;
}

void AnswerJson::begin_choice(size_t index, std::string* out) {
  if (!chat_ || std::exchange(begun(index).role, true)) return;
  JsonObject object = chunk_object(JsonObject{{"index", static_cast<int64_t>(index)},
                                              {"delta", JsonObject{{"role", "assistant"}, {"content", ""}}},
                                              {"logprobs", nullptr},
                                              {"finish_reason", nullptr}});
  if (!options_.prompt_ids.empty() && index == 0) object.emplace_back("prompt_token_ids", prompt_ids(0));
  append_sse(write_json(object), out);
}

JsonObject AnswerJson::chunk_choice(size_t index, const ChoicePiece& piece, const ChoiceEnd* end) {
  JsonObject choice{{"index", static_cast<int64_t>(index)}};
  Begun& state = begun(index);
  if (chat_) {
    JsonObject delta;
    if (!piece.text.empty()) delta.emplace_back("content", piece.text);
    JsonArray calls;
    for (const ToolCall& call : piece.calls) {
      JsonObject entry{{"index", state.calls++}};
      const Json json = call_json(call);
      entry.insert(entry.end(), json.as_object()->begin(), json.as_object()->end());
      calls.push_back(std::move(entry));
    }
    if (!piece.arguments.empty()) {
      calls.push_back(
          JsonObject{{"index", state.calls - 1}, {"function", JsonObject{{"arguments", piece.arguments}}}});
    }
    if (!calls.empty()) delta.emplace_back("tool_calls", std::move(calls));
    choice.emplace_back("delta", std::move(delta));
  } else {
    choice.emplace_back("text", piece.text);
  }
  const bool no_tokens = piece.tokens.empty() && end != nullptr;
  choice.emplace_back("logprobs", no_tokens ? Json() : logprobs(piece.tokens));
  choice.emplace_back("finish_reason", end != nullptr ? Json(end_name(*end)) : Json());
  if (!options_.prompt_ids.empty()) {
    choice.emplace_back("token_ids", ids_json(piece.ids));
    if (!chat_ && !std::exchange(state.prompt_ids, true))
      choice.emplace_back("prompt_token_ids", prompt_ids(index));
  }
  return choice;
}

void AnswerJson::add(size_t choice, const ChoicePiece& piece, std::string* out) {
  begin_choice(choice, out);
  append_sse(write_json(chunk_object(chunk_choice(choice, piece, nullptr))), out);
}

void AnswerJson::end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                            std::optional<double> ttft_seconds, std::string* out) {
  begin_choice(choice, out);
  JsonObject object = chunk_object(chunk_choice(choice, rest, &end));
  if (!chat_ && ttft_seconds) object.emplace_back("ttft", *ttft_seconds);
  append_sse(write_json(object), out);
}

void AnswerJson::end(const Usage& usage, double ttft_seconds, std::string* out) {
  if (options_.include_usage) {
    JsonObject object = head(chat_ ? "chat.completion.chunk" : "text_completion");
    object.emplace_back("choices", JsonArray{});
    object.emplace_back("usage", usage_json(usage));
    if (!chat_) object.emplace_back("ttft", ttft_seconds);
    append_sse(write_json(object), out);
  }
  *out += kSseDone;
}

void AnswerJson::fail(const ApiError& error, std::string* out) {
  append_sse(error_json(error), out);
  *out += kSseDone;
}

}  // namespace hussar
