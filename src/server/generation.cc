#include "server/generation.h"

#include <mutex>

#include "server/admission.h"
#include "server/answer_json.h"
#include "server/answer_text.h"
#include "server/answer_writer.h"
#include "server/api_error.h"
#include "server/messages_answer.h"
#include "server/prepare.h"
#include "server/responses_answer.h"
#include "server/tool_parser.h"

namespace hussar {

namespace {

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::unique_ptr<AnswerWriter> make_writer(const ServerContext& context, const CompletionRequest& request,
                                          const Prepared& prepared) {
  if (request.dialect == Dialect::kResponses)
    return std::make_unique<ResponsesAnswer>(context.model_name, unix_seconds(), request.echoed_settings);
  if (request.dialect == Dialect::kMessages) return std::make_unique<MessagesAnswer>(context.model_name);
  const bool chat = request.endpoint == Endpoint::kChat;
  AnswerJson::Options options{.endpoint = request.endpoint,
                              .id = random_id(chat ? "chatcmpl-" : "cmpl-"),
                              .model = context.model_name,
                              .created_unix_seconds = unix_seconds(),
                              .choices_per_prompt = prepared.choices_per_prompt,
                              .logprobs = request.logprobs_top >= 0,
                              .tokens_as_ids = request.tokens_as_ids,
                              .include_usage = request.include_usage,
                              .prompt_ids = {}};
  if (request.return_token_ids) {
    for (size_t i = 0; i < prepared.requests.size(); i += prepared.choices_per_prompt)
      options.prompt_ids.push_back(prepared.requests[i].prompt);
  }
  return std::make_unique<AnswerJson>(std::move(options), context.tokenizer);
}

Result<Prepared> prepare_on_terms(const CompletionRequest& request, const RequestLog& log,
                                  const ServerCore& core) {
  ASSIGN_OR_RETURN(Prepared prepared, prepare(request, core.options, core.context));
  for (Request& one : prepared.requests) RETURN_IF_ERROR(apply_terms(request, log, &one));
  return prepared;
}

AnswerTextOptions text_options(const CompletionRequest& request) {
  using Show = AnswerTextOptions::Show;
  return {.keep = request.logprobs_top >= 0 ? AnswerTextOptions::Keep::kTextAndTokens
                                            : AnswerTextOptions::Keep::kText,
          .control_tokens = request.skip_special_tokens ? Show::kNo : Show::kYes,
          .stop_text = request.include_stop ? Show::kYes : Show::kNo};
}

// One of the answers to a request: what the engine knows as a request of its own.
struct Choice {
  Choice(const Tokenizer& tokenizer, const Request& request, const AnswerTextOptions& options)
      : text(tokenizer, request.stops, request.tokens_min, options) {}

  AnswerText text;
  std::optional<ToolParser> tools;  // looks for calls
  std::string echo;                 // shown before the answer
  // Not shown yet: they go with the next text.
  std::vector<ShownToken> tokens;
  std::vector<TokenId> ids;
  WholeChoice whole;
  RequestTimes times;
};

// Events come from the engine's thread into a list, which is bounded by the tokens that the request may
// generate; a task on the connection's thread takes them from there, so that all text work of one answer
// happens in one thread and in order.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(std::shared_ptr<ServerCore> core, RequestLog log, Responder responder,
             const CompletionRequest& request, const Prepared& prepared)
      : core_(std::move(core)),
        log_(std::move(log)),
        responder_(std::move(responder)),
        stream_(request.stream),
        keep_ids_(request.return_token_ids),
        choices_per_prompt_(prepared.choices_per_prompt),
        offer_(request.chat.tools),
        format_field_(request.format ? request.format->field : ""),
        writer_(make_writer(core_->context, request, prepared)),
        open_(prepared.requests.size()) {
    for (size_t i = 0; i < prepared.requests.size(); ++i) {
      Choice& choice =
          choices_.emplace_back(core_->context.tokenizer, prepared.requests[i], text_options(request));
      choice.times.received = log_.received;
      choice.times.tokens_max = prepared.requests[i].tokens_max;
      if (offer_.active()) choice.tools.emplace(offer_);
      if (!prepared.echoes.empty()) choice.echo = prepared.echoes[i / choices_per_prompt_];
      if (i % choices_per_prompt_ == 0)
        prompt_tokens_ += static_cast<int32_t>(prepared.requests[i].prompt.size());
    }
    add_ignored_fields_header(request.ignored_fields, &headers_);
  }

  // All of them or none. Their events wait until the last one is accepted.
  void submit(std::vector<Request> requests) {
    responder_.on_disconnect([self = shared_from_this()] { self->cancel(); });
    for (size_t i = 0; i < requests.size(); ++i) {
      if (is_cancelled()) {
        cancel();
        return log_.write(&core_->metrics, kClientClosed, "cancelled", nullptr);
      }
      const auto id = core_->context.engine.submit(
          std::move(requests[i]),
          [self = shared_from_this(), i](std::span<const TokenEvent> events) { self->receive(i, events); });
      if (!id.ok()) {
        cancel();
        return refuse(to_api_error(id.error()));
      }
      std::lock_guard lock(mutex_);
      ids_.push_back(*id);
    }
    if (log_.ticket) log_.ticket->submitted();
    bool cancelled = false, post = false;
    {
      std::lock_guard lock(mutex_);
      cancelled = cancelled_;
      post = !events_.empty();
      posted_ = post;
    }
    if (cancelled) cancel();
    if (post) responder_.post([self = shared_from_this()] { self->drain(); });
  }

 private:
  struct Arrived {
    size_t choice;
    TokenEvent event;
  };

  bool is_cancelled() {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

  void cancel() {
    std::vector<RequestId> ids;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      ids = ids_;
    }
    for (const RequestId id : ids) core_->context.engine.cancel(id);
  }

  void receive(size_t choice, std::span<const TokenEvent> events) {
    bool post = false;
    {
      std::lock_guard lock(mutex_);
      for (const TokenEvent& event : events) events_.push_back({choice, event});
      post = !std::exchange(posted_, true);
    }
    if (post) responder_.post([self = shared_from_this()] { self->drain(); });
  }

  // From here on: the connection's thread.
  void drain() {
    std::vector<Arrived> events;
    {
      std::lock_guard lock(mutex_);
      events.swap(events_);
      posted_ = false;
    }
    std::string out;
    const bool was_done = done_;
    for (const Arrived& arrived : events) {
      if (!done_) {
        handle(arrived.choice, arrived.event, &out);
      } else if (arrived.event.finish) {
        charge_late_end(arrived.choice, arrived.event);
      }
    }
    if (!out.empty() && !responder_.write(out)) cancel();
    if (done_ && !was_done && streaming_) responder_.finish();
  }

  void handle(size_t index, const TokenEvent& event, std::string* out) {
    Choice& choice = choices_[index];
    if (event.token >= 0) {
      if (choice.times.first_token == TimePoint{}) {
        choice.times.first_token = event.time;
        core_->metrics.observe_first_token(ttft_seconds(choice));
        if (stream_) start_stream(out);
      } else {
        core_->metrics.observe_token_gap(
            std::chrono::duration<double>(event.time - choice.times.last_token).count());
      }
      choice.times.last_token = event.time;
      if (keep_ids_) choice.ids.push_back(event.token);
    }
    choice.text.add(event);
    if (event.finish) return end(index, event, out);
    if (!choice.text.has_text()) return;
    for (ChoicePiece& piece : take(&choice, kMore)) show(index, std::move(piece), out);
  }

  void start_stream(std::string* out) {
    if (std::exchange(streaming_, true)) return;
    responder_.start_stream(
        {200, "text/event-stream; charset=utf-8", headers_with("Cache-Control", "no-cache"), ""});
    writer_->begin(prompt_tokens_, out);
  }

  // What of a choice can be shown now. Tokens and ids go with the first piece; at the end there is one.
  enum Rest { kMore, kEnd };
  std::vector<ChoicePiece> take(Choice* choice, Rest rest) {
    AnswerText::Piece next = choice->text.take();
    std::move(next.tokens.begin(), next.tokens.end(), std::back_inserter(choice->tokens));
    std::vector<ChoicePiece> pieces;
    const auto add = [&](std::vector<ToolParser::Piece> parsed) {
      for (ToolParser::Piece& piece : parsed)
        pieces.push_back({std::move(piece.text), std::move(piece.calls), std::move(piece.arguments), {}, {}});
    };
    next.text.insert(0, std::exchange(choice->echo, ""));
    if (choice->tools) {
      add(choice->tools->add(next.text));
      if (rest == kEnd) add(choice->tools->finish());
    } else if (!next.text.empty()) {
      pieces.push_back({std::move(next.text), {}, {}, {}, {}});
    }
    if (rest == kEnd && pieces.empty()) pieces.emplace_back();
    for (ChoicePiece& piece : pieces) {
      for (ToolCall& call : piece.calls) call.id = random_id(writer_->call_id_prefix());
      choice->whole.end.called |= !piece.calls.empty();
    }
    if (!pieces.empty()) {
      pieces.front().tokens = std::exchange(choice->tokens, {});
      pieces.front().ids = std::exchange(choice->ids, {});
    }
    return pieces;
  }

  void show(size_t index, ChoicePiece piece, std::string* out) {
    if (stream_) return writer_->add(index, piece, out);
    std::vector<ChoicePiece>& pieces = choices_[index].whole.pieces;
    const bool begins = !piece.text.empty() || !piece.calls.empty();
    if (pieces.empty() || (!pieces.back().calls.empty() && begins)) pieces.emplace_back();
    ChoicePiece& last = pieces.back();
    last.text += piece.text;
    if (last.calls.empty()) last.calls = std::move(piece.calls);
    if (!last.calls.empty()) last.calls.back().arguments += piece.arguments;
    std::move(piece.tokens.begin(), piece.tokens.end(), std::back_inserter(last.tokens));
    last.ids.insert(last.ids.end(), piece.ids.begin(), piece.ids.end());
  }

  void note_end(size_t index, const TokenEvent& event) {
    RequestTimes& times = choices_[index].times;
    times.admitted = event.admitted;
    times.prompt_tokens = event.prompt_tokens;
    times.generated_tokens = event.generated_tokens;
    times.discarded_tokens = event.discarded_tokens;
    core_->metrics.observe_request(times);
  }

  void end(size_t index, const TokenEvent& event, std::string* out) {
    note_end(index, event);
    --open_;
    switch (*event.finish) {
      case FinishReason::kStop:
      case FinishReason::kLength:
        return complete(index, event, out);
      case FinishReason::kCancelled:
        return fail({kClientClosed, "the request was cancelled", "", "cancelled", {}}, "cancelled", out);
      case FinishReason::kDeadline:
        // What there is may be of use to a client that asked for an answer by then.
        if (event.generated_tokens > 0) return complete(index, event, out);
        return fail({504, "the deadline passed before the first token", "", "deadline_exceeded", {}},
                    "deadline", out);
      case FinishReason::kShutdown:
        return fail({503, "the server is shutting down", "", "shutting_down", {}}, "shutdown", out);
      case FinishReason::kError:
        if (event.check_failed)
          return fail({422, event.error, format_field_, "schema_unsatisfied", {}}, "error", out);
        return fail({500, event.error.empty() ? "the device failed" : event.error, "", "internal_error", {}},
                    "error", out);
    }
  }

  void complete(size_t index, const TokenEvent& event, std::string* out) {
    Choice& choice = choices_[index];
    if (index % choices_per_prompt_ == 0) {  // the choices of a prompt have it in common
      usage_.prompt_tokens += event.prompt_tokens;
      usage_.cached_tokens += event.cached_prompt_tokens;
    }
    usage_.completion_tokens += event.generated_tokens;
    usage_.discarded_tokens += event.discarded_tokens;
    std::vector<ChoicePiece> pieces = take(&choice, kEnd);
    choice.whole.end.reason = *event.finish;
    choice.whole.end.stop_string = choice.text.hidden_stop();
    if (stream_) start_stream(out);  // an end without a token
    ChoicePiece last = std::move(pieces.back());
    pieces.pop_back();
    for (ChoicePiece& piece : pieces) show(index, std::move(piece), out);
    if (stream_) {
      const auto ttft = open_ == 0 ? std::optional(ttft_seconds(choices_.front())) : std::nullopt;
      writer_->end_choice(index, last, choice.whole.end, ttft, out);
    } else {
      show(index, std::move(last), out);
    }
    if (open_ == 0) finish(out);
  }

  void finish(std::string* out) {
    done_ = true;
    const double ttft = ttft_seconds(choices_.front());
    if (stream_) {
      writer_->end(usage_, ttft, out);
    } else {
      std::vector<WholeChoice> choices;
      for (Choice& choice : choices_) choices.push_back(std::move(choice.whole));
      responder_.answer({200, "application/json", headers_with(), writer_->whole(choices, usage_, ttft)});
    }
    write_log(200, finish_reason_name(choices_.front().whole.end.reason));
  }

  // An error before the first token is an HTTP status; later it can only be an event of the stream. It ends
  // all choices.
  void fail(const ApiError& error, std::string_view finish, std::string* out) {
    done_ = true;
    if (open_ > 0) cancel();
    if (streaming_) {
      writer_->fail(error, out);
    } else {
      responder_.answer(refusal(log_.route, error));
    }
    write_log(error.status, finish);
  }

  // Of a choice that ended after another one's error, or the client's going, had ended the answer: what it
  // took is paid for all the same.
  void charge_late_end(size_t index, const TokenEvent& event) {
    note_end(index, event);
    const int32_t prompt_tokens = index % choices_per_prompt_ == 0 ? event.prompt_tokens : 0;
    if (log_.ticket)
      log_.ticket->charge_tokens(int64_t{prompt_tokens} + event.generated_tokens + event.discarded_tokens);
  }

  void refuse(const ApiError& error) {
    responder_.answer(refusal(log_.route, error));
    core_->metrics.count_refusal(error.code);
    log_.write(&core_->metrics, error.status, error.code, nullptr);
  }

  // One line for all choices.
  void write_log(int status, std::string_view finish) {
    RequestTimes times = choices_.front().times;
    for (size_t i = 1; i < choices_.size(); ++i) {
      times.generated_tokens += choices_[i].times.generated_tokens;
      times.discarded_tokens += choices_[i].times.discarded_tokens;
      if (i % choices_per_prompt_ == 0) times.prompt_tokens += choices_[i].times.prompt_tokens;
    }
    core_->metrics.observe_choices(static_cast<int64_t>(choices_per_prompt_));
    log_.write(&core_->metrics, status, finish, &times);
  }

  static double ttft_seconds(const Choice& choice) {
    if (choice.times.first_token == TimePoint{}) return 0;
    return std::chrono::duration<double>(choice.times.first_token - choice.times.received).count();
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
  const bool stream_, keep_ids_;
  const size_t choices_per_prompt_;
  const ToolOffer offer_;
  const std::string format_field_;  // that holds answers to a form; empty: none
  std::vector<HttpHeader> headers_;

  std::mutex mutex_;  // of the next four
  std::vector<Arrived> events_;
  bool posted_ = true;  // nothing is taken before all are submitted
  bool cancelled_ = false;
  std::vector<RequestId> ids_;

  // The connection's thread only.
  const std::unique_ptr<AnswerWriter> writer_;
  std::vector<Choice> choices_;
  size_t open_;  // choices that have not ended
  int32_t prompt_tokens_ = 0;
  Usage usage_;
  bool streaming_ = false;
  bool done_ = false;  // answered, or failed: what still comes is of no interest
};

}  // namespace

void generate(std::shared_ptr<ServerCore> core, RequestLog log, Responder responder,
              CompletionRequest request) {
  auto prepared = prepare_on_terms(request, log, *core);
  if (!prepared.ok()) {
    const ApiError error = to_api_error(prepared.error());
    responder.answer(refusal(log.route, error));
    log.write(&core->metrics, error.status, error.code, nullptr);
    return;
  }
  const auto generation =
      std::make_shared<Generation>(core, std::move(log), std::move(responder), request, *prepared);
  generation->submit(std::move(prepared->requests));
}

}  // namespace hussar
