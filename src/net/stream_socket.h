// Inside net: a TCP connection to one of a host's addresses, perhaps with TLS, driven by an EventLoop.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/event_loop.h"
#include "net/tls.h"

namespace hussar {

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

// All addresses of a name, in the order to try them; blocking. Errors: kIo, one line.
Result<std::vector<SocketAddress>> resolve_host(const std::string& host, const std::string& port);

// What the sockets to one host share.
struct SocketPlace {
  EventLoop* loop = nullptr;
  std::string host;  // without brackets
  std::string name;  // host:port, for messages
  std::vector<SocketAddress> addresses;
  std::unique_ptr<TlsContext> tls;     // null: none is spoken
  size_t preferred = 0;                // of addresses: the last that answered
  std::vector<char> received, opened;  // where reads go, before and after TLS; empty between events
};

// What happens to a socket; each may close it, and retire it, but not destroy it.
class SocketListener {
 public:
  virtual ~SocketListener() = default;
  virtual void on_open() = 0;
  virtual void on_open_failed(std::string detail) = 0;  // no address answered, or TLS failed
  // `at` was taken right after the read.
  virtual void on_bytes(std::string_view bytes, TimePoint at) = 0;
  virtual void on_flushed(TimePoint at) = 0;  // all that was given to send() is with the system
  // Nothing more comes. `detail` is empty when the peer closed in order.
  virtual void on_lost(std::string_view detail, TimePoint at) = 0;
};

class StreamSocket : public Watched {
 public:
  StreamSocket(SocketPlace* place, SocketListener* listener) : place_(place), listener_(listener) {}
  ~StreamSocket() override { close(); }

  void open();  // once; on_open or on_open_failed follow, possibly at once
  // REQUIRES: it is open, and what was sent before is flushed. on_flushed follows, possibly at once.
  void send(std::shared_ptr<const std::string> bytes);
  void close();  // nothing is heard of it any more
  bool closed() const { return fd_ < 0 && state_ != State::kNew; }

  void on_ready(uint32_t events) override;

 private:
  enum class State { kNew, kConnecting, kShakingHands, kOpen, kClosed };

  void connect_next();
  bool connect_to(const SocketAddress& address);
  void limit_attempt();
  void connected();
  void fail_open(std::string detail);
  void read();
  void read_sealed(std::string_view sealed, TimePoint at);
  void flush();
  void want(uint32_t events);
  void close_fd();

  SocketPlace* const place_;
  SocketListener* const listener_;
  State state_ = State::kNew;
  int fd_ = -1;
  uint32_t wanted_ = 0;           // events that are waited for
  size_t first_ = 0, tried_ = 0;  // addresses
  std::string failure_;           // of the last address
  std::shared_ptr<int> attempt_;  // alive while one address is being tried
  std::unique_ptr<TlsSession> tls_;
  std::shared_ptr<const std::string> sending_;
  size_t sent_bytes_ = 0;  // of sending_
  bool reports_flush_ = false;
};

}  // namespace hussar
