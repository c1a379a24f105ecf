// The shapes of OpenAI's answers: whole, and as chunks of an event stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/answer_text.h"
#include "server/completion_request.h"

namespace hussar {

struct Usage {
  int32_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
};

// "stop" or "length"; the other reasons are errors and have no answer.
std::string_view finish_reason_name(FinishReason reason);

// Appends one event: "data: " and the document, which must be a single line, and the empty line that ends it.
void append_sse(std::string_view document, std::string* out);
inline constexpr std::string_view kSseDone = "data: [DONE]\n\n";

// One per answer.
class AnswerJson {
 public:
  enum class Logprobs { kNo, kYes };

  // `tokenizer` outlives the object.
  AnswerJson(Endpoint endpoint, std::string id, std::string model, int64_t created_unix_seconds,
             const Tokenizer& tokenizer, Logprobs logprobs, bool include_usage);

  // `ttft_seconds` goes to the top level of completions, beside the whole text.
  std::string whole(const AnswerText::Piece& answer, FinishReason reason, const Usage& usage,
                    double ttft_seconds) const;

  // Chunks as documents, without the framing of SSE. The first of a chat names the role.
  std::string first_chunk() const;  // chat only
  std::string chunk(const AnswerText::Piece& piece) const;
  std::string finish_chunk(const AnswerText::Piece& rest, FinishReason reason, double ttft_seconds) const;
  std::string usage_chunk(const Usage& usage, double ttft_seconds) const;

 private:
  JsonObject head(std::string_view object) const;
  Json logprobs(const std::vector<ShownToken>& tokens) const;
  Json chat_logprobs(const std::vector<ShownToken>& tokens) const;
  Json completion_logprobs(const std::vector<ShownToken>& tokens) const;
  JsonObject chunk_object(Json choice) const;
  Json choice(const AnswerText::Piece& piece, std::optional<FinishReason> reason) const;
  std::string_view whole_token_bytes(TokenId token) const;

  const bool chat_;
  const std::string id_, model_;
  const int64_t created_;
  const Tokenizer& tokenizer_;
  const Logprobs logprobs_;
  const bool include_usage_;
};

}  // namespace hussar
