#include "bench/target.h"

#include <algorithm>

#include "base/check.h"
#include "bench/refusal_text.h"

namespace hussar {

namespace {

constexpr size_t kModelsBytesMax = 16 << 20;
constexpr size_t kModelsShownMax = 20;
constexpr int64_t kFactTimeoutMs = 5'000;  // of each question about what the server is

struct SplitUrl {
  std::string root;     // what stands before every route
  std::string version;  // "/v1" where the URL names it, else empty
};

// A URL may end anywhere on the way to a route: the host, /v1, or the route itself.
SplitUrl split_url(std::string url) {
  const auto drop = [&url](std::string_view tail) {
    if (!url.ends_with(tail)) return false;
    url.resize(url.size() - tail.size());
    return true;
  };
  while (drop("/")) {
  }
  if (!drop("/chat/completions") && !drop("/completions")) drop("/models");
  return drop("/v1") ? SplitUrl{url, "/v1"} : SplitUrl{url, ""};
}

bool has_path(const std::string& root) {
  const size_t host = root.find("://");
  return host != std::string::npos && root.find('/', host + 3) != std::string::npos;
}

const std::string* find_header(const HttpReply& reply, std::string_view name) {
  for (const HttpHeader& header : reply.headers) {
    if (equals_ignoring_case(header.name, name)) return &header.value;
  }
  return nullptr;
}

// Why `reply` from `where` is no usable answer; nothing where it is one.
Result<void> check_reply(const HttpReply& reply, const std::string& where) {
  const auto failed = [&](ErrorCode code, const std::string& what) {
    return Error{code, where + ": " + what, ""};
  };
  switch (reply.end) {
    case CallEnd::kConnectFailed:
      return failed(ErrorCode::kIo, "no connection: " + one_line(reply.detail) +
                                        "; check that the server runs and that the address is right");
    case CallEnd::kBadAnswer:
      return failed(ErrorCode::kInvalid,
                    "what answers there is no HTTP/1.1 server: " + one_line(reply.detail));
    case CallEnd::kBroken:
    case CallEnd::kCancelled:
      return failed(ErrorCode::kIo, one_line(reply.detail));
    case CallEnd::kDone:
      break;
  }
  if (reply.status == 200) return {};
  std::string what =
      "HTTP " + std::to_string(reply.status) + " " + std::string(http_status_phrase(reply.status));
  const std::string said = refusal_text(reply.body);
  if (!said.empty()) what += ": " + said;
  if (reply.status == 401 || reply.status == 403) {
    return failed(ErrorCode::kInvalid, what + "; give the server's API key");
  }
  if (reply.status >= 300 && reply.status < 400) {
    const std::string* location = find_header(reply, "Location");
    return failed(ErrorCode::kInvalid, what + "; redirects are not followed, give the URL that it leads to" +
                                           (location == nullptr ? "" : ", " + one_line(*location)));
  }
  if (reply.status == 404 || reply.status == 405) {
    return failed(ErrorCode::kNotFound, what + "; give the URL up to and with /v1");
  }
  return failed(reply.status < 500 ? ErrorCode::kInvalid : ErrorCode::kIo, what);
}

std::string list_names(const std::vector<std::string>& names) {
  if (names.empty()) return "it names none";
  std::string text = "it has ";
  for (size_t i = 0; i < names.size() && i < kModelsShownMax; ++i)
    text += (i == 0 ? "" : ", ") + one_line(names[i]);
  return names.size() > kModelsShownMax ? text + ", ..." : text;
}

std::string_view path_of(Api api) { return api == Api::kChat ? "/chat/completions" : "/completions"; }

JsonArray messages_of(const RequestSpec& spec) {
  if (spec.messages.empty()) return {JsonObject{{"role", "user"}, {"content", spec.prompt}}};
  JsonArray messages;
  for (const ChatMessage& message : spec.messages) {
    messages.push_back(JsonObject{{"role", message.role}, {"content", message.content}});
  }
  return messages;
}

void set_member(JsonObject* object, const std::string& key, Json value) {
  for (auto& [name, old] : *object) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  object->emplace_back(key, std::move(value));
}

}  // namespace

std::string_view api_name(Api api) {
  switch (api) {
    case Api::kCompletions:
      return "completions";
    case Api::kChat:
      return "chat";
    case Api::kArticle:
      return "article";
  }
  CHECK_NOTE(false, "an unknown API");
}

Result<std::unique_ptr<Target>> Target::open(const TargetOptions& options) {
  std::unique_ptr<Target> target(new Target());
  target->options_ = options;
  RETURN_IF_ERROR(target->connect());
  RETURN_IF_ERROR(target->list_models());
  return std::unique_ptr<Target>(std::move(target));
}

Result<void> Target::connect() {
  const SplitUrl url = split_url(options_.url);
  path_prefix_ = "/v1";
  StreamClientOptions client;
  client.url = url.root;
  client.ca_file = options_.ca_file;
  client.keep_alive = options_.keep_alive;
  auto created = StreamClient::create(client);
  if (!created.ok()) {
    Error error = std::move(created).error();
    error.message = one_line(options_.url) + ": " + error.message;
    return error;
  }
  client_ = std::move(*created);
  headers_ = options_.headers;
  const auto add_header = [this](const char* name, const std::string& value) {
    const auto same = [name](const HttpHeader& header) { return equals_ignoring_case(header.name, name); };
    if (std::none_of(headers_.begin(), headers_.end(), same)) headers_.push_back({name, value});
  };
  add_header("User-Agent", "hussar-bench");
  add_header("Content-Type", "application/json");
  if (!options_.api_key.empty()) add_header("Authorization", "Bearer " + options_.api_key);
  // From here on no header can be refused any more.
  if (auto wire = client_->make_request("GET", "/", headers_, ""); !wire.ok()) return std::move(wire).error();
  return {};
}

Result<void> Target::list_models() {
  const SplitUrl url = split_url(options_.url);
  HttpReply reply = call("GET", "/v1/models", "", options_.probe_timeout_ms);
  const bool missing = reply.end == CallEnd::kDone && reply.status == 404;
  if (missing && url.version.empty() && has_path(url.root)) {
    // The URL's own path may stand for /v1.
    HttpReply other = call("GET", "/models", "", options_.probe_timeout_ms);
    if (other.end == CallEnd::kDone && other.status == 200) {
      reply = std::move(other);
      path_prefix_.clear();
    }
  }
  const std::string where = "GET " + one_line(url.root) + path_prefix_ + "/models";
  Json list;
  if (const auto checked = check_reply(reply, where); !checked.ok()) {
    if (!missing || !has_routes()) return checked.error();
  } else {
    auto parsed = parse_json(reply.body, {.bytes_max = kModelsBytesMax});
    if (!parsed.ok() || parsed->as_object() == nullptr || parsed->find("data") == nullptr) {
      return Error{ErrorCode::kInvalid,
                   where + ": answered with no list of models; is it the URL of an OpenAI-compatible API? " +
                       "The answer begins: " + one_line(std::string_view(reply.body).substr(0, 60)),
                   ""};
    }
    list = std::move(*parsed);
  }
  ASSIGN_OR_RETURN(const Json entry, choose_model(list));
  learn_facts(entry, reply);
  return {};
}

void Target::learn_facts(const Json& entry, const HttpReply& models) {
  const std::string* header = find_header(models, "Server");
  const int64_t timeout_ms = std::min(options_.probe_timeout_ms, kFactTimeoutMs);
  facts_ = find_server_facts(entry, header == nullptr ? "" : *header, model_,
                             [&](std::string_view path, std::string_view body) {
                               return call(body.empty() ? "GET" : "POST", path, body, timeout_ms);
                             });
  server_ = facts_.version.empty() ? facts_.kind : facts_.kind + " " + facts_.version;
}

// A route that wants a POST refuses a GET with something else than 404.
bool Target::has_routes() {
  for (const Api api : {Api::kCompletions, Api::kChat}) {
    const std::string path = path_prefix_ + std::string(path_of(api));
    const HttpReply reply = call("GET", path, "", options_.probe_timeout_ms);
    if (reply.end == CallEnd::kDone && (reply.status == 405 || reply.status == 400 || reply.status == 422))
      return true;
  }
  return false;
}

// Returns the model's entry in the list; null where there is no list.
Result<Json> Target::choose_model(const Json& list) {
  model_ = options_.model;
  if (list.is_null()) return Json();
  JsonArray entries;
  if (const JsonArray* data = list.find("data")->as_array()) {
    for (const Json& entry : *data) {
      const Json* id = entry.find("id");
      if (id == nullptr || id->as_string() == nullptr) continue;
      models_.push_back(*id->as_string());
      entries.push_back(entry);
    }
  }
  if (model_.empty() && models_.empty()) {
    return Error{ErrorCode::kNotFound, "the server has no model yet; load one there", "model"};
  }
  if (model_.empty()) model_ = models_[0];
  for (const std::string& name : {model_, model_ + ":latest"}) {  // Ollama's names have a tag
    const auto found = std::find(models_.begin(), models_.end(), name);
    if (found == models_.end()) continue;
    model_ = name;
    return entries[static_cast<size_t>(found - models_.begin())];
  }
  return Error{ErrorCode::kNotFound,
               "the server has no model " + one_line(model_) + "; " + list_names(models_), "model"};
}

std::string Target::body(Api api, const RequestSpec& spec) const {
  JsonObject body;
  if (api != Api::kArticle && !model_.empty()) body.emplace_back("model", model_);
  if (api == Api::kChat) {
    body.emplace_back("messages", messages_of(spec));
  } else {
    body.emplace_back("prompt", spec.prompt);
  }
  body.emplace_back(api == Api::kArticle ? "max_new_tokens" : "max_tokens", spec.output_tokens_max);
  if (spec.force_length && facts_.knows_ignore_eos) {
    body.emplace_back("ignore_eos", true);
  } else if (spec.force_length && facts_.knows_min_tokens) {
    body.emplace_back("min_tokens", spec.output_tokens_max);
  }
  if (spec.temperature >= 0) body.emplace_back("temperature", spec.temperature);
  if (spec.top_p >= 0) body.emplace_back("top_p", spec.top_p);
  if (spec.repetition_penalty >= 0) {
    body.emplace_back(facts_.kind == "llama.cpp" ? "repeat_penalty" : "repetition_penalty",
                      spec.repetition_penalty);
  }
  if (spec.seed >= 0) body.emplace_back("seed", spec.seed);
  if (spec.stream) {
    body.emplace_back("stream", true);
    body.emplace_back("stream_options", JsonObject{{"include_usage", true}});
  }
  for (const auto& [key, value] : spec.extra) set_member(&body, key, value);
  return write_json(body);
}

std::shared_ptr<const std::string> Target::wire(Api api, const RequestSpec& spec) const {
  return wire_of_body(api, body(api, spec));
}

std::shared_ptr<const std::string> Target::wire_of_body(Api api, std::string_view body) const {
  auto wire = client_->make_request("POST", path_prefix_ + std::string(path_of(api)), headers_, body);
  CHECK_NOTE(wire.ok(), "connect() has tried the headers");
  return std::make_shared<const std::string>(std::move(*wire));
}

HttpReply Target::call(std::string_view method, std::string_view path, std::string_view body,
                       int64_t timeout_ms) {
  const auto wire = client_->make_request(method, path, headers_, body);
  if (!wire.ok()) {
    HttpReply reply;
    reply.end = CallEnd::kBadAnswer;
    reply.detail = wire.error().message;
    return reply;
  }
  return exchange_blocking(*client_, *wire, timeout_ms, kModelsBytesMax);
}

Result<int32_t> Target::count_tokens(std::string_view text) {
  if (!can_tokenize()) {
    return Error{ErrorCode::kUnsupported,
                 "the server has no /tokenize, so that tokens can't be counted ahead", ""};
  }
  const HttpReply reply =
      call("POST", "/tokenize", tokenize_body(facts_.tokenize, model_, text), options_.probe_timeout_ms);
  RETURN_IF_ERROR(check_reply(reply, "POST /tokenize"));
  const int32_t tokens = read_token_count(facts_.tokenize, reply);
  if (tokens < 0)
    return Error{ErrorCode::kIo, "POST /tokenize: answered with no count: " + refusal_text(reply.body), ""};
  return tokens;
}

}  // namespace hussar
