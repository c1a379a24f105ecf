#include "bench/mock_answer.h"

#include <algorithm>
#include <charconv>
#include <deque>

#include "base/json.h"
#include "bench/mock_text.h"

namespace hussar {

namespace {

constexpr int64_t kNsInMs = 1'000'000;
constexpr int64_t kCreated = 1'700'000'000;  // the same in every answer

void append_number(int64_t number, std::string* out) {
  char digits[24];
  out->append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

std::string head_text(int status, std::string_view content_type, std::string_view more_headers) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(http_status_phrase(status)).append("\r\nServer: hussar-mock\r\nContent-Type: ");
  head.append(content_type).append("\r\n").append(more_headers);
  return head;
}

void append_http_chunk(std::string_view bytes, std::string* out) {
  char digits[20];
  out->append(digits, std::to_chars(digits, digits + sizeof digits, bytes.size(), 16).ptr);
  out->append("\r\n").append(bytes).append("\r\n");
}

// How many tokens the answer really says, given where the fault strikes.
int64_t spoken_tokens(const MockPlan& plan, const MockOptions& options) {
  switch (plan.fault) {
    case MockFault::kEmpty:
      return 0;
    case MockFault::kTruncate:
    case MockFault::kReset:
    case MockFault::kNoDone:
    case MockFault::kError:
      return std::min(plan.output_tokens, options.fault_after_tokens);
    case MockFault::kStall:
      return options.stall_ms > 0 ? plan.output_tokens
                                  : std::min(plan.output_tokens, options.fault_after_tokens);
    default:
      return plan.output_tokens;
  }
}

// Makes the pieces of a stream in order, each one only when it is asked for.
class MockStream {
 public:
  MockStream(const MockPlan& plan, const MockOptions& options)
      : plan_(plan),
        options_(options),
        random_(mix_seeds(plan.seed, 1)),
        tokens_left_(spoken_tokens(plan, options)),
        at_ns_(plan.ttft_ns) {
    const bool chat = plan.request.chat;
    prefix_ = "data: {\"id\":\"mock-" + std::to_string(plan.index) + "\",\"object\":\"" +
              (chat ? "chat.completion.chunk" : "text_completion") +
              "\",\"created\":" + std::to_string(kCreated) + ",\"model\":";
    append_json_string(options.model, &prefix_);
    prefix_ += ",\"choices\":[";
    queue(
        0,
        head_text(200, "text/event-stream", "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"),
        0);
    if (chat && options.role_ms >= 0) {
      queue_event(options.role_ms * kNsInMs, event(R"("delta":{"role":"assistant","content":""})", "null"),
                  0);
    }
  }

  bool next(PacedPiece* piece);

 private:
  struct Ready {
    PacedPiece piece;
    bool goes_on = false;  // an event whose first part has gone out: nothing may come between
  };

  static PacedPiece make_piece(int64_t at_ns, std::string bytes, int64_t tokens) {
    return {at_ns, std::make_shared<const std::string>(std::move(bytes)), static_cast<int32_t>(tokens)};
  }
  void queue(int64_t at_ns, std::string bytes, int64_t tokens) {
    ready_.push_back({make_piece(at_ns, std::move(bytes), tokens)});
  }
  void queue_event(int64_t at_ns, std::string_view text, int64_t tokens);
  void make_more();
  void make_chunks();
  void make_end();
  std::string event(std::string_view choice, std::string_view finish_reason);
  std::string token_event(int64_t tokens);
  size_t split_at(std::string_view text);
  void append_usage(std::string* out) const;

  const MockPlan plan_;
  const MockOptions& options_;
  Random random_;
  std::string prefix_;
  std::deque<Ready> ready_;
  int64_t tokens_left_;
  int64_t spoken_ = 0;
  int64_t at_ns_;  // when the next token is due
  int64_t next_comment_ns_ = 0;
  bool struck_ = false;  // the fault in the middle of a text has happened
  bool ended_ = false;
};

void MockStream::append_usage(std::string* out) const {
  const int64_t prompt = plan_.request.prompt_tokens;
  const int64_t tokens = plan_.fault == MockFault::kWrongUsage ? 0 : spoken_;
  out->append("{\"prompt_tokens\":");
  append_number(prompt, out);
  out->append(",\"completion_tokens\":");
  append_number(tokens, out);
  out->append(",\"total_tokens\":");
  append_number(prompt + tokens, out);
  out->append(",\"prompt_tokens_details\":{\"cached_tokens\":0}}");
}

// `choice` is all of the choice but index and finish_reason, which is JSON.
std::string MockStream::event(std::string_view choice, std::string_view finish_reason) {
  std::string text = prefix_;
  text.append("{\"index\":0,")
      .append(choice)
      .append(",\"finish_reason\":")
      .append(finish_reason)
      .append("}]");
  if (plan_.request.continuous_usage) {
    text += ",\"usage\":";
    append_usage(&text);
  }
  text += "}\n\n";
  return text;
}

std::string MockStream::token_event(int64_t tokens) {
  std::string text;
  for (int64_t i = 0; i < tokens; ++i) text += mock_token(plan_.seed, spoken_ + i);
  spoken_ += tokens;
  std::string choice;
  if (!plan_.request.chat) {
    choice = "\"text\":";
  } else if (options_.role_ms < 0 && spoken_ == tokens) {
    choice = R"("delta":{"role":"assistant","content":)";
  } else {
    choice = R"("delta":{"content":)";
  }
  append_json_string(text, &choice);
  if (plan_.request.chat) choice += '}';
  return event(choice, "null");
}

// Where to cut an event in two; npos: nowhere.
size_t MockStream::split_at(std::string_view text) {
  if (options_.split == MockSplit::kLine) return 1 + random_.below(text.find('\n') - 1);
  if (options_.split == MockSplit::kNone) return std::string_view::npos;
  const auto foreign = std::find_if(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
  return foreign == text.end() ? std::string_view::npos : static_cast<size_t>(foreign - text.begin()) + 1;
}

void MockStream::queue_event(int64_t at_ns, std::string_view text, int64_t tokens) {
  std::string bytes;
  const size_t cut = split_at(text);
  if (cut != std::string_view::npos) {
    append_http_chunk(text.substr(0, cut), &bytes);
    queue(at_ns, std::exchange(bytes, {}), 0);
    text.remove_prefix(cut);
    at_ns += options_.split_gap_ms * kNsInMs;
  }
  append_http_chunk(text, &bytes);
  queue(at_ns, std::move(bytes), tokens);
  ready_.back().goes_on = cut != std::string_view::npos;
}

bool MockStream::next(PacedPiece* piece) {
  while (ready_.empty() && !ended_) make_more();
  if (ready_.empty()) return false;
  Ready& front = ready_.front();
  if (options_.comment_ms > 0 && next_comment_ns_ < front.piece.at_ns && !front.goes_on) {
    std::string bytes;
    append_http_chunk(": still here\n\n", &bytes);
    *piece = make_piece(next_comment_ns_, std::move(bytes), 0);
    next_comment_ns_ += options_.comment_ms * kNsInMs;
    return true;
  }
  *piece = std::move(front.piece);
  ready_.pop_front();
  return true;
}

void MockStream::make_more() {
  const bool strikes = !struck_ && (spoken_ >= options_.fault_after_tokens || tokens_left_ == 0);
  if (strikes && plan_.fault == MockFault::kStall && options_.stall_ms > 0) {
    struck_ = true;
    at_ns_ += options_.stall_ms * kNsInMs;
  }
  if (strikes && plan_.fault == MockFault::kBadJson) {
    struck_ = true;
    queue_event(at_ns_, "data: {\"id\":\"mock\",\"choices\":[{\n\n", 0);
    return;
  }
  tokens_left_ > 0 ? make_chunks() : make_end();
}

// As many events as go out together, each when its last token is due.
void MockStream::make_chunks() {
  std::string bytes;
  int64_t events = 0, tokens_all = 0;
  while (tokens_left_ > 0 && events < options_.events_per_send) {
    const int64_t tokens = std::min(options_.tokens_per_chunk, tokens_left_);
    for (int64_t i = 0; i < tokens; ++i) {
      if (spoken_ + i > 0) at_ns_ += options_.itl.draw_ns(&random_);
    }
    tokens_left_ -= tokens;
    tokens_all += tokens;
    ++events;
    const std::string text = token_event(tokens);
    if (options_.events_per_send == 1) return queue_event(at_ns_, text, tokens);
    append_http_chunk(text, &bytes);
  }
  queue(at_ns_, std::move(bytes), tokens_all);
}

void MockStream::make_end() {
  ended_ = true;
  std::string bytes;
  switch (plan_.fault) {
    case MockFault::kStall:
      if (options_.stall_ms == 0) return;
      break;
    case MockFault::kTruncate:
    case MockFault::kReset:
      return;
    case MockFault::kNoDone:
      return queue(at_ns_, "0\r\n\r\n", 0);
    case MockFault::kError:
      append_http_chunk("data: " + mock_error_json("the engine has failed", "server_error", "") + "\n\n",
                        &bytes);
      append_http_chunk("data: [DONE]\n\n", &bytes);
      return queue(at_ns_, bytes + "0\r\n\r\n", 0);
    default:
      break;
  }
  const std::string reason = "\"" + std::string(plan_.finish_reason) + "\"";
  std::string last = event(plan_.request.chat ? R"("delta":{})" : R"("text":"")", reason);
  if (plan_.request.article) {
    last.resize(last.size() - 3);  // "}\n\n"
    last += ",\"ttft\":" + write_json(static_cast<double>(plan_.ttft_ns) / 1e9) + "}\n\n";
  }
  append_http_chunk(last, &bytes);
  const bool usage = options_.usage == MockUsage::kAlways ||
                     (options_.usage == MockUsage::kAsAsked && plan_.request.include_usage);
  if (usage) {
    std::string text = prefix_ + "],\"usage\":";
    append_usage(&text);
    append_http_chunk(text + "}\n\n", &bytes);
  }
  append_http_chunk("data: [DONE]\n\n", &bytes);
  queue(at_ns_, bytes + "0\r\n\r\n", 0);
}

PacedEnding ending_of(const MockPlan& plan, const MockOptions& options) {
  switch (plan.fault) {
    case MockFault::kTruncate:
      return PacedEnding::kClose;
    case MockFault::kReset:
      return PacedEnding::kReset;
    case MockFault::kNoAnswer:
      return PacedEnding::kHold;
    case MockFault::kStall:
      return options.stall_ms == 0 ? PacedEnding::kHold : PacedEnding::kKeepAlive;
    default:
      return PacedEnding::kKeepAlive;
  }
}

PacedAnswer one_piece(int64_t at_ns, std::string bytes, int64_t tokens, PacedEnding ending) {
  auto shared = std::make_shared<const std::string>(std::move(bytes));
  return {[at_ns, shared, tokens, sent = false](PacedPiece* piece) mutable {
            if (std::exchange(sent, true)) return false;
            *piece = {at_ns, shared, static_cast<int32_t>(tokens)};
            return true;
          },
          ending};
}

std::string whole_body(const MockPlan& plan, const MockOptions& options, int64_t tokens) {
  std::string text;
  for (int64_t i = 0; i < tokens; ++i) text += mock_token(plan.seed, i);
  JsonObject choice{{"index", 0}};
  if (plan.request.chat) {
    choice.emplace_back("message", JsonObject{{"role", "assistant"}, {"content", text}});
  } else {
    choice.emplace_back("text", text);
  }
  choice.emplace_back("finish_reason", plan.finish_reason);
  const int64_t prompt = plan.request.prompt_tokens;
  const int64_t counted = plan.fault == MockFault::kWrongUsage ? 0 : tokens;
  JsonObject body{{"id", "mock-" + std::to_string(plan.index)},
                  {"object", plan.request.chat ? "chat.completion" : "text_completion"},
                  {"created", kCreated},
                  {"model", options.model},
                  {"choices", JsonArray{std::move(choice)}},
                  {"usage", JsonObject{{"prompt_tokens", prompt},
                                       {"completion_tokens", counted},
                                       {"total_tokens", prompt + counted}}}};
  if (plan.request.article) {
    body.emplace_back("text", text);
    body.emplace_back("ttft", static_cast<double>(plan.ttft_ns) / 1e9);
  }
  return write_json(body);
}

// An answer in one document, when its last token is due.
PacedAnswer whole_answer(const MockPlan& plan, const MockOptions& options) {
  Random random(mix_seeds(plan.seed, 1));
  int64_t at_ns = plan.ttft_ns;
  for (int64_t i = 1; i < plan.output_tokens; ++i) at_ns += options.itl.draw_ns(&random);
  int64_t tokens = plan.fault == MockFault::kEmpty ? 0 : plan.output_tokens;
  std::string body = whole_body(plan, options, tokens);
  if (plan.fault == MockFault::kError) {
    body = mock_error_json("the engine has failed", "server_error", "");
    tokens = 0;
  }
  if (plan.fault == MockFault::kBadJson) body.resize(body.size() / 2);
  std::string bytes =
      head_text(200, "application/json", "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  const bool cut = plan.fault == MockFault::kTruncate || plan.fault == MockFault::kReset ||
                   plan.fault == MockFault::kNoDone ||
                   (plan.fault == MockFault::kStall && options.stall_ms == 0);
  if (cut) {
    body.resize(body.size() / 2);
    tokens = 0;
  }
  if (plan.fault == MockFault::kStall) at_ns += options.stall_ms * kNsInMs;
  const PacedEnding ending =
      plan.fault == MockFault::kNoDone ? PacedEnding::kClose : ending_of(plan, options);
  return one_piece(at_ns, bytes + body, tokens, ending);
}

}  // namespace

int mock_fault_status(MockFault fault) {
  switch (fault) {
    case MockFault::kRefuse400:
      return 400;
    case MockFault::kRefuse429:
      return 429;
    case MockFault::kFail500:
      return 500;
    case MockFault::kFail503:
      return 503;
    case MockFault::kNoAnswer:
      return 0;
    default:
      return 200;
  }
}

MockPlan plan_mock_answer(MockRequest request, uint64_t index, const MockOptions& options) {
  MockPlan plan;
  plan.index = index;
  plan.seed = mix_seeds(options.seed, index);
  Random random(plan.seed);
  // Everything is drawn, used or not, so that one setting does not change what another one draws.
  double lot = random.uniform();
  const uint64_t lengths = static_cast<uint64_t>(options.output_tokens.max - options.output_tokens.min) + 1;
  const int64_t natural = options.output_tokens.min + static_cast<int64_t>(random.below(lengths));
  plan.ttft_ns = options.ttft.draw_ns(&random);
  for (size_t i = 1; i < options.fault_rates.size() && plan.fault == MockFault::kNone; ++i) {
    if (lot < options.fault_rates[i]) plan.fault = static_cast<MockFault>(i);
    lot -= options.fault_rates[i];
  }
  plan.fault = request.fault.value_or(plan.fault);
  if (plan.fault == MockFault::kPlainJson && !request.stream) plan.fault = MockFault::kNone;
  // Where nobody sets a limit, the context does.
  const int64_t room = options.context_tokens - request.prompt_tokens;
  const int64_t limit = request.max_tokens >= 0 ? std::min(request.max_tokens, room) : room;
  const int64_t wanted =
      request.ignore_eos && request.max_tokens >= 0 ? limit : std::max(natural, request.min_tokens);
  plan.output_tokens = std::min(wanted, limit);
  plan.finish_reason =
      plan.output_tokens == limit && (wanted > limit || request.ignore_eos) ? "length" : "stop";
  plan.request = std::move(request);
  return plan;
}

std::string mock_error_json(std::string_view message, std::string_view type, std::string_view field) {
  return write_json(JsonObject{{"error", JsonObject{{"message", message},
                                                    {"type", type},
                                                    {"param", field.empty() ? Json() : Json(field)},
                                                    {"code", nullptr}}}});
}

PacedAnswer make_json_answer(int status, std::string_view content_type, std::string_view body,
                             std::string_view more_headers) {
  std::string bytes = head_text(status, content_type, more_headers);
  bytes.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return one_piece(0, std::move(bytes), 0, PacedEnding::kKeepAlive);
}

PacedAnswer make_mock_answer(const MockPlan& plan, const MockOptions& options) {
  const int status = mock_fault_status(plan.fault);
  if (status == 0) return {nullptr, PacedEnding::kHold};
  if (status != 200) {
    const bool later = status == 429 || status == 503;
    return make_json_answer(
        status, "application/json",
        mock_error_json(http_status_phrase(status), status < 500 ? "invalid_request_error" : "server_error",
                        ""),
        later ? "Retry-After: " + std::to_string(options.retry_after_s) + "\r\n" : std::string());
  }
  if (!plan.request.stream || plan.fault == MockFault::kPlainJson) return whole_answer(plan, options);
  return {[stream = std::make_shared<MockStream>(plan, options)](PacedPiece* piece) {
            return stream->next(piece);
          },
          ending_of(plan, options)};
}

}  // namespace hussar
