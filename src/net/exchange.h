// Inside net: what one request's answer is made of, shared by the handler's threads and the connection.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http.h"

namespace hussar {

// Runs tasks on the server's thread for as long as there is one.
class Mailbox {
 public:
  virtual ~Mailbox() = default;
  virtual void post(std::function<void()> task) = 0;  // any thread
};

// The bytes of one answer on their way to the connection, in a bounded buffer. Any thread, except where said
// otherwise.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  struct Options {
    bool http_1_1 = true;    // else no chunks: the end of the connection ends a stream
    bool head_only = false;  // HEAD: headers without the body
    bool keep_alive = true;
    size_t backlog_bytes_max = 0;
  };
  // What the connection should do next.
  struct Turn {
    std::string bytes;      // to be written
    bool complete = false;  // nothing follows `bytes`
    bool broken = false;    // cut the connection: the answer can't be completed
  };

  Exchange(const Options& options, std::shared_ptr<Mailbox> mailbox, HttpResponse fallback);

  // For Responder.
  void add_headers(std::vector<HttpHeader> headers);
  void answer(HttpResponse response);
  void start_stream(HttpResponse response);
  bool write(std::string_view bytes);
  void finish();
  void abandon();  // the last Responder has gone
  bool is_gone() const;
  void on_disconnect(std::function<void()> callback);
  void post(std::function<void()> task) { mailbox_->post(std::move(task)); }

  // For the connection; the server's thread only.
  void set_wake(std::function<void()> wake);  // called on the server's thread when there is a new Turn
  Turn take_turn();
  void written(size_t bytes);
  void disconnected();  // runs the callback
  void release();       // the connection has let go: drops both callbacks
  bool keep_alive() const;
  bool broken() const;

 private:
  enum class State { kWaiting, kStreaming, kComplete, kBroken };

  void append_header(const HttpHeader& header);
  void append_head(const HttpResponse& response, bool sized);  // REQUIRES: mutex_ held, as for the next two
  void append_chunk(std::string_view bytes);
  void notify();

  const Options options_;
  const std::shared_ptr<Mailbox> mailbox_;
  mutable std::mutex mutex_;
  HttpResponse fallback_;  // answered when the handler gives up
  State state_ = State::kWaiting;
  bool gone_ = false;
  bool notified_ = false;
  bool keep_alive_;
  std::vector<HttpHeader> headers_;  // of every answer
  std::string ready_;
  size_t writing_bytes_ = 0;
  std::function<void()> on_disconnect_;
  std::function<void()> wake_;
};

}  // namespace hussar
