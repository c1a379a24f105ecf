#include "net/exchange.h"

#include <charconv>
#include <ctime>

#include "base/check.h"
#include "net/http_server.h"

namespace hussar {

namespace {

// IMF-fixdate, as RFC 9110 wants it of a server that has a clock.
std::string http_date() {
  const time_t now = std::time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  const size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text, size);
}

bool is_header_safe(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

Exchange::Exchange(const Options& options, std::shared_ptr<Mailbox> mailbox, HttpResponse fallback)
    : options_(options),
      mailbox_(std::move(mailbox)),
      fallback_(std::move(fallback)),
      keep_alive_(options.keep_alive) {}

void Exchange::add_headers(std::vector<HttpHeader> headers) {
  std::lock_guard lock(mutex_);
  for (HttpHeader& header : headers) headers_.push_back(std::move(header));
}

void Exchange::append_header(const HttpHeader& header) {
  // A header that could forge another one is our bug, but a foreign string must never end the process.
  if (!is_header_safe(header.name) || !is_header_safe(header.value)) return;
  ready_ += "\r\n" + header.name + ": " + header.value;
}

void Exchange::append_head(const HttpResponse& response, bool sized) {
  ready_ += options_.http_1_1 ? "HTTP/1.1 " : "HTTP/1.0 ";
  ready_ += std::to_string(response.status);
  ready_ += ' ';
  ready_ += http_status_phrase(response.status);
  ready_ += "\r\nDate: ";
  ready_ += http_date();
  if (!response.content_type.empty()) ready_ += "\r\nContent-Type: " + response.content_type;
  for (const HttpHeader& header : headers_) append_header(header);
  for (const HttpHeader& header : response.headers) append_header(header);
  if (sized) {
    ready_ += "\r\nContent-Length: " + std::to_string(response.body.size());
  } else if (options_.http_1_1) {
    ready_ += "\r\nTransfer-Encoding: chunked";
  } else {
    keep_alive_ = false;
  }
  ready_ += keep_alive_ ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
}

void Exchange::append_chunk(std::string_view bytes) {
  if (bytes.empty() || options_.head_only) return;
  if (!options_.http_1_1) {
    ready_ += bytes;
    return;
  }
  char size[20];
  const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
  ready_.append(size, end);
  ready_ += "\r\n";
  ready_ += bytes;
  ready_ += "\r\n";
}

void Exchange::notify() {
  if (notified_) return;
  notified_ = true;
  mailbox_->post([self = shared_from_this()] {
    std::function<void()> wake;
    {
      std::lock_guard lock(self->mutex_);
      self->notified_ = false;
      wake = self->wake_;
    }
    if (wake) wake();
  });
}

void Exchange::answer(HttpResponse response) {
  std::lock_guard lock(mutex_);
  CHECK_NOTE(state_ == State::kWaiting, "a request was answered twice");
  append_head(response, true);
  if (!options_.head_only) ready_ += response.body;
  state_ = State::kComplete;
  notify();
}

void Exchange::start_stream(HttpResponse response) {
  std::lock_guard lock(mutex_);
  CHECK_NOTE(state_ == State::kWaiting, "a request was answered twice");
  append_head(response, false);
  append_chunk(response.body);
  state_ = State::kStreaming;
  notify();
}

bool Exchange::write(std::string_view bytes) {
  std::lock_guard lock(mutex_);
  if (gone_ || state_ != State::kStreaming) return false;
  if (ready_.size() + writing_bytes_ + bytes.size() > options_.backlog_bytes_max) {
    state_ = State::kBroken;
    notify();
    return false;
  }
  append_chunk(bytes);
  notify();
  return true;
}

void Exchange::finish() {
  std::lock_guard lock(mutex_);
  if (state_ != State::kStreaming) return;
  if (options_.http_1_1 && !options_.head_only) ready_ += "0\r\n\r\n";
  state_ = State::kComplete;
  notify();
}

void Exchange::abandon() {
  std::lock_guard lock(mutex_);
  if (state_ == State::kWaiting) {
    append_head(fallback_, true);
    if (!options_.head_only) ready_ += fallback_.body;
    state_ = State::kComplete;
    notify();
  } else if (state_ == State::kStreaming) {
    state_ = State::kBroken;
    notify();
  }
}

bool Exchange::is_gone() const {
  std::lock_guard lock(mutex_);
  return gone_;
}

void Exchange::on_disconnect(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (!gone_) {
      on_disconnect_ = std::move(callback);
      return;
    }
  }
  callback();
}

void Exchange::set_wake(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

Exchange::Turn Exchange::take_turn() {
  std::lock_guard lock(mutex_);
  Turn turn;
  turn.bytes.swap(ready_);
  writing_bytes_ += turn.bytes.size();
  turn.complete = state_ == State::kComplete;
  turn.broken = state_ == State::kBroken;
  return turn;
}

void Exchange::written(size_t bytes) {
  std::lock_guard lock(mutex_);
  writing_bytes_ -= bytes;
}

void Exchange::disconnected() {
  std::function<void()> callback;
  {
    std::lock_guard lock(mutex_);
    gone_ = true;
    callback.swap(on_disconnect_);
  }
  if (callback) callback();
}

void Exchange::release() {
  std::function<void()> callback, wake;  // destroyed outside the lock: they may hold the last Responder
  std::lock_guard lock(mutex_);
  gone_ = true;
  callback.swap(on_disconnect_);
  wake.swap(wake_);
}

bool Exchange::keep_alive() const {
  std::lock_guard lock(mutex_);
  return keep_alive_;
}

bool Exchange::broken() const {
  std::lock_guard lock(mutex_);
  return state_ == State::kBroken;
}

struct Responder::Guard {
  explicit Guard(std::shared_ptr<Exchange> e) : exchange(std::move(e)) {}
  ~Guard() { exchange->abandon(); }
  std::shared_ptr<Exchange> exchange;
};

Responder::Responder(std::shared_ptr<Exchange> exchange)
    : guard_(std::make_shared<Guard>(std::move(exchange))) {}
void Responder::add_headers(std::vector<HttpHeader> headers) {
  guard_->exchange->add_headers(std::move(headers));
}
void Responder::answer(HttpResponse response) { guard_->exchange->answer(std::move(response)); }
void Responder::start_stream(HttpResponse response) { guard_->exchange->start_stream(std::move(response)); }
bool Responder::write(std::string_view bytes) { return guard_->exchange->write(bytes); }
bool Responder::is_gone() const { return guard_->exchange->is_gone(); }
void Responder::finish() { guard_->exchange->finish(); }
void Responder::on_disconnect(std::function<void()> callback) {
  guard_->exchange->on_disconnect(std::move(callback));
}
void Responder::post(std::function<void()> task) { guard_->exchange->post(std::move(task)); }

}  // namespace hussar
