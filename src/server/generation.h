// One request on its way from the engine to the client.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "net/http_server.h"
#include "server/admission.h"
#include "server/completion_request.h"
#include "server/metrics.h"
#include "server/request_log.h"
#include "server/server.h"

namespace hussar {

// The status in logs of a request whose client went: there is nobody left to be answered.
inline constexpr int kClientClosed = 499;

// What all requests share. Kept alive by each of them, since the engine may end one after the server has
// gone.
struct ServerCore {
  ServerCore(const ServerOptions& o, const ServerContext& c, std::shared_ptr<ApiKeys> k)
      : options(o),
        context(c),
        keys(std::move(k)),
        admission(std::make_shared<Admission>(options, c.engine, keys)),
        metrics(c.engine, c.grammars, c.model_name, c.version) {}
  const ServerOptions options;
  const ServerContext context;
  const std::shared_ptr<ApiKeys> keys;
  const std::shared_ptr<Admission> admission;
  Metrics metrics;
  std::atomic<bool> stopping{false};
};

// Prepares, submits and answers. Runs on a worker; the answer goes on by itself when it returns. A client
// that goes cancels its request.
void generate(std::shared_ptr<ServerCore> core, RequestLog log, Responder responder,
              CompletionRequest request);

}  // namespace hussar
