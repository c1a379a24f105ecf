#include "net/response_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hussar {

namespace {

constexpr size_t kChunkLineBytesMax = 1024;  // a size with its extensions
constexpr uint64_t kBodyBytesMax = uint64_t{1} << 60;

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The start of foreign bytes, fit for a message.
std::string excerpt(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 40)) {
    if (c == '\r' || c == '\n') break;
    text += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return text;
}

// Calls `use` with each element of a comma-separated list.
template <typename Use>
void for_each_element(std::string_view list, Use use) {
  while (true) {
    const size_t comma = list.find(',');
    if (const auto element = trim(list.substr(0, comma)); !element.empty()) use(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// Decimal digits and nothing else.
std::optional<uint64_t> parse_length(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > kBodyBytesMax) return std::nullopt;
  return value;
}

// Takes the next line off `text`, without its end. REQUIRES: there is a '\n'.
std::string_view next_line(std::string_view* text) {
  const size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Where the head in `text` ends (behind its empty line), looking for it from `from` on; npos: not yet.
size_t find_head_end(std::string_view text, size_t from) {
  for (size_t at = text.find('\n', from); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (at + 1 < text.size() && text[at + 1] == '\n') return at + 2;
    if (at + 2 < text.size() && text[at + 1] == '\r' && text[at + 2] == '\n') return at + 3;
  }
  return std::string_view::npos;
}

}  // namespace

void ResponseReader::begin(std::string_view method) {
  step_ = Step::kHead;
  head_only_ = method == "HEAD";
  begun_ = false;
  head_bytes_ = 0;
  head_.clear();
  line_.clear();
  error_.clear();
}

ResponseReader::State ResponseReader::fail_no_http(std::string_view begin) {
  constexpr char kTlsAlert = 0x15;
  if (begin.starts_with(kTlsAlert)) return fail("the server speaks TLS: begin the URL with https://");
  return fail("the answer is no HTTP/1.1: it begins with \"" + excerpt(begin) + "\"");
}

ResponseReader::State ResponseReader::fail(std::string message) {
  error_ = std::move(message);
  return State::kBad;
}

ResponseReader::State ResponseReader::feed(std::string_view bytes, ResponseSink* sink, size_t* used) {
  const size_t size = bytes.size();
  if (size > 0) begun_ = true;
  State state = State::kMore;
  while (state == State::kMore && step_ != Step::kDone && !bytes.empty()) {
    state = step_ == Step::kHead ? feed_head(&bytes, sink) : feed_body(&bytes, sink);
  }
  if (state == State::kStopped) return state;  // this reader may be gone
  *used = size - bytes.size();
  return state == State::kMore && step_ == Step::kDone ? State::kDone : state;
}

ResponseReader::State ResponseReader::feed_head(std::string_view* bytes, ResponseSink* sink) {
  const size_t before = head_.size();
  const size_t room = header_bytes_max_ - head_bytes_;
  head_.append(bytes->substr(0, std::min(bytes->size(), room - before)));
  const size_t end = find_head_end(head_, before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    // What is no HTTP at all shows in the first bytes: no need to wait for an end that may never come.
    constexpr std::string_view kStart = "HTTP/1.";
    if (!std::string_view(head_).starts_with(kStart.substr(0, head_.size()))) {
      return fail_no_http(head_);
    }
    if (head_.size() >= room) {
      return fail("the answer's headers are longer than " + std::to_string(header_bytes_max_) + " bytes");
    }
    bytes->remove_prefix(bytes->size());
    return State::kMore;
  }
  bytes->remove_prefix(end - before);
  head_.resize(end);
  head_bytes_ += end;
  return finish_head(sink);
}

bool ResponseReader::parse_status_line(std::string_view line) {
  // HTTP/1.1 200 OK
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1')) return false;
  if (line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return false;
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, status_);
  http_1_1_ = line[7] == '1';
  return error == std::errc() && end == line.data() + 12 && status_ >= 100;
}

bool ResponseReader::parse_headers(std::string_view lines) {
  headers_.clear();
  while (true) {
    const std::string_view line = next_line(&lines);
    if (line.empty()) return true;
    if (line[0] == ' ' || line[0] == '\t') {  // a header that goes on, as old servers write them
      if (headers_.empty()) return false;
      headers_.back().value += ' ';
      headers_.back().value += trim(line);
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_http_token(line.substr(0, colon))) return false;
    headers_.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
  }
}

ResponseReader::State ResponseReader::finish_head(ResponseSink* sink) {
  std::string_view lines = head_;
  const std::string_view status_line = next_line(&lines);
  if (!parse_status_line(status_line)) return fail_no_http(status_line);
  if (!parse_headers(lines)) return fail("the answer has a malformed header line");
  head_.clear();
  if (status_ == 101) return fail("the server wants to change the protocol, which nobody asked for");
  if (status_ < 200) return State::kMore;  // an interim answer: the real one follows
  if (!choose_framing()) return State::kBad;
  return sink->take_head(status_, headers_) ? State::kMore : State::kStopped;
}

// How the body's end will be known, and whether the connection can be used again.
bool ResponseReader::choose_framing() {
  std::optional<uint64_t> length;
  bool encoded = false, chunked = false, chunked_last = false, close = false, keep = false, bad = false;
  for (const HttpHeader& header : headers_) {
    if (equals_ignoring_case(header.name, "content-length")) {
      for_each_element(header.value, [&](std::string_view element) {
        const auto value = parse_length(element);
        if (!value || (length && *length != *value)) bad = true;
        length = value;
      });
    } else if (equals_ignoring_case(header.name, "transfer-encoding")) {
      encoded = true;
      for_each_element(header.value, [&](std::string_view element) {
        chunked_last = equals_ignoring_case(element, "chunked");
        if (!chunked_last || chunked) bad = true;
        chunked = true;
      });
    } else if (equals_ignoring_case(header.name, "connection")) {
      for_each_element(header.value, [&](std::string_view element) {
        close |= equals_ignoring_case(element, "close");
        keep |= equals_ignoring_case(element, "keep-alive");
      });
    }
  }
  keep_alive_ = !close && (http_1_1_ || keep);
  if (head_only_ || status_ == 204 || status_ == 304) {
    step_ = Step::kDone;
    return true;
  }
  if (bad || (encoded && !chunked_last)) {
    fail(encoded ? "the answer's Transfer-Encoding is not understood"
                 : "the answer's Content-Length is malformed");
    return false;
  }
  if (encoded) {
    if (length) keep_alive_ = false;  // two lengths: somebody on the way might have taken the other one
    step_ = Step::kChunkSize;
    head_bytes_ = 0;  // from here on of the trailers
  } else if (length) {
    bytes_left_ = *length;
    step_ = *length == 0 ? Step::kDone : Step::kSized;
  } else {
    keep_alive_ = false;
    step_ = Step::kUntilClose;
  }
  return true;
}

// Collects a line. kDone: line_ is whole, without its end.
ResponseReader::State ResponseReader::feed_line(std::string_view* bytes) {
  const size_t end = bytes->find('\n');
  const size_t limit = step_ == Step::kTrailers ? header_bytes_max_ - head_bytes_ : kChunkLineBytesMax;
  const std::string_view part = bytes->substr(0, end);
  if (line_.size() + part.size() > limit) return fail("a line of the answer's chunks is too long");
  line_ += part;
  if (end == std::string_view::npos) {
    bytes->remove_prefix(bytes->size());
    return State::kMore;
  }
  bytes->remove_prefix(end + 1);
  if (line_.ends_with('\r')) line_.pop_back();
  return State::kDone;
}

ResponseReader::State ResponseReader::take_chunk_size() {
  const std::string_view digits = trim(std::string_view(line_).substr(0, line_.find(';')));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bytes_left_, 16);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      bytes_left_ > kBodyBytesMax) {
    return fail("a chunk of the answer begins with \"" + excerpt(line_) + "\", not with its size");
  }
  step_ = bytes_left_ == 0 ? Step::kTrailers : Step::kChunkBytes;
  return State::kMore;
}

ResponseReader::State ResponseReader::feed_body(std::string_view* bytes, ResponseSink* sink) {
  if (step_ == Step::kUntilClose) {
    const std::string_view part = *bytes;
    bytes->remove_prefix(part.size());
    return sink->take_body(part) ? State::kMore : State::kStopped;
  }
  if (step_ == Step::kSized || step_ == Step::kChunkBytes) {
    const std::string_view part =
        bytes->substr(0, static_cast<size_t>(std::min<uint64_t>(bytes_left_, bytes->size())));
    bytes->remove_prefix(part.size());
    bytes_left_ -= part.size();
    if (bytes_left_ == 0) step_ = step_ == Step::kSized ? Step::kDone : Step::kChunkEnd;
    return sink->take_body(part) ? State::kMore : State::kStopped;
  }
  if (const State state = feed_line(bytes); state != State::kDone) return state;
  State state = State::kMore;
  if (step_ == Step::kChunkSize) {
    state = take_chunk_size();
  } else if (step_ == Step::kChunkEnd) {
    if (!line_.empty()) return fail("a chunk of the answer is longer than its size");
    step_ = Step::kChunkSize;
  } else if (line_.empty()) {
    step_ = Step::kDone;
  } else {
    head_bytes_ += line_.size();
  }
  line_.clear();
  return state;
}

}  // namespace hussar
