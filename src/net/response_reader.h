// Inside net: reads HTTP/1.1 answers from bytes as they come, without waiting and without a socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace hussar {

// Takes what a ResponseReader reads. Each returns false to have it stop there and then; the reader may then
// be gone.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual bool take_head(int status, const std::vector<HttpHeader>& headers) = 0;
  virtual bool take_body(std::string_view bytes) = 0;  // never empty; without chunk framing
};

class ResponseReader {
 public:
  enum class State {
    kMore,     // the answer goes on
    kDone,     // the answer is whole
    kBad,      // no HTTP/1.1 answer, or over a limit: see error()
    kStopped,  // the sink wanted no more
  };

  // `header_bytes_max` holds for the heads of one answer (1xx included), and again for its trailers.
  explicit ResponseReader(size_t header_bytes_max) : header_bytes_max_(header_bytes_max) {}

  // An answer to a request of this method comes next.
  void begin(std::string_view method);
  // Reads from `bytes`; what stands behind the answer's end stays unread. `*used`: how many were read.
  // Bytes of the body are handed on as they lie, so that nothing is copied.
  State feed(std::string_view bytes, ResponseSink* sink, size_t* used);
  // The connection has ended. True when that is the answer's proper end.
  bool ends_with_connection() const { return step_ == Step::kUntilClose; }

  bool begun() const { return begun_; }  // at least one byte came
  bool in_body() const { return step_ > Step::kHead; }
  // REQUIRES: the last feed() gave kDone. The connection may carry another request.
  bool keep_alive() const { return keep_alive_; }
  const std::string& error() const { return error_; }  // one line

 private:
  enum class Step { kHead, kSized, kUntilClose, kChunkSize, kChunkBytes, kChunkEnd, kTrailers, kDone };

  State fail(std::string message);
  State fail_no_http(std::string_view begin);
  State feed_head(std::string_view* bytes, ResponseSink* sink);
  State feed_body(std::string_view* bytes, ResponseSink* sink);
  State feed_line(std::string_view* bytes);
  State finish_head(ResponseSink* sink);
  bool parse_status_line(std::string_view line);
  bool parse_headers(std::string_view lines);
  bool choose_framing();
  State take_chunk_size();

  const size_t header_bytes_max_;
  Step step_ = Step::kHead;
  bool head_only_ = false;
  bool begun_ = false;
  bool keep_alive_ = false;
  bool http_1_1_ = false;
  int status_ = 0;
  size_t head_bytes_ = 0;    // read of heads, or of trailers
  std::string head_;         // as far as it has come
  std::string line_;         // a chunk's size or a trailer, as far as it has come
  uint64_t bytes_left_ = 0;  // of the chunk or the sized body
  std::vector<HttpHeader> headers_;
  std::string error_;
};

}  // namespace hussar
