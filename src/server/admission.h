// On what terms a request runs: by when, how urgent, and in whose name.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "engine/request.h"
#include "net/http.h"
#include "server/completion_request.h"
#include "server/request_log.h"

namespace hussar {

// The header X-Request-Deadline-Ms; nothing without one. Errors: kInvalid.
Result<std::optional<int64_t>> read_deadline_header(const HttpRequest& request);

// Puts the terms of the body and of the headers into the engine's request. Errors: kInvalid, when the two
// name different deadlines.
Result<void> apply_terms(const CompletionRequest& body, const RequestLog& log, Request* request);

}  // namespace hussar
