// The shapes of OpenAI's completions: whole, and as chunks of an event stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/answer_writer.h"
#include "server/completion_request.h"

namespace hussar {

// "stop" or "length".
std::string_view finish_reason_name(FinishReason reason);

// Appends one event: "data: " and the document, which must be a single line, and the empty line that ends it.
void append_sse(std::string_view document, std::string* out);
inline constexpr std::string_view kSseDone = "data: [DONE]\n\n";

class AnswerJson final : public AnswerWriter {
 public:
  struct Options {
    Endpoint endpoint = Endpoint::kCompletions;
    std::string id{}, model{};
    int64_t created_unix_seconds = 0;
    size_t choices_per_prompt = 1;
    bool logprobs = false;
    bool tokens_as_ids = false;  // in log-probabilities: "token_id:42"
    bool include_usage = false;  // a last chunk with the usage
    // By prompt, to be shown with the answer's own ids; empty: neither is shown.
    std::vector<std::vector<TokenId>> prompt_ids{};
  };
  // `tokenizer` outlives the object.
  AnswerJson(Options options, const Tokenizer& tokenizer)
      : options_(std::move(options)), chat_(options_.endpoint == Endpoint::kChat), tokenizer_(tokenizer) {}

  std::string whole(std::span<const WholeChoice> choices, const Usage& usage, double ttft_seconds) override;
  void begin(int32_t, std::string*) override {}
  void add(size_t choice, const ChoicePiece& piece, std::string* out) override;
  void end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                  std::optional<double> ttft_seconds, std::string* out) override;
  void end(const Usage& usage, double ttft_seconds, std::string* out) override;
  void fail(const ApiError& error, std::string* out) override;
  std::string_view call_id_prefix() const override { return "call_"; }

 private:
  JsonObject head(std::string_view object) const;
  Json whole_choice(size_t index, const WholeChoice& choice) const;
  // A chat's first chunk names the role.
  void begin_choice(size_t index, std::string* out);
  JsonObject chunk_choice(size_t index, const ChoicePiece& piece, const ChoiceEnd* end);
  JsonObject chunk_object(JsonObject choice) const;
  Json logprobs(const std::vector<ShownToken>& tokens) const;
  Json chat_logprobs(const std::vector<ShownToken>& tokens) const;
  Json completion_logprobs(const std::vector<ShownToken>& tokens) const;
  JsonObject chat_token(TokenId token, std::string_view bytes, float logprob) const;
  std::string completion_token(TokenId token, std::string_view bytes) const;
  std::string_view whole_token_bytes(TokenId token) const;
  Json prompt_ids(size_t index) const;

  struct Begun {
    bool role = false, prompt_ids = false;
    int64_t calls = 0;
  };
  Begun& begun(size_t index);

  const Options options_;
  const bool chat_;
  const Tokenizer& tokenizer_;
  std::vector<Begun> begun_;  // by choice, of a stream
};

}  // namespace hussar
