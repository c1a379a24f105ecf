// An HTTP/1.1 client for measuring: one thread runs thousands of calls at once, and every piece of an answer
// carries the time that was taken right after it was read. It knows no time-outs: whoever starts a call ends
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "net/http.h"

namespace hussar {

enum class CallEnd {
  kDone,           // a whole answer came; its status may be an error
  kConnectFailed,  // no connection: refused, unreachable, TLS not trusted
  kBroken,         // the connection ended or failed before the answer did
  kBadAnswer,      // what came is no HTTP/1.1 answer, or exceeds a limit
  kCancelled,
};

// What happens to one call, in this order: on_sending, on_sent, on_head, on_body as often as bytes come,
// on_end. on_end comes exactly once, always last, and may come first. All on the client's thread, never from
// within start() or cancel(); each may start and cancel calls.
class CallListener {
 public:
  virtual ~CallListener() = default;
  // A connection is there and the first byte is about to be written. `reused`: it served a call before.
  virtual void on_sending(TimePoint at, bool reused) = 0;
  virtual void on_sent(TimePoint at) = 0;  // the last byte was handed to the system
  virtual void on_head(int status, const std::vector<HttpHeader>& headers, TimePoint at) = 0;
  // A piece of the body, without chunk framing. `at` was taken right after the read that brought it: all
  // pieces of one read share it.
  virtual void on_body(std::string_view bytes, TimePoint at) = 0;
  virtual void on_end(CallEnd end, std::string_view detail, TimePoint at) = 0;
};

struct StreamClientOptions {
  std::string url;  // http://host:port or https://host, perhaps with a path that stands before every call's
  std::string ca_file;     // certificates to trust (PEM) in place of the system's
  bool keep_alive = true;  // connections are used again
  size_t header_bytes_max = 64 << 10;
};

// How punctual the client itself was.
struct LoopStats {
  // How late timed tasks ran: bucket i counts delays in [2^(i-1), 2^i) microseconds, bucket 0 those below
  // one.
  std::vector<uint64_t> timer_delay_counts;
  int64_t timer_delay_max_ns = 0;
  int64_t thread_cpu_ns = 0;  // CPU time of the thread in run(), since it began
  int64_t run_ns = 0;         // time in run()
};

// Not thread-safe but for post() and stop(); everything else belongs to the thread in run(), or to its
// creator before run().
class StreamClient {
 public:
  using CallId = uint64_t;

  // Resolves the host, blocking. Errors: kInvalid (URL, certificates), kIo (name not found).
  static Result<std::unique_ptr<StreamClient>> create(const StreamClientOptions& options);
  virtual ~StreamClient() = default;

  // The bytes of a whole request as they go over the wire, so that they can be made before the clock starts.
  // `path` starts with '/'; the URL's own path is put before it. Host, Content-Length and Connection are
  // added. Header values with control characters are refused: kInvalid.
  virtual Result<std::string> make_request(std::string_view method, std::string_view path,
                                           const std::vector<HttpHeader>& headers,
                                           std::string_view body) const = 0;

  // Sends `wire` over an idle connection, or a new one. `listener` must live until its on_end.
  virtual CallId start(std::shared_ptr<const std::string> wire, CallListener* listener) = 0;
  // Closes the call's connection; its on_end says kCancelled, soon. Unknown ids are ignored.
  virtual void cancel(CallId id) = 0;
  // Opens `count` connections ahead of use; those that fail are left out. `done` gets how many stand.
  virtual void connect_ahead(size_t count, std::function<void(size_t connected)> done) = 0;

  // Runs `task` at `at`, or at once when that has passed, as close to it as the system allows.
  virtual void call_at(TimePoint at, std::function<void()> task) = 0;
  virtual void post(std::function<void()> task) = 0;  // any thread
  virtual void run() = 0;                             // until stop(); can run again
  virtual void stop() = 0;                            // any thread
  virtual LoopStats stats() const = 0;
};

// One whole exchange, blocking: for what is not measured. `client` must not be running.
struct HttpReply {
  CallEnd end = CallEnd::kDone;
  int status = 0;
  std::vector<HttpHeader> headers;
  std::string body;
  std::string detail;  // one line for people where `end` is not kDone
};
// Ends with kCancelled when it takes longer than `timeout_ms`, kBadAnswer when the body exceeds
// `body_bytes_max`.
HttpReply exchange_blocking(StreamClient& client, const std::string& wire, int64_t timeout_ms,
                            size_t body_bytes_max = 16 << 20);

}  // namespace hussar
