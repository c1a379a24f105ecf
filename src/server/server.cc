#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "server/admission.h"
#include "server/api_error.h"
#include "server/gate.h"
#include "server/generation.h"
#include "server/http_terms.h"
#include "server/keeper.h"
#include "server/load_api.h"
#include "server/messages_request.h"
#include "server/responses_request.h"
#include "server/tokenize_api.h"
#include "server/web_files.h"
#include "server/worker_pool.h"

namespace hussar {

namespace {

// Nothing of a page may come from elsewhere, and no page may show this one in a frame.
const std::vector<HttpHeader>& page_headers() {
  static const std::vector<HttpHeader> headers{
      {"Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Cache-Control", "no-cache"}};
  return headers;
}

constexpr std::chrono::milliseconds kKeepPeriod{1000};

// Bodies above this are parsed by the bulk worker, for which so many wait at most.
constexpr size_t kBulkBytes = 128 << 10;
constexpr int64_t kBulkWaiting = 2;

template <Endpoint kEndpoint>
Result<CompletionRequest> read_for(const Json& body, const FieldContext& context) {
  return read_completion_request(kEndpoint, body, context);
}

class ServerImpl : public Server {
 public:
  ServerImpl(const ServerOptions& options, const ServerContext& context, std::shared_ptr<ApiKeys> keys)
      : core_(std::make_shared<ServerCore>(options, context, std::move(keys))),
        gate_(core_->options, *core_->keys),
        workers_(options.workers, options.worker_queue_max),
        bulk_worker_(1, kBulkWaiting, WorkerPool::Priority::kWhenIdle),
        grammar_worker_(1, options.grammar_queue_max) {}
  ~ServerImpl() override { stop(); }

  Result<void> listen();

  int64_t port() const override { return http_->port(); }
  std::string url() const override {
    const std::string& host = core_->options.host;
    return "http://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
           std::to_string(port());
  }

  void stop() override {
    std::lock_guard lock(stop_mutex_);
    core_->stopping = true;
    keeper_.reset();
    // What was drained has only its last bytes to send.
    constexpr int64_t kLastBytesMs = 1000;
    if (http_) http_->stop(drained_ ? kLastBytesMs : core_->options.drain_timeout_ms);
    bulk_worker_.stop();  // hands on to the others
    workers_.stop();
    if (core_->context.grammars != nullptr) core_->context.grammars->stop();
    grammar_worker_.stop();
  }

  void drain(const std::function<bool()>& hurry) override {
    constexpr auto kLook = std::chrono::milliseconds(20);
    core_->stopping = true;
    const TimePoint end = Clock::now() + std::chrono::milliseconds(core_->options.drain_timeout_ms);
    while (core_->admission->active() > 0 && Clock::now() < end && !hurry())
      std::this_thread::sleep_for(kLook);
    drained_ = true;
  }

  void reload_keys() override {
    if (core_->keys->required()) log_reload(core_->keys->reload());
  }

 private:
  using Action = void (ServerImpl::*)(const RequestLog&, HttpRequest&&, Responder&&);
  struct Route {
    std::string_view method;
    std::string_view path;
    Action action;
  };
  static const std::vector<Route>& routes();

  // The path as the table of routes has it, or "other".
  static std::string_view known_path(std::string_view path);

  void handle(HttpRequest request, Responder responder);
  void route(RequestLog log, HttpRequest&& request, Responder&& responder);
  void log_reload(const Result<void>& done) const;
  bool engine_stalled() const;
  void keep();
  void reply(const RequestLog& log, Responder& responder, HttpResponse response) {
    const int status = response.status;
    response.headers.push_back({"X-Request-Id", std::to_string(log.id)});
    responder.answer(std::move(response));
    log.write(&core_->metrics, status, "", nullptr);
  }
  void reply_error(const RequestLog& log, Responder& responder, const ApiError& error) {
    core_->metrics.count_refusal(error.code);
    reply(log, responder, refusal(log.route, error));
  }
  // Whether nobody waits for the answer any more, so that what has not begun for it need not begin.
  bool is_given_up(const RequestLog& log, const Responder& responder) {
    if (!responder.is_gone()) return false;
    log.write(&core_->metrics, kClientClosed, "cancelled", nullptr);
    return true;
  }
  void reply_json(const RequestLog& log, Responder& responder, int status, const Json& value) {
    reply(log, responder, {status, "application/json", {}, write_json(value)});
  }

  void get_models(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void get_model(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void get_health(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void get_ready(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void get_load(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void get_metrics(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void get_web_file(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_completions(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_chat(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_responses(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_messages(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_count_tokens(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_tokenize(const RequestLog& log, HttpRequest&& request, Responder&& responder);
  void post_detokenize(const RequestLog& log, HttpRequest&& request, Responder&& responder);

  // Parses the body on a worker and hands it to `next` there; answers itself when it can't be parsed.
  using Next = std::function<void(const RequestLog&, const Json&, Responder&)>;
  void parse_on_worker(const RequestLog& log, HttpRequest&& request, Responder&& responder, Next next);
  // A request whose body is to be parsed.
  struct Body {
    RequestLog log;
    std::string text;
    Responder responder;
    Next next;
  };
  Result<Json> parse(const Body& body) const;
  void go_on(Body& body, const Result<Json>& json);
  void reply_crowded(Body& body);
  using ReadRequest = Result<CompletionRequest> (*)(const Json& body, const FieldContext& context);
  void post_generation(ReadRequest read, const RequestLog& log, HttpRequest&& request, Responder&& responder);
  // Goes on with generate() when the request's grammar is there.
  void compile_and_generate(const RequestLog& log, Responder&& responder, CompletionRequest&& request);
  void generate_within(Result<SharedGrammar> grammar, const RequestLog& log, Responder&& responder,
                       CompletionRequest&& request);
  void post_tokens(Result<TokenizeAnswer> (*run)(const Json&, const ServerOptions&, const ServerContext&),
                   const RequestLog& log, HttpRequest&& request, Responder&& responder);
  Json model_json() const;

  const std::shared_ptr<ServerCore> core_;
  const Gate gate_;
  WorkerPool workers_;
  WorkerPool bulk_worker_;  // for large bodies: what reading them takes must not slow down who generates
  // Compiles one grammar after the other, so that requests without one never wait behind them.
  WorkerPool grammar_worker_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Keeper> keeper_;
  std::atomic<bool> drained_{false};
  bool stalled_ = false, faulted_ = false;  // the keeper's
  std::mutex stop_mutex_;
};

const std::vector<ServerImpl::Route>& ServerImpl::routes() {
  static const std::vector<Route> table = [] {
    std::vector<Route> list{
        {"GET", "/v1/models", &ServerImpl::get_models},
        {"POST", "/v1/completions", &ServerImpl::post_completions},
        {"POST", "/v1/chat/completions", &ServerImpl::post_chat},
        {"POST", "/v1/responses", &ServerImpl::post_responses},
        {"POST", "/v1/messages", &ServerImpl::post_messages},
        {"POST", "/v1/messages/count_tokens", &ServerImpl::post_count_tokens},
        {"POST", "/tokenize", &ServerImpl::post_tokenize},
        {"POST", "/detokenize", &ServerImpl::post_detokenize},
        {"GET", "/health", &ServerImpl::get_health},
        {"GET", "/ready", &ServerImpl::get_ready},
        {"GET", "/metrics", &ServerImpl::get_metrics},
        {"GET", "/v1/load", &ServerImpl::get_load},
    };
    for (const WebFile& file : web_files()) list.push_back({"GET", file.path, &ServerImpl::get_web_file});
    return list;
  }();
  return table;
}

Result<void> ServerImpl::listen() {
  const ServerOptions& options = core_->options;
  HttpLimits limits = http_limits(options);
  // Files that are not connections: the model, logs, the listening socket, and room to spare.
  constexpr int64_t kOtherFiles = 64;
  const int64_t files = raise_open_files_limit();
  if (files > kOtherFiles && files - kOtherFiles < options.connections_max) {
    limits.connections_max = static_cast<size_t>(files - kOtherFiles);
    log_line(LogLevel::kWarning, "fewer connections than asked for: the limit of open files is too low",
             {{"connections", std::to_string(limits.connections_max)}});
  }
  ASSIGN_OR_RETURN(http_, HttpServer::listen(
                              options.host, static_cast<int>(options.port), limits,
                              [this](HttpRequest request, Responder responder) {
                                handle(std::move(request), std::move(responder));
                              },
                              [](int status, std::string_view detail) {
                                return error_response(http_refusal(status, detail));
                              }));
  http_->start();
  keeper_ = std::make_unique<Keeper>(kKeepPeriod, [this] { keep(); });
  return {};
}

void ServerImpl::log_reload(const Result<void>& done) const {
  if (done.ok()) {
    log_line(LogLevel::kInfo, "API keys read", {{"keys", std::to_string(core_->keys->count())}});
  } else {
    log_line(LogLevel::kWarning, "the API keys stay as they were", {{"why", done.error().message}});
  }
}

bool ServerImpl::engine_stalled() const {
  const auto still = Clock::now() - core_->context.engine.counters().last_step;
  return still >= std::chrono::milliseconds(core_->options.ready_stall_ms);
}

// Once a second.
void ServerImpl::keep() {
  if (core_->keys->required()) {
    const Result<bool> changed = core_->keys->reload_if_changed();
    if (!changed.ok()) log_reload(changed.error());
    if (changed.ok() && *changed) log_reload({});
  }
  const std::optional<Error> fault = core_->context.engine.fault();
  if (fault && !std::exchange(faulted_, true)) log_line(LogLevel::kError, fault->message);
  const bool stalled = engine_stalled();
  if (stalled != std::exchange(stalled_, stalled)) {
    log_line(stalled ? LogLevel::kError : LogLevel::kInfo,
             stalled ? "the engine makes no progress: not ready" : "the engine goes on");
  }
}

std::string_view ServerImpl::known_path(std::string_view path) {
  const auto route = std::ranges::find(routes(), path, &Route::path);
  return route == routes().end() ? "other" : route->path;
}

void ServerImpl::handle(HttpRequest request, Responder responder) {
  RequestLog log;
  log.id = request.id;
  log.route = known_path(request.path);
  log.peer = request.peer;
  log.received = request.received;
  responder.add_headers(gate_.open(request, &log));
  if (auto answer = gate_.preflight(request)) return reply(log, responder, std::move(*answer));
  if (const auto error = gate_.check(request, &log.tenant)) return reply_error(log, responder, *error);
  route(std::move(log), std::move(request), std::move(responder));
}

void ServerImpl::route(RequestLog log, HttpRequest&& request, Responder&& responder) {
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  std::string allowed;
  for (const Route& route : routes()) {
    if (route.path != request.path) continue;
    if (route.method == method) return (this->*route.action)(log, std::move(request), std::move(responder));
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  constexpr std::string_view kModelPrefix = "/v1/models/";
  if (request.path.starts_with(kModelPrefix)) {
    log.route = "/v1/models";
    if (method == "GET") return get_model(log, std::move(request), std::move(responder));
    allowed = "GET";
  }
  if (allowed.empty()) {
    return reply_error(log, responder,
                       http_refusal(404, "there is nothing at this path; see GET / for what there is"));
  }
  ApiError error = http_refusal(405, "this path takes " + allowed + " only");
  error.headers.push_back({"Allow", allowed == "GET" ? "GET, HEAD" : allowed});
  reply_error(log, responder, error);
}

Json ServerImpl::model_json() const {
  return JsonObject{{"id", core_->context.model_name},
                    {"object", "model"},
                    {"created", core_->context.created_unix_seconds},
                    {"owned_by", "hussar"},
                    {"root", core_->context.model_name},
                    {"parent", nullptr},
                    {"max_model_len", core_->context.engine.options().context_max}};
}

void ServerImpl::get_models(const RequestLog& log, HttpRequest&&, Responder&& responder) {
  reply_json(log, responder, 200, JsonObject{{"object", "list"}, {"data", JsonArray{model_json()}}});
}

void ServerImpl::get_model(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  const std::string name = percent_decode(request.path.substr(std::string_view("/v1/models/").size()));
  if (name == core_->context.model_name) return reply_json(log, responder, 200, model_json());
  const Error error{ErrorCode::kNotFound,
                    "this model does not exist here: the server has " + core_->context.model_name, "model"};
  reply_error(log, responder, to_api_error(error));
}

void ServerImpl::get_health(const RequestLog& log, HttpRequest&&, Responder&& responder) {
  const ServerContext& context = core_->context;
  const EngineCounters now = context.engine.counters();
  const DeviceInfo& device = context.engine.device();
  reply_json(log, responder, 200,
             JsonObject{{"status", "ok"},
                        {"model", context.model_name},
                        {"summary", context.model_summary},
                        {"version", context.version},
                        {"device", device.device},
                        {"isa", device.isa},
                        {"threads", device.threads},
                        {"context_max", context.engine.options().context_max},
                        {"chat", context.chat_template != nullptr},
                        {"running", now.running},
                        {"waiting", now.waiting},
                        {"kv_blocks_used", now.blocks_used},
                        {"kv_blocks", now.blocks_all},
                        {"generated_tokens", now.generated_tokens}});
}

void ServerImpl::get_ready(const RequestLog& log, HttpRequest&&, Responder&& responder) {
  const std::optional<Error> fault = core_->context.engine.fault();
  if (fault) return reply_error(log, responder, http_refusal(503, fault->message));
  if (!core_->stopping && !engine_stalled())
    return reply_json(log, responder, 200, JsonObject{{"status", "ready"}});
  const char* why = core_->stopping ? "the server is shutting down" : "the engine makes no progress";
  reply_error(log, responder, http_refusal(503, why));
}

void ServerImpl::get_load(const RequestLog& log, HttpRequest&&, Responder&& responder) {
  reply_json(log, responder, 200, load_json(core_->context.engine, *core_->admission));
}

void ServerImpl::get_metrics(const RequestLog& log, HttpRequest&&, Responder&& responder) {
  reply(log, responder,
        {200, std::string(Metrics::kContentType), {}, core_->metrics.text(http_->connections())});
}

void ServerImpl::get_web_file(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  for (const WebFile& file : web_files()) {
    if (file.path != request.path) continue;
    return reply(log, responder,
                 {200, std::string(file.content_type), page_headers(), std::string(file.bytes)});
  }
}

void ServerImpl::parse_on_worker(const RequestLog& log, HttpRequest&& request, Responder&& responder,
                                 Next next) {
  if (core_->stopping) {
    ApiError error = http_refusal(503, "the server is shutting down");
    error.code = "shutting_down";
    return reply_error(log, responder, error);
  }
  if (const auto error = check_body_headers(request)) return reply_error(log, responder, *error);
  RequestLog admitted = log;
  auto deadline_ms = read_deadline_header(request);
  if (!deadline_ms.ok()) return reply_error(log, responder, to_api_error(deadline_ms.error()));
  admitted.deadline_ms = *deadline_ms;
  // Before anything of the body is looked at.
  if (const auto error = core_->admission->enter(log.tenant, request.body.size(), &admitted.ticket))
    return reply_error(log, responder, *error);
  const auto body = std::make_shared<Body>(
      Body{std::move(admitted), std::move(request.body), std::move(responder), std::move(next)});
  // What takes locks is done by the other workers: nobody may hold one while he waits for a processor. Where
  // the bulk worker doesn't get on, they do all of it.
  const bool is_bulky = body->text.size() > kBulkBytes;
  const auto hand_on = [this, body] {
    const auto json = std::make_shared<const Result<Json>>(parse(*body));
    const auto rest = [this, body, json] {
      if (!is_given_up(body->log, body->responder)) go_on(*body, *json);
    };
    if (!workers_.post(rest)) reply_crowded(*body);
  };
  if (is_bulky && bulk_worker_.post(hand_on)) return;
  const auto task = [this, body] {
    if (!is_given_up(body->log, body->responder)) go_on(*body, parse(*body));
  };
  if (!workers_.post(task)) reply_crowded(*body);
}

Result<Json> ServerImpl::parse(const Body& body) const {
  JsonLimits limits;
  limits.bytes_max = static_cast<size_t>(core_->options.body_bytes_max);
  limits.depth_max = static_cast<int32_t>(core_->options.json_depth_max);
  return parse_json(body.text, limits);
}

void ServerImpl::go_on(Body& body, const Result<Json>& json) {
  if (json.ok()) return body.next(body.log, *json, body.responder);
  ApiError error = to_api_error(json.error());
  error.message = "the body is no acceptable JSON: " + error.message;
  error.code = "invalid_json";
  reply_error(body.log, body.responder, error);
}

void ServerImpl::reply_crowded(Body& body) {
  reply_error(body.log, body.responder,
              to_api_error({ErrorCode::kFull, "too many requests wait already: try again soon", ""}));
}

void ServerImpl::post_generation(ReadRequest read_request, const RequestLog& log, HttpRequest&& request,
                                 Responder&& responder) {
  parse_on_worker(
      log, std::move(request), std::move(responder),
      [this, read_request](const RequestLog& of, const Json& body, Responder& to) {
        const ServerContext& context = core_->context;
        const FieldContext fields{core_->options, context.model_name, context.tokenizer.vocab_size()};
        auto read = read_request(body, fields);
        if (!read.ok()) return reply_error(of, to, to_api_error(read.error()));
        if (read->format) return compile_and_generate(of, std::move(to), std::move(*read));
        generate(core_, of, std::move(to), std::move(*read));
      });
}

void ServerImpl::compile_and_generate(const RequestLog& log, Responder&& responder,
                                      CompletionRequest&& request) {
  GrammarCompiler* const grammars = core_->context.grammars;
  const AnswerFormat& format = *request.format;
  if (grammars == nullptr) {
    const Error error{ErrorCode::kUnsupported, format.field + " is not supported by this server",
                      format.field};
    return reply_error(log, responder, to_api_error(error));
  }
  if (auto known = grammars->find(format.spec)) {
    return generate_within(std::move(*known), log, std::move(responder), std::move(request));
  }
  Responder spare = responder;
  auto task = [this, grammars, log, responder = std::move(responder),
               request = std::move(request)]() mutable {
    if (is_given_up(log, responder)) return;
    if (const auto late = check_time_left(request, log); !late.ok())
      return reply_error(log, responder, to_api_error(late.error()));
    auto grammar = grammars->compile(request.format->spec);
    generate_within(std::move(grammar), log, std::move(responder), std::move(request));
  };
  if (grammar_worker_.post(std::move(task))) return;
  reply_error(
      log, spare,
      to_api_error({ErrorCode::kFull, "too many requests wait for their grammars: try again soon", ""}));
}

void ServerImpl::generate_within(Result<SharedGrammar> grammar, const RequestLog& log, Responder&& responder,
                                 CompletionRequest&& request) {
  if (!grammar.ok()) {
    const Error error = format_error(*request.format, std::move(grammar).error());
    return reply_error(log, responder, to_api_error(error));
  }
  request.grammar = std::move(*grammar);
  generate(core_, log, std::move(responder), std::move(request));
}

void ServerImpl::post_completions(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_generation(&read_for<Endpoint::kCompletions>, log, std::move(request), std::move(responder));
}

void ServerImpl::post_chat(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_generation(&read_for<Endpoint::kChat>, log, std::move(request), std::move(responder));
}

void ServerImpl::post_responses(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_generation(&read_responses_request, log, std::move(request), std::move(responder));
}

void ServerImpl::post_messages(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_generation(&read_messages_request, log, std::move(request), std::move(responder));
}

void ServerImpl::post_count_tokens(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_tokens(&count_message_tokens, log, std::move(request), std::move(responder));
}

void ServerImpl::post_tokens(Result<TokenizeAnswer> (*run)(const Json&, const ServerOptions&,
                                                           const ServerContext&),
                             const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  parse_on_worker(log, std::move(request), std::move(responder),
                  [this, run](const RequestLog& of, const Json& body, Responder& to) {
                    auto answer = run(body, core_->options, core_->context);
                    if (!answer.ok()) return reply_error(of, to, to_api_error(answer.error()));
                    HttpResponse response{200, "application/json", {}, std::move(answer->json)};
                    add_ignored_fields_header(answer->ignored_fields, &response.headers);
                    reply(of, to, std::move(response));
                  });
}

void ServerImpl::post_tokenize(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_tokens(&tokenize, log, std::move(request), std::move(responder));
}

void ServerImpl::post_detokenize(const RequestLog& log, HttpRequest&& request, Responder&& responder) {
  post_tokens(&detokenize, log, std::move(request), std::move(responder));
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, const ServerContext& context) {
  ASSIGN_OR_RETURN(std::unique_ptr<ApiKeys> keys, ApiKeys::open(options.api_keys_file));
  auto server = std::make_unique<ServerImpl>(options, context, std::move(keys));
  RETURN_IF_ERROR(server->listen());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace hussar
