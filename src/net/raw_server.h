// Test support: a server that does with each connection exactly what it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"

namespace hussar {

// The server's end of one connection; blocking, each read gives up after five seconds.
class RawPeer {
 public:
  explicit RawPeer(int socket) : socket_(socket) {}
  ~RawPeer() { close(); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  // Reads one request's head (and more that came with it); empty when the client has gone.
  std::string read_request() {
    std::string text;
    char byte = 0;
    while (!text.ends_with("\r\n\r\n")) {
      if (!wait() || ::recv(socket_, &byte, 1, 0) != 1) return "";
      text += byte;
    }
    return text;
  }
  bool wait() {
    pollfd ready{socket_, POLLIN, 0};
    return ::poll(&ready, 1, 5000) > 0;
  }
  bool at_end() {
    char byte = 0;
    return wait() && ::recv(socket_, &byte, 1, 0) <= 0;
  }
  bool send(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  int socket() const { return socket_; }

 private:
  int socket_;
};

// A port of 127.0.0.1 on which nobody listens, kept from every other program of the machine meanwhile.
class ClosedPort {
 public:
  explicit ClosedPort(int port = 0) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int yes = 1;  // for one that a server has just given up
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~ClosedPort() { ::close(socket_); }
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  int port_ = 0;
};

// Hands its connections, one after the other, to one script each, on a thread of its own; then it ends.
class RawServer {
 public:
  using Script = std::function<void(RawPeer&)>;

  explicit RawServer(std::vector<Script> scripts) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(socket_, 16);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, scripts = std::move(scripts)] {
      for (const Script& script : scripts) {
        const int socket = ::accept(socket_, nullptr, nullptr);
        if (socket < 0) return;
        RawPeer peer(socket);
        script(peer);
      }
    });
  }
  ~RawServer() {
    ::shutdown(socket_, SHUT_RDWR);  // wakes accept()
    thread_.join();
    ::close(socket_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace hussar
