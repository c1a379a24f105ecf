// Errors as clients of OpenAI's API expect them: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace hussar {

struct ApiError {
  int status = 400;
  std::string message;
  std::string param;  // the field at fault; empty: none
  std::string code;   // for programs: "invalid_value", "context_length_exceeded", ...
  std::vector<HttpHeader> headers;
};

// The status and code of an error of ours; its message and field as one line each, cut where they are long.
// kTooLarge becomes context_length_exceeded, kNotFound model_not_found, kFull and kDeadline a 429 with
// Retry-After. A refused deadline comes with the header X-Feasible-Deadline-Ms.
ApiError to_api_error(const Error& error);

// What HTTP itself refuses, with the code that belongs to the status.
ApiError http_refusal(int status, std::string_view detail);

// The error object alone, and as an answer.
std::string error_json(const ApiError& error);
HttpResponse error_response(const ApiError& error);

// The answer in the shape of the API that the route belongs to: Anthropic's for /v1/messages and below.
HttpResponse refusal(std::string_view route, const ApiError& error);
// Anthropic's error object.
std::string messages_error_json(const ApiError& error);

}  // namespace hussar
