// HTTP messages as values, and the limits of a server. No library types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace hussar {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  uint64_t id = 0;  // unique within the process
  std::string method;
  std::string path;   // as sent, without the query
  std::string query;  // what follows '?'
  std::vector<HttpHeader> headers;
  std::string body;
  std::string peer;    // "127.0.0.1:50412"
  TimePoint received;  // when the last byte had come

  // The value of the first header of this name (any case); null when there is none.
  const std::string* header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type;  // empty: none
  std::vector<HttpHeader> headers;
  std::string body;
};

struct HttpLimits {
  size_t body_bytes_max = 8 << 20;
  size_t body_bytes_all_max = 256 << 20;  // of all requests that are being read or answered
  size_t header_bytes_max = 32 << 10;
  size_t headers_max = 100;
  size_t connections_max = 1024;
  int64_t idle_timeout_ms = 75'000;
  int64_t header_timeout_ms = 10'000;
  int64_t body_timeout_ms = 60'000;
  int64_t write_timeout_ms = 30'000;
  size_t write_backlog_bytes_max = 4 << 20;
};

// "Not Found" for 404; "Status" for a number that has no phrase here.
std::string_view http_status_phrase(int status);

// Undoes %XX; a broken escape stays as it is.
std::string percent_decode(std::string_view text);

// A word as methods and header names are.
bool is_http_token(std::string_view text);

// Equal but for the case of ASCII letters.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace hussar
