#include "bench/answer_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/json.h"
#include "bench/refusal_text.h"

namespace hussar {

namespace {

constexpr std::string_view kDone = "[DONE]";
constexpr int64_t kTokensMax = std::numeric_limits<int32_t>::max();

const std::string* find_header(const std::vector<HttpHeader>& headers, std::string_view name) {
  for (const HttpHeader& header : headers) {
    if (equals_ignoring_case(header.name, name)) return &header.value;
  }
  return nullptr;
}

// Seconds; a date, the header's other form, is left unread.
double read_retry_after(const std::string* value) {
  double seconds = -1;
  if (value == nullptr) return -1;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  const bool whole = error == std::errc() && end == value->data() + value->size();
  return whole && seconds >= 0 && seconds < 1e9 ? seconds : -1;
}

bool is_event_stream(std::string_view content_type) {
  constexpr std::string_view kType = "text/event-stream";
  return equals_ignoring_case(content_type.substr(0, kType.size()), kType);
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

AnswerReader::AnswerReader(const AnswerReaderOptions& options, RequestRecord* record)
    : options_(options), record_(record) {}

void AnswerReader::head(int status, const std::vector<HttpHeader>& headers, int64_t at_ns) {
  record_->head_ns = at_ns;
  record_->http_status = status;
  record_->retry_after_s = read_retry_after(find_header(headers, "Retry-After"));
  bad_status_ = status != 200;
  if (const std::string* type = find_header(headers, "Content-Type")) content_type_ = *type;
  const bool events = options_.streamed && !bad_status_ && is_event_stream(content_type_);
  kind_ = events ? BodyKind::kEvents : BodyKind::kDocument;
}

void AnswerReader::body(std::string_view bytes, int64_t at_ns) {
  if (kind_ == BodyKind::kEvents) {
    parser_.feed(bytes);
    return read_events(at_ns);
  }
  const size_t bytes_max = bad_status_ ? kErrorBodyBytesMax : kWholeAnswerBytesMax;
  document_ += bytes.substr(0, bytes_max - document_.size());
  if (document_.size() == bytes_max && !bad_status_) exceed(bytes_max, "bytes");
}

void AnswerReader::exceed(size_t limit, const char* unit) {
  over_limit_ = true;
  if (fault_.empty()) fault_ = "the answer is longer than " + std::to_string(limit) + " " + unit;
}

void AnswerReader::give_up(Outcome why, std::string detail) {
  given_up_ = why;
  given_up_detail_ = std::move(detail);
}

void AnswerReader::read_events(int64_t at_ns) {
  SseEvent event;
  while (parser_.next(&event)) read_event(event, at_ns);
  if (parser_.too_large() && fault_.empty()) {
    fault_ = "an event is longer than " + std::to_string(kSseEventBytesMax) + " bytes";
  }
}

void AnswerReader::read_event(const SseEvent& event, int64_t at_ns) {
  any_events_ = true;
  if (done_ || over_limit_) return;
  if (event.name == "error") return report_error(event.data);
  const std::string_view data = trim(event.data);
  if (data == kDone) {
    done_ = true;
  } else if (!data.empty() && scan(data, &event_)) {
    if (event_.is_error) report_error(data);
    take(event_, at_ns);
  }
}

void AnswerReader::report_error(std::string_view document) {
  if (!error_.empty()) return;
  const std::string said = refusal_text(document);
  error_ = said.empty() ? "the server reported an error" : "the server reported: " + said;
}

bool AnswerReader::scan(std::string_view json, AnswerEvent* event) {
  std::string_view wrong_field;
  const ScanEnd end =
      scan_answer_event(json, event, options_.keep_text ? &record_->text : nullptr, &wrong_field);
  if (end == ScanEnd::kFine) return true;
  if (!fault_.empty()) return false;
  if (end == ScanEnd::kWrongType) {
    fault_ = std::string(wrong_field) + " has a wrong type in: " + one_line(json);
    return false;
  }
  const auto parsed = parse_json(json, {.bytes_max = json.size(), .depth_max = kEventDepthMax});
  fault_ = (parsed.ok() ? "invalid JSON" : parsed.error().message) + ": " + one_line(json);
  return false;
}

void AnswerReader::take(const AnswerEvent& event, int64_t at_ns) {
  if (event.has_usage) take_usage(event);
  if (!event.finish_reason.empty()) {
    record_->finish_reason = one_line(event.finish_reason);
  }
  if (event.ttft_s) record_->server_ttft_s = *event.ttft_s;
  record_->text_bytes += static_cast<int64_t>(event.text_bytes);
  if (event.has_text) any_text_ = true;
  if (options_.streamed) add_chunk(event, at_ns);
  if (record_->text_bytes > static_cast<int64_t>(kWholeAnswerBytesMax)) exceed(kWholeAnswerBytesMax, "bytes");
  if (record_->chunks.size() == kChunksMax) exceed(kChunksMax, "events");
}

void AnswerReader::mismatch(std::string what) {
  if (mismatch_.empty()) mismatch_ = "usage: " + std::move(what);
}

void AnswerReader::take_usage(const AnswerEvent& event) {
  for (const auto& count : {event.prompt_tokens, event.completion_tokens, event.cached_tokens}) {
    if (count && (*count < 0 || *count > kTokensMax)) {
      return mismatch("a count of " + std::to_string(*count) + " tokens");
    }
  }
  if (event.prompt_tokens) record_->prompt_tokens = static_cast<int32_t>(*event.prompt_tokens);
  if (event.cached_tokens) record_->cached_tokens = static_cast<int32_t>(*event.cached_tokens);
  if (record_->prompt_tokens >= 0 && record_->cached_tokens > record_->prompt_tokens) {
    mismatch(std::to_string(record_->cached_tokens) + " cached tokens of a prompt of " +
             std::to_string(record_->prompt_tokens));
  }
  if (!event.completion_tokens) return;
  if (*event.completion_tokens < completion_tokens_) {
    mismatch("output tokens fell from " + std::to_string(completion_tokens_) + " to " +
             std::to_string(*event.completion_tokens));
  }
  completion_tokens_ = *event.completion_tokens;
  record_->output_tokens = static_cast<int32_t>(completion_tokens_);
  record_->token_source = TokenSource::kUsage;
}

void AnswerReader::add_chunk(const AnswerEvent& event, int64_t at_ns) {
  if (!event.has_text) {
    entries_without_text_ += std::max(event.tokens, 0);
    return;
  }
  if (record_->first_token_ns < 0) record_->first_token_ns = at_ns;
  record_->last_token_ns = at_ns;
  TextChunk chunk{at_ns, 0};
  count_chunk_tokens(event, &chunk);
  record_->chunks.push_back(chunk);
}

void AnswerReader::count_chunk_tokens(const AnswerEvent& event, TextChunk* chunk) {
  // Some servers send zeros until their last event.
  const bool by_usage = event.completion_tokens && *event.completion_tokens > 0;
  const bool by_entries = event.tokens >= 0;
  if (chunk_tokens_ == ChunkTokens::kUndecided) {
    chunk_tokens_ = by_usage     ? ChunkTokens::kUsage
                    : by_entries ? ChunkTokens::kEntries
                                 : ChunkTokens::kUnknown;
  }
  int64_t tokens = 0;
  if (chunk_tokens_ == ChunkTokens::kUsage && by_usage) {
    tokens = *event.completion_tokens - tokens_in_chunks_;
  } else if (chunk_tokens_ == ChunkTokens::kEntries && by_entries) {
    tokens = event.tokens + entries_without_text_;
  } else {
    chunk_tokens_ = ChunkTokens::kUnknown;
  }
  entries_without_text_ = 0;
  tokens = std::clamp<int64_t>(tokens, 0, kTokensMax);
  tokens_in_chunks_ += tokens;
  chunk->tokens = static_cast<int32_t>(tokens);
}

void AnswerReader::finish_chunks() {
  if (chunk_tokens_ != ChunkTokens::kUnknown) return;
  const bool one_each = record_->output_tokens == static_cast<int64_t>(record_->chunks.size());
  for (TextChunk& chunk : record_->chunks) chunk.tokens = one_each ? 1 : 0;
}

void AnswerReader::read_document(int64_t at_ns) {
  if (document_.empty() || !fault_.empty() || !scan(document_, &event_)) return;
  if (event_.is_error) {
    report_error(document_);
  } else if (options_.streamed) {
    fault_ = "answered without a stream (Content-Type: " + one_line(content_type_) + ")";
  } else if (!event_.has_choice) {
    fault_ = "an answer without choices: " + one_line(document_);
  } else {
    take(event_, at_ns);
  }
}

void AnswerReader::end(CallEnd end, std::string_view detail, int64_t at_ns) {
  record_->end_ns = at_ns;
  if (kind_ == BodyKind::kEvents) {
    SseEvent rest;
    if (!done_ && parser_.finish(&rest)) done_ = trim(rest.data) == kDone;
    finish_chunks();
  } else if (!bad_status_ && end == CallEnd::kDone) {
    read_document(at_ns);
    if (any_text_) record_->last_token_ns = at_ns;
  }
  if (record_->prompt_tokens < 0) record_->prompt_tokens = options_.prompt_tokens;
  record_->outcome = record_->http_status == 0 ? judge_nothing(end, detail)
                     : bad_status_             ? judge_status(detail)
                                               : judge(end, detail);
}

Outcome AnswerReader::judge_nothing(CallEnd end, std::string_view detail) {
  if (given_up_) return because(*given_up_, given_up_detail_);
  if (end == CallEnd::kConnectFailed) return because(Outcome::kConnectFailed, detail);
  if (end == CallEnd::kBadAnswer) return because(Outcome::kBadJson, detail);
  return because(Outcome::kTruncated, detail);
}

Outcome AnswerReader::judge_status(std::string_view detail) {
  const int32_t status = record_->http_status;
  std::string why = "HTTP " + std::to_string(status) + " " + std::string(http_status_phrase(status));
  const std::string said = document_.empty() ? one_line(detail) : refusal_text(document_);
  if (!said.empty()) why += ": " + said;
  if (status == 429) return because(Outcome::kHttp429, why);
  if (status >= 400 && status < 500) return because(Outcome::kHttp4xx, why);
  if (status >= 500 && status < 600) return because(Outcome::kHttp5xx, why);
  return because(Outcome::kBadJson, why + ": only 200 is an answer");
}

Outcome AnswerReader::judge(CallEnd end, std::string_view detail) {
  if (!error_.empty()) return because(Outcome::kInBandError, error_);
  if (!fault_.empty()) return because(Outcome::kBadJson, fault_);
  if (given_up_ && !done_) return because(*given_up_, given_up_detail_);
  if (end == CallEnd::kBadAnswer && !done_) return because(Outcome::kBadJson, detail);
  const bool orderly = end == CallEnd::kDone;
  const bool nothing = kind_ == BodyKind::kEvents ? !any_events_ : document_.empty();
  if (orderly && nothing) return because(Outcome::kEmptyAnswer, "a 200 with an empty body");
  const bool has_end = kind_ == BodyKind::kDocument || !record_->finish_reason.empty();
  if (!done_ && !orderly) return because(Outcome::kTruncated, detail);
  if (!done_ && !has_end) {
    return because(Outcome::kTruncated, "the stream ended without [DONE] and without a finish_reason");
  }
  if (!any_text_) return because(Outcome::kEmptyAnswer, "an answer without text");
  if (record_->output_tokens == 0) mismatch("0 output tokens, but text came");
  if (options_.output_tokens_max >= 0 && record_->output_tokens > options_.output_tokens_max) {
    mismatch(std::to_string(record_->output_tokens) + " output tokens, but at most " +
             std::to_string(options_.output_tokens_max) + " were asked for");
  }
  if (!mismatch_.empty()) return because(Outcome::kUsageMismatch, mismatch_);
  return Outcome::kOk;
}

Outcome AnswerReader::because(Outcome outcome, std::string_view why) {
  record_->detail = one_line(why);
  if (record_->detail.empty()) record_->detail = outcome_name(outcome);
  return outcome;
}

}  // namespace hussar
