// What every request passes before its route is looked at: whose name it reached us by, and whose key it has.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "net/http.h"
#include "server/api_error.h"
#include "server/api_keys.h"
#include "server/request_log.h"
#include "server/server.h"

namespace hussar {

class Gate {
 public:
  // Both outlive it.
  Gate(const ServerOptions& options, const ApiKeys& keys) : options_(options), keys_(keys) {}

  // Fills in the log's trace; says what goes with every answer: the trace, and what a browser needs to show
  // the answer to a page of a named origin.
  std::vector<HttpHeader> open(const HttpRequest& request, RequestLog* log) const;
  // The answer to a browser that asks what it may send; nothing where this is no such question.
  std::optional<HttpResponse> preflight(const HttpRequest& request) const;
  // Errors: 403 (a Host that this server, which listens locally, does not have), 401 (no key, or a wrong
  // one).
  std::optional<ApiError> check(const HttpRequest& request, std::shared_ptr<Tenant>* tenant) const;

 private:
  bool is_named_origin(const HttpRequest& request) const;

  const ServerOptions& options_;
  const ApiKeys& keys_;
};

}  // namespace hussar
