// What is known of one request of a run: when things happened and how it ended. All times are nanoseconds on
// the steady clock since the run's start; -1 where it never happened.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

enum class Outcome : uint8_t {
  kOk,  // a whole answer with text
  kConnectFailed,
  kConnectTimeout,
  kFirstTokenTimeout,
  kStallTimeout,  // between two pieces of text
  kTotalTimeout,
  kHttp4xx,  // but 429
  kHttp429,
  kHttp5xx,
  kInBandError,    // an error object in a stream or in a 200
  kTruncated,      // the answer ended before its own end mark
  kEmptyAnswer,    // a 200, whole, without one token of text
  kBadJson,        // what came is not what the API promises: no JSON, no event stream, wrong types
  kUsageMismatch,  // whole, but its token counts contradict each other
  kCancelled,      // by the plan (cancellation rate): neither a success nor an error
  kUnfinished,     // the run ended first (Ctrl-C, end of the drain): neither a success nor an error
};
inline constexpr int kOutcomeCount = 16;

// "ok", "connect_failed", ...: the names used in every file.
std::string_view outcome_name(Outcome outcome);
bool is_error(Outcome outcome);  // all but kOk, kCancelled and kUnfinished

enum class TokenSource : uint8_t { kUnknown, kUsage, kTokenize };
std::string_view token_source_name(TokenSource source);  // "unknown", "usage", "tokenize"

// One event that brought text.
struct TextChunk {
  int64_t at_ns = 0;
  int32_t tokens = 0;  // 0: not known for this chunk alone
};

struct RequestRecord {
  int64_t index = 0;  // in the order of sending
  int32_t user = -1;  // closed loop
  int32_t stage = 0;  // index of the stage; -1: warm-up
  std::string label;  // from the planned request

  int64_t scheduled_ns = -1;  // when it should have gone out; closed loop: when its user was ready
  int64_t sent_ns = -1;       // the client began to send it, or to connect for it
  int64_t connected_ns = -1;  // a connection stood, its first byte went out
  int64_t written_ns = -1;
  int64_t head_ns = -1;
  int64_t first_token_ns = -1;  // the first chunk with text
  int64_t last_token_ns = -1;
  int64_t end_ns = -1;
  bool connection_reused = false;
  bool streamed = true;

  Outcome outcome = Outcome::kUnfinished;
  std::string detail;  // one line where the outcome is an error
  int32_t http_status = 0;
  double retry_after_s = -1;

  int32_t prompt_tokens = -1;
  int32_t cached_tokens = -1;  // of the prompt, where the server says
  int32_t output_tokens = -1;
  TokenSource token_source = TokenSource::kUnknown;
  std::string finish_reason;
  double server_ttft_s = -1;  // the article's dialect
  std::vector<TextChunk> chunks;
  std::string text;  // kept only when the run asks for it
  int64_t text_bytes = 0;
};

}  // namespace hussar
