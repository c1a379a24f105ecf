// Traces: when requests came to a real service and how long they were, to be sent again in the same rhythm.
//
//   CSV    Azure's LLM inference traces: TIMESTAMP,ContextTokens,GeneratedTokens with dates, or the names
//          arrival_timestamp (or arrived_at, in seconds), num_prefill_tokens, num_decode_tokens. Other
//          columns are passed over.
//   JSONL  Mooncake's traces: {"timestamp": 27482, "input_length": 6955, "output_length": 52,
//          "hash_ids": [46, 47]}; a hash id stands for a block of 512 tokens and all that is before it.
//          In place of input_length a line may bring its own "prompt" or "messages" (bench/dataset.h).
//          "timestamp" is in milliseconds or a date; "timestamp_s" is in seconds.
//
// Rows are sorted by time and the first is at 0. Files are foreign: everything is bounded, and the first bad
// line ends the reading with its number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/dataset.h"

namespace hussar {

inline constexpr int32_t kHashBlockTokens = 512;

struct TraceRow {
  int64_t at_ns = 0;
  int32_t input_tokens = -1;      // -1: it brings its own text
  int32_t output_tokens = -1;     // -1: the trace does not say
  std::vector<int64_t> hash_ids;  // equal leading ids: equal beginnings, of 512 tokens each
  std::string prompt;
  std::vector<ChatMessage> messages;
};

struct TraceLimits {
  int64_t file_bytes_max = int64_t{4} << 30;
  size_t row_bytes_max = 16 << 20;
  size_t rows_max = 2'000'000;
  size_t text_bytes_max = 1 << 30;  // of all rows: texts and hash ids
};

struct TraceOptions {
  double speed = 1;    // > 0; 2: twice as fast
  double seconds = 0;  // of the trace's own time, what comes later is left out; 0: all
};

struct Trace {
  std::vector<TraceRow> rows;  // at least one
  std::string format;          // "azure", "mooncake", "jsonl"
  int64_t raised = 0;          // rows that asked for 0 tokens in or out, and get 1
};

// `name` stands in front of each error. Errors: kInvalid, kTooLarge.
Result<Trace> parse_trace(std::string_view text, const std::string& name, const TraceOptions& options,
                          const TraceLimits& limits);
// Errors: also kNotFound, kIo.
Result<Trace> read_trace(const std::string& path, const TraceOptions& options, const TraceLimits& limits);

// "2023-11-16 18:15:46.6805900", "2024-05-10T00:00:00.009930+00:00", "...Z", in nanoseconds since 1970; a
// time without a zone is taken as UTC. Years 1970 to 2200.
std::optional<int64_t> read_date_ns(std::string_view text);

}  // namespace hussar
