// What the server asks of HTTP before it looks at a body.
#pragma once

#include <optional>

#include "net/http.h"
#include "server/api_error.h"
#include "server/server.h"

namespace hussar {

HttpLimits http_limits(const ServerOptions& options);

// A body must be JSON, in UTF-8 and as it is: 415 where its headers say otherwise. One without a type is
// taken for what it must be anyhow.
std::optional<ApiError> check_body_headers(const HttpRequest& request);

}  // namespace hussar
