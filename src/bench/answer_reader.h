// From the pieces of one answer, with the times at which they came, to what a RequestRecord says of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/event_scanner.h"
#include "bench/record.h"
#include "bench/sse_parser.h"
#include "net/http.h"
#include "net/stream_client.h"

namespace hussar {

inline constexpr size_t kWholeAnswerBytesMax = 16 << 20;
inline constexpr size_t kChunksMax = 1 << 20;
inline constexpr size_t kErrorBodyBytesMax = 64 << 10;

struct AnswerReaderOptions {
  bool streamed = true;            // an event stream was asked for
  int32_t output_tokens_max = -1;  // what was asked for; -1: not known
  int32_t prompt_tokens = -1;      // stands in where usage does not say; -1: not known
  bool keep_text = false;
};

// How an answer ended is decided by the first of these that holds:
//   1. Nothing came: kConnectFailed before a byte was sent, or what give_up() said, else kTruncated, or
//      kBadJson for what is no HTTP.
//   2. A status other than 200: kHttp429, kHttp4xx, kHttp5xx; kBadJson for any other.
//   3. An error inside of a 200, even behind text: kInBandError.
//   4. A document that is no JSON, of wrong types, without an answer in it, or an answer that is no event
//      stream though one was asked for: kBadJson. A body of no bytes at all: kEmptyAnswer.
//   5. give_up(), unless [DONE] had come.
//   6. A stream without [DONE] that has no finish_reason or no orderly end, a connection that broke:
//      kTruncated.
//   7. No text, reasoning or tool call: kEmptyAnswer.
//   8. usage contradicts itself or the answer: kUsageMismatch. That is a negative count, one that falls from
//      event to event, more tokens from a cache than in the prompt, no output tokens though text came, more
//      of them than were asked for. Fewer tokens than events with text are none: a token may come in two
//      parts.
//   9. kOk.
// Tokens of a chunk: from usage, where every chunk brings it; else from the ids or log-probabilities in it;
// else one each, where the answer has as many tokens as chunks. In any other case they stay unknown.
class AnswerReader {
 public:
  // Fills `record`: times of text, chunks, counts, outcome. It must outlive the reader.
  AnswerReader(const AnswerReaderOptions& options, RequestRecord* record);

  void head(int status, const std::vector<HttpHeader>& headers, int64_t at_ns);
  void body(std::string_view bytes, int64_t at_ns);
  // Whoever waits has lost patience and ends the call; `detail` for people.
  void give_up(Outcome why, std::string detail);
  // Once, after everything else.
  void end(CallEnd end, std::string_view detail, int64_t at_ns);

  // The outcome can't change any more, whatever comes: what is left need not be waited for.
  bool settled() const { return done_ || !error_.empty() || !fault_.empty() || bad_status_; }

 private:
  enum class BodyKind { kEvents, kDocument };
  enum class ChunkTokens { kUndecided, kUsage, kEntries, kUnknown };

  void read_events(int64_t at_ns);
  void read_event(const SseEvent& event, int64_t at_ns);
  void read_document(int64_t at_ns);
  void report_error(std::string_view document);
  void exceed(size_t limit, const char* unit);
  void take(const AnswerEvent& event, int64_t at_ns);
  void take_usage(const AnswerEvent& event);
  void add_chunk(const AnswerEvent& event, int64_t at_ns);
  void count_chunk_tokens(const AnswerEvent& event, TextChunk* chunk);
  void finish_chunks();
  bool scan(std::string_view json, AnswerEvent* event);
  void mismatch(std::string what);
  Outcome judge(CallEnd end, std::string_view detail);
  Outcome judge_status(std::string_view detail);
  Outcome judge_nothing(CallEnd end, std::string_view detail);
  Outcome because(Outcome outcome, std::string_view why);

  const AnswerReaderOptions options_;
  RequestRecord* const record_;
  BodyKind kind_ = BodyKind::kEvents;
  bool bad_status_ = false;
  std::string content_type_;
  SseParser parser_;
  std::string document_;  // whole answers and error bodies
  AnswerEvent event_;     // kept for its memory

  bool any_events_ = false, any_text_ = false, done_ = false, over_limit_ = false;
  std::string error_;     // an error in a 200
  std::string fault_;     // why the answer is not what the API promises
  std::string mismatch_;  // how the counts contradict each other
  std::optional<Outcome> given_up_;
  std::string given_up_detail_;

  ChunkTokens chunk_tokens_ = ChunkTokens::kUndecided;
  int64_t completion_tokens_ = -1;    // as usage said last
  int64_t tokens_in_chunks_ = 0;      // of completion_tokens_, those that chunks have
  int64_t entries_without_text_ = 0;  // tokens whose text has not come yet
};

}  // namespace hussar
