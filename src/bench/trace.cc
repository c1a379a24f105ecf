#include "bench/trace.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/mapped_file.h"
#include "bench/json_rows.h"
#include "bench/lengths.h"
#include "bench/spec_text.h"

namespace hussar {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kTimestampSecondsMax = 5e9;  // of a plain number: beyond any date, and fits in nanoseconds
constexpr size_t kColumnsMax = 64;

Error bad(const std::string& message) { return {ErrorCode::kInvalid, message, ""}; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return result;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

struct TimedRow {
  int64_t at_ns = 0;
  TraceRow row;
};

Result<int64_t> seconds_to_ns(double seconds) {
  if (!(seconds >= 0 && seconds <= kTimestampSecondsMax)) return bad("the timestamp is out of range");
  return static_cast<int64_t>(std::llround(seconds * kNsPerSecond));
}

// CSV: where the columns are that we read.
struct Columns {
  size_t time = SIZE_MAX, input = SIZE_MAX, output = SIZE_MAX;
  size_t last() const { return std::max({time, input, output}); }
};

Result<Columns> read_header(std::string_view line) {
  Columns columns;
  const std::vector<std::string_view> names = split_spec(line, ',');
  if (names.size() > kColumnsMax) return bad("more than " + std::to_string(kColumnsMax) + " columns");
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name = lower(trimmed(names[i]));
    const auto is_one_of = [&name](std::initializer_list<std::string_view> known) {
      return std::find(known.begin(), known.end(), name) != known.end();
    };
    if (is_one_of({"timestamp", "arrival_timestamp", "arrived_at"})) columns.time = i;
    if (is_one_of({"contexttokens", "num_prefill_tokens"})) columns.input = i;
    if (is_one_of({"generatedtokens", "num_decode_tokens"})) columns.output = i;
  }
  if (columns.last() == SIZE_MAX) {
    return bad(
        "the head of a trace names TIMESTAMP, ContextTokens and GeneratedTokens, or arrival_timestamp, "
        "num_prefill_tokens and num_decode_tokens");
  }
  return columns;
}

Result<int64_t> read_csv_time(std::string_view text) {
  if (const auto date = read_date_ns(text)) return *date;
  if (const auto seconds = read_spec_number(text)) return seconds_to_ns(*seconds);
  return bad("'" + std::string(text.substr(0, 40)) + "' is neither a date nor a number of seconds");
}

Result<int32_t> read_csv_tokens(std::string_view text) {
  // Some tables write whole numbers with a point: 374.0.
  const auto tokens = read_spec_number(text);
  if (!tokens || *tokens > kTokensMax || *tokens != std::floor(*tokens)) {
    return bad("'" + std::string(text.substr(0, 40)) + "' is no number of tokens from 0 to " +
               std::to_string(kTokensMax));
  }
  return static_cast<int32_t>(*tokens);
}

Result<TimedRow> read_csv_row(std::string_view line, const Columns& columns) {
  const std::vector<std::string_view> fields = split_spec(line, ',');
  if (fields.size() <= columns.last() || fields.size() > kColumnsMax) {
    return bad("the line has " + std::to_string(fields.size()) + " fields, unlike the head");
  }
  TimedRow timed;
  ASSIGN_OR_RETURN(timed.at_ns, read_csv_time(trimmed(fields[columns.time])));
  ASSIGN_OR_RETURN(timed.row.input_tokens, read_csv_tokens(trimmed(fields[columns.input])));
  ASSIGN_OR_RETURN(timed.row.output_tokens, read_csv_tokens(trimmed(fields[columns.output])));
  return timed;
}

Result<int64_t> read_json_time(const Json& object) {
  double number = 0;
  if (const Json* seconds = object.find("timestamp_s")) {
    if (!seconds->as_number(&number)) return bad("\"timestamp_s\" must be a number of seconds");
    return seconds_to_ns(number);
  }
  const Json* time = object.find("timestamp");
  if (time == nullptr) return bad("\"timestamp\" is missing");
  if (time->as_number(&number)) return seconds_to_ns(number / 1e3);
  const std::string* text = time->as_string();
  const auto date = text != nullptr ? read_date_ns(*text) : std::nullopt;
  if (!date) return bad("\"timestamp\" must be a number of milliseconds or a date");
  return *date;
}

// -1 where there is no such member.
Result<int32_t> read_input_tokens(const Json& object) {
  const Json* value = object.find("input_length");
  if (value == nullptr) return -1;
  const int64_t* tokens = value->as_int();
  if (tokens == nullptr || *tokens < 0 || *tokens > kTokensMax) {
    return bad("\"input_length\" must be a whole number from 0 to " + std::to_string(kTokensMax));
  }
  return static_cast<int32_t>(*tokens);
}

Result<void> read_hash_ids(const Json& object, TraceRow* row) {
  const Json* value = object.find("hash_ids");
  if (value == nullptr) return {};
  const JsonArray* ids = value->as_array();
  if (ids == nullptr) return bad("\"hash_ids\" must be an array of whole numbers");
  for (const Json& id : *ids) {
    if (id.as_int() == nullptr) return bad("\"hash_ids\" must be an array of whole numbers");
    row->hash_ids.push_back(*id.as_int());
  }
  return {};
}

Result<TimedRow> read_json_row(std::string_view text, size_t bytes_max) {
  ASSIGN_OR_RETURN(const Json object, parse_json(text, JsonLimits{.bytes_max = bytes_max}));
  TimedRow timed;
  DatasetRow own;
  RETURN_IF_ERROR(read_request_text(object, &own));
  ASSIGN_OR_RETURN(timed.at_ns, read_json_time(object));
  ASSIGN_OR_RETURN(timed.row.input_tokens, read_input_tokens(object));
  ASSIGN_OR_RETURN(timed.row.output_tokens, read_answer_tokens(object, 0));
  RETURN_IF_ERROR(read_hash_ids(object, &timed.row));
  const bool has_text = !own.prompt.empty() || !own.messages.empty();
  if (has_text == (timed.row.input_tokens >= 0)) {
    return bad(has_text ? "it has a text and an \"input_length\"; one of them is wanted"
                        : "\"input_length\", \"prompt\" or \"messages\" is missing");
  }
  timed.row.prompt = std::move(own.prompt);
  timed.row.messages = std::move(own.messages);
  return timed;
}

// Sorted, from 0, faster or slower, cut.
Result<Trace> finish(std::vector<TimedRow> timed, std::string format, const TraceOptions& options) {
  std::stable_sort(timed.begin(), timed.end(),
                   [](const TimedRow& a, const TimedRow& b) { return a.at_ns < b.at_ns; });
  Trace trace;
  trace.format = std::move(format);
  for (TimedRow& from : timed) {
    const int64_t since_first_ns = from.at_ns - timed.front().at_ns;
    if (options.seconds > 0 && static_cast<double>(since_first_ns) >= options.seconds * kNsPerSecond) break;
    const double at_ns = static_cast<double>(since_first_ns) / options.speed;
    if (at_ns > kRunSecondsMax * kNsPerSecond) {
      return bad("the trace takes longer than a week at this speed; --trace-seconds cuts it");
    }
    TraceRow& row = from.row;
    row.at_ns = static_cast<int64_t>(std::llround(at_ns));
    const bool zero_in = row.input_tokens == 0, zero_out = row.output_tokens == 0;
    if (zero_in) row.input_tokens = 1;
    if (zero_out) row.output_tokens = 1;
    trace.raised += zero_in || zero_out;
    trace.rows.push_back(std::move(row));
  }
  return trace;
}

}  // namespace

Result<Trace> parse_trace(std::string_view text, const std::string& name, const TraceOptions& options,
                          const TraceLimits& limits) {
  RowReader reader(text, name, limits.row_bytes_max);
  std::vector<TimedRow> timed;
  std::optional<Columns> columns;  // of a CSV file
  bool prefixes = false;
  size_t text_bytes = 0;
  int64_t earliest_ns = INT64_MAX;
  for (int64_t number = 0;; ++number) {
    ASSIGN_OR_RETURN(const std::optional<TextRow> line, reader.next());
    if (!line) break;
    const bool json = line->text[0] == '{';
    if (number == 0 && !json) {
      auto head = read_header(line->text);
      if (!head.ok()) return row_error(name, line->line, head.error().message);
      columns = *head;
      continue;
    }
    auto row = columns ? read_csv_row(line->text, *columns) : read_json_row(line->text, limits.row_bytes_max);
    if (!row.ok()) return row_error(name, line->line, row.error().message);
    earliest_ns = std::min(earliest_ns, row->at_ns);
    // Surely after the cut, so a long trace need not be held.
    if (options.seconds > 0 &&
        static_cast<double>(row->at_ns - earliest_ns) >= options.seconds * kNsPerSecond) {
      continue;
    }
    prefixes |= !row->row.hash_ids.empty();
    text_bytes += columns ? 0 : line->text.size();
    if (timed.size() == limits.rows_max || text_bytes > limits.text_bytes_max) {
      return row_error(name, line->line, "the trace is too large to be held; --trace-seconds cuts it",
                       ErrorCode::kTooLarge);
    }
    timed.push_back(std::move(*row));
  }
  if (timed.empty()) return Error{ErrorCode::kInvalid, name + ": there is no request in it", ""};
  return finish(std::move(timed), columns ? "azure" : prefixes ? "mooncake" : "jsonl", options);
}

Result<Trace> read_trace(const std::string& path, const TraceOptions& options, const TraceLimits& limits) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  if (static_cast<int64_t>(bytes.size()) > limits.file_bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 path + ": the file is larger than " + std::to_string(limits.file_bytes_max) + " bytes", ""};
  }
  return parse_trace({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, options, limits);
}

}  // namespace hussar
