// Inside net: one connection of a PacedServer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/event_loop.h"
#include "net/internal/request_reading.h"
#include "net/paced_server.h"

namespace hussar {

// What sessions need of their server; all on its thread.
class PacedHost {
 public:
  virtual ~PacedHost() = default;
  virtual EventLoop& loop() = 0;
  virtual void
  wait_for_thaw() = 0;  // returns when the server is not frozen: before anything is read or written
  virtual void send_at(TimePoint at, uint64_t session_id) = 0;  // calls send_due() then
  virtual void read_on(uint64_t session_id) = 0;  // calls read_on() soon, lest pipelined requests nest
  virtual void remove(uint64_t session_id) = 0;   // the session lives until the loop's turn has ended

  // Promises `bytes` to a request that is being read or answered; false where all together have too many.
  bool reserve(size_t bytes) {
    if (body_bytes + bytes > options.limits.body_bytes_all_max) return false;
    body_bytes += bytes;
    return true;
  }
  void release(size_t bytes) { body_bytes -= bytes; }

  PacedServerOptions options;
  PacedServer::Handler handler;
  PacedObserver* observer = nullptr;  // may be null
  std::string read_buffer;            // empty between events
  uint64_t last_request_id = 0;
  size_t body_bytes = 0;
};

// One connection: reads a request, sends its answer's pieces when they are due, and so on.
class PacedSession : public Watched {
 public:
  PacedSession(PacedHost* host, uint64_t id, int fd, std::string peer)
      : host_(host), id_(id), fd_(fd), peer_(std::move(peer)) {}
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

  PacedHost* const host_;
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

}  // namespace hussar
