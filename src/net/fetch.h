// An HTTP client for downloads: one GET at a time over a kept connection, every step of it limited. The only
// user of libcurl is fetch.cc. Proxies come from the usual environment variables (https_proxy, no_proxy).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"

namespace hussar {

struct FetchOptions {
  std::string ca_file;  // certificates to trust (PEM) in place of the system's; empty: the system's
  int64_t redirects_max = 5;
  int64_t connect_ms_max = 15'000;
  int64_t stall_s_max = 30;  // so long under 1 KiB/s, headers included: the transfer has stalled
};

struct FetchRequest {
  std::string url;
  std::string
      bearer_token;  // sent to the origin of `url` only, and never after a redirect to another; may be empty
  int64_t range_begin = 0;     // with range_end: the bytes [range_begin, range_end)
  int64_t range_end = -1;      // -1: the whole body
  int64_t total_ms_max = 0;    // 0: no limit
  int64_t body_bytes_max = 0;  // of a 2xx answer; more ends the transfer with kTooLong
};

// The head of the answer that is no redirect.
struct FetchHead {
  int32_t status = 0;
  int64_t content_length = -1;  // -1: not said
  std::string content_range;
  std::string link;
  int64_t retry_after_s = 0;  // 0: not said
};

enum class FetchEnd {
  kDone,         // an answer came, whole; its status may be an error
  kBadUrl,       // nothing was sent
  kUnreachable,  // no connection: name, address, proxy
  kUntrusted,    // the certificate is not trusted, or can't be checked
  kStalled,
  kBroken,    // the connection ended before the answer did
  kRedirect,  // too many, or to a place that it must not go
  kTooLong,
  kDeclined,  // a handler returned false
  kStopped,
};

struct FetchReply {
  FetchEnd end = FetchEnd::kDone;
  FetchHead head;
  std::string message;  // one line for people where `end` is not kDone
};

// Not thread-safe; one for each thread.
class Fetcher {
 public:
  // `stopped` is asked several times a second, by the thread in get(); true ends the transfer.
  Fetcher(const FetchOptions& options, std::function<bool()> stopped);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // `on_head` sees the head of the answer before its body; `on_body` gets the body of a 2xx answer in pieces.
  // Either ends the transfer by returning false. The body of another answer is dropped.
  FetchReply get(const FetchRequest& request, const std::function<bool(const FetchHead&)>& on_head,
                 const std::function<bool(std::span<const std::byte>)>& on_body);

 private:
  struct Impl;
  Impl* impl_;
};

struct UrlParts {
  std::string scheme, host, port;  // lower case; the port as a number, the scheme's own where none is written
  std::string path;                // as it is written, at least "/"
  bool has_user = false, has_query_or_fragment = false;
};

// Errors: kInvalid for anything but a whole http or https URL.
Result<UrlParts> parse_url(const std::string& url);

}  // namespace hussar
