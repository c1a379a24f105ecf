// An HTTP/1.1 server that sends given bytes at given times and notes when it really did: the side with known
// truth when a client is to be tested. One thread does everything. A client that ends its sending half counts
// as gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace hussar {

// Some bytes of an answer as they go over the wire, head and chunk framing included.
struct PacedPiece {
  int64_t at_ns =
      0;  // not before this long after the request's last byte was read; never before an earlier piece
  std::shared_ptr<const std::string> bytes;
  int32_t tokens = 0;  // how many tokens are in it: for the observer alone
};

enum class PacedEnding {
  kKeepAlive,  // the answer is whole: the next request may come
  kClose,      // closes in order after the last piece
  kReset,      // cuts the connection hard
  kHold,       // says nothing more and keeps the connection until the client ends it
};

// Gives the pieces of one answer, one after the other. Called on the server's thread; false: no more.
struct PacedAnswer {
  std::function<bool(PacedPiece* piece)> next;
  PacedEnding ending = PacedEnding::kKeepAlive;
};

// What really happened; on the server's thread. `id` is HttpRequest::id.
class PacedObserver {
 public:
  virtual ~PacedObserver() = default;
  // The piece's last byte was handed to the system between `before` and `after`.
  virtual void on_piece_sent(uint64_t id, const PacedPiece& piece, TimePoint before, TimePoint after) = 0;
  // The answer has ended; `whole` is false when the client went away before it had.
  virtual void on_ended(uint64_t id, bool whole, TimePoint at) = 0;
};

struct PacedServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;                 // 0: any free one
  int64_t accept_delay_ms = 0;  // a connection waits so long before its first byte is read
  HttpLimits limits;
};

class PacedServer {
 public:
  // Called on the server's thread with a whole request (`received`: when its last byte was read).
  using Handler = std::function<PacedAnswer(const HttpRequest& request)>;

  // `observer` may be null and must outlive the server. Errors: kIo (the port is taken), kInvalid.
  static Result<std::unique_ptr<PacedServer>> listen(const PacedServerOptions& options, Handler handler,
                                                     PacedObserver* observer);
  virtual ~PacedServer() = default;  // stop()

  virtual void start() = 0;  // starts the thread; once
  virtual int port() const = 0;
  // From now on nothing is read, written or accepted for `ms`: a whole server that stalls. Any thread.
  virtual void freeze(int64_t ms) = 0;
  virtual void
  stop() = 0;  // cuts what is under way and joins the thread; idempotent; any thread but the server's
};

}  // namespace hussar
