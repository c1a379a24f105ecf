// What kind of server it is, found out by asking: what it understands depends on it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "net/stream_client.h"

namespace hussar {

enum class TokenizeDialect {
  kNone,
  kPrompt,   // {"prompt", "add_special_tokens"} -> {"count"}: vLLM, SGLang, hussar
  kContent,  // {"content", "add_special"} -> {"tokens"}: llama-server
};

struct ServerFacts {
  std::string kind = "unknown";  // "hussar", "vllm", "sglang", "llama.cpp", "ollama"
  std::string version;           // empty: not said
  int32_t context_tokens = -1;   // -1: not said
  TokenizeDialect tokenize = TokenizeDialect::kNone;
  bool knows_ignore_eos = false, knows_min_tokens = false;
};

// One exchange with the server; `body` empty: a GET.
using Ask = std::function<HttpReply(std::string_view path, std::string_view body)>;

// `entry` is the model's in the list of models (null where there is no list), `server_header` the header
// Server of that answer. Asks at most six times; what a server does not answer stays unknown.
ServerFacts find_server_facts(const Json& entry, std::string_view server_header, const std::string& model,
                              const Ask& ask);

// The body of a question to /tokenize, and its answer; -1 where that is none.
std::string tokenize_body(TokenizeDialect dialect, const std::string& model, std::string_view text);
int32_t read_token_count(TokenizeDialect dialect, const HttpReply& reply);

}  // namespace hussar
