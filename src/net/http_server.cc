// The only place of the server that knows Boost. Everything below runs on one thread, so that sessions need
// no locks; other threads reach it through the Mailbox.
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic ignored \
    "-Wtsan"  // Asio has a fence where it runs handlers of other threads; we have none
#endif

#include "net/http_server.h"

#include <sys/resource.h>

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "base/log.h"
#include "net/exchange.h"
#include "net/internal/request_reading.h"

namespace hussar {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using BoostError = boost::system::error_code;

// Every awaited operation answers (error, value) instead of throwing.
constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);
constexpr auto kSweepInterval = std::chrono::milliseconds(100);
constexpr auto kLinger = std::chrono::seconds(2);
constexpr size_t kLingerBytesMax = 64 << 20;
constexpr size_t kReadBytes = 16 << 10;

// Posts to an io_context that may end before the last Responder does.
class IoMailbox : public Mailbox {
 public:
  explicit IoMailbox(asio::io_context* io) : io_(io) {}
  void post(std::function<void()> task) override {
    std::lock_guard lock(mutex_);
    if (io_ != nullptr) asio::post(*io_, [run = std::move(task)] { run_task(run); });
  }
  void close() {
    std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  // Where memory ends in the middle of a request, the request ends and not the server.
  static void run_task(const std::function<void()>& task) {
    try {
      task();
    } catch (const std::exception& error) {
      log_line(LogLevel::kError, "a request failed", {{"error", error.what()}});
    }
  }

  std::mutex mutex_;
  asio::io_context* io_;
};

class Session;

// What sessions share.
struct Shared {
  HttpLimits limits;
  HttpServer::Handler handler;
  HttpServer::Refusal refusal;
  std::shared_ptr<IoMailbox> mailbox;
  std::unordered_set<Session*> sessions;
  std::atomic<size_t> connections{0};
  std::atomic<bool> draining{false};
  uint64_t last_request_id = 0;
  size_t body_bytes = 0;  // promised to requests that are being read or answered
};

// One connection: reads a request, hands it on, writes the answer, and so on until one side has enough.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, std::shared_ptr<Shared> shared)
      : socket_(std::move(socket)),
        event_(socket_.get_executor(), TimePoint::max()),
        shared_(std::move(shared)),
        buffer_(shared_->limits.header_bytes_max + kReadBytes) {
    shared_->sessions.insert(this);
    shared_->connections = shared_->sessions.size();
    BoostError ignored;
    const auto peer = socket_.remote_endpoint(ignored);
    peer_ = peer.address().to_string(ignored) + ":" + std::to_string(peer.port());
  }
  ~Session() {
    release_body();
    shared_->sessions.erase(this);
    shared_->connections = shared_->sessions.size();
  }

  asio::awaitable<void> run() {
    const auto self = shared_from_this();
    while (!cut_) {
      std::optional<HttpRequest> request = co_await read_request();
      if (!request) break;
      const bool reusable = co_await serve(std::move(*request));
      release_body();
      if (!reusable) break;
      if (shared_->draining && buffer_.size() == 0) break;
    }
    release_body();
    co_await close_gently();
  }

  // The sweep: cancels what takes longer than its deadline, again in each sweep until that is noticed. A
  // piece that was just read or written can't be cancelled any more, and the next one would have no deadline.
  void check_deadline(TimePoint now) {
    if (now < deadline_) return;
    timed_out_ = true;
    cancel();
  }
  void close_if_idle() {
    if (idle_) cut();
  }
  void cut() {
    cut_ = true;
    cancel();
    event_.cancel();
  }

 private:
  void cancel() {
    BoostError ignored;
    socket_.cancel(ignored);
  }
  void set_deadline(int64_t ms) {
    timed_out_ = false;
    deadline_ = Clock::now() + std::chrono::milliseconds(ms);
  }
  void clear_deadline() { deadline_ = TimePoint::max(); }

  // Nothing when the connection has nothing more to say, or was answered with a refusal.
  asio::awaitable<std::optional<HttpRequest>> read_request() {
    const HttpLimits& limits = shared_->limits;
    if (buffer_.size() == 0 && !co_await wait_for_bytes()) co_return std::nullopt;

    RequestParser parser;
    limit_parser(limits, &parser);
    set_deadline(limits.header_timeout_ms);
    const auto [header_error, header_bytes] =
        co_await beast::http::async_read_header(socket_, buffer_, parser, kAwait);
    keep_alive_ = false;
    if (header_error) {
      co_await refuse(header_error, "headers");
      co_return std::nullopt;
    }
    if (const auto refusal = check_head(parser, limits)) {
      co_await refuse(refusal->status, refusal->detail);
      co_return std::nullopt;
    }
    if (!reserve_body(parser)) {
      co_await refuse(503, "too many bytes of requests are on their way: try again soon");
      co_return std::nullopt;
    }
    if (!parser.is_done()) {
      if (wants_continue(parser) && !co_await send_continue()) co_return std::nullopt;
      set_deadline(limits.body_timeout_ms);
      const auto [body_error, body_bytes] =
          co_await beast::http::async_read(socket_, buffer_, parser, kAwait);
      if (body_error) {
        co_await refuse(body_error, "body");
        co_return std::nullopt;
      }
    }
    clear_deadline();
    co_return accept_request(parser);
  }

  // Between requests a connection may rest for idle_timeout_ms and may be closed by either side without a
  // word.
  asio::awaitable<bool> wait_for_bytes() {
    idle_ = true;
    set_deadline(shared_->limits.idle_timeout_ms);
    // Thousands may rest: none of them holds a buffer.
    buffer_.shrink_to_fit();
    const auto [wait_error] = co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
    idle_ = false;
    if (wait_error || cut_) {
      clear_deadline();
      co_return false;
    }
    const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
    clear_deadline();
    buffer_.commit(bytes);
    co_return !error && !cut_;
  }

  // False when all bodies together would be too long.
  bool reserve_body(const RequestParser& parser) {
    if (parser.is_done()) return true;
    const size_t bytes = announced_body_bytes(parser, shared_->limits);
    if (shared_->body_bytes + bytes > shared_->limits.body_bytes_all_max) return false;
    shared_->body_bytes += bytes;
    body_bytes_ = bytes;
    return true;
  }
  void release_body() { shared_->body_bytes -= std::exchange(body_bytes_, 0); }

  asio::awaitable<bool> send_continue() {
    if (buffer_.size() != 0) co_return true;
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    set_deadline(shared_->limits.write_timeout_ms);
    const auto [error, bytes] = co_await asio::async_write(socket_, asio::buffer(kContinue), kAwait);
    clear_deadline();
    co_return !error;
  }

  HttpRequest accept_request(RequestParser& parser) {
    keep_alive_ = parser.get().keep_alive();
    http_1_1_ = parser.get().version() == 11;
    HttpRequest request = take_request(&parser);
    request.id = ++shared_->last_request_id;
    request.peer = peer_;
    return request;
  }

  asio::awaitable<void> refuse(BoostError error, const char* part) {
    if (cut_) co_return;
    if (timed_out_) {
      co_await refuse(408, std::string("the request's ") + part + " took too long");
    } else if (const auto refusal = refusal_for(error, shared_->limits)) {
      co_await refuse(refusal->status, refusal->detail);
    }
  }

  asio::awaitable<void> refuse(int status, std::string detail) {
    keep_alive_ = false;
    Exchange::Options options;
    options.keep_alive = false;
    const auto exchange = std::make_shared<Exchange>(options, shared_->mailbox, HttpResponse{});
    exchange->answer(shared_->refusal(status, detail));
    co_await pump(*exchange);
  }

  // True when the connection may take another request.
  asio::awaitable<bool> serve(HttpRequest request) {
    Exchange::Options options;
    options.http_1_1 = http_1_1_;
    options.head_only = request.method == "HEAD";
    options.keep_alive = keep_alive_ && !shared_->draining;
    options.backlog_bytes_max = shared_->limits.write_backlog_bytes_max;
    exchange_ = std::make_shared<Exchange>(options, shared_->mailbox,
                                           shared_->refusal(500, "the request was dropped"));
    exchange_->set_wake([weak = weak_from_this()] {
      const auto session = weak.lock();
      if (session == nullptr) return;
      if (session->exchange_ && session->exchange_->broken())
        session->cut();  // even in the middle of a write
      session->event_.cancel();
    });
    watch();
    shared_->handler(std::move(request), Responder(exchange_));
    const bool complete = co_await pump(*exchange_);
    if (!complete) exchange_->disconnected();
    stop_watching_.emit(asio::cancellation_type::terminal);
    while (watching_) co_await event_.async_wait(kAwait);
    const bool reusable = complete && exchange_->keep_alive() && !peer_closed_;
    exchange_->release();
    exchange_.reset();
    co_return reusable;
  }

  // Keeps reading while a handler works, to notice that the client has gone; what comes instead is the next
  // request and stays in the buffer. A client that sends ahead more than the buffer holds is no longer
  // watched, only written to.
  void watch() {
    if (buffer_.size() + kReadBytes > buffer_.max_size()) return;
    watching_ = true;
    socket_.async_read_some(
        buffer_.prepare(kReadBytes),
        asio::bind_cancellation_slot(stop_watching_.slot(),
                                     [self = shared_from_this()](BoostError error, size_t bytes) {
                                       self->watching_ = false;
                                       self->buffer_.commit(bytes);
                                       if (!error) {
                                         if (self->exchange_) self->watch();
                                       } else if (error != asio::error::operation_aborted) {
                                         self->peer_closed_ = true;
                                         // An end of file may be a client that only closed its sending half:
                                         // it is told to the handler, who decides.
                                         if (error != asio::error::eof) self->cut_ = true;
                                         if (self->exchange_) self->exchange_->disconnected();
                                       }
                                       self->event_.cancel();
                                     }));
  }

  // Writes the answer as it becomes ready; true when it is complete.
  asio::awaitable<bool> pump(Exchange& exchange) {
    while (true) {
      const Exchange::Turn turn = exchange.take_turn();
      if (turn.broken || cut_) co_return false;
      if (turn.bytes.empty()) {
        if (turn.complete) co_return true;
        co_await event_.async_wait(kAwait);
        continue;
      }
      set_deadline(shared_->limits.write_timeout_ms);
      const auto [error, bytes] = co_await asio::async_write(socket_, asio::buffer(turn.bytes), kAwait);
      clear_deadline();
      exchange.written(turn.bytes.size());
      if (error) {
        cut_ = true;
        co_return false;
      }
      if (turn.complete) co_return true;
    }
  }

  // A connection that is closed with unread bytes is reset, and the client may lose the answer: so the rest
  // is read and thrown away for a while.
  asio::awaitable<void> close_gently() {
    BoostError ignored;
    if (!cut_ && !peer_closed_) {
      socket_.shutdown(tcp::socket::shutdown_send, ignored);
      deadline_ = Clock::now() + kLinger;
      std::string sink(kReadBytes, '\0');
      for (size_t total = 0; total < kLingerBytesMax;) {
        const auto [error, bytes] = co_await socket_.async_read_some(asio::buffer(sink), kAwait);
        if (error || cut_) break;
        total += bytes;
      }
    }
    clear_deadline();
    socket_.close(ignored);
  }

  tcp::socket socket_;
  asio::steady_timer event_;  // never expires; cancelled to wake the coroutine
  const std::shared_ptr<Shared> shared_;
  beast::flat_buffer buffer_;
  asio::cancellation_signal stop_watching_;
  std::shared_ptr<Exchange> exchange_;
  std::string peer_;
  TimePoint deadline_ = TimePoint::max();
  size_t body_bytes_ = 0;  // of shared_->body_bytes
  bool timed_out_ = false;
  bool idle_ = false;
  bool watching_ = false;
  bool peer_closed_ = false;
  bool cut_ = false;  // nothing may be read or written any more
  bool keep_alive_ = false;
  bool http_1_1_ = true;
};

class HttpServerImpl : public HttpServer {
 public:
  HttpServerImpl(const HttpLimits& limits, Handler handler, Refusal refusal)
      : acceptor_(io_), sweep_(io_), retry_(io_), shared_(std::make_shared<Shared>()) {
    shared_->limits = limits;
    shared_->handler = std::move(handler);
    shared_->refusal = std::move(refusal);
    shared_->mailbox = std::make_shared<IoMailbox>(&io_);
  }
  ~HttpServerImpl() override {
    stop(0);
    shared_->mailbox->close();
  }

  Result<void> bind(const std::string& host, int port);

  void start() override {
    asio::co_spawn(io_, accept(), asio::detached);
    asio::co_spawn(io_, sweep(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }

  int port() const override { return port_; }
  size_t connections() const override { return shared_->connections; }

  void stop(int64_t drain_ms) override {
    std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    shared_->draining = true;
    asio::post(io_, [this] {
      BoostError ignored;
      acceptor_.close(ignored);
      retry_.cancel();
      for (Session* session : shared_->sessions) session->close_if_idle();
    });
    wait_for_sessions(drain_ms);
    asio::post(io_, [this] {
      for (Session* session : shared_->sessions) session->cut();
    });
    wait_for_sessions(kCutWaitMs);
    io_.stop();
    thread_.join();
    // The thread may have ended before it came to close this: whoever connects now must be refused, not left
    // waiting.
    BoostError ignored;
    acceptor_.close(ignored);
  }

 private:
  static constexpr int64_t kCutWaitMs = 1000;

  void wait_for_sessions(int64_t wait_ms) const {
    const TimePoint end = Clock::now() + std::chrono::milliseconds(wait_ms);
    while (shared_->connections > 0 && Clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  asio::awaitable<void> accept();
  asio::awaitable<void> turn_away(tcp::socket socket);
  asio::awaitable<void> sweep() {
    while (true) {
      sweep_.expires_after(kSweepInterval);
      co_await sweep_.async_wait(kAwait);
      const TimePoint now = Clock::now();
      for (Session* session : shared_->sessions) session->check_deadline(now);
    }
  }

  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer sweep_, retry_;
  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
  std::mutex stop_mutex_;
  int port_ = 0;
  size_t turned_away_ = 0;
};

Result<void> HttpServerImpl::bind(const std::string& host, int port) {
  const std::string place = host + ":" + std::to_string(port);
  BoostError error;
  tcp::resolver resolver(io_);
  auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  // A bare machine or container may know no names at all.
  if (error && host == "localhost")
    found = resolver.resolve("127.0.0.1", std::to_string(port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Error{ErrorCode::kInvalid, "can't read the address " + host + ": " + error.message(), "--host"};
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return Error{ErrorCode::kIo,
                 "port " + std::to_string(port) +
                     " is in use: stop the program that listens there, or choose " +
                     "another one with --port",
                 "--port"};
  }
  if (error == asio::error::access_denied) {
    return Error{ErrorCode::kIo,
                 "port " + std::to_string(port) + " needs root: choose one above 1023 with --port", "--port"};
  }
  if (error) return Error{ErrorCode::kIo, "can't listen on " + place + ": " + error.message(), "--host"};
  port_ = acceptor_.local_endpoint(error).port();
  return {};
}

asio::awaitable<void> HttpServerImpl::accept() {
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (!acceptor_.is_open()) break;
    if (error) {
      // Out of files or memory: the connection stays in the kernel's queue; trying again at once would only
      // burn the processor.
      log_line(LogLevel::kWarning, "can't accept a connection", {{"error", error.message()}});
      retry_.expires_after(std::chrono::milliseconds(100));
      co_await retry_.async_wait(kAwait);
      continue;
    }
    BoostError ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    if (shared_->sessions.size() >= shared_->limits.connections_max) {
      asio::co_spawn(io_, turn_away(std::move(socket)), asio::detached);
      continue;
    }
    const auto session = std::make_shared<Session>(std::move(socket), shared_);
    asio::co_spawn(
        io_, [session] { return session->run(); }, asio::detached);
  }
}

// One connection too many gets a 503 if the kernel takes it at once; nothing is waited for.
asio::awaitable<void> HttpServerImpl::turn_away(tcp::socket socket) {
  const std::string detail =
      "all " + std::to_string(shared_->limits.connections_max) + " connections are in use";
  Exchange::Options options;
  options.keep_alive = false;
  const auto exchange = std::make_shared<Exchange>(options, shared_->mailbox, HttpResponse{});
  exchange->answer(shared_->refusal(503, detail));
  BoostError ignored;
  socket.non_blocking(true, ignored);
  socket.send(asio::buffer(exchange->take_turn().bytes), 0, ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  // Up to this many wait a moment, so that the answer is not lost to a reset; a flood beyond that is cut.
  constexpr size_t kTurnedAwayMax = 64;
  if (turned_away_ < kTurnedAwayMax) {
    ++turned_away_;
    asio::steady_timer moment(io_, std::chrono::milliseconds(200));
    co_await moment.async_wait(kAwait);
    --turned_away_;
  }
  socket.close(ignored);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const std::string& host, int port,
                                                       const HttpLimits& limits, Handler handler,
                                                       Refusal refusal) {
  auto server = std::make_unique<HttpServerImpl>(limits, std::move(handler), std::move(refusal));
  RETURN_IF_ERROR(server->bind(host, port));
  return std::unique_ptr<HttpServer>(std::move(server));
}

int64_t raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace hussar
