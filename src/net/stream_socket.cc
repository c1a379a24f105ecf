#include "net/stream_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/check.h"

namespace hussar {

namespace {

// A silent address gets so long before the next one of the name is tried; the last one has no limit here.
constexpr auto kAddressTurn = std::chrono::seconds(2);

std::string system_message(int code) {
  std::string message = std::generic_category().message(code);
  if (code == EMFILE || code == ENFILE) message += "; allow more open files (ulimit -n)";
  if (code == EADDRNOTAVAIL) message += "; all local ports are taken, reuse connections";
  return message;
}

}  // namespace

Result<std::vector<SocketAddress>> resolve_host(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (code == EAI_NONAME || code == EAI_ADDRFAMILY) {
    // A machine that has the loopback address alone still knows its own name.
    hints.ai_flags = 0;
    code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  }
  // A bare machine or container may know no names at all; this one never needs a lookup. No name means the
  // loopback addresses.
  if (code != 0 && host == "localhost") code = getaddrinfo(nullptr, port.c_str(), &hints, &found);
  if (code != 0) return Error{ErrorCode::kIo, "can't find the host " + host + ": " + gai_strerror(code), ""};
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketAddress address;
    std::memcpy(&address.bytes, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

void StreamSocket::open() {
  CHECK(state_ == State::kNew);
  state_ = State::kConnecting;
  first_ = place_->preferred;
  connect_next();
}

void StreamSocket::connect_next() {
  const size_t count = place_->addresses.size();
  while (tried_ < count) {
    const size_t index = (first_ + tried_++) % count;
    if (!connect_to(place_->addresses[index])) continue;
    if (tried_ < count) limit_attempt();
    return;
  }
  fail_open("can't connect to " + place_->name + ": " + failure_);
}

// True when the connection is on its way.
bool StreamSocket::connect_to(const SocketAddress& address) {
  fd_ = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd_ < 0) {
    failure_ = system_message(errno);
    return false;
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 &&
      errno != EINPROGRESS) {
    failure_ = system_message(errno);
    ::close(std::exchange(fd_, -1));
    return false;
  }
  wanted_ = EPOLLOUT;
  if (const auto watched = place_->loop->watch(fd_, wanted_, this); !watched.ok()) {
    failure_ = watched.error().message;
    ::close(std::exchange(fd_, -1));
    return false;
  }
  return true;
}

void StreamSocket::limit_attempt() {
  attempt_ = std::make_shared<int>();
  place_->loop->call_at(Clock::now() + kAddressTurn, [this, attempt = std::weak_ptr(attempt_)] {
    if (attempt.expired()) return;
    failure_ = "no answer";
    close_fd();
    connect_next();
  });
}

void StreamSocket::connected() {
  attempt_.reset();
  place_->preferred = (first_ + tried_ - 1) % place_->addresses.size();
  if (place_->tls == nullptr) {
    state_ = State::kOpen;
    want(EPOLLIN);
    listener_->on_open();
    return;
  }
  state_ = State::kShakingHands;
  want(EPOLLIN);
  tls_ = std::make_unique<TlsSession>(*place_->tls, place_->host);
  read_sealed({}, Clock::now());
}

void StreamSocket::fail_open(std::string detail) {
  close();
  listener_->on_open_failed(std::move(detail));
}

void StreamSocket::on_ready(uint32_t events) {
  if (state_ == State::kConnecting) {
    int code = 0;
    socklen_t size = sizeof code;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code == 0) return connected();
    failure_ = system_message(code);
    close_fd();
    return connect_next();
  }
  if ((events & ~uint32_t{EPOLLOUT}) != 0) read();
  if (fd_ >= 0 && (events & EPOLLOUT) != 0) flush();
}

void StreamSocket::read() {
  std::vector<char>& buffer = place_->received;
  const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
  const int code = errno;
  const TimePoint at = Clock::now();
  place_->loop->saw(at);
  if (size < 0 && (code == EAGAIN || code == EINTR)) return;
  if (size > 0) {
    const std::string_view bytes(buffer.data(), static_cast<size_t>(size));
    return tls_ == nullptr ? listener_->on_bytes(bytes, at) : read_sealed(bytes, at);
  }
  std::string detail = size < 0 ? system_message(code) : "";
  if (state_ == State::kShakingHands) {
    return fail_open("can't connect to " + place_->name + ": the connection ended during TLS's handshake");
  }
  // Without TLS's own goodbye the end may be anybody's doing.
  if (size == 0 && tls_ != nullptr && !tls_->closed()) detail = "the connection was cut";
  close();
  listener_->on_lost(detail, at);
}

void StreamSocket::read_sealed(std::string_view sealed, TimePoint at) {
  if (!sealed.empty()) tls_->take_input(sealed);
  if (state_ == State::kShakingHands) {
    const TlsSession::Handshake handshake = tls_->shake_hands();
    flush();  // a failure, too, is told to the peer
    if (handshake == TlsSession::Handshake::kFailed) {
      return fail_open("can't connect to " + place_->name + ": " + tls_->error());
    }
    if (handshake == TlsSession::Handshake::kGoesOn) return;
    state_ = State::kOpen;
    listener_->on_open();
  }
  std::vector<char>& buffer = place_->opened;
  while (fd_ >= 0) {
    const size_t size = tls_->read(buffer.data(), buffer.size());
    if (size == 0) break;
    listener_->on_bytes({buffer.data(), size}, at);
  }
  if (fd_ < 0) return;
  flush();
  if (tls_->closed() || !tls_->error().empty()) {
    close();
    listener_->on_lost(tls_->error(), at);
  }
}

void StreamSocket::send(std::shared_ptr<const std::string> bytes) {
  CHECK(state_ == State::kOpen && !reports_flush_);
  reports_flush_ = true;
  if (tls_ != nullptr) {
    tls_->write(*bytes);
  } else {
    sending_ = std::move(bytes);
    sent_bytes_ = 0;
  }
  flush();
}

void StreamSocket::flush() {
  while (true) {
    if (sending_ == nullptr || sent_bytes_ == sending_->size()) {
      sending_.reset();
      sent_bytes_ = 0;
      std::string sealed = tls_ != nullptr ? tls_->take_output() : std::string();
      if (sealed.empty()) break;
      sending_ = std::make_shared<const std::string>(std::move(sealed));
    }
    const ssize_t size =
        ::send(fd_, sending_->data() + sent_bytes_, sending_->size() - sent_bytes_, MSG_NOSIGNAL);
    if (size >= 0) {
      sent_bytes_ += static_cast<size_t>(size);
    } else if (errno == EAGAIN || errno == EINTR) {
      return want(EPOLLIN | EPOLLOUT);
    } else {
      // The peer takes no more, but may have answered before it went: reading finds out.
      return want(EPOLLIN);
    }
  }
  want(EPOLLIN);
  if (!std::exchange(reports_flush_, false)) return;
  listener_->on_flushed(Clock::now());
}

void StreamSocket::want(uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  place_->loop->change(fd_, events, this);
}

void StreamSocket::close_fd() {
  attempt_.reset();
  if (fd_ < 0) return;
  place_->loop->unwatch(fd_, this);
  ::close(std::exchange(fd_, -1));
}

void StreamSocket::close() {
  close_fd();
  state_ = State::kClosed;
}

}  // namespace hussar
