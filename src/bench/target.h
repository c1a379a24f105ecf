// The server under test: where it is, which model it serves, which API it is pressed through and what it is
// known to understand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "net/stream_client.h"

namespace hussar {

enum class Api {
  kCompletions,  // POST /v1/completions
  kChat,         // POST /v1/chat/completions
  kArticle,      // POST /v1/completions without `model`, with max_new_tokens; answers carry `text` and `ttft`
};
std::string_view api_name(Api api);  // "completions", "chat", "article"

struct TargetOptions {
  std::string url;      // http://127.0.0.1:8080, with or without /v1
  std::string model;    // empty: the first that /v1/models names
  std::string api_key;  // sent as a bearer token; empty: none
  std::vector<HttpHeader> headers;
  std::string ca_file;
  bool keep_alive = true;
  int64_t probe_timeout_ms = 30'000;
};

struct ChatMessage {
  std::string role;
  std::string content;
};

// What one request asks for; the API decides how it is spelled.
struct RequestSpec {
  std::string prompt;                 // kCompletions, kArticle; for kChat a single user message
  std::vector<ChatMessage> messages;  // kChat: used when not empty
  int32_t output_tokens_max = 512;
  bool force_length =
      false;  // ask for exactly that many: ignore_eos or min_tokens, where the server knows them
  bool stream = true;
  double temperature = -1, top_p = -1, repetition_penalty = -1;  // negative: left out
  int64_t seed = -1;
  JsonObject extra;  // further members of the body, as they are (response_format, ...)
};

class Target {
 public:
  // Asks /v1/models and finds out what the server is. Errors, each one clear line: kIo (unreachable, no
  // answer), kNotFound (wrong path, unknown model), kInvalid (the URL, no JSON).
  static Result<std::unique_ptr<Target>> open(const TargetOptions& options);

  const TargetOptions& options() const { return options_; }
  const std::string& model() const { return model_; }
  const std::vector<std::string>& models() const { return models_; }
  // "hussar", "vllm", "sglang", "llama.cpp", "ollama" or "unknown", with the version where it says one.
  const std::string& server() const { return server_; }
  int32_t context_tokens() const { return context_tokens_; }  // -1: unknown
  bool can_tokenize() const { return can_tokenize_; }
  bool knows_ignore_eos() const { return knows_ignore_eos_; }
  bool knows_min_tokens() const { return knows_min_tokens_; }

  // The JSON body of a request, and the whole request as it goes over the wire. A streamed one asks for
  // usage.
  std::string body(Api api, const RequestSpec& spec) const;
  std::shared_ptr<const std::string> wire(Api api, const RequestSpec& spec) const;
  std::shared_ptr<const std::string> wire_of_body(Api api, std::string_view body) const;

  // Tokens of `text` as a raw prompt (special tokens not added), through /tokenize; blocking. Errors:
  // kUnsupported where the server has no such route, kIo.
  Result<int32_t> count_tokens(std::string_view text);
  // Blocking; for what is not measured.
  HttpReply call(std::string_view method, std::string_view path, std::string_view body, int64_t timeout_ms);

  StreamClient& client() { return *client_; }

 private:
  Target() = default;
  TargetOptions options_;
  std::unique_ptr<StreamClient> client_;
  std::string path_prefix_;  // "/v1" unless the URL's path brings it
  std::string model_, server_;
  std::vector<std::string> models_;
  int32_t context_tokens_ = -1;
  bool can_tokenize_ = false, knows_ignore_eos_ = false, knows_min_tokens_ = false;
};

}  // namespace hussar
