#include "server/prepare.h"

#include <algorithm>
#include <limits>
#include <random>

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

// What is asked for, or the default as far as it fits.
Result<int32_t> tokens_max(const CompletionRequest& request, int64_t prompt_tokens,
                           const ServerOptions& options, int64_t positions_max) {
  const int64_t room = positions_max - prompt_tokens;
  const std::string limit = "this model's context is " + std::to_string(positions_max) +
                            " tokens, but the prompt has " + std::to_string(prompt_tokens);
  if (room < 1) {
    return Error{ErrorCode::kTooLarge, limit + " and leaves no room for an answer",
                 request.endpoint == Endpoint::kChat ? "messages" : "prompt"};
  }
  if (request.tokens_max) {
    if (*request.tokens_max > room) {
      const char* field = request.max_tokens              ? "max_tokens"
                          : request.max_completion_tokens ? "max_completion_tokens"
                                                          : "max_new_tokens";
      return Error{ErrorCode::kTooLarge,
                   limit + " and " + std::to_string(*request.tokens_max) + " are asked for", field};
    }
    return static_cast<int32_t>(*request.tokens_max);
  }
  int64_t wanted =
      options.default_tokens_max != 0 ? options.default_tokens_max : options.defaults.tokens_max.value_or(0);
  if (wanted == 0)
    wanted = request.endpoint == Endpoint::kChat ? kDefaultTokensChat : kDefaultTokensCompletion;
  wanted = std::max(wanted, request.tokens_min.value_or(0));
  return static_cast<int32_t>(std::min(wanted, room));
}

}  // namespace

Result<std::vector<TokenId>> encode_messages(const JsonArray& messages, const ServerContext& context) {
  if (context.chat_template == nullptr) {
    return Error{ErrorCode::kUnsupported, "this model has no chat template: use /v1/completions", "messages"};
  }
  const JsonObject trusted{{"bos_token", context.bos_token},
                           {"eos_token", context.eos_token},
                           {"add_generation_prompt", true},
                           {"tools", nullptr},
                           {"documents", nullptr}};
  auto rendered = context.chat_template->render(trusted, JsonObject{{"messages", messages}});
  if (!rendered.ok()) {
    return Error{ErrorCode::kInvalid,
                 "the model's chat template refuses the messages: " + rendered.error().message, "messages"};
  }
  return context.tokenizer.encode(rendered->text, rendered->foreign, Tokenizer::Bos::kAdd);
}

Result<Request> prepare(CompletionRequest request, const ServerOptions& options,
                        const ServerContext& context) {
  Request out;
  if (request.endpoint == Endpoint::kChat) {
    ASSIGN_OR_RETURN(out.prompt, encode_messages(request.messages, context));
  } else if (request.prompt_text) {
    out.prompt = context.tokenizer.encode_plain(*request.prompt_text, Tokenizer::Bos::kAdd);
  } else {
    out.prompt = std::move(request.prompt_tokens);
  }
  if (out.prompt.empty()) return Error{ErrorCode::kInvalid, "the prompt has no tokens", "prompt"};
  ASSIGN_OR_RETURN(out.tokens_max, tokens_max(request, static_cast<int64_t>(out.prompt.size()), options,
                                              context_max(context.engine)));
  const int64_t tokens_min = request.tokens_min.value_or(0);
  if (tokens_min > out.tokens_max) {
    return Error{ErrorCode::kTooLarge, "min_tokens is more than the context leaves for an answer",
                 "min_tokens"};
  }
  out.tokens_min = static_cast<int32_t>(tokens_min);
  out.sample = sample_params(request);
  out.seed = request.seed ? static_cast<uint64_t>(*request.seed) : random_seed();
  out.bias = std::move(request.bias);
  out.stop_ids = std::move(request.stop_ids);
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
  out.grammar = std::move(request.grammar);
  out.logprobs_top = request.logprobs_top;
  out.cache_salt = request.cache_salt.value_or("");
  return out;
}

}  // namespace hussar
