#include "server/generation.h"

#include <mutex>
#include <random>

#include "server/admission.h"
#include "server/answer_json.h"
#include "server/answer_text.h"
#include "server/api_error.h"
#include "server/prepare.h"

namespace hussar {

namespace {

std::string random_id(std::string_view prefix) {
  static constexpr char kAlphabet[] = "0123456789abcdef";
  std::random_device device;
  std::string id(prefix);
  for (int word = 0; word < 4; ++word) {
    uint32_t bits = device();
    for (int digit = 0; digit < 6; ++digit, bits >>= 4) id += kAlphabet[bits & 15];
  }
  return id;
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Events come from the engine's thread into a list, which is bounded by the tokens that the request may
// generate; a task on the connection's thread takes them from there, so that all text work of one answer
// happens in one thread and in order.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(std::shared_ptr<ServerCore> core, RequestLog log, Responder responder,
             const CompletionRequest& request, const Request& prepared)
      : core_(std::move(core)),
        log_(std::move(log)),
        responder_(std::move(responder)),
        stream_(request.stream),
        chat_(request.endpoint == Endpoint::kChat),
        include_usage_(request.include_usage),
        text_(core_->context.tokenizer, prepared.stops, prepared.tokens_min,
              prepared.logprobs_top >= 0 ? AnswerText::KeepTokens::kYes : AnswerText::KeepTokens::kNo),
        json_(request.endpoint, random_id(chat_ ? "chatcmpl-" : "cmpl-"), core_->context.model_name,
              unix_seconds(), core_->context.tokenizer,
              prepared.logprobs_top >= 0 ? AnswerJson::Logprobs::kYes : AnswerJson::Logprobs::kNo,
              request.include_usage) {
    times_.received = log_.received;
    add_ignored_fields_header(request.ignored_fields, &headers_);
  }

  void submit(Request request) {
    responder_.on_disconnect([self = shared_from_this()] { self->cancel(); });
    {
      std::lock_guard lock(mutex_);
      if (cancelled_) return log_.write(&core_->metrics, kClientClosed, "cancelled", nullptr);
    }
    const auto id = core_->context.engine.submit(
        std::move(request),
        [self = shared_from_this()](std::span<const TokenEvent> events) { self->receive(events); });
    if (!id.ok()) return refuse(to_api_error(id.error()), nullptr);
    bool cancelled = false;
    {
      std::lock_guard lock(mutex_);
      id_ = *id;
      cancelled = cancelled_;
    }
    if (cancelled) core_->context.engine.cancel(*id);
  }

 private:
  static constexpr int kClientClosed = 499;  // for the log: there is nobody left to be answered

  void cancel() {
    std::optional<RequestId> id;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      id = id_;
    }
    if (id) core_->context.engine.cancel(*id);
  }

  void receive(std::span<const TokenEvent> events) {
    bool post = false;
    {
      std::lock_guard lock(mutex_);
      events_.insert(events_.end(), events.begin(), events.end());
      post = !std::exchange(posted_, true);
    }
    if (post) responder_.post([self = shared_from_this()] { self->drain(); });
  }

  // From here on: the connection's thread.
  void drain() {
    std::vector<TokenEvent> events;
    {
      std::lock_guard lock(mutex_);
      events.swap(events_);
      posted_ = false;
    }
    std::string out;
    for (const TokenEvent& event : events) handle(event, &out);
    if (!out.empty() && !responder_.write(out)) cancel();
    if (ended_ && streaming_) responder_.finish();
  }

  void handle(const TokenEvent& event, std::string* out) {
    if (event.token >= 0) {
      if (times_.first_token == TimePoint{}) {
        times_.first_token = event.time;
        core_->metrics.observe_first_token(ttft_seconds());
        if (stream_) start_stream(out);
      } else {
        core_->metrics.observe_token_gap(
            std::chrono::duration<double>(event.time - times_.last_token).count());
      }
      times_.last_token = event.time;
    }
    text_.add(event);
    if (event.finish) return end(event, out);
    if (!text_.has_text()) return;
    if (stream_) {
      append_sse(json_.chunk(text_.take()), out);
    } else {
      collect();
    }
  }

  void start_stream(std::string* out) {
    responder_.start_stream(
        {200, "text/event-stream; charset=utf-8", headers_with("Cache-Control", "no-cache"), ""});
    streaming_ = true;
    if (chat_) append_sse(json_.first_chunk(), out);
  }

  void collect() {
    AnswerText::Piece piece = text_.take();
    whole_.text += piece.text;
    std::move(piece.tokens.begin(), piece.tokens.end(), std::back_inserter(whole_.tokens));
  }

  void end(const TokenEvent& event, std::string* out) {
    ended_ = true;
    times_.admitted = event.admitted;
    times_.prompt_tokens = event.prompt_tokens;
    times_.generated_tokens = event.generated_tokens;
    core_->metrics.observe_request(times_);
    switch (*event.finish) {
      case FinishReason::kStop:
      case FinishReason::kLength:
        return complete(event, out);
      case FinishReason::kCancelled:
        return fail({kClientClosed, "the request was cancelled", "", "cancelled", {}}, "cancelled", out);
      case FinishReason::kDeadline:
        // What there is may be of use to a client that asked for an answer by then.
        if (event.generated_tokens > 0) return complete(event, out);
        return fail({504, "the deadline passed before the first token", "", "deadline_exceeded", {}},
                    "deadline", out);
      case FinishReason::kShutdown:
        return fail({503, "the server is shutting down", "", "shutting_down", {}}, "shutdown", out);
      case FinishReason::kError:
        return fail({500, event.error.empty() ? "the device failed" : event.error, "", "internal_error", {}},
                    "error", out);
    }
  }

  void complete(const TokenEvent& event, std::string* out) {
    const FinishReason reason = *event.finish;
    const Usage usage{event.prompt_tokens, event.cached_prompt_tokens, event.generated_tokens};
    if (stream_) {
      if (!streaming_) start_stream(out);  // an end without a token
      append_sse(json_.finish_chunk(text_.take(), reason, ttft_seconds()), out);
      if (include_usage_) append_sse(json_.usage_chunk(usage, ttft_seconds()), out);
      *out += kSseDone;
    } else {
      collect();
      responder_.answer(
          {200, "application/json", headers_with(), json_.whole(whole_, reason, usage, ttft_seconds())});
    }
    log_.write(&core_->metrics, 200, finish_reason_name(reason), &times_);
  }

  // An error before the first token is an HTTP status; later it can only be an event of the stream.
  void fail(const ApiError& error, std::string_view finish, std::string* out) {
    if (streaming_) {
      append_sse(error_json(error), out);
      *out += kSseDone;
    } else {
      responder_.answer(error_response(error));
    }
    log_.write(&core_->metrics, error.status, finish, &times_);
  }

  void refuse(const ApiError& error, const RequestTimes* times) {
    responder_.answer(error_response(error));
    log_.write(&core_->metrics, error.status, error.code, times);
  }

  double ttft_seconds() const {
    if (times_.first_token == TimePoint{}) return 0;
    return std::chrono::duration<double>(times_.first_token - times_.received).count();
  }

  std::vector<HttpHeader> headers_with() const {
    std::vector<HttpHeader> headers = headers_;
    headers.push_back({"X-Request-Id", std::to_string(log_.id)});
    return headers;
  }
  std::vector<HttpHeader> headers_with(const char* name, const char* value) const {
    std::vector<HttpHeader> headers = headers_with();
    headers.push_back({name, value});
    return headers;
  }

  const std::shared_ptr<ServerCore> core_;
  const RequestLog log_;
  Responder responder_;
  const bool stream_, chat_, include_usage_;
  std::vector<HttpHeader> headers_;

  std::mutex mutex_;  // of the next four
  std::vector<TokenEvent> events_;
  bool posted_ = false;
  bool cancelled_ = false;
  std::optional<RequestId> id_;

  // The connection's thread only.
  AnswerText text_;
  const AnswerJson json_;
  AnswerText::Piece whole_;
  RequestTimes times_;
  bool streaming_ = false;
  bool ended_ = false;
};

}  // namespace

void generate(std::shared_ptr<ServerCore> core, RequestLog log, Responder responder,
              CompletionRequest request) {
  auto prepared = prepare(request, core->options, core->context);
  if (!prepared.ok()) {
    const ApiError error = to_api_error(prepared.error());
    responder.answer(error_response(error));
    log.write(&core->metrics, error.status, error.code, nullptr);
    return;
  }
  if (Result<void> applied = apply_terms(request, log, &*prepared); !applied.ok()) {
    const ApiError error = to_api_error(applied.error());
    responder.answer(error_response(error));
    log.write(&core->metrics, error.status, error.code, nullptr);
    return;
  }
  const auto generation =
      std::make_shared<Generation>(core, std::move(log), std::move(responder), request, *prepared);
  generation->submit(std::move(*prepared));
}

}  // namespace hussar
