#include "net/internal/paced_session.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <utility>

namespace hussar {

namespace {

namespace http = boost::beast::http;

constexpr auto kLinger = std::chrono::seconds(2);

}  // namespace

PacedSession::~PacedSession() {
  if (fd_ >= 0) close_fd();
}

void PacedSession::close_fd() {
  host_->release(std::exchange(reserved_bytes_, 0));
  host_->loop().unwatch(fd_, this);
  ::close(std::exchange(fd_, -1));
}

Result<void> PacedSession::open() {
  wanted_ = EPOLLIN;
  set_deadline(host_->options.limits.idle_timeout_ms);
  return host_->loop().watch(fd_, wanted_, this);
}

void PacedSession::want(uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  host_->loop().change(fd_, events, this);
}

uint32_t PacedSession::reading() const {
  return received_.size() > host_->options.limits.header_bytes_max ? 0 : uint32_t{EPOLLIN};
}

void PacedSession::end() {
  if (const uint64_t id = std::exchange(request_id_, 0); id != 0 && host_->observer != nullptr) {
    host_->observer->on_ended(id, false, Clock::now());
  }
  if (fd_ >= 0) close_fd();
  host_->remove(id_);
}

void PacedSession::on_ready(uint32_t events) {
  host_->wait_for_thaw();
  if ((events & ~uint32_t{EPOLLOUT}) != 0) read();
  if (fd_ >= 0 && (events & EPOLLOUT) != 0) flush();
}

void PacedSession::read() {
  std::string& buffer = host_->read_buffer;
  const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return end();  // gone, or has said all it wants to: nobody waits for the rest
  if (lingering_) return;
  received_.append(buffer, 0, static_cast<size_t>(size));
  if (!answering()) return parse();
  want((wanted_ & EPOLLOUT) | reading());
}

void PacedSession::parse() {
  const HttpLimits& limits = host_->options.limits;
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
  const HttpLimits& limits = host_->options.limits;
  head_checked_ = true;
  if (const auto refusal = check_head(*parser_, limits)) return refuse(*refusal), false;
  if (parser_->is_done()) return true;
  const size_t bytes = announced_body_bytes(*parser_, limits);
  if (!host_->reserve(bytes)) return refuse({503, "too many bytes of requests are on their way"}), false;
  reserved_bytes_ = bytes;
  set_deadline(limits.body_timeout_ms);
  if (wants_continue(*parser_) && received_.empty()) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    ::send(fd_, kContinue.data(), kContinue.size(), MSG_NOSIGNAL);
  }
  return true;
}

void PacedSession::serve(HttpRequest request) {
  request.id = ++host_->last_request_id;
  request.peer = peer_;
  request_id_ = request.id;
  began_ = request.received;
  due_ns_ = 0;
  deadline_ = TimePoint::max();
  answer_ = host_->handler(request);
  next_piece();
}

void PacedSession::next_piece() {
  piece_ = {};
  sent_bytes_ = 0;
  if (!answer_.next || !answer_.next(&piece_)) return finish_answer();
  due_ns_ = std::max(due_ns_, piece_.at_ns);
  // Even what is due waits its turn among what other answers have due, the earliest first.
  host_->send_at(began_ + std::chrono::nanoseconds(due_ns_), id_);
}

void PacedSession::send_due() {
  host_->wait_for_thaw();
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
    if (size > 0 || deadline_ == TimePoint::max()) set_deadline(host_->options.limits.write_timeout_ms);
    return want(EPOLLOUT | reading());
  }
  deadline_ = TimePoint::max();
  want(reading());
  sending_ = false;
  if (host_->observer != nullptr) host_->observer->on_piece_sent(request_id_, piece_, before, after);
  next_piece();
}

void PacedSession::finish_answer() {
  const uint64_t id = std::exchange(request_id_, 0);
  const PacedEnding ending = answer_.ending;
  answer_ = {};
  host_->release(std::exchange(reserved_bytes_, 0));
  if (host_->observer != nullptr) host_->observer->on_ended(id, true, Clock::now());
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
  set_deadline(host_->options.limits.idle_timeout_ms);
  host_->read_on(id_);
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

}  // namespace hussar
