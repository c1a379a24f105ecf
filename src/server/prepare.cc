#include "server/prepare.h"

#include <algorithm>
#include <limits>
#include <random>

#include "base/seeds.h"
#include "base/utf8.h"
#include "server/chat_prompt.h"

namespace hussar {

namespace {

constexpr int64_t kDefaultTokensChat = 2048;
constexpr int64_t kDefaultTokensCompletion = 512;

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

SampleParams sample_params(const CompletionRequest& request) {
  SampleParams params;
  params.temperature = static_cast<float>(request.temperature);
  params.top_k = static_cast<int32_t>(std::max<int64_t>(0, request.top_k.value_or(0)));
  // 0 asks for the likeliest token alone, as does the smallest share above it.
  params.top_p = std::max(static_cast<float>(request.top_p), std::numeric_limits<float>::min());
  params.min_p = static_cast<float>(request.min_p);
  params.repetition_penalty = static_cast<float>(request.repetition_penalty);
  params.presence_penalty = static_cast<float>(request.presence_penalty);
  params.frequency_penalty = static_cast<float>(request.frequency_penalty);
  return params;
}

// Positions that one request can ever have: the context, or all of a pool that is smaller.
int64_t context_max(const Engine& engine) {
  const int64_t pool_tokens =
      static_cast<int64_t>(engine.options().kv_blocks) * engine.device().kv_block_tokens;
  return std::min<int64_t>(engine.options().context_max, pool_tokens);
}

int64_t default_tokens_max(const CompletionRequest& request, const ServerOptions& options) {
  int64_t wanted =
      options.default_tokens_max != 0 ? options.default_tokens_max : options.defaults.tokens_max.value_or(0);
  if (wanted == 0)
    wanted = request.endpoint == Endpoint::kChat ? kDefaultTokensChat : kDefaultTokensCompletion;
  return std::max(wanted, request.tokens_min.value_or(0));
}

// As the request's API calls it.
const char* prompt_field(const CompletionRequest& request) {
  if (request.dialect == Dialect::kResponses) return "input";
  return request.endpoint == Endpoint::kChat ? "messages" : "prompt";
}

// What is asked for, or the default as far as it fits.
Result<int32_t> tokens_max(const CompletionRequest& request, int64_t prompt_tokens,
                           const ServerOptions& options, int64_t positions_max) {
  const int64_t room = positions_max - prompt_tokens;
  const std::string limit = "this model's context is " + std::to_string(positions_max) +
                            " tokens, but the prompt has " + std::to_string(prompt_tokens);
  if (room < 1) {
    return Error{ErrorCode::kTooLarge, limit + " and leaves no room for an answer", prompt_field(request)};
  }
  if (request.tokens_max) {
    if (*request.tokens_max > room) {
      return Error{ErrorCode::kTooLarge,
                   limit + " and " + std::to_string(*request.tokens_max) + " are asked for",
                   std::string(request.tokens_max_name)};
    }
    return static_cast<int32_t>(*request.tokens_max);
  }
  return static_cast<int32_t>(std::min(default_tokens_max(request, options), room));
}

// The prompt's last tokens: as many as asked for, or as leave room for the answer, which takes at most half
// of the context unless it was asked to be longer.
void truncate(const CompletionRequest& request, const ServerOptions& options, int64_t positions_max,
              std::vector<TokenId>* prompt) {
  if (!request.truncate_prompt_tokens) return;
  int64_t kept = *request.truncate_prompt_tokens;
  if (kept < 0) {
    const int64_t answer =
        request.tokens_max.value_or(std::min(default_tokens_max(request, options), positions_max / 2));
    kept = std::max<int64_t>(1, positions_max - answer);
  }
  if (static_cast<int64_t>(prompt->size()) > kept) prompt->erase(prompt->begin(), prompt->end() - kept);
}

// A set bit for each token that may be generated.
std::shared_ptr<const std::vector<uint32_t>> allow_mask(const std::vector<TokenId>& allowed,
                                                        int32_t vocab_size) {
  auto mask = std::make_shared<std::vector<uint32_t>>((static_cast<size_t>(vocab_size) + 31) / 32);
  for (const TokenId token : allowed) (*mask)[static_cast<size_t>(token) / 32] |= 1u << (token % 32);
  return mask;
}

// Each word as it is spelled at the beginning of a text and behind a space.
Result<std::vector<std::vector<TokenId>>> bad_words(const std::vector<std::string>& words,
                                                    const Tokenizer& tokenizer) {
  std::vector<std::vector<TokenId>> sequences;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string bare = words[i].substr(std::min(words[i].find_first_not_of(' '), words[i].size()));
    for (const std::string& spelled : {bare, " " + bare}) {
      std::vector<TokenId> tokens = tokenizer.encode_plain(spelled, Tokenizer::Bos::kOmit);
      if (tokens.empty()) {
        const std::string place = "bad_words[" + std::to_string(i) + "]";
        return Error{ErrorCode::kInvalid, place + " has no tokens", place};
      }
      sequences.push_back(std::move(tokens));
    }
  }
  return sequences;
}

// What all prompts of the request have in common.
Result<Request> request_without_prompt(const CompletionRequest& request, const ServerOptions& options,
                                       const ServerContext& context) {
  Request out;
  out.sample = sample_params(request);
  out.bias = request.bias;
  out.stop_ids = request.stop_ids;
  if (!request.ignore_eos)
    out.stop_ids.insert(out.stop_ids.end(), context.stop_ids.begin(), context.stop_ids.end());
  if (!request.stop.empty()) {
    StopAutomaton::Limits limits;
    limits.strings_max = static_cast<size_t>(options.stop_strings_max);
    limits.bytes_max = static_cast<size_t>(options.stop_strings_bytes_max);
    auto stops = StopAutomaton::compile(request.stop, limits);
    if (!stops.ok()) return Error{ErrorCode::kInvalid, stops.error().message, "stop"};
    out.stops = std::move(*stops);
  }
  out.grammar = request.grammar;
  out.attempts_max = static_cast<int32_t>(options.schema_attempts_max);
  out.retry_tokens_max = static_cast<int32_t>(options.schema_retry_tokens_max);
  if (!request.allowed_ids.empty())
    out.allowed = allow_mask(request.allowed_ids, context.tokenizer.vocab_size());
  ASSIGN_OR_RETURN(out.bad_words, bad_words(request.bad_words, context.tokenizer));
  out.logprobs_top = request.logprobs_top;
  out.cache_salt = request.cache_salt.value_or("");
  return out;
}

Result<std::vector<std::vector<TokenId>>> encode_prompts(const CompletionRequest& request,
                                                         const ServerContext& context) {
  std::vector<std::vector<TokenId>> prompts;
  if (request.endpoint == Endpoint::kChat) {
    ASSIGN_OR_RETURN(std::vector<TokenId> prompt, encode_chat(request.chat, context));
    prompts.push_back(std::move(prompt));
    return prompts;
  }
  const auto bos = request.add_special_tokens ? Tokenizer::Bos::kAdd : Tokenizer::Bos::kOmit;
  for (const RawPrompt& prompt : request.prompts)
    prompts.push_back(prompt.text ? context.tokenizer.encode_plain(*prompt.text, bos) : prompt.tokens);
  return prompts;
}

// A prompt as text: what was sent, or what its tokens are.
std::string prompt_text(const RawPrompt& prompt, const std::vector<TokenId>& tokens, bool cut,
                        const Tokenizer& tokenizer) {
  if (prompt.text && !cut) return *prompt.text;
  std::string bytes;
  for (const TokenId token : tokens) bytes += answer_bytes(tokenizer, token);
  return replace_invalid_utf8(bytes);
}

}  // namespace

Result<Prepared> prepare(const CompletionRequest& request, const ServerOptions& options,
                         const ServerContext& context) {
  ASSIGN_OR_RETURN(const Request common, request_without_prompt(request, options, context));
  ASSIGN_OR_RETURN(std::vector<std::vector<TokenId>> prompts, encode_prompts(request, context));
  const int64_t positions_max = context_max(context.engine);
  const uint64_t seed = request.seed ? static_cast<uint64_t>(*request.seed) : random_seed();
  Prepared prepared;
  prepared.choices_per_prompt = static_cast<size_t>(request.choices());
  for (size_t i = 0; i < prompts.size(); ++i) {
    Request out = common;
    const size_t whole = prompts[i].size();
    truncate(request, options, positions_max, &prompts[i]);
    out.prompt = std::move(prompts[i]);
    if (out.prompt.empty()) return Error{ErrorCode::kInvalid, "the prompt has no tokens", "prompt"};
    ASSIGN_OR_RETURN(out.tokens_max,
                     tokens_max(request, static_cast<int64_t>(out.prompt.size()), options, positions_max));
    const int64_t tokens_min = request.tokens_min.value_or(0);
    if (tokens_min > out.tokens_max) {
      return Error{ErrorCode::kTooLarge, "min_tokens is more than the context leaves for an answer",
                   "min_tokens"};
    }
    out.tokens_min = static_cast<int32_t>(tokens_min);
    if (request.echo) {
      prepared.echoes.push_back(
          prompt_text(request.prompts[i], out.prompt, out.prompt.size() < whole, context.tokenizer));
    }
    for (size_t choice = 0; choice < prepared.choices_per_prompt; ++choice) {
      // The first choice has the request's own, so that it is what it would be alone. Without a seed of the
      // client's no two prompts need the same one.
      out.seed = nth_seed(request.seed ? seed : seed + i, choice);
      prepared.requests.push_back(out);
    }
  }
  return prepared;
}

}  // namespace hussar
