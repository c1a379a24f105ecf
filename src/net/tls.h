// Inside net: TLS of a client as a transformer of bytes, so that sockets are read and written in one place
// whether TLS is spoken or not. The only user of libssl is tls.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hussar {

// What connections share: whom to trust.
class TlsContext {
 public:
  // `ca_file`: certificates to trust (PEM) in place of the system's; empty: the system's. Errors: kInvalid.
  static Result<std::unique_ptr<TlsContext>> create(const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsSession;
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// One connection. The peer must prove that it is `host` (a name, or an address without brackets). After each
// call that may have made bytes for the peer, take_output() has them.
class TlsSession {
 public:
  TlsSession(const TlsContext& context, const std::string& host);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  void take_input(std::string_view sealed);  // what came from the peer
  std::string take_output();                 // what must go to it

  enum class Handshake { kGoesOn, kDone, kFailed };
  Handshake shake_hands();

  // REQUIRES of both: the handshake is done.
  void write(std::string_view plain);
  // Reads into `to`. 0: needs more input, or see closed() and error().
  size_t read(char* to, size_t size);
  bool closed() const;               // the peer has said that nothing more comes
  const std::string& error() const;  // one line; empty while all is well

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace hussar
