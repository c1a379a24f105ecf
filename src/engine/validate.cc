#include "engine/validate.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/scheduler.h"

namespace hussar {
namespace {

Error invalid(const char* field, const std::string& message) { return {ErrorCode::kInvalid, message, field}; }

std::string id_message(TokenId token, int32_t vocab_size) {
  return "token id " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(vocab_size);
}

bool in_vocabulary(TokenId token, const RequestLimits& limits) {
  return token >= 0 && token < limits.vocab_size;
}

Result<void> validate_sizes(const Request& request, const RequestLimits& limits) {
  if (request.prompt.empty()) return invalid("prompt", "the prompt has no tokens");
  if (request.tokens_max < 1) return invalid("max_tokens", "must be at least 1");
  const int64_t prompt_tokens = static_cast<int64_t>(request.prompt.size());
  const std::string asked = std::to_string(prompt_tokens) + " prompt tokens and " +
                            std::to_string(request.tokens_max) + " of the answer exceed ";
  if (prompt_tokens + request.tokens_max > limits.context_max) {
    const bool prompt_alone = prompt_tokens >= limits.context_max;
    return Error{ErrorCode::kTooLarge, asked + "the context of " + std::to_string(limits.context_max),
                 prompt_alone ? "prompt" : "max_tokens"};
  }
  if (Scheduler::blocks_needed(prompt_tokens, request.tokens_max, limits.kv_block_tokens) >
      limits.kv_blocks) {
    const int64_t pool_tokens = static_cast<int64_t>(limits.kv_blocks) * limits.kv_block_tokens;
    return Error{ErrorCode::kTooLarge, asked + "the KV pool of " + std::to_string(pool_tokens), "max_tokens"};
  }
  if (request.tokens_min < 0 || request.tokens_min > request.tokens_max) {
    return invalid("min_tokens", "must be between 0 and max_tokens");
  }
  if (request.logprobs_top < -1 || request.logprobs_top > limits.logprobs_top_max) {
    return invalid("logprobs", "at most " + std::to_string(limits.logprobs_top_max) + " likeliest tokens");
  }
  if (request.priority < -limits.priority_max || request.priority > limits.priority_max) {
    const std::string most = std::to_string(limits.priority_max);
    return invalid("priority", "must be between -" + most + " and " + most);
  }
  if (request.cache_salt.size() > static_cast<size_t>(limits.cache_salt_bytes_max)) {
    return invalid("cache_salt", "at most " + std::to_string(limits.cache_salt_bytes_max) + " bytes");
  }
  return {};
}

Result<void> validate_grammar(const Request& request, const RequestLimits& limits) {
  if (request.grammar == nullptr) return {};
  if (request.grammar->vocab_size() > limits.vocab_size) {
    return invalid("grammar", "is made for " + std::to_string(request.grammar->vocab_size()) +
                                  " tokens, but the model has " + std::to_string(limits.vocab_size));
  }
  if (request.tokens_min > 0) return invalid("min_tokens", "must be 0 with a grammar");
  if (request.tokens_max < request.grammar->tokens_min()) {
    return invalid("max_tokens", "the shortest answer that fits the grammar needs " +
                                     std::to_string(request.grammar->tokens_min()) + " tokens, not " +
                                     std::to_string(request.tokens_max));
  }
  for (const TokenId token : request.grammar->stop_ids()) {
    if (std::ranges::find(request.stop_ids, token) == request.stop_ids.end()) {
      return invalid("stop_token_ids", "must hold the end tokens of the grammar");
    }
  }
  return {};
}

Result<void> validate_tokens(const Request& request, const RequestLimits& limits) {
  for (TokenId token : request.prompt) {
    if (!in_vocabulary(token, limits)) return invalid("prompt", id_message(token, limits.vocab_size));
  }
  if (request.stop_ids.size() > static_cast<size_t>(limits.stop_ids_max)) {
    return invalid("stop_token_ids", "at most " + std::to_string(limits.stop_ids_max) + " ids");
  }
  RETURN_IF_ERROR(validate_grammar(request, limits));
  for (TokenId token : request.stop_ids) {
    if (!in_vocabulary(token, limits)) return invalid("stop_token_ids", id_message(token, limits.vocab_size));
  }
  if (request.bias.size() > static_cast<size_t>(limits.bias_max)) {
    return invalid("logit_bias", "at most " + std::to_string(limits.bias_max) + " entries");
  }
  for (const TokenBias& entry : request.bias) {
    if (!in_vocabulary(entry.token, limits))
      return invalid("logit_bias", id_message(entry.token, limits.vocab_size));
    const bool forbids = std::isinf(entry.bias) && entry.bias < 0;
    if (!std::isfinite(entry.bias) && !forbids)
      return invalid("logit_bias", "a bias must be a finite number");
  }
  return {};
}

Result<void> validate_forbidden(const Request& request, const RequestLimits& limits) {
  const size_t words = (static_cast<size_t>(limits.vocab_size) + 31) / 32;
  if (request.allowed && request.allowed->size() != words)
    return invalid("allowed_token_ids", "must cover the vocabulary of " + std::to_string(limits.vocab_size));
  if (request.bad_words.size() > static_cast<size_t>(limits.bad_words_max))
    return invalid("bad_words", "at most " + std::to_string(limits.bad_words_max) + " sequences of tokens");
  for (const std::vector<TokenId>& word : request.bad_words) {
    if (word.empty() || word.size() > static_cast<size_t>(limits.bad_word_tokens_max))
      return invalid("bad_words",
                     "a word must have 1 to " + std::to_string(limits.bad_word_tokens_max) + " tokens");
    for (TokenId token : word) {
      if (!in_vocabulary(token, limits)) return invalid("bad_words", id_message(token, limits.vocab_size));
    }
  }
  return {};
}

Result<void> validate_sampling(const SampleParams& p) {
  // Written so that a NaN fails every comparison and is refused.
  if (!(p.temperature >= 0.0f && std::isfinite(p.temperature)))
    return invalid("temperature", "must be finite and at least 0");
  if (p.top_k < 0) return invalid("top_k", "must be at least 0");
  if (!(p.top_p > 0.0f && p.top_p <= 1.0f)) return invalid("top_p", "must be above 0 and at most 1");
  if (!(p.min_p >= 0.0f && p.min_p <= 1.0f)) return invalid("min_p", "must be between 0 and 1");
  if (!(p.repetition_penalty > 0.0f && std::isfinite(p.repetition_penalty))) {
    return invalid("repetition_penalty", "must be finite and above 0");
  }
  if (!std::isfinite(p.presence_penalty)) return invalid("presence_penalty", "must be finite");
  if (!std::isfinite(p.frequency_penalty)) return invalid("frequency_penalty", "must be finite");
  return {};
}

}  // namespace

Result<void> validate_request(const Request& request, const RequestLimits& limits) {
  RETURN_IF_ERROR(validate_sizes(request, limits));
  RETURN_IF_ERROR(validate_tokens(request, limits));
  RETURN_IF_ERROR(validate_forbidden(request, limits));
  return validate_sampling(request.sample);
}

}  // namespace hussar
