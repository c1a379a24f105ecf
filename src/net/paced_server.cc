#include "net/paced_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "base/check.h"
#include "base/log.h"
#include "net/event_loop.h"
#include "net/internal/request_reading.h"
#include "net/stream_socket.h"

namespace hussar {

namespace {

namespace http = boost::beast::http;

constexpr size_t kReadBytes = 64 << 10;
constexpr auto kSweepInterval = std::chrono::milliseconds(100);
constexpr auto kLinger = std::chrono::seconds(2);
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

class PacedServerImpl;

// One connection: reads a request, sends its answer's pieces when they are due, and so on.
class PacedSession : public Watched {
 public:
  PacedSession(PacedServerImpl* server, uint64_t id, int fd, std::string peer)
      : server_(server), id_(id), fd_(fd), peer_(std::move(peer)) {}
  ~PacedSession() override;

  Result<void> open();  // from here on it is read
  void on_ready(uint32_t events) override;
  void send_due();  // the time of the next piece has come
  void read_on();   // takes the next request, which may have come already
  void check_deadline(TimePoint now);
  void end();  // closes; an answer that was under way is told to have ended
  bool answering() const { return request_id_ != 0; }

 private:
  void read();
  void parse();
  bool take_head();
  void serve(HttpRequest request);
  void next_piece();
  void flush();
  void finish_answer();
  void refuse(const RequestRefusal& refusal);
  void close_gently();
  void close_fd();
  void want(uint32_t events);
  // Requests that are sent ahead wait for their turn; a client that sends too many is not read for a while.
  uint32_t reading() const;
  void set_deadline(int64_t ms) { deadline_ = Clock::now() + std::chrono::milliseconds(ms); }

  PacedServerImpl* const server_;
  const uint64_t id_;
  int fd_;
  const std::string peer_;
  uint32_t wanted_ = 0;
  std::string received_;  // not parsed yet
  std::optional<RequestParser> parser_;
  bool head_checked_ = false;
  bool keep_alive_ = false;
  bool lingering_ = false;  // all is said: waits for the client to close
  size_t reserved_bytes_ = 0;
  TimePoint deadline_ = TimePoint::max();

  uint64_t request_id_ = 0;  // of the answer under way; 0: none
  TimePoint began_{};
  PacedAnswer answer_;
  PacedPiece piece_;
  int64_t due_ns_ = 0;     // of piece_, since began_
  size_t sent_bytes_ = 0;  // of piece_
  bool sending_ = false;   // piece_ is on its way
};

class PacedServerImpl : public PacedServer, private Watched {
 public:
  PacedServerImpl(const PacedServerOptions& options, Handler handler, PacedObserver* observer)
      : options_(options), handler_(std::move(handler)), observer_(observer) {}
  ~PacedServerImpl() override {
    stop();
    sessions_.clear();
    close_listener();
  }

  Result<void> listen();
  void start() override {
    sweep();
    thread_ = std::thread([this] { loop_->run(); });
  }
  int port() const override { return port_; }
  void freeze(int64_t ms) override;
  void stop() override;

  // For sessions. The first: returns when the server is not frozen; called before anything is read or
  // written.
  void wait_for_thaw() {
    if (frozen_) thaw();
  }
  EventLoop& loop() { return *loop_; }
  const PacedServerOptions& options() const { return options_; }
  const Handler& handler() const { return handler_; }
  PacedObserver* observer() const { return observer_; }
  std::string& read_buffer() { return read_buffer_; }
  uint64_t next_request_id() { return ++last_request_id_; }
  bool reserve(size_t bytes);
  void release(size_t bytes) { body_bytes_ -= bytes; }
  void send_at(TimePoint at, uint64_t session_id);
  void read_on(uint64_t session_id);  // soon: not from within the session, lest pipelined requests nest
  void remove(uint64_t session_id);

 private:
  void on_ready(uint32_t events) override;
  void thaw();
  bool accept_one();
  void add_session(int fd, std::string peer);
  void sweep();
  void close_listener();

  const PacedServerOptions options_;
  const Handler handler_;
  PacedObserver* const observer_;
  std::unique_ptr<EventLoop> loop_;
  int listener_ = -1;
  int port_ = 0;
  std::string read_buffer_ = std::string(kReadBytes, '\0');
  std::unordered_map<uint64_t, std::unique_ptr<PacedSession>> sessions_;
  uint64_t last_session_id_ = 0, last_request_id_ = 0;
  size_t body_bytes_ = 0;  // promised to requests that are being read or answered
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable thaw_;
  bool stopping_ = false;  // guarded by mutex_, as is the next
  TimePoint frozen_until_{};
  std::atomic<bool> frozen_{false};
};

PacedSession::~PacedSession() {
  if (fd_ >= 0) close_fd();
}

void PacedSession::close_fd() {
  server_->release(std::exchange(reserved_bytes_, 0));
  server_->loop().unwatch(fd_, this);
  ::close(std::exchange(fd_, -1));
}

Result<void> PacedSession::open() {
  wanted_ = EPOLLIN;
  set_deadline(server_->options().limits.idle_timeout_ms);
  return server_->loop().watch(fd_, wanted_, this);
}

void PacedSession::want(uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  server_->loop().change(fd_, events, this);
}

uint32_t PacedSession::reading() const {
  return received_.size() > server_->options().limits.header_bytes_max ? 0 : uint32_t{EPOLLIN};
}

void PacedSession::end() {
  if (const uint64_t id = std::exchange(request_id_, 0); id != 0 && server_->observer() != nullptr) {
    server_->observer()->on_ended(id, false, Clock::now());
  }
  if (fd_ >= 0) close_fd();
  server_->remove(id_);
}

void PacedSession::on_ready(uint32_t events) {
  server_->wait_for_thaw();
  if ((events & ~uint32_t{EPOLLOUT}) != 0) read();
  if (fd_ >= 0 && (events & EPOLLOUT) != 0) flush();
}

void PacedSession::read() {
  std::string& buffer = server_->read_buffer();
  const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return end();  // gone, or has said all it wants to: nobody waits for the rest
  if (lingering_) return;
  received_.append(buffer, 0, static_cast<size_t>(size));
  if (!answering()) return parse();
  want((wanted_ & EPOLLOUT) | reading());
}

void PacedSession::parse() {
  const HttpLimits& limits = server_->options().limits;
  if (received_.empty()) return;
  if (!parser_) {
    parser_.emplace();
    parser_->eager(true);
    limit_parser(limits, &*parser_);
    head_checked_ = false;
    set_deadline(limits.header_timeout_ms);
  }
  // The head alone first, so that a body is read only when it is welcome.
  parser_->eager(head_checked_);
  boost::system::error_code error;
  while (!received_.empty() && !parser_->is_done()) {
    const size_t used = parser_->put(boost::asio::buffer(received_), error);
    received_.erase(0, used);
    if (parser_->is_header_done() && !head_checked_ && !take_head()) return;
    parser_->eager(head_checked_);
    if (error == http::error::need_more || (!error && used == 0)) break;
    if (error) {
      const auto refusal = refusal_for(error, limits);
      return refuse(refusal.value_or(RequestRefusal{400, "this is not HTTP"}));
    }
  }
  if (!parser_->is_done()) return;
  HttpRequest request = take_request(&*parser_);
  keep_alive_ = parser_->get().keep_alive();
  parser_.reset();
  serve(std::move(request));
}

// False when the head was refused.
bool PacedSession::take_head() {
  const HttpLimits& limits = server_->options().limits;
  head_checked_ = true;
  if (const auto refusal = check_head(*parser_, limits)) return refuse(*refusal), false;
  if (parser_->is_done()) return true;
  const size_t bytes = announced_body_bytes(*parser_, limits);
  if (!server_->reserve(bytes)) return refuse({503, "too many bytes of requests are on their way"}), false;
  reserved_bytes_ = bytes;
  set_deadline(limits.body_timeout_ms);
  if (wants_continue(*parser_) && received_.empty()) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    ::send(fd_, kContinue.data(), kContinue.size(), MSG_NOSIGNAL);
  }
  return true;
}

void PacedSession::serve(HttpRequest request) {
  request.id = server_->next_request_id();
  request.peer = peer_;
  request_id_ = request.id;
  began_ = request.received;
  due_ns_ = 0;
  deadline_ = TimePoint::max();
  answer_ = server_->handler()(request);
  next_piece();
}

void PacedSession::next_piece() {
  piece_ = {};
  sent_bytes_ = 0;
  if (!answer_.next || !answer_.next(&piece_)) return finish_answer();
  due_ns_ = std::max(due_ns_, piece_.at_ns);
  // Even what is due waits its turn among what other answers have due, the earliest first.
  server_->send_at(began_ + std::chrono::nanoseconds(due_ns_), id_);
}

void PacedSession::send_due() {
  server_->wait_for_thaw();
  sending_ = true;
  flush();
}

void PacedSession::read_on() {
  if (answering() || lingering_) return;
  parse();
  if (fd_ >= 0 && !answering()) want(EPOLLIN);
}

void PacedSession::flush() {
  if (!sending_) return want(reading());
  const std::string_view bytes =
      piece_.bytes != nullptr ? std::string_view(*piece_.bytes) : std::string_view();
  TimePoint before, after;
  ssize_t size = 0;
  do {
    before = Clock::now();
    size = ::send(fd_, bytes.data() + sent_bytes_, bytes.size() - sent_bytes_, MSG_NOSIGNAL);
    after = Clock::now();
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno != EAGAIN) return end();
  sent_bytes_ += size > 0 ? static_cast<size_t>(size) : 0;
  if (sent_bytes_ < bytes.size()) {
    if (size > 0 || deadline_ == TimePoint::max()) set_deadline(server_->options().limits.write_timeout_ms);
    return want(EPOLLOUT | reading());
  }
  deadline_ = TimePoint::max();
  want(reading());
  sending_ = false;
  if (server_->observer() != nullptr) server_->observer()->on_piece_sent(request_id_, piece_, before, after);
  next_piece();
}

void PacedSession::finish_answer() {
  const uint64_t id = std::exchange(request_id_, 0);
  const PacedEnding ending = answer_.ending;
  answer_ = {};
  server_->release(std::exchange(reserved_bytes_, 0));
  if (server_->observer() != nullptr) server_->observer()->on_ended(id, true, Clock::now());
  switch (ending) {
    case PacedEnding::kHold:
      lingering_ = true;
      return;
    case PacedEnding::kReset: {
      const linger hard{1, 0};
      ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      return end();
    }
    case PacedEnding::kClose:
      return close_gently();
    case PacedEnding::kKeepAlive:
      break;
  }
  if (!keep_alive_) return close_gently();
  set_deadline(server_->options().limits.idle_timeout_ms);
  server_->read_on(id_);
}

void PacedSession::refuse(const RequestRefusal& refusal) {
  const std::string answer =
      "HTTP/1.1 " + std::to_string(refusal.status) + " " + std::string(http_status_phrase(refusal.status)) +
      "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(refusal.detail.size()) +
      "\r\nConnection: close\r\n\r\n" + refusal.detail;
  ::send(fd_, answer.data(), answer.size(), MSG_NOSIGNAL);
  close_gently();
}

// A connection that is closed with unread bytes is reset, and the client may lose the answer: so what still
// comes is read and thrown away for a while.
void PacedSession::close_gently() {
  lingering_ = true;
  ::shutdown(fd_, SHUT_WR);
  deadline_ = Clock::now() + kLinger;
  want(EPOLLIN);
}

void PacedSession::check_deadline(TimePoint now) {
  if (now < deadline_) return;
  deadline_ = TimePoint::max();
  if (!parser_ || lingering_) return end();
  refuse({408, "the request took too long"});
}

Result<void> PacedServerImpl::listen() {
  ASSIGN_OR_RETURN(loop_, EventLoop::create());
  const auto found = resolve_host(options_.host, std::to_string(options_.port));
  if (!found.ok()) return Error{ErrorCode::kInvalid, found.error().message, "--host"};
  const SocketAddress& address = found->front();
  listener_ = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  const int on = 1;
  if (listener_ >= 0) ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  const bool listens =
      listener_ >= 0 &&
      ::bind(listener_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 &&
      ::listen(listener_, SOMAXCONN) == 0 &&
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  if (!listens) {
    const int code = errno;
    std::string message = "can't listen on " + options_.host + ":" + std::to_string(options_.port) + ": " +
                          std::generic_category().message(code);
    if (code == EADDRINUSE) message += "; choose another port with --port";
    return Error{ErrorCode::kIo, std::move(message), code == EADDRINUSE ? "--port" : "--host"};
  }
  // The port stands at the same place in both families' addresses.
  port_ = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  return loop_->watch(listener_, EPOLLIN, this);
}

void PacedServerImpl::on_ready(uint32_t) {
  wait_for_thaw();
  constexpr int kAcceptsMax = 64;  // in a row, so that sessions get their turn
  for (int i = 0; i < kAcceptsMax && accept_one(); ++i) {
  }
}

// False when none waits.
bool PacedServerImpl::accept_one() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const int fd =
      ::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return false;
    // The connection stays in the kernel's queue; trying again at once would only burn the processor.
    log_line(LogLevel::kWarning, "can't accept a connection",
             {{"error", std::generic_category().message(errno)}});
    loop_->change(listener_, 0, this);
    loop_->call_at(Clock::now() + kAcceptRetry, [this] { loop_->change(listener_, EPOLLIN, this); });
    return false;
  }
  if (sessions_.size() >= options_.limits.connections_max) {
    ::close(fd);
    return true;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  char host[NI_MAXHOST], port[NI_MAXSERV];
  const bool named = ::getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, host, sizeof host, port,
                                   sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0;
  add_session(fd, named ? std::string(host) + ":" + port : "");
  return true;
}

void PacedServerImpl::add_session(int fd, std::string peer) {
  const uint64_t id = ++last_session_id_;
  sessions_.emplace(id, std::make_unique<PacedSession>(this, id, fd, std::move(peer)));
  const auto open = [this, id] {
    const auto found = sessions_.find(id);
    if (found != sessions_.end() && !found->second->open().ok()) found->second->end();
  };
  if (options_.accept_delay_ms == 0) return open();
  loop_->call_at(Clock::now() + std::chrono::milliseconds(options_.accept_delay_ms), open);
}

bool PacedServerImpl::reserve(size_t bytes) {
  if (body_bytes_ + bytes > options_.limits.body_bytes_all_max) return false;
  body_bytes_ += bytes;
  return true;
}

void PacedServerImpl::send_at(TimePoint at, uint64_t session_id) {
  loop_->call_at(at, [this, session_id] {
    const auto found = sessions_.find(session_id);
    if (found != sessions_.end()) found->second->send_due();
  });
}

void PacedServerImpl::read_on(uint64_t session_id) {
  loop_->defer([this, session_id] {
    const auto found = sessions_.find(session_id);
    if (found != sessions_.end()) found->second->read_on();
  });
}

// It may be on the stack: it lives until the loop's turn has ended.
void PacedServerImpl::remove(uint64_t session_id) {
  const auto node = sessions_.extract(session_id);
  if (!node.empty()) loop_->retire(std::move(node.mapped()));
}

void PacedServerImpl::sweep() {
  const TimePoint now = Clock::now();
  std::vector<PacedSession*> all;
  for (const auto& [id, session] : sessions_) all.push_back(session.get());
  for (PacedSession* session : all) session->check_deadline(now);
  loop_->call_at(now + kSweepInterval, [this] { sweep(); });
}

void PacedServerImpl::freeze(int64_t ms) {
  std::lock_guard lock(mutex_);
  frozen_until_ = Clock::now() + std::chrono::milliseconds(ms);
  frozen_ = true;
}

void PacedServerImpl::thaw() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && Clock::now() < frozen_until_) thaw_.wait_until(lock, frozen_until_);
  frozen_ = false;
}

void PacedServerImpl::stop() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  thaw_.notify_all();
  if (thread_.joinable()) {
    loop_->post([this] {
      while (!sessions_.empty()) sessions_.begin()->second->end();
      loop_->stop();
    });
    thread_.join();
  }
  close_listener();
}

// While it is open the system still accepts connections, which nobody would ever serve.
void PacedServerImpl::close_listener() {
  if (listener_ >= 0) ::close(std::exchange(listener_, -1));
}

}  // namespace

Result<std::unique_ptr<PacedServer>> PacedServer::listen(const PacedServerOptions& options, Handler handler,
                                                         PacedObserver* observer) {
  auto server = std::make_unique<PacedServerImpl>(options, std::move(handler), observer);
  RETURN_IF_ERROR(server->listen());
  return std::unique_ptr<PacedServer>(std::move(server));
}

}  // namespace hussar
