#include "net/fetch.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <string_view>

#include "net/curl_library.h"

namespace hussar {
namespace {

constexpr long kSlowBytesPerSecond = 1024;
constexpr size_t kHeadBytesMax = 256 << 10;     // all header lines of an answer
constexpr size_t kHeaderBytesMax = 8 << 10;     // of one that is kept
constexpr int64_t kDroppedBytesMax = 64 << 10;  // of an error's body, before the connection is given up
constexpr size_t kUrlBytesMax = 16 << 10;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_library().url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

std::string url_part(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_library().url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return "";
  std::string copy = text;
  curl_library().free(text);
  return copy;
}

bool same_origin(const UrlParts& a, const UrlParts& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

// What one transfer (one hop of a redirect chain) collects.
struct Transfer {
  const FetchRequest& request;
  const std::function<bool(const FetchHead&)>& on_head;
  const std::function<bool(std::span<const std::byte>)>& on_body;
  const std::function<bool()>& stopped;
  CURL* curl;
  FetchHead head;
  size_t head_bytes = 0;
  int64_t body_bytes = 0;
  bool head_shown = false;
  FetchEnd ended = FetchEnd::kDone;  // why a callback ended it

  bool is_success() const { return head.status >= 200 && head.status < 300; }
  bool is_redirect() const {
    return head.status == 301 || head.status == 302 || head.status == 303 || head.status == 307 ||
           head.status == 308;
  }

  bool show_head() {
    if (head_shown || is_redirect()) return true;
    head_shown = true;
    curl_off_t wait_s = 0;
    if (curl_library().easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait_s) == CURLE_OK)
      head.retry_after_s = wait_s;
    if (on_head(head)) return true;
    ended = FetchEnd::kDeclined;
    return false;
  }

  bool take_header(std::string_view line) {
    head_bytes += line.size();
    if (head_bytes > kHeadBytesMax) {
      ended = FetchEnd::kTooLong;
      return false;
    }
    if (line.starts_with("HTTP/")) {
      head = {};  // of an interim answer (1xx) nothing stays
      const size_t space = std::min(line.find(' '), line.size() - 1);
      std::from_chars(line.data() + space + 1, line.data() + line.size(), head.status);
      return true;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.size() > kHeaderBytesMax) return true;
    const std::string name = lower(line.substr(0, colon));
    const size_t first = line.find_first_not_of(" \t", colon + 1);
    const size_t last = line.find_last_not_of(" \t\r\n");
    if (first == std::string_view::npos || last < first) return true;
    const std::string_view value = line.substr(first, last - first + 1);
    if (name == "content-range") head.content_range = value;
    if (name == "link") head.link = value;
    if (name == "content-length") {
      std::from_chars(value.data(), value.data() + value.size(), head.content_length);
    }
    return true;
  }

  bool take_body(std::span<const std::byte> bytes) {
    if (!show_head()) return false;
    body_bytes += static_cast<int64_t>(bytes.size());
    if (!is_success()) {
      if (body_bytes <= kDroppedBytesMax) return true;
      ended = FetchEnd::kDone;
      return false;
    }
    if (body_bytes > request.body_bytes_max) {
      ended = FetchEnd::kTooLong;
      return false;
    }
    if (on_body(bytes)) return true;
    ended = FetchEnd::kDeclined;
    return false;
  }
};

size_t header_callback(char* data, size_t size, size_t count, void* user) {
  return static_cast<Transfer*>(user)->take_header({data, size * count}) ? size * count : 0;
}

size_t body_callback(char* data, size_t size, size_t count, void* user) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size * count);
  return static_cast<Transfer*>(user)->take_body(bytes) ? size * count : 0;
}

int progress_callback(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto* transfer = static_cast<Transfer*>(user);
  if (!transfer->stopped()) return 0;
  transfer->ended = FetchEnd::kStopped;
  return 1;
}

FetchEnd end_of(CURLcode code, CURL* curl) {
  switch (code) {
    case CURLE_OK:
      return FetchEnd::kDone;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return FetchEnd::kBadUrl;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
      return FetchEnd::kUnreachable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
      return FetchEnd::kUntrusted;
    default: {
      // Before the request could be sent it is the connection that failed: a proxy refused, a handshake was
      // reset.
      curl_off_t connected_us = 0;
      curl_library().easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
      if (connected_us == 0) return FetchEnd::kUnreachable;
      return code == CURLE_OPERATION_TIMEDOUT ? FetchEnd::kStalled : FetchEnd::kBroken;
    }
  }
}

}  // namespace

Result<UrlParts> parse_url(const std::string& url) {
  const Error bad{ErrorCode::kInvalid, "not a URL that begins with http:// or https://", ""};
  const UrlHandle handle(curl_library().url());
  if (handle == nullptr || url.size() > kUrlBytesMax ||
      curl_library().url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return bad;
  }
  UrlParts parts;
  parts.scheme = lower(url_part(handle.get(), CURLUPART_SCHEME, 0));
  parts.host = lower(url_part(handle.get(), CURLUPART_HOST, 0));
  parts.port = url_part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  parts.path = url_part(handle.get(), CURLUPART_PATH, 0);
  parts.has_user = !url_part(handle.get(), CURLUPART_USER, 0).empty() ||
                   !url_part(handle.get(), CURLUPART_PASSWORD, 0).empty();
  parts.has_query_or_fragment = url.find_first_of("?#") != std::string::npos;
  if ((parts.scheme != "http" && parts.scheme != "https") || parts.host.empty()) return bad;
  return parts;
}

struct Fetcher::Impl {
  FetchOptions options;
  std::function<bool()> stopped;
  CURL* curl;
  char error_text[CURL_ERROR_SIZE] = "";

  void prepare(const FetchRequest& request, const std::string& url, curl_slist* headers, Transfer* transfer);
  FetchReply hop(const FetchRequest& request, const std::string& url, bool with_token, Transfer* transfer);
};

Fetcher::Fetcher(const FetchOptions& options, std::function<bool()> stopped) {
  static const CURLcode global = curl_library().global_init(CURL_GLOBAL_DEFAULT);
  impl_ = new Impl{options, std::move(stopped), global == CURLE_OK ? curl_library().easy_init() : nullptr};
  CHECK_NOTE(impl_->curl != nullptr, "libcurl could not be initialised");
}

Fetcher::~Fetcher() {
  curl_library().easy_cleanup(impl_->curl);
  delete impl_;
}

void Fetcher::Impl::prepare(const FetchRequest& request, const std::string& url, curl_slist* headers,
                            Transfer* transfer) {
  curl_library().easy_reset(curl);  // keeps connections and their sessions
  error_text[0] = '\0';
  const auto set = [this](CURLoption option, auto value) {
    CHECK_NOTE(curl_library().easy_setopt(curl, option, value) == CURLE_OK, "a libcurl option was refused");
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);  // redirects are followed by hand, by stricter rules
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) set(CURLOPT_CAINFO, options.ca_file.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "hussar");
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_ms_max));
  set(CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_s_max));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_ms_max));
  set(CURLOPT_ERRORBUFFER, error_text);
  if (request.range_end >= 0) {
    const std::string range =
        std::to_string(request.range_begin) + "-" + std::to_string(request.range_end - 1);
    set(CURLOPT_RANGE, range.c_str());
  }
  set(CURLOPT_HEADERFUNCTION, header_callback);
  set(CURLOPT_HEADERDATA, static_cast<void*>(transfer));
  set(CURLOPT_WRITEFUNCTION, body_callback);
  set(CURLOPT_WRITEDATA, static_cast<void*>(transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, progress_callback);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(transfer));
}

// One request and its answer.
FetchReply Fetcher::Impl::hop(const FetchRequest& request, const std::string& url, bool with_token,
                              Transfer* transfer) {
  // A body that arrives packed would have another length and other ranges.
  curl_slist* headers = curl_library().slist_append(nullptr, "Accept-Encoding: identity");
  if (with_token)
    headers = curl_library().slist_append(headers, ("Authorization: Bearer " + request.bearer_token).c_str());
  prepare(request, url, headers, transfer);
  const CURLcode code = curl_library().easy_perform(curl);
  FetchReply reply;
  reply.end = end_of(code, curl);
  if (code == CURLE_OK && !transfer->show_head()) reply.end = transfer->ended;
  const bool by_callback = code == CURLE_WRITE_ERROR || code == CURLE_ABORTED_BY_CALLBACK;
  if (by_callback) reply.end = transfer->ended;
  curl_library().slist_free_all(headers);
  reply.head = transfer->head;
  if (reply.end == FetchEnd::kTooLong) {
    reply.message = "the answer is longer than it may be";
  } else if (reply.end == FetchEnd::kStopped) {
    reply.message = "interrupted";
  } else if (reply.end != FetchEnd::kDone && reply.end != FetchEnd::kDeclined) {
    reply.message = error_text[0] != '\0' ? error_text : curl_library().easy_strerror(code);
  }
  return reply;
}

FetchReply Fetcher::get(const FetchRequest& request, const std::function<bool(const FetchHead&)>& on_head,
                        const std::function<bool(std::span<const std::byte>)>& on_body) {
  auto origin = parse_url(request.url);
  if (!origin.ok()) return {FetchEnd::kBadUrl, {}, origin.error().message};
  UrlParts place = *origin;
  std::string url = request.url;
  bool with_token = !request.bearer_token.empty();
  for (int64_t redirects = 0;; ++redirects) {
    Transfer transfer{request, on_head, on_body, impl_->stopped, impl_->curl, {}};
    FetchReply reply = impl_->hop(request, url, with_token, &transfer);
    if (reply.end != FetchEnd::kDone || !transfer.is_redirect()) return reply;
    reply.end = FetchEnd::kRedirect;
    if (redirects == impl_->options.redirects_max) {
      reply.message = "more than " + std::to_string(redirects) + " redirects";
      return reply;
    }
    const char* target = nullptr;
    curl_library().easy_getinfo(impl_->curl, CURLINFO_REDIRECT_URL, &target);
    const auto next = target != nullptr ? parse_url(target) : Error{};
    // The query of a redirect may hold a signature: only its host is ever shown.
    if (!next.ok()) {
      reply.message = "a redirect to no valid http or https URL";
      return reply;
    }
    if (place.scheme == "https" && next->scheme != "https") {
      reply.message = "a redirect from https to http, at " + next->host;
      return reply;
    }
    with_token = with_token && same_origin(*origin, *next);
    place = *next;
    url = target;
  }
}

}  // namespace hussar
