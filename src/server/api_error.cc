#include "server/api_error.h"

#include <algorithm>

#include "base/json.h"
#include "base/utf8.h"

namespace hussar {

namespace {

std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "service_unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

// One line of bounded length, whatever of the request it quotes.
std::string shown_line(std::string_view text) {
  constexpr size_t kBytesMax = 1000;
  std::string line(text.substr(0, complete_utf8_prefix_bytes(text.substr(0, kBytesMax))));
  if (line.size() < text.size()) line += "...";
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

// Whole seconds, rounded up; one where nothing is known.
std::string retry_after(int64_t wait_ms) {
  return std::to_string(std::max<int64_t>(1, (wait_ms + 999) / 1000));
}

}  // namespace

ApiError to_api_error(const Error& error) {
  ApiError api{400, shown_line(error.message), shown_line(error.field), "invalid_value", {}};
  switch (error.code) {
    case ErrorCode::kInvalid:
      break;
    case ErrorCode::kUnsupported:
      api.code = "unsupported_parameter";
      break;
    case ErrorCode::kTooLarge:
      api.code = "context_length_exceeded";
      break;
    case ErrorCode::kNotFound:
      api.status = 404, api.code = "model_not_found";
      break;
    case ErrorCode::kFull:
      api.status = 429, api.code = "queue_full";
      api.headers.push_back({"Retry-After", retry_after(error.wait_ms)});
      break;
    case ErrorCode::kDeadline:
      api.status = 429, api.code = "deadline_infeasible";
      api.headers.push_back({"Retry-After", retry_after(error.wait_ms)});
      break;
    case ErrorCode::kCancelled:
      api.status = 503, api.code = "shutting_down";
      break;
    case ErrorCode::kOutOfMemory:
    case ErrorCode::kIo:
    case ErrorCode::kDeviceFault:
      api.status = 500, api.code = "internal_error";
      break;
  }
  if (error.field == "deadline_ms" && error.wait_ms > 0) {
    api.headers.push_back({"X-Feasible-Deadline-Ms", std::to_string(error.wait_ms)});
    if (error.code == ErrorCode::kInvalid) api.code = "deadline_infeasible";
  }
  return api;
}

ApiError http_refusal(int status, std::string_view detail) {
  ApiError api{status, std::string(detail), "", "", {}};
  switch (status) {
    case 400:
      api.code = "bad_request";
      break;
    case 404:
      api.code = "unknown_path";
      break;
    case 405:
      api.code = "method_not_allowed";
      break;
    case 408:
      api.code = "request_timeout";
      break;
    case 413:
      api.code = "body_too_large";
      break;
    case 415:
      api.code = "unsupported_media_type";
      break;
    case 417:
      api.code = "expectation_failed";
      break;
    case 431:
      api.code = "headers_too_large";
      break;
    case 503:
      api.code = "overloaded";
      api.headers.push_back({"Retry-After", "1"});
      break;
    default:
      api.code = "internal_error";
  }
  return api;
}

std::string error_json(const ApiError& error) {
  JsonObject fields{{"message", error.message},
                    {"type", error_type(error.status)},
                    {"param", error.param.empty() ? Json() : Json(error.param)},
                    {"code", error.code}};
  return write_json(JsonObject{{"error", std::move(fields)}});
}

HttpResponse error_response(const ApiError& error) {
  return {error.status, "application/json", error.headers, error_json(error)};
}

namespace {

std::string_view messages_error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace

std::string messages_error_json(const ApiError& error) {
  return write_json(JsonObject{
      {"type", "error"},
      {"error", JsonObject{{"type", messages_error_type(error.status)}, {"message", error.message}}}});
}

HttpResponse refusal(std::string_view route, const ApiError& error) {
  if (!route.starts_with("/v1/messages")) return error_response(error);
  return {error.status, "application/json", error.headers, messages_error_json(error)};
}

}  // namespace hussar
