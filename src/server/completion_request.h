// The bodies of /v1/completions and /v1/chat/completions as one value, every field checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/types.h"
#include "engine/request.h"
#include "server/chat_prompt.h"
#include "server/fields.h"
#include "server/response_format.h"

namespace hussar {

enum class Endpoint { kCompletions, kChat };

constexpr int64_t kDeadlineMsMax = 86'400'000;  // a day
constexpr int64_t kPriorityMax = 1000;          // and as far below 0

// A prompt of /v1/completions: a text, or tokens where there is none.
struct RawPrompt {
  std::optional<std::string> text;
  std::vector<TokenId> tokens;
};

// Whose API the answer is spelled in.
enum class Dialect { kCompletions, kResponses, kMessages };

struct CompletionRequest {
  Endpoint endpoint = Endpoint::kCompletions;
  Dialect dialect = Dialect::kCompletions;
  JsonObject echoed_settings;  // what an answer in the dialect of responses repeats of its request
  // One of the two, by endpoint.
  std::vector<RawPrompt> prompts;
  ChatPrompt chat;

  std::optional<int64_t> n;                         // answers to each prompt
  std::optional<int64_t> tokens_max;                // absent: the server's default
  std::string_view tokens_max_name = "max_tokens";  // as it was sent
  std::optional<int64_t> tokens_min, top_k, seed;
  double temperature = 1.0, top_p = 1.0, min_p = 0.0;
  double repetition_penalty = 1.0, presence_penalty = 0.0, frequency_penalty = 0.0;
  std::vector<TokenBias> bias;
  std::vector<TokenId> allowed_ids;  // empty: all
  std::vector<std::string> bad_words;
  std::vector<std::string> stop;
  std::vector<TokenId> stop_ids;
  bool ignore_eos = false;
  bool add_special_tokens = true;                 // to a prompt of /v1/completions
  std::optional<int64_t> truncate_prompt_tokens;  // -1: to what leaves room for the answer
  bool echo = false;
  bool include_stop = false, skip_special_tokens = true;
  bool return_token_ids = false, tokens_as_ids = false;
  int32_t logprobs_top = -1;  // as in Request
  bool stream = false, include_usage = false;
  std::optional<std::string> cache_salt;
  std::optional<AnswerFormat> format;              // response_format or structured_outputs
  std::shared_ptr<const CompiledGrammar> grammar;  // `format` compiled, by who answers the request
  std::optional<int64_t> deadline_ms, priority;
  std::vector<std::string> ignored_fields;  // unknown ones, under UnknownFields::kWarn

  // As sent; read_completion_request folds them into the fields above.
  std::optional<int64_t> max_tokens, max_completion_tokens, max_new_tokens;
  std::optional<int64_t> logprobs_count, top_logprobs, best_of;
  bool chat_logprobs = false, stream_options_given = false;

  int64_t choices() const { return n.value_or(1); }
};

// What the body leaves out is as the options' defaults have it. Errors: kInvalid, kUnsupported, kNotFound
// (another model), each naming the field.
Result<CompletionRequest> read_completion_request(Endpoint endpoint, const Json& body,
                                                  const FieldContext& context);

// The checks that look at several fields at once, for whoever fills in a request by other names.
Result<void> check_completion_request(const FieldContext& context, CompletionRequest* request);
// What the options' defaults say.
CompletionRequest request_with_defaults(Endpoint endpoint, const ServerOptions& options);

// A string or an array of strings, within the server's limits.
Result<void> read_stop_strings(std::string_view name, const Json& value, const FieldContext& context,
                               std::vector<std::string>* to);

// Checks the `model` of a request. Errors: kNotFound.
Result<void> check_model_name(const Json& value, const FieldContext& context);

// A token id within the vocabulary. `name` as in "prompt[3]".
Result<TokenId> read_token_id(const std::string& name, const Json& value, const FieldContext& context);

}  // namespace hussar
