#include "net/paced_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/event_loop.h"
#include "net/internal/paced_session.h"
#include "net/stream_socket.h"

namespace hussar {

namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr auto kSweepInterval = std::chrono::milliseconds(100);
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

class PacedServerImpl : public PacedServer, public PacedHost, private Watched {
 public:
  PacedServerImpl(const PacedServerOptions& its_options, Handler its_handler, PacedObserver* its_observer) {
    options = its_options;
    handler = std::move(its_handler);
    observer = its_observer;
    read_buffer.resize(kReadBytes);
  }
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

 private:
  // For sessions.
  EventLoop& loop() override { return *loop_; }
  void wait_for_thaw() override {
    if (frozen_) thaw();
  }
  void send_at(TimePoint at, uint64_t session_id) override;
  void read_on(uint64_t session_id) override;
  void remove(uint64_t session_id) override;

  void on_ready(uint32_t events) override;
  void thaw();
  void close_listener();
  bool accept_one();
  void add_session(int fd, std::string peer);
  void sweep();

  std::unique_ptr<EventLoop> loop_;
  int listener_ = -1;
  int port_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<PacedSession>> sessions_;
  uint64_t last_session_id_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable thaw_;
  bool stopping_ = false;  // guarded by mutex_, as is the next
  TimePoint frozen_until_{};
  std::atomic<bool> frozen_{false};
};

Result<void> PacedServerImpl::listen() {
  ASSIGN_OR_RETURN(loop_, EventLoop::create());
  const auto found = resolve_host(options.host, std::to_string(options.port));
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
    std::string message = "can't listen on " + options.host + ":" + std::to_string(options.port) + ": " +
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
    loop_->call_at(Clock::now() + kAcceptRetry, [this] {
      if (listener_ >= 0) loop_->change(listener_, EPOLLIN, this);
    });
    return false;
  }
  if (sessions_.size() >= options.limits.connections_max) {
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
  if (options.accept_delay_ms == 0) return open();
  loop_->call_at(Clock::now() + std::chrono::milliseconds(options.accept_delay_ms), open);
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
