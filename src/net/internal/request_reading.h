// Inside net: what our servers have in common when they read a request with Beast's parser.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>
#include <optional>
#include <string>

#include "net/http.h"

namespace hussar {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

// An answer to what never became a request.
struct RequestRefusal {
  int status = 400;
  std::string detail;  // one line
};

void limit_parser(const HttpLimits& limits, RequestParser* parser);

// REQUIRES of all below: the parser has the whole head.
std::optional<RequestRefusal> check_head(const RequestParser& parser, const HttpLimits& limits);
bool wants_continue(const RequestParser& parser);  // Expect: 100-continue
// How many bytes of a body to reserve: as many as it announces, or the most that it may have.
size_t announced_body_bytes(const RequestParser& parser, const HttpLimits& limits);
// All but `id` and `peer`; received now. REQUIRES: the parser is done.
HttpRequest take_request(RequestParser* parser);

// What to say about an error of the parser; nothing when the connection merely ended.
std::optional<RequestRefusal> refusal_for(boost::system::error_code error, const HttpLimits& limits);

}  // namespace hussar
