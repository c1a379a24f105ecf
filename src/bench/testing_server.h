// Test support: an HTTP server in this process whose routes a test writes down.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/http_server.h"
#include "net/raw_server.h"

namespace hussar {

class TestingServer {
 public:
  using Route = std::function<void(const HttpRequest& request, Responder responder)>;

  TestingServer() = default;
  ~TestingServer() { stop(); }

  // "GET /v1/models"; before start().
  void route(const std::string& what, Route route) { routes_[what] = std::move(route); }
  void json(const std::string& what, std::string body, int status = 200,
            std::vector<HttpHeader> headers = {}) {
    routes_[what] = [=](const HttpRequest&, Responder responder) {
      responder.answer({status, "application/json", headers, body});
    };
  }
  void start(HttpLimits limits = {}) {
    auto server = HttpServer::listen(
        "127.0.0.1", 0, limits,
        [this](HttpRequest request, Responder responder) {
          handle(std::move(request), std::move(responder));
        },
        [](int status, std::string_view detail) {
          return HttpResponse{status, "text/plain", {}, std::string(detail)};
        });
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    server_->start();
    url_ = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  // Nobody listens at url() then, nor can another program.
  void stop() {
    if (server_ == nullptr || held_) return;
    server_->stop(0);
    held_.emplace(server_->port());
  }

  const std::string& url() const { return url_; }
  // What came so far.
  std::vector<HttpRequest> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  size_t count(std::string_view what) const {
    std::lock_guard lock(mutex_);
    size_t count = 0;
    for (const HttpRequest& request : requests_) count += request.method + " " + request.path == what;
    return count;
  }

 private:
  void handle(HttpRequest request, Responder responder) {
    const std::string what = request.method + " " + request.path;
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const auto found = routes_.find(what);
    if (found != routes_.end()) return found->second(request, std::move(responder));
    responder.answer({404, "application/json", {}, R"({"detail":"Not Found"})"});
  }

  std::map<std::string, Route> routes_;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::unique_ptr<HttpServer> server_;
  std::optional<ClosedPort> held_;
  std::string url_;
};

}  // namespace hussar
