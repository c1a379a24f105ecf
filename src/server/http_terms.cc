#include "server/http_terms.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace hussar {
namespace {

// "application/json", with or without charset=utf-8.
bool is_json_type(std::string_view type) {
  const size_t semicolon = type.find(';');
  std::string_view media = type.substr(0, semicolon);
  while (media.ends_with(' ')) media.remove_suffix(1);
  if (!equals_ignoring_case(media, "application/json")) return false;
  if (semicolon == std::string_view::npos) return true;
  std::string_view parameter = type.substr(semicolon + 1);
  while (parameter.starts_with(' ')) parameter.remove_prefix(1);
  return !equals_ignoring_case(parameter.substr(0, 8), "charset=") ||
         equals_ignoring_case(parameter, "charset=utf-8") ||
         equals_ignoring_case(parameter, "charset=\"utf-8\"");
}

}  // namespace

HttpLimits http_limits(const ServerOptions& options) {
  HttpLimits limits;
  limits.body_bytes_max = static_cast<size_t>(options.body_bytes_max);
  limits.body_bytes_all_max =
      static_cast<size_t>(std::max(options.body_bytes_all_max, options.body_bytes_max));
  limits.header_bytes_max = static_cast<size_t>(options.header_bytes_max);
  limits.headers_max = static_cast<size_t>(options.headers_max);
  limits.connections_max = static_cast<size_t>(options.connections_max);
  limits.idle_timeout_ms = options.idle_timeout_ms;
  limits.header_timeout_ms = options.header_timeout_ms;
  limits.body_timeout_ms = options.body_timeout_ms;
  limits.write_timeout_ms = options.write_timeout_ms;
  limits.write_backlog_bytes_max = static_cast<size_t>(options.write_backlog_bytes_max);
  return limits;
}

std::optional<ApiError> check_body_headers(const HttpRequest& request) {
  const std::string* type = request.header("Content-Type");
  if (type != nullptr && !is_json_type(*type)) {
    return http_refusal(415, "the body must be sent with Content-Type: application/json");
  }
  const std::string* encoding = request.header("Content-Encoding");
  if (encoding != nullptr && !equals_ignoring_case(*encoding, "identity")) {
    return http_refusal(415, "compressed bodies are not supported: leave out Content-Encoding");
  }
  return std::nullopt;
}

}  // namespace hussar
