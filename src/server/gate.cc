#include "server/gate.h"

#include <algorithm>

#include "server/host_check.h"
#include "server/trace_context.h"

namespace hussar {
namespace {

constexpr size_t kShownHostBytesMax = 100;

// Probes must work without a key, and say nothing about anybody.
bool is_open_to_all(std::string_view path) { return path == "/health" || path == "/ready"; }

}  // namespace

bool Gate::is_named_origin(const HttpRequest& request) const {
  const std::string* origin = request.header("Origin");
  if (origin == nullptr) return false;
  return std::ranges::any_of(options_.cors_origins,
                             [origin](const std::string& one) { return one == "*" || one == *origin; });
}

std::vector<HttpHeader> Gate::open(const HttpRequest& request, RequestLog* log) const {
  std::vector<HttpHeader> headers;
  if (const std::string* text = request.header("traceparent")) {
    if (const auto parent = read_traceparent(*text)) {
      const TraceContext own = child_of(*parent);
      log->trace_id = own.trace_id;
      headers.push_back({"traceparent", own.text()});
    }
  }
  if (!options_.cors_origins.empty()) headers.push_back({"Vary", "Origin"});
  if (is_named_origin(request)) {
    headers.push_back({"Access-Control-Allow-Origin", *request.header("Origin")});
    headers.push_back({"Access-Control-Expose-Headers",
                       "X-Request-Id, Retry-After, X-Feasible-Deadline-Ms, X-Hussar-Ignored-Fields"});
  }
  return headers;
}

std::optional<HttpResponse> Gate::preflight(const HttpRequest& request) const {
  if (request.method != "OPTIONS" || request.header("Access-Control-Request-Method") == nullptr ||
      !is_named_origin(request))
    return std::nullopt;
  HttpResponse response{204, "", {{"Access-Control-Allow-Methods", "GET, POST"}}, ""};
  if (const std::string* names = request.header("Access-Control-Request-Headers"))
    response.headers.push_back({"Access-Control-Allow-Headers", *names});
  response.headers.push_back({"Access-Control-Max-Age", "600"});
  return response;
}

std::optional<ApiError> Gate::check(const HttpRequest& request, std::shared_ptr<Tenant>* tenant) const {
  const std::string* host = request.header("Host");
  if (is_local_address(options_.host) && host != nullptr &&
      !is_local_host_header(*host, options_.allowed_hosts)) {
    ApiError error = http_refusal(403, "this server listens on the local machine and is not called " +
                                           host->substr(0, kShownHostBytesMax) +
                                           "; start it with --allowed-host to name it so");
    error.code = "host_not_allowed";
    return error;
  }
  if (!keys_.required() || is_open_to_all(request.path)) return std::nullopt;
  *tenant = keys_.find(request);
  if (*tenant != nullptr) return std::nullopt;
  ApiError error = http_refusal(401, "a valid API key is needed: send it as Authorization: Bearer KEY");
  error.code = "invalid_api_key";
  error.headers.push_back({"WWW-Authenticate", "Bearer"});
  return error;
}

}  // namespace hussar
