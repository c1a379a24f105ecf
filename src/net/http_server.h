// An HTTP/1.1 server. One thread does all reading and writing; handlers answer from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace hussar {

class Exchange;

// The answering side of one request; copies stand for the same request. Either answer() once, or
// start_stream(), write() as often as wanted and finish(). Any thread. When the last copy goes without an
// answer the client gets a 500; without finish(), a cut connection.
class Responder {
 public:
  explicit Responder(std::shared_ptr<Exchange> exchange);

  // These go with whatever answer is given, whoever gives it. Before the answer.
  void add_headers(std::vector<HttpHeader> headers);

  void answer(HttpResponse response);

  // Sends the head; `response.body` becomes the first chunk.
  void start_stream(HttpResponse response);
  // False when the client has gone or reads too slowly (write_backlog_bytes_max); nothing more need be
  // written then.
  bool write(std::string_view bytes);
  void finish();

  // Whether nothing that is answered can reach the client any more. Work for it that has not begun is in
  // vain.
  bool is_gone() const;
  // `callback` runs once when the client has gone before the answer was complete, and possibly just after the
  // last byte was handed over; noticed even while nothing is written. It runs on the server's thread, or at
  // once in this call when the client has gone already.
  void on_disconnect(std::function<void()> callback);
  // Runs `task` on the server's thread, in the order of the calls. Dropped when the server has ended.
  void post(std::function<void()> task);

 private:
  struct Guard;
  std::shared_ptr<Guard> guard_;
};

class HttpServer {
 public:
  // Called on the server's thread with a whole request; must not block.
  using Handler = std::function<void(HttpRequest, Responder)>;
  // The answer to what never became a request: 400, 408, 413, 417, 431, 500, 503. `detail` says what was
  // wrong.
  using Refusal = std::function<HttpResponse(int status, std::string_view detail)>;

  // Listens; connections wait until start(). `port` 0 takes any free one. Errors: kIo, kInvalid; they say
  // what to do.
  static Result<std::unique_ptr<HttpServer>> listen(const std::string& host, int port,
                                                    const HttpLimits& limits, Handler handler,
                                                    Refusal refusal);
  virtual ~HttpServer() = default;  // stop(0)

  virtual void start() = 0;  // starts the thread; once
  virtual int port() const = 0;
  virtual size_t connections() const = 0;  // open ones; any thread
  // Takes no new connection and closes idle ones, lets answers under way go on for `drain_ms`, then cuts them
  // and joins the thread. Any thread but the server's; idempotent.
  virtual void stop(int64_t drain_ms) = 0;
};

// Raises the process's soft limit of open files to the hard one; returns the limit that holds now.
int64_t raise_open_files_limit();

}  // namespace hussar
