// POST /tokenize and /detokenize, in vLLM's shapes and in llama-server's.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "server/server.h"

namespace hussar {

struct TokenizeAnswer {
  std::string json;
  std::vector<std::string> ignored_fields;
};

// vLLM: {"prompt" | "messages", "add_special_tokens", "return_token_strs"} -> {"count", "max_model_len",
// "tokens", "token_strs"}; the tokens are those that /v1/completions or /v1/chat/completions would use.
// llama-server: {"content", "add_special", "parse_special", "with_pieces"} ->
// {"tokens"}. Errors as read_completion_request.
Result<TokenizeAnswer> tokenize(const Json& body, const ServerOptions& options, const ServerContext& context);

// {"tokens"} -> {"prompt", "content"}: vLLM's name and llama-server's of the same text. Bytes that are no
// text come out as U+FFFD.
Result<TokenizeAnswer> detokenize(const Json& body, const ServerOptions& options,
                                  const ServerContext& context);

}  // namespace hussar
