// The server under test: where it is, which model it serves, which API it is pressed through and what it is
// known to understand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "bench/server_facts.h"
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
  // Asks /v1/models and finds out what the server is. A server that has no list of models, but the other
  // routes, is taken as it is; `model` is then sent as given, or left out. Errors, each one clear line: kIo
  // (unreachable, no answer, not ready), kNotFound (wrong path, unknown model), kInvalid (the URL, a header,
  // an API key that is missing or wrong, no JSON).
  static Result<std::unique_ptr<Target>> open(const TargetOptions& options);

  const TargetOptions& options() const { return options_; }
  const std::string& model() const { return model_; }
  const std::vector<std::string>& models() const { return models_; }
  // "hussar", "vllm", "sglang", "llama.cpp", "ollama" or "unknown", with the version where it says one:
  // "vllm 0.8.5".
  const std::string& server() const { return server_; }
  int32_t context_tokens() const { return facts_.context_tokens; }  // -1: unknown
  bool can_tokenize() const { return facts_.tokenize != TokenizeDialect::kNone; }
  bool knows_ignore_eos() const { return facts_.knows_ignore_eos; }
  bool knows_min_tokens() const { return facts_.knows_min_tokens; }

  // The JSON body of a request, and the whole request as it goes over the wire. A streamed one asks for
  // usage. A member of `spec.extra` stands in place of one of ours with the same name.
  std::string body(Api api, const RequestSpec& spec) const;
  std::shared_ptr<const std::string> wire(Api api, const RequestSpec& spec) const;
  std::shared_ptr<const std::string> wire_of_body(Api api, std::string_view body) const;

  // Tokens of `text` as a raw prompt (special tokens not added), through /tokenize; blocking. Errors:
  // kUnsupported where the server has no such route, kIo.
  Result<int32_t> count_tokens(std::string_view text);
  // Blocking; for what is not measured. `path` counts from where the server's own routes begin, so "/metrics"
  // or "/v1/models"; the URL's path before /v1 is added.
  HttpReply call(std::string_view method, std::string_view path, std::string_view body, int64_t timeout_ms);

  StreamClient& client() { return *client_; }

 private:
  Target() = default;
  Result<void> connect();
  Result<void> list_models();
  Result<Json> choose_model(const Json& list);
  void learn_facts(const Json& entry, const HttpReply& models);
  bool has_routes();

  TargetOptions options_;
  std::unique_ptr<StreamClient> client_;
  std::vector<HttpHeader> headers_;  // of every request
  std::string path_prefix_;  // of the API's routes: "/v1", or empty where the URL's own path stands for it
  ServerFacts facts_;
  std::string model_, server_;
  std::vector<std::string> models_;
};

}  // namespace hussar
