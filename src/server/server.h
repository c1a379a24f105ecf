// The HTTP side of `hussar serve`: OpenAI's API over one engine. The only header of this folder that cli
// includes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "grammar/grammar_compiler.h"
#include "server/generation_defaults.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace hussar {

// What to do with a request field that no table knows.
enum class UnknownFields {
  kRefuse,
  kWarn
};  // kWarn: accepted and named in the answer's header X-Hussar-Ignored-Fields

// Every limit of the server; each is a flag of `hussar serve`. Integers are int64_t so that a FlagTable can
// hold them directly.
struct ServerOptions {
  std::string host = "127.0.0.1";
  int64_t port = 8080;  // 0: any free one, see Server::port()
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  // When a request names none; 0: what `defaults` say, else 2048 for chat, 512 for completions.
  int64_t default_tokens_max = 0;
  GenerationDefaults defaults;  // the model's own, for what a request leaves out
  int64_t logprobs_top_max = 20;
  int64_t stop_strings_max = 16;
  int64_t stop_strings_bytes_max = 4096;  // of all of a request's together
  int64_t json_depth_max = 64;
  int64_t choices_max = 128;  // of a request: n times its prompts
  int64_t tools_max = 128;    // that a request offers

  int64_t body_bytes_max = 8 << 20;
  int64_t body_bytes_all_max = 256 << 20;  // of all requests that are being read or answered
  int64_t header_bytes_max = 32 << 10;
  int64_t headers_max = 100;
  int64_t connections_max = 1024;
  int64_t idle_timeout_ms = 75'000;           // between two requests of a connection
  int64_t header_timeout_ms = 10'000;         // from a request's first byte to the end of its headers
  int64_t body_timeout_ms = 60'000;           // from there to the end of its body
  int64_t write_timeout_ms = 30'000;          // a reader that takes longer for what is ready is cut off
  int64_t write_backlog_bytes_max = 4 << 20;  // a reader that lets more pile up is cut off

  std::string api_keys_file;               // empty: everybody is let in
  std::vector<std::string> allowed_hosts;  // names beside localhost, where the server listens locally
  std::vector<std::string> cors_origins;   // pages that may use the server from a browser; "*": all
  int64_t queue_wait_ms_max = 300'000;     // a request that would wait longer is answered 429
  int64_t queue_bytes_max = 64 << 20;      // bodies of requests that are not with the engine yet

  int64_t workers = 2;                     // threads that parse, apply the template and tokenise
  int64_t worker_queue_max = 256;          // requests that wait for one of them; more are answered 429
  int64_t grammar_queue_max = 64;          // requests that wait for their grammar; more are answered 429
  int64_t schema_attempts_max = 16;        // at an answer that its schema's check can fail
  int64_t schema_retry_tokens_max = 4096;  // that the failed attempts of a request may take
  int64_t drain_timeout_ms = 5'000;        // how long stop() lets running answers go on
  int64_t ready_stall_ms = 10'000;         // /ready fails when the engine made no step for so long
};

// What is served. The references outlive the server.
struct ServerContext {
  Engine& engine;
  const Tokenizer& tokenizer;
  const ChatTemplate* chat_template =
      nullptr;                       // null: the model has none and /v1/chat/completions says so with a 400
  std::string model_name;            // as clients name it
  std::string model_summary;         // one line for people: "SmolLM2 135M Instruct, GGUF Q4_1, 98 MB"
  std::string version;               // of hussar
  std::vector<TokenId> stop_ids;     // every eos/eot/eom of the file
  std::string bos_token, eos_token;  // their spelling, for the template; empty: none
  int64_t created_unix_seconds = 0;  // the model file's time
  // For the engine's vocabulary and these stop ids; null: response_format and the like are refused.
  GrammarCompiler* grammars = nullptr;
};

// The bytes that a token adds to an answer: none for control and unused tokens. The engine's `token_bytes`
// must be this table, so that stop strings end where the server cuts.
std::string_view answer_bytes(const Tokenizer& tokenizer, TokenId token);
std::vector<std::string> answer_bytes_table(const Tokenizer& tokenizer);

class Server {
 public:
  // Listens and answers from threads of its own when it returns. Raises the soft limit of open files to the
  // hard one. Errors: kIo (the port is in use, the address is not this machine's; says what to do), kInvalid
  // (the address or the file of API keys can't be read).
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, const ServerContext& context);
  virtual ~Server() = default;  // stops

  virtual int64_t port() const = 0;
  virtual std::string url() const = 0;  // "http://127.0.0.1:8080"

  // Says that it is not ready and refuses new work, but goes on with what it has: until that is done,
  // drain_timeout_ms have passed, or `hurry`, which is asked every now and then, says so.
  virtual void drain(const std::function<bool()>& hurry) = 0;
  // Reads the API keys again; what is wrong with them is logged, and the old ones stay.
  virtual void reload_keys() = 0;

  // Takes no new connection, lets running answers go on for drain_timeout_ms, then cancels them and closes
  // everything. Returns when all is closed; the engine runs on. Any thread, idempotent.
  virtual void stop() = 0;
};

}  // namespace hussar
