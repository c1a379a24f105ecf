#include "bench/mock_server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "bench/mock_answer.h"
#include "bench/mock_request.h"
#include "bench/mock_text.h"
#include "net/paced_server.h"

namespace hussar {

namespace {

constexpr size_t kConnectionsMax = 100'000;

int status_of(const Error& error) { return error.code == ErrorCode::kNotFound ? 404 : 400; }

PacedAnswer json_answer(const Json& body) {
  return make_json_answer(200, "application/json", write_json(body));
}

PacedAnswer error_answer(int status, std::string_view message, std::string_view field) {
  return make_json_answer(status, "application/json",
                          mock_error_json(message, "invalid_request_error", field));
}

class MockServerImpl : public MockServer, private PacedObserver {
 public:
  MockServerImpl(const MockOptions& options, std::function<void(const MockTruth&)> on_truth)
      : options_(options), on_truth_(std::move(on_truth)) {
    host_ = options.host;
  }
  ~MockServerImpl() override { stop(); }

  Result<void> open();

  int port() const override { return server_->port(); }
  TimePoint started() const override { return started_; }
  void freeze(int64_t ms) override;
  Span frozen() const override {
    std::lock_guard lock(mutex_);
    return frozen_;
  }
  void stop() override;
  std::array<int64_t, kMockFaultCount> fault_counts() const override;

 private:
  PacedAnswer answer(const HttpRequest& request);
  PacedAnswer complete(const HttpRequest& request);
  PacedAnswer route_get(const HttpRequest& request) const;
  PacedAnswer tokenize(const HttpRequest& request) const;
  std::string metrics() const;
  void freeze_later();
  int64_t since_start_ns(TimePoint at) const { return (at - started_).count(); }

  void on_piece_sent(uint64_t id, const PacedPiece& piece, TimePoint before, TimePoint after) override;
  void on_ended(uint64_t id, bool whole, TimePoint at) override;

  const MockOptions options_;
  const std::function<void(const MockTruth&)> on_truth_;
  std::unique_ptr<PacedServer> server_;
  TimePoint started_ = Clock::now();
  std::array<std::atomic<int64_t>, kMockFaultCount> fault_counts_{};

  // The server's thread only.
  std::unordered_map<uint64_t, MockTruth> running_;
  uint64_t requests_ = 0;
  int64_t prompt_tokens_ = 0, output_tokens_ = 0;

  std::thread freezer_;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // guarded by mutex_, as is the next
  Span frozen_;
};

Result<void> MockServerImpl::open() {
  PacedServerOptions options;
  options.host = options_.host;
  options.port = options_.port;
  options.accept_delay_ms = options_.accept_delay_ms;
  options.limits.connections_max = kConnectionsMax;
  ASSIGN_OR_RETURN(server_,
                   PacedServer::listen(
                       options, [this](const HttpRequest& request) { return answer(request); }, this));
  server_->start();
  if (options_.freeze_at_ms >= 0) freezer_ = std::thread([this] { freeze_later(); });
  return {};
}

void MockServerImpl::freeze(int64_t ms) {
  const TimePoint end = Clock::now() + std::chrono::milliseconds(ms);
  server_->freeze(ms);
  const TimePoint begin = Clock::now();
  std::lock_guard lock(mutex_);
  frozen_ = {begin, end};
}

void MockServerImpl::freeze_later() {
  const TimePoint at = started_ + std::chrono::milliseconds(options_.freeze_at_ms);
  {
    std::unique_lock lock(mutex_);
    if (stopped_.wait_until(lock, at, [this] { return stopping_; })) return;
  }
  freeze(options_.freeze_ms);
}

void MockServerImpl::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (freezer_.joinable()) freezer_.join();
  if (server_ != nullptr) server_->stop();
}

std::array<int64_t, kMockFaultCount> MockServerImpl::fault_counts() const {
  std::array<int64_t, kMockFaultCount> counts{};
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = fault_counts_[i];
  return counts;
}

PacedAnswer MockServerImpl::answer(const HttpRequest& request) {
  const bool completes = request.path == "/v1/completions" || request.path == "/v1/chat/completions";
  if (!completes && request.path != "/tokenize") return route_get(request);
  if (request.method != "POST") return error_answer(405, "use POST", "");
  return completes ? complete(request) : tokenize(request);
}

PacedAnswer MockServerImpl::route_get(const HttpRequest& request) const {
  const bool known = request.path == "/v1/models" || request.path == "/health" ||
                     request.path == "/version" || request.path == "/metrics";
  if (!known) return error_answer(404, "there is no " + request.path, "");
  if (request.method != "GET") return error_answer(405, "use GET", "");
  if (request.path == "/health") return json_answer(JsonObject{{"status", "ok"}, {"version", "mock"}});
  if (request.path == "/metrics") return make_json_answer(200, "text/plain; version=0.0.4", metrics());
  return json_answer(JsonObject{{"object", "list"},
                                {"data", JsonArray{JsonObject{{"id", options_.model},
                                                              {"object", "model"},
                                                              {"owned_by", "hussar-mock"},
                                                              {"max_model_len", options_.context_tokens}}}}});
}

PacedAnswer MockServerImpl::tokenize(const HttpRequest& request) const {
  const auto text = read_mock_tokenize_text(request.body);
  if (!text.ok()) return error_answer(status_of(text.error()), text.error().message, text.error().field);
  JsonArray ids;
  for (const std::string_view token : split_mock_tokens(*text)) ids.emplace_back(mock_token_id(token));
  const int64_t count = static_cast<int64_t>(ids.size());
  return json_answer(
      JsonObject{{"count", count}, {"max_model_len", options_.context_tokens}, {"tokens", std::move(ids)}});
}

// Prometheus text under vLLM's names.
std::string MockServerImpl::metrics() const {
  std::string text;
  const auto add = [&text](const char* name, const char* type, int64_t value) {
    text += std::string("# TYPE ") + name + " " + type + "\n" + name + " " + std::to_string(value) + "\n";
  };
  add("vllm:num_requests_running", "gauge", static_cast<int64_t>(running_.size()));
  add("vllm:num_requests_waiting", "gauge", 0);
  add("vllm:kv_cache_usage_perc", "gauge", 0);
  add("vllm:num_preemptions_total", "counter", 0);
  add("vllm:prompt_tokens_total", "counter", prompt_tokens_);
  add("vllm:generation_tokens_total", "counter", output_tokens_);
  return text;
}

PacedAnswer MockServerImpl::complete(const HttpRequest& request) {
  MockTruth truth;
  truth.index = requests_++;
  truth.path = request.path;
  truth.received_ns = since_start_ns(request.received);
  if (const std::string* id = request.header("X-Request-Id")) truth.request_id = *id;
  PacedAnswer paced;
  auto read = read_mock_request(request, options_);
  if (!read.ok()) {
    truth.status = status_of(read.error());
    paced = error_answer(truth.status, read.error().message, read.error().field);
  } else if (options_.running_max > 0 && static_cast<int64_t>(running_.size()) >= options_.running_max) {
    truth.status = 429;
    paced = make_json_answer(429, "application/json",
                             mock_error_json("too many requests are running", "rate_limit_error", ""),
                             "Retry-After: " + std::to_string(options_.retry_after_s) + "\r\n");
  } else {
    const MockPlan plan = plan_mock_answer(std::move(*read), truth.index, options_);
    truth.streamed = plan.request.stream;
    truth.fault = plan.fault;
    truth.status = mock_fault_status(plan.fault);
    truth.prompt_tokens = plan.request.prompt_tokens;
    truth.planned_tokens = plan.output_tokens;
    prompt_tokens_ += plan.request.prompt_tokens;
    ++fault_counts_[static_cast<size_t>(plan.fault)];
    paced = make_mock_answer(plan, options_);
  }
  running_.emplace(request.id, std::move(truth));
  return paced;
}

void MockServerImpl::on_piece_sent(uint64_t id, const PacedPiece& piece, TimePoint before, TimePoint after) {
  if (piece.tokens == 0) return;
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  output_tokens_ += piece.tokens;
  found->second.sent_tokens += piece.tokens;
  if (!options_.keep_chunks) return;
  found->second.chunks.push_back({piece.at_ns, since_start_ns(before), since_start_ns(after), piece.tokens});
}

void MockServerImpl::on_ended(uint64_t id, bool whole, TimePoint at) {
  auto node = running_.extract(id);
  if (node.empty()) return;
  MockTruth& truth = node.mapped();
  truth.whole = whole;
  truth.ended_ns = since_start_ns(at);
  if (on_truth_) on_truth_(truth);
}

}  // namespace

std::string MockServer::url() const {
  const bool v6 = host_.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port());
}

Json mock_truth_json(const MockTruth& truth) {
  JsonArray chunks;
  for (const MockSent& sent : truth.chunks) {
    chunks.push_back(JsonObject{{"due_ns", sent.due_ns},
                                {"before_ns", sent.before_ns},
                                {"after_ns", sent.after_ns},
                                {"tokens", sent.tokens}});
  }
  return JsonObject{{"index", static_cast<int64_t>(truth.index)},
                    {"request_id", truth.request_id},
                    {"path", truth.path},
                    {"streamed", truth.streamed},
                    {"fault", mock_fault_name(truth.fault)},
                    {"status", truth.status},
                    {"received_ns", truth.received_ns},
                    {"ended_ns", truth.ended_ns},
                    {"whole", truth.whole},
                    {"prompt_tokens", truth.prompt_tokens},
                    {"planned_tokens", truth.planned_tokens},
                    {"sent_tokens", truth.sent_tokens},
                    {"chunks", std::move(chunks)}};
}

Result<std::unique_ptr<MockServer>> MockServer::start(const MockOptions& options,
                                                      std::function<void(const MockTruth&)> on_truth) {
  auto server = std::make_unique<MockServerImpl>(options, std::move(on_truth));
  RETURN_IF_ERROR(server->open());
  return std::unique_ptr<MockServer>(std::move(server));
}

}  // namespace hussar
