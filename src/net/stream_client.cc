#include "net/stream_client.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "net/event_loop.h"
#include "net/fetch.h"
#include "net/response_reader.h"
#include "net/stream_socket.h"

namespace hussar {

namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kConnectingMax = 64;  // of connect_ahead: a listening queue takes no more, as a rule

struct Connection;

struct Call {
  StreamClient::CallId id = 0;
  std::shared_ptr<const std::string> wire;
  CallListener* listener = nullptr;
  Connection* connection = nullptr;
  bool retried = false;
};

struct Ahead {
  size_t left = 0, connecting = 0, connected = 0;
  std::function<void(size_t)> done;
};

class StreamClientImpl;

struct Connection : public SocketListener, public ResponseSink {
  Connection(StreamClientImpl* its_client, SocketPlace* place, size_t header_bytes_max)
      : client(its_client), socket(place, this), reader(header_bytes_max) {}

  void on_open() override;
  void on_open_failed(std::string detail) override;
  void on_bytes(std::string_view bytes, TimePoint at) override;
  void on_flushed(TimePoint at) override;
  void on_lost(std::string_view detail, TimePoint at) override;
  bool take_head(int status, const std::vector<HttpHeader>& headers) override;
  bool take_body(std::string_view bytes) override;

  StreamClientImpl* const client;
  StreamSocket socket;
  ResponseReader reader;
  Call* call = nullptr;          // the one it works for; null: idle, or opened ahead
  std::shared_ptr<Ahead> ahead;  // until it is open
  bool served = false;           // a call before this one
  bool waited = false;           // in the pool, so that the server may have closed it unnoticed
  bool flushed = false;          // the request is out
  TimePoint read_at{};
};

class StreamClientImpl : public StreamClient {
 public:
  StreamClientImpl(std::unique_ptr<EventLoop> loop, const StreamClientOptions& options)
      : options_(options), loop_(std::move(loop)) {
    place_.loop = loop_.get();
    place_.received.resize(kReadBytes);
    place_.opened.resize(kReadBytes);
  }
  Result<void> locate();

  Result<std::string> make_request(std::string_view method, std::string_view path,
                                   const std::vector<HttpHeader>& headers,
                                   std::string_view body) const override;
  CallId start(std::shared_ptr<const std::string> wire, CallListener* listener) override;
  void cancel(CallId id) override;
  void connect_ahead(size_t count, std::function<void(size_t)> done) override;
  void call_at(TimePoint at, std::function<void()> task) override { loop_->call_at(at, std::move(task)); }
  void post(std::function<void()> task) override { loop_->post(std::move(task)); }
  void run() override { loop_->run(); }
  void stop() override { loop_->stop(); }
  LoopStats stats() const override {
    return {loop_->timer_delays().counts, loop_->timer_delays().max_ns, loop_->cpu_ns(), loop_->run_ns()};
  }

  // For connections.
  void opened(Connection* connection);
  void not_opened(Connection* connection, const std::string& detail);
  void received(Connection* connection, std::string_view bytes, TimePoint at);
  void lost(Connection* connection, std::string_view detail, TimePoint at);

 private:
  enum class Reuse { kAllowed, kForbidden };

  void begin(CallId id);
  void send(Connection* connection);
  Connection* new_connection();
  void drop(Connection* connection);
  void end_call(Connection* connection, Reuse reuse, CallEnd end, std::string_view detail, TimePoint at);
  void open_ahead(const std::shared_ptr<Ahead>& ahead);
  void end_ahead(Connection* connection, size_t connected);

  const StreamClientOptions options_;
  const std::unique_ptr<EventLoop> loop_;
  SocketPlace place_;
  std::string host_header_, path_prefix_;
  CallId last_id_ = 0;
  std::unordered_map<CallId, std::unique_ptr<Call>> calls_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;  // the last used at the back, and taken first
};

void Connection::on_open() { client->opened(this); }
void Connection::on_open_failed(std::string detail) { client->not_opened(this, detail); }
void Connection::on_bytes(std::string_view bytes, TimePoint at) { client->received(this, bytes, at); }
void Connection::on_lost(std::string_view detail, TimePoint at) { client->lost(this, detail, at); }
void Connection::on_flushed(TimePoint at) {
  flushed = true;
  if (call != nullptr && !reader.in_body()) call->listener->on_sent(at);
}
bool Connection::take_head(int status, const std::vector<HttpHeader>& headers) {
  call->listener->on_head(status, headers, read_at);
  return call != nullptr;
}
bool Connection::take_body(std::string_view bytes) {
  call->listener->on_body(bytes, read_at);
  return call != nullptr;
}

Result<void> StreamClientImpl::locate() {
  ASSIGN_OR_RETURN(const UrlParts parts, parse_url(options_.url));
  if (parts.has_user) {
    return Error{ErrorCode::kInvalid, "the URL must not hold a user or a password", ""};
  }
  if (parts.has_query_or_fragment) return Error{ErrorCode::kInvalid, "the URL must not hold '?' or '#'", ""};
  if (parts.scheme == "https") {
    ASSIGN_OR_RETURN(place_.tls, TlsContext::create(options_.ca_file));
  }
  place_.host = parts.host;
  if (place_.host.starts_with('[')) place_.host = place_.host.substr(1, place_.host.size() - 2);
  place_.name = parts.host + ":" + parts.port;
  host_header_ = parts.port == (parts.scheme == "https" ? "443" : "80") ? parts.host : place_.name;
  path_prefix_ = parts.path;
  while (path_prefix_.ends_with('/')) path_prefix_.pop_back();
  ASSIGN_OR_RETURN(place_.addresses, resolve_host(place_.host, parts.port));
  return {};
}

Connection* StreamClientImpl::new_connection() {
  auto connection = std::make_unique<Connection>(this, &place_, options_.header_bytes_max);
  Connection* const raw = connection.get();
  connections_.emplace(raw, std::move(connection));
  return raw;
}

// It may be on the stack: it lives until the loop's turn has ended.
void StreamClientImpl::drop(Connection* connection) {
  connection->socket.close();
  connection->call = nullptr;
  std::erase(idle_, connection);
  const auto node = connections_.extract(connection);
  if (!node.empty()) loop_->retire(std::move(node.mapped()));
}

StreamClient::CallId StreamClientImpl::start(std::shared_ptr<const std::string> wire,
                                             CallListener* listener) {
  const CallId id = ++last_id_;
  calls_.emplace(id, std::make_unique<Call>(Call{id, std::move(wire), listener}));
  loop_->defer([this, id] { begin(id); });
  return id;
}

void StreamClientImpl::begin(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;  // cancelled
  Call* const call = found->second.get();
  if (!idle_.empty() && !call->retried) {
    call->connection = idle_.back();
    idle_.pop_back();
    call->connection->call = call;
    call->connection->waited = true;
    send(call->connection);
    return;
  }
  call->connection = new_connection();
  call->connection->call = call;
  call->connection->socket.open();
}

void StreamClientImpl::opened(Connection* connection) {
  if (connection->call != nullptr) {
    send(connection);
  } else {
    idle_.push_back(connection);
    end_ahead(connection, 1);
  }
}

void StreamClientImpl::not_opened(Connection* connection, const std::string& detail) {
  if (connection->call != nullptr) {
    end_call(connection, Reuse::kForbidden, CallEnd::kConnectFailed, detail, Clock::now());
  } else {
    end_ahead(connection, 0);
    drop(connection);
  }
}

void StreamClientImpl::send(Connection* connection) {
  Call* const call = connection->call;
  const std::string_view wire = *call->wire;
  connection->reader.begin(wire.substr(0, wire.find(' ')));
  connection->flushed = false;
  call->listener->on_sending(Clock::now(), connection->served);
  if (connection->call == call) connection->socket.send(call->wire);
}

void StreamClientImpl::received(Connection* connection, std::string_view bytes, TimePoint at) {
  // On an idle connection nothing may come; what does would be taken for the next call's answer.
  if (connection->call == nullptr) return drop(connection);
  connection->read_at = at;
  ResponseReader& reader = connection->reader;
  size_t used = 0;
  switch (reader.feed(bytes, connection, &used)) {
    case ResponseReader::State::kMore:
    case ResponseReader::State::kStopped:
      return;
    case ResponseReader::State::kBad:
      return end_call(connection, Reuse::kForbidden, CallEnd::kBadAnswer, reader.error(), at);
    case ResponseReader::State::kDone:
      const bool clean = used == bytes.size() && reader.keep_alive() && connection->flushed;
      return end_call(connection, clean && options_.keep_alive ? Reuse::kAllowed : Reuse::kForbidden,
                      CallEnd::kDone, {}, at);
  }
}

void StreamClientImpl::lost(Connection* connection, std::string_view detail, TimePoint at) {
  Call* const call = connection->call;
  if (call == nullptr) return drop(connection);
  const ResponseReader& reader = connection->reader;
  if (detail.empty() && reader.ends_with_connection()) {
    return end_call(connection, Reuse::kForbidden, CallEnd::kDone, {}, at);
  }
  if (connection->waited && !reader.begun() && !call->retried) {
    // The server was free to close it while nobody used it.
    call->retried = true;
    call->connection = nullptr;
    drop(connection);
    loop_->defer([this, id = call->id] { begin(id); });
    return;
  }
  const char* where = !reader.begun()    ? " before any byte of the answer"
                      : reader.in_body() ? " in the middle of the answer"
                                         : " in the middle of the answer's headers";
  std::string what = detail.empty() ? "the server closed the connection" : "the connection broke";
  what += where;
  if (!detail.empty()) what += ": " + std::string(detail);
  end_call(connection, Reuse::kForbidden, CallEnd::kBroken, what, at);
}

void StreamClientImpl::end_call(Connection* connection, Reuse reuse, CallEnd end, std::string_view detail,
                                TimePoint at) {
  const auto node = calls_.extract(connection->call->id);
  const std::string text(detail);  // it may lie in the connection
  connection->call = nullptr;
  if (reuse == Reuse::kAllowed) {
    connection->served = true;
    idle_.push_back(connection);
  } else {
    drop(connection);
  }
  node.mapped()->listener->on_end(end, text, at);
}

void StreamClientImpl::cancel(CallId id) {
  const auto node = calls_.extract(id);
  if (node.empty()) return;
  if (node.mapped()->connection != nullptr) drop(node.mapped()->connection);
  loop_->defer([listener = node.mapped()->listener] {
    listener->on_end(CallEnd::kCancelled, "cancelled", Clock::now());
  });
}

void StreamClientImpl::connect_ahead(size_t count, std::function<void(size_t)> done) {
  const auto ahead = std::make_shared<Ahead>();
  ahead->left = count;
  ahead->done = std::move(done);
  loop_->defer([this, ahead] { open_ahead(ahead); });
}

void StreamClientImpl::open_ahead(const std::shared_ptr<Ahead>& ahead) {
  while (ahead->left > 0 && ahead->connecting < kConnectingMax) {
    --ahead->left;
    ++ahead->connecting;
    Connection* const connection = new_connection();
    connection->ahead = ahead;
    connection->socket.open();
  }
  if (ahead->connecting == 0 && ahead->done) std::exchange(ahead->done, nullptr)(ahead->connected);
}

void StreamClientImpl::end_ahead(Connection* connection, size_t connected) {
  const std::shared_ptr<Ahead> ahead = std::move(connection->ahead);
  --ahead->connecting;
  ahead->connected += connected;
  loop_->defer([this, ahead] { open_ahead(ahead); });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

Result<std::string> StreamClientImpl::make_request(std::string_view method, std::string_view path,
                                                   const std::vector<HttpHeader>& headers,
                                                   std::string_view body) const {
  const auto invalid = [](std::string message) { return Error{ErrorCode::kInvalid, std::move(message), ""}; };
  if (!is_http_token(method)) return invalid("the method is no word");
  if (!path.starts_with('/') || has_control(path) || path.find(' ') != std::string_view::npos) {
    return invalid("a path begins with '/' and holds no space");
  }
  std::string wire;
  wire.append(method).append(" ").append(path_prefix_).append(path).append(" HTTP/1.1\r\n");
  const bool named = std::any_of(headers.begin(), headers.end(), [](const HttpHeader& header) {
    return equals_ignoring_case(header.name, "host");
  });
  if (!named) wire.append("Host: ").append(host_header_).append("\r\n");
  for (const HttpHeader& header : headers) {
    if (!is_http_token(header.name)) return invalid("a header's name can't be \"" + header.name + "\"");
    if (has_control(header.value)) {
      return invalid("the value of the header " + header.name + " holds a control character");
    }
    for (const char* own : {"content-length", "transfer-encoding", "connection"}) {
      if (equals_ignoring_case(header.name, own)) {
        return invalid("the header " + header.name + " can't be set: it follows from the request");
      }
    }
    wire.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  if (!body.empty() || (method != "GET" && method != "HEAD" && method != "DELETE")) {
    wire.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  if (!options_.keep_alive) wire.append("Connection: close\r\n");
  wire.append("\r\n").append(body);
  return wire;
}

// Collects one answer and ends the run with it.
struct WholeAnswer : public CallListener {
  StreamClient* client = nullptr;
  StreamClient::CallId id = 0;
  size_t body_bytes_max = 0;
  bool too_long = false;
  HttpReply reply;

  void on_sending(TimePoint, bool) override {}
  void on_sent(TimePoint) override {}
  void on_head(int status, const std::vector<HttpHeader>& headers, TimePoint) override {
    reply.status = status;
    reply.headers = headers;
  }
  void on_body(std::string_view bytes, TimePoint) override {
    too_long = reply.body.size() + bytes.size() > body_bytes_max;
    if (too_long) return client->cancel(id);
    reply.body += bytes;
  }
  void on_end(CallEnd end, std::string_view detail, TimePoint) override {
    reply.end = too_long ? CallEnd::kBadAnswer : end;
    reply.detail = detail;
    client->stop();
  }
};

}  // namespace

Result<std::unique_ptr<StreamClient>> StreamClient::create(const StreamClientOptions& options) {
  ASSIGN_OR_RETURN(auto loop, EventLoop::create());
  auto client = std::make_unique<StreamClientImpl>(std::move(loop), options);
  RETURN_IF_ERROR(client->locate());
  return std::unique_ptr<StreamClient>(std::move(client));
}

HttpReply exchange_blocking(StreamClient& client, const std::string& wire, int64_t timeout_ms,
                            size_t body_bytes_max) {
  const auto answer = std::make_shared<WholeAnswer>();
  answer->client = &client;
  answer->body_bytes_max = body_bytes_max;
  answer->id = client.start(std::make_shared<const std::string>(wire), answer.get());
  // The task may outlive this call, but then it does nothing.
  client.call_at(Clock::now() + std::chrono::milliseconds(timeout_ms), [weak = std::weak_ptr(answer)] {
    if (const auto late = weak.lock()) late->client->cancel(late->id);
  });
  client.run();
  HttpReply reply = std::move(answer->reply);
  if (answer->too_long) {
    reply.detail = "the answer is longer than " + std::to_string(body_bytes_max) + " bytes";
  } else if (reply.end == CallEnd::kCancelled) {
    reply.detail = "no whole answer within " + std::to_string(timeout_ms) + " ms";
  }
  return reply;
}

}  // namespace hussar
