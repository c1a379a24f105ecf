// HTTP/1.x requests from anybody: any bytes, cut anywhere, are requests within the limits and at most one
// refusal, and the same requests however they are cut. (What is none may be refused or wait for more, which
// depends on where Beast's parser is when it looks.) Read as the server reads a connection: with Beast's
// parser and buffer, and what comes behind a request is the next one.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "net/internal/request_reading.h"

namespace {

using BoostError = boost::system::error_code;

constexpr size_t kReadBytes = 16 << 10;

hussar::HttpLimits limits() {
  hussar::HttpLimits limits;
  limits.header_bytes_max = 512;
  limits.headers_max = 8;
  limits.body_bytes_max = 256;
  return limits;
}

// What a socket is to the parser: pieces of the text, then its end.
struct Pieces {
  std::string_view left;
  size_t piece_bytes;

  template <typename Buffers>
  size_t read_some(const Buffers& buffers, BoostError& error) {
    const std::string_view piece = left.substr(0, piece_bytes);
    const size_t read = boost::asio::buffer_copy(buffers, boost::asio::buffer(piece.data(), piece.size()));
    left.remove_prefix(read);
    error = read == 0 ? BoostError(boost::asio::error::eof) : BoostError();
    return read;
  }
  template <typename Buffers>
  size_t read_some(const Buffers& buffers) {  // which Beast's requirements name, and its reading never calls
    BoostError ignored;
    return read_some(buffers, ignored);
  }
};

void check_request(const hussar::HttpRequest& request) {
  const hussar::HttpLimits max = limits();
  CHECK(hussar::is_http_token(request.method));
  CHECK(request.path.find('?') == std::string::npos);
  CHECK(request.headers.size() <= max.headers_max && request.body.size() <= max.body_bytes_max);
  for (const hussar::HttpHeader& header : request.headers) {
    CHECK(hussar::is_http_token(header.name));
    CHECK(header.value.find_first_of("\r\n") == std::string::npos);
  }
  (void)hussar::percent_decode(request.path);
}

std::string hear(std::string_view text, size_t piece_bytes) {
  const hussar::HttpLimits max = limits();
  Pieces pieces{text, piece_bytes};
  boost::beast::flat_buffer buffer(max.header_bytes_max + kReadBytes);
  std::string heard;  // all that the connection makes the server know
  const auto refuse = [&](const std::optional<hussar::RequestRefusal>& refusal) {
    if (!refusal) return;
    CHECK(refusal->status >= 400 && refusal->status < 500);
    CHECK(!refusal->detail.empty() && refusal->detail.find('\n') == std::string::npos);
  };
  for (;;) {
    hussar::RequestParser parser;
    hussar::limit_parser(max, &parser);
    BoostError error;
    boost::beast::http::read_header(pieces, buffer, parser, error);
    if (error) return refuse(hussar::refusal_for(error, max)), heard;
    if (const auto refusal = hussar::check_head(parser, max)) return refuse(refusal), heard;
    CHECK(hussar::announced_body_bytes(parser, max) <= max.body_bytes_max);
    (void)hussar::wants_continue(parser);
    if (!parser.is_done()) boost::beast::http::read(pieces, buffer, parser, error);
    if (error) return refuse(hussar::refusal_for(error, max)), heard;
    const bool keep_alive = parser.get().keep_alive();
    const hussar::HttpRequest request = hussar::take_request(&parser);
    check_request(request);
    heard += request.method + ' ' + request.path + '?' + request.query + '\n';
    for (const hussar::HttpHeader& header : request.headers)
      heard += header.name + ": " + header.value + '\n';
    heard += request.body + '\n';
    if (!keep_alive) return heard;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = hear(text, kReadBytes);
  const std::string cut = hear(text, size_t{1} + data[0] % 40);
  // How near its limit a head is refused depends on the cuts as well.
  if (text.size() <= limits().header_bytes_max) CHECK(cut == whole);
  return 0;
}
