#include "net/internal/request_reading.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <iterator>

namespace hussar {

namespace http = boost::beast::http;

void limit_parser(const HttpLimits& limits, RequestParser* parser) {
  parser->header_limit(static_cast<uint32_t>(limits.header_bytes_max));
  parser->body_limit(limits.body_bytes_max);
}

std::optional<RequestRefusal> check_head(const RequestParser& parser, const HttpLimits& limits) {
  const auto& message = parser.get();
  const size_t headers = static_cast<size_t>(std::distance(message.begin(), message.end()));
  if (headers > limits.headers_max) {
    return RequestRefusal{431, "at most " + std::to_string(limits.headers_max) + " headers are allowed"};
  }
  if (message.version() != 10 && message.version() != 11) {
    return RequestRefusal{400, "the HTTP version is not supported"};
  }
  if (message.version() == 11 && message.count(http::field::host) != 1) {
    return RequestRefusal{400, "exactly one Host header is needed"};
  }
  if (const auto expect = message.find(http::field::expect);
      expect != message.end() && !boost::beast::iequals(expect->value(), "100-continue")) {
    return RequestRefusal{417, "only Expect: 100-continue is known"};
  }
  return std::nullopt;
}

bool wants_continue(const RequestParser& parser) {
  return parser.get().version() == 11 && parser.get().count(http::field::expect) != 0;
}

size_t announced_body_bytes(const RequestParser& parser, const HttpLimits& limits) {
  const auto announced = parser.content_length();
  return announced ? static_cast<size_t>(*announced) : limits.body_bytes_max;
}

HttpRequest take_request(RequestParser* parser) {
  auto& message = parser->get();
  HttpRequest request;
  request.method = message.method_string();
  std::string_view target = message.target();
  if (target.starts_with("http://")) {  // the absolute form, which a proxy may send
    const size_t slash = target.find('/', 7);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  for (const auto& field : message) {
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  request.body = std::move(message.body());
  request.received = Clock::now();
  return request;
}

std::optional<RequestRefusal> refusal_for(boost::system::error_code error, const HttpLimits& limits) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return RequestRefusal{
        431, "the headers are longer than " + std::to_string(limits.header_bytes_max) + " bytes"};
  }
  if (error == http::error::body_limit) {
    return RequestRefusal{413, "the body is longer than " + std::to_string(limits.body_bytes_max) + " bytes"};
  }
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return RequestRefusal{400, "this is not HTTP: " + error.message()};
  }
  return std::nullopt;
}

}  // namespace hussar
