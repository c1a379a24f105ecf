#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/loaded_model.h"
#include "cli/models_dir.h"
#include "cli/progress.h"
#include "cli/version.h"
#include "server/server.h"

namespace hussar {
namespace {

constexpr int kExitDeviceFault = 70;  // EX_SOFTWARE, as sysexits.h counts: start the process anew
constexpr int kFaultLookMs = 200;
constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells count

struct ServeOptions {
  ModelLoadOptions load;
  ServerOptions server;
  GrammarLimits grammar;
  std::string served_name;
  double drain_timeout_seconds = 5;
  std::string unknown_fields = "refuse";
  std::string log_format = "text";
  std::string log_level = "info";
};

void add_limit_flags(FlagTable* flags, ServerOptions* o) {
  constexpr int64_t kBytesMax = 1 << 30, kMsMax = 86'400'000, kCountMax = 1'000'000;
  flags->add_int("--body-bytes-max", &o->body_bytes_max, 1024, kBytesMax, "of a request's body");
  flags->add_int("--body-bytes-all-max", &o->body_bytes_all_max, 1024, 1LL << 40,
                 "of all bodies on their way");
  flags->add_int("--header-bytes-max", &o->header_bytes_max, 1024, kBytesMax, "of its headers");
  flags->add_int("--headers-max", &o->headers_max, 1, 10'000, "headers of a request");
  flags->add_int("--json-depth-max", &o->json_depth_max, 4, 1000, "nesting of a body");
  flags->add_int("--stop-strings-max", &o->stop_strings_max, 1, 1000, "stop strings of a request");
  flags->add_int("--stop-bytes-max", &o->stop_strings_bytes_max, 1, kCountMax, "of all of them");
  flags->add_int("--choices-max", &o->choices_max, 1, 1024, "answers to a request: n times its prompts");
  flags->add_int("--tools-max", &o->tools_max, 1, 10'000, "tools of a request");
  flags->add_int("--logprobs-max", &o->logprobs_top_max, 0, 100, "likeliest tokens shown");
  flags->add_int("--connections-max", &o->connections_max, 1, kCountMax, "connections");
  flags->add_int("--idle-ms-max", &o->idle_timeout_ms, 1, kMsMax, "between two requests");
  flags->add_int("--header-ms-max", &o->header_timeout_ms, 1, kMsMax, "to send the headers");
  flags->add_int("--body-ms-max", &o->body_timeout_ms, 1, kMsMax, "to send the body");
  flags->add_int("--write-ms-max", &o->write_timeout_ms, 1, kMsMax, "to take what is ready");
  flags->add_int("--backlog-bytes-max", &o->write_backlog_bytes_max, 1024, kBytesMax, "not taken yet");
  flags->add_int("--workers", &o->workers, 1, 256, "threads that parse and tokenise");
  flags->add_int("--queue-wait-ms-max", &o->queue_wait_ms_max, 1, kMsMax, "expected wait that is accepted");
  flags->add_int("--queue-bytes-max", &o->queue_bytes_max, 1024, 1LL << 40, "of bodies not worked on yet");
  flags->add_int("--worker-queue-max", &o->worker_queue_max, 1, kCountMax, "requests that wait for them");
  flags->add_int("--ready-stall-ms", &o->ready_stall_ms, 100, kMsMax, "no step for so long: stalled");
}

// Who may ask, and from where.
void add_access_flags(FlagTable* flags, ServerOptions* o) {
  flags->add_string("--api-keys", &o->api_keys_file, "FILE", "JSON file of keys; read again when it changes");
  flags->add_strings("--allowed-host", &o->allowed_hosts, "NAME", "of this server, where it listens locally");
  flags->add_strings("--cors-origin", &o->cors_origins, "ORIGIN", "of pages that may ask; *: all");
}

// What schemas, expressions and grammars of requests may cost.
void add_grammar_flags(FlagTable* flags, ServeOptions* o) {
  constexpr int64_t kBytesMax = 1LL << 40;
  GrammarLimits& limits = o->grammar;
  flags->add_int("--schema-cpu-ms-max", &limits.cpu_ms_max, 1, 600'000, "to compile a schema");
  flags->add_int("--schema-memory-bytes-max", &limits.memory_bytes_max, 1 << 20, kBytesMax, "meanwhile");
  flags->add_int("--schema-bytes-max", &limits.text_bytes_max, 1, 1 << 30, "of its text");
  flags->add_int("--schema-result-bytes-max", &limits.result_bytes_max, 1, 1 << 30, "compiled");
  flags->add_int("--schema-cache-bytes-max", &limits.cache_bytes_max, 0, kBytesMax, "of compiled ones kept");
  flags->add_int("--schema-queue-max", &o->server.grammar_queue_max, 1, 1'000'000,
                 "that wait to be compiled");
  flags->add_int("--schema-attempts-max", &o->server.schema_attempts_max, 1, 1000,
                 "at an answer that fails its schema's check");
  flags->add_int("--schema-retry-tokens-max", &o->server.schema_retry_tokens_max, 0, 1'000'000,
                 "that the failed ones may take");
  flags->add_int("--mask-threads", &o->load.mask_threads, 1, 256, "that find which tokens a schema allows");
  flags->add_int("--mask-states-max", &o->load.mask_states_max, 1, 1'000'000'000'000,
                 "that one may look at; more ends the answer");
  flags->add_int("--mask-wait-us-max", &o->load.mask_wait_us_max, 0, 1'000'000, "for them before a step");
}

void add_flags(FlagTable* flags, ServeOptions* o) {
  constexpr int64_t kTokensMax = 1'000'000'000;
  add_model_flags(flags, &o->load);
  flags->add_int("--kv-tokens", &o->load.kv.pool_tokens, 0, kTokensMax, "KV pool; 0: what fits");
  flags->add_string("--served-model-name", &o->served_name, "NAME",
                    "as clients name it; default: the model's");
  flags->add_string("--host", &o->server.host, "ADDRESS", "address to listen on");
  flags->add_int("--port", &o->server.port, 0, 65535, "port to listen on; 0: any free one");
  flags->add_int("--default-max-tokens", &o->server.default_tokens_max, 0, kTokensMax,
                 "0: chat 2048, else 512");
  flags->add_choice("--unknown-fields", &o->unknown_fields, {"refuse", "warn"}, "in requests");
  flags->add_choice("--prefix-cache", &o->load.prefix_cache, {"on", "off"},
                    "prompts share what they begin with");
  flags->add_int("--running-max", &o->load.running_max, 1, 1024, "requests that run at once");
  flags->add_int("--queue-max", &o->load.queue_max, 1, 1'000'000, "requests that wait");
  flags->add_int("--queue-tokens-max", &o->load.queue_tokens_max, 1, kTokensMax,
                 "prompt and answer, waiting");
  flags->add_int("--priority-ageing-ms", &o->load.priority_ageing_ms, 1, 86'400'000,
                 "of waiting outdo one step of priority");
  flags->add_double("--drain-timeout", &o->drain_timeout_seconds, 0, 86'400,
                    "seconds for running answers at the end");
  flags->add_int("--draft-tokens", &o->load.draft_tokens_max, 0, 64, "guessed ahead for an answer; 0: none");
  flags->add_choice("--draft-mode", &o->load.draft_mode, {"faster", "always"}, "when to guess");
  flags->add_int("--step-tokens", &o->load.step_tokens_max, 0, 1 << 16,
                 "tokens of one step; 0: 512 on a CPU, 8192 on a GPU");
  flags->add_int("--itl-ms-max", &o->load.itl_ms_max, 0, 60'000,
                 "of a step that answers wait for while prompts are read; 0: no bound");
  flags->add_choice("--log-format", &o->log_format, {"text", "json"}, "of log lines");
  flags->add_choice("--log-level", &o->log_level, {"debug", "info", "warning", "error"}, "least shown");
  add_access_flags(flags, &o->server);
  add_limit_flags(flags, &o->server);
  add_grammar_flags(flags, o);
}

void apply_choices(ServeOptions* o) {
  o->server.unknown_fields = o->unknown_fields == "warn" ? UnknownFields::kWarn : UnknownFields::kRefuse;
  const LogLevel level = o->log_level == "debug"     ? LogLevel::kDebug
                         : o->log_level == "warning" ? LogLevel::kWarning
                         : o->log_level == "error"   ? LogLevel::kError
                                                     : LogLevel::kInfo;
  o->server.drain_timeout_ms = static_cast<int64_t>(o->drain_timeout_seconds * 1000);
  configure_log(level, o->log_format == "json" ? LogFormat::kJson : LogFormat::kText);
}

// What runs and where, for people on standard output.
void print_banner(const LoadedModel& model, const std::string& url) {
  const DeviceInfo& device = model.engine->device();
  std::printf("hussar %s\n", hussar_version().c_str());
  std::printf("model    %s (%s), %s, %s\n", model.name.c_str(), model.architecture.c_str(),
              model.format.c_str(), bytes_text(model.file_bytes).c_str());
  std::printf("device   %s, %s, %d threads", device.device.c_str(), device.isa.c_str(), device.threads);
  if (device.memory_nodes > 1) std::printf(", memory in %d NUMA nodes", device.memory_nodes);
  std::printf("\n");
  std::printf("memory   %lld tokens of KV cache, at most %d a request (%s)\n",
              static_cast<long long>(model.kv_tokens()), model.kv.context_max,
              bytes_text(model.kv.bytes).c_str());
  if (const std::string text = defaults_text(model.generation.defaults); !text.empty())
    std::printf("defaults %s (generation_config.json)\n", text.c_str());
  std::printf("address  %s\n", url.c_str());
  const bool chat = model.chat_template.has_value();
  std::printf(
      "try      curl %s/v1/%s -H 'Content-Type: application/json' -d '%s'\n", url.c_str(),
      chat ? "chat/completions" : "completions",
      chat ? R"({"messages": [{"role": "user", "content": "Hello!"}]})" : R"({"prompt": "Once upon"})");
  std::fflush(stdout);
}

// The same as one line, for programs.
void log_ready(const LoadedModel& model, const std::string& url) {
  const DeviceInfo& device = model.engine->device();
  log_line(LogLevel::kInfo, "ready",
           {{"version", hussar_version()},
            {"model", model.name},
            {"architecture", model.architecture},
            {"format", model.format},
            {"device", device.device},
            {"isa", device.isa},
            {"threads", std::to_string(device.threads)},
            {"memory_nodes", std::to_string(device.memory_nodes)},
            {"kv_tokens", std::to_string(model.kv_tokens())},
            {"context", std::to_string(model.kv.context_max)},
            {"defaults", defaults_text(model.generation.defaults)},
            {"address", url}});
}

Result<std::unique_ptr<LoadedModel>> load_with_progress(const ModelLoadOptions& options,
                                                        Interrupts* interrupts) {
  LoadProgress progress;
  return load_model(options, [&](int64_t done_bytes, int64_t all_bytes) {
    progress.show(done_bytes, all_bytes);
    // Nothing is open yet that would have to be closed.
    const Interrupts::Kind kind = interrupts->take();
    if (kind != Interrupts::Kind::kNone && kind != Interrupts::Kind::kHangup) _exit(kExitInterrupted);
  });
}

// Until a signal ends the server, or the device has failed: then what happened.
std::optional<Error> wait_for_end(const Engine& engine, Server* server, Interrupts* interrupts) {
  for (;;) {
    const Interrupts::Kind kind = interrupts->wait_for(kFaultLookMs);
    if (kind == Interrupts::Kind::kHangup) server->reload_keys();
    std::optional<Error> fault = engine.fault();
    if (fault || (kind != Interrupts::Kind::kNone && kind != Interrupts::Kind::kHangup)) return fault;
  }
}

// What a server that was ready ended by: nothing, or a fault of the device. Errors: it did not become ready.
Result<std::optional<Error>> serve(const ServeOptions& options, Interrupts* interrupts) {
  ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model, load_with_progress(options.load, interrupts));
  if (!model->chat_template) {
    log_line(LogLevel::kWarning, "no /v1/chat/completions", {{"why", model->template_problem}});
  }
  for (const std::string& setting : model->generation.unsupported)
    log_line(LogLevel::kWarning, "a setting of generation_config.json is not supported",
             {{"setting", setting}});
  const std::string served_name =
      options.served_name.empty() ? model_label(options.load.model) : options.served_name;
  ServerOptions server_options = options.server;
  server_options.defaults = model->generation.defaults;
  GrammarCompiler grammars(options.grammar, [&model] { return answer_bytes_table(model->tokenizer); },
                           model->stop_ids, {});
  ServerContext context = model->server_context(served_name);
  context.grammars = &grammars;
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::start(server_options, context));
  if (options.log_format == "text") {
    print_banner(*model, server->url());
  } else {
    log_ready(*model, server->url());
  }
  const std::optional<Error> fault = wait_for_end(*model->engine, server.get(), interrupts);
  log_line(LogLevel::kInfo, "draining: what runs goes on, a second signal ends it");
  server->drain([interrupts] {
    const Interrupts::Kind kind = interrupts->take();
    return kind != Interrupts::Kind::kNone && kind != Interrupts::Kind::kHangup;
  });
  interrupts->let_through();
  log_line(LogLevel::kInfo, "stopping");
  model->engine->shutdown();
  server->stop();
  log_line(LogLevel::kInfo, "stopped");
  return fault;
}

}  // namespace

int run_serve(const std::vector<std::string>& args) {
  ServeOptions options;
  FlagTable flags("serve", "Serves a model over an OpenAI-compatible API.",
                  "hussar serve --model model.gguf --port 8080");
  add_flags(&flags, &options);
  if (const auto code = parse_or_exit_code(&flags, "serve", args)) return *code;
  apply_choices(&options);
  Interrupts interrupts(Interrupts::Hangup::kIsTaken);
  const auto ended = serve(options, &interrupts);
  if (!ended.ok()) return report_error("serve", ended.error());
  if (!ended->has_value()) return 0;
  report_error("serve", **ended);
  return kExitDeviceFault;
}

}  // namespace hussar
