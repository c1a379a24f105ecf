#include "bench/mock_answer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/utf8.h"
#include "bench/mock_text.h"
#include "bench/sse_parser.h"
#include "net/response_reader.h"

namespace hussar {
namespace {

constexpr int64_t kMs = 1'000'000;

struct Made {
  std::vector<PacedPiece> pieces;
  PacedEnding ending = PacedEnding::kKeepAlive;
  int status = 0;
  std::string body;
  bool whole = false;               // the HTTP answer has its end
  std::vector<std::string> events;  // data of each
};

struct Sink : public ResponseSink {
  Made* made = nullptr;
  bool take_head(int status, const std::vector<HttpHeader>&) override {
    made->status = status;
    return true;
  }
  bool take_body(std::string_view bytes) override {
    made->body += bytes;
    return true;
  }
};

Made make(const MockPlan& plan, const MockOptions& options) {
  Made made;
  const PacedAnswer answer = make_mock_answer(plan, options);
  made.ending = answer.ending;
  ResponseReader reader(10'000);
  reader.begin("POST");
  Sink sink;
  sink.made = &made;
  for (PacedPiece piece; answer.next && answer.next(&piece);) {
    EXPECT_FALSE(made.whole) << "nothing may follow the end";
    size_t used = 0;
    const auto state = reader.feed(*piece.bytes, &sink, &used);
    EXPECT_NE(state, ResponseReader::State::kBad) << reader.error();
    EXPECT_EQ(used, piece.bytes->size());
    made.whole = state == ResponseReader::State::kDone;
    made.pieces.push_back(piece);
  }
  SseParser parser;
  parser.feed(made.body);
  for (SseEvent event; parser.next(&event);) made.events.emplace_back(event.data);
  return made;
}

HttpRequest request_of(std::string body, std::string path = "/v1/chat/completions") {
  HttpRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.body = std::move(body);
  return request;
}

constexpr const char* kChat =
    R"({"model":"mock","messages":[{"role":"user","content":"ride 快"}],"stream":true,
                                  "stream_options":{"include_usage":true},"max_tokens":10})";

MockPlan plan(const MockOptions& options, const char* body = kChat,
              const char* path = "/v1/chat/completions") {
  const auto request = read_mock_request(request_of(body, path), options);
  EXPECT_TRUE(request.ok()) << request.error().message;
  return plan_mock_answer(*request, 7, options);
}

std::string expected_text(const MockPlan& plan, int64_t tokens) {
  std::string text;
  for (int64_t i = 0; i < tokens; ++i) text += mock_token(plan.seed, i);
  return text;
}

// The text of all events that are chat chunks.
std::string text_of(const Made& made) {
  std::string text;
  for (const std::string& event : made.events) {
    const auto json = parse_json(event, {});
    if (!json.ok() || json->find("choices") == nullptr) continue;
    for (const Json& choice : *json->find("choices")->as_array()) {
      const Json* content = choice.find("delta")->find("content");
      if (content != nullptr) text += *content->as_string();
    }
  }
  return text;
}

int64_t tokens_of(const Made& made) {
  int64_t tokens = 0;
  for (const PacedPiece& piece : made.pieces) tokens += piece.tokens;
  return tokens;
}

TEST(MockText, IsSplitIntoTheSameTokensAgain) {
  for (const uint64_t seed : {0, 1, 2, 3}) {
    std::vector<std::string_view> tokens;
    std::string text;
    for (int64_t i = 0; i < 500; ++i) {
      tokens.push_back(mock_token(seed, i));
      text += tokens.back();
    }
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(split_mock_tokens(text), tokens) << "seed " << seed;
    EXPECT_EQ(count_mock_tokens(text), 500);
  }
  EXPECT_EQ(count_mock_tokens(""), 0);
  EXPECT_EQ(count_mock_tokens("a b  c\n轻骑 "), 8);  // "a", " b", " ", " c", "\n", "轻", "骑", " "
}

TEST(MockText, CountsAnyBytes) { EXPECT_EQ(count_mock_tokens("a b  c\n轻骑 \xff\xff\x80"), 10); }

TEST(MockAnswer, SaysWhatItWasToldWhenItWasTold) {
  MockOptions options;
  options.ttft.mean_ms = 30;
  options.itl.mean_ms = 5;
  const MockPlan chat = plan(options);
  EXPECT_EQ(chat.output_tokens, 10);
  EXPECT_EQ(chat.finish_reason, "length");
  const Made made = make(chat, options);
  EXPECT_EQ(made.status, 200);
  EXPECT_TRUE(made.whole);
  EXPECT_EQ(made.ending, PacedEnding::kKeepAlive);
  ASSERT_EQ(made.pieces.size(), 13u);  // head, role, ten tokens, the end
  EXPECT_EQ(made.pieces[0].at_ns, 0);
  EXPECT_EQ(made.pieces[1].at_ns, 0);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(made.pieces[2 + i].at_ns, static_cast<int64_t>(30 + 5 * i) * kMs);
    EXPECT_EQ(made.pieces[2 + i].tokens, 1);
  }
  EXPECT_EQ(made.pieces[12].at_ns, 75 * kMs);
  EXPECT_EQ(text_of(made), expected_text(chat, 10));
  ASSERT_EQ(made.events.size(), 14u);
  EXPECT_NE(made.events[11].find(R"("finish_reason":"length")"), std::string::npos);
  // user, \n, "ride", " ", 快, \n
  EXPECT_NE(made.events[12].find(
                R"("choices":[],"usage":{"prompt_tokens":6,"completion_tokens":10,"total_tokens":16)"),
            std::string::npos)
      << made.events[12];
  EXPECT_EQ(made.events[13], "[DONE]");
}

TEST(MockAnswer, HonoursLengths) {
  MockOptions options;
  options.output_tokens = {20, 20};
  options.context_tokens = 100;
  const auto length = [&](const char* fields) {
    const std::string body = std::string(R"({"model":"mock","prompt":"a b c","stream":true)") + fields + "}";
    const MockPlan made = plan(options, body.c_str(), "/v1/completions");
    return std::to_string(made.output_tokens) + std::string(made.finish_reason);
  };
  EXPECT_EQ(length(""), "20stop");
  EXPECT_EQ(length(R"(,"max_tokens":5)"), "5length");
  EXPECT_EQ(length(R"(,"max_tokens":20)"), "20stop");
  EXPECT_EQ(length(R"(,"max_tokens":50)"), "20stop");
  EXPECT_EQ(length(R"(,"max_tokens":50,"ignore_eos":true)"), "50length");
  EXPECT_EQ(length(R"(,"max_tokens":50,"min_tokens":30)"), "30stop");
  EXPECT_EQ(length(R"(,"max_completion_tokens":3)"), "3length");
  options.output_tokens = {500, 500};
  EXPECT_EQ(length(""), "97length") << "the context ends it";
}

TEST(MockAnswer, DrawsTheSameAgain) {
  MockOptions options;
  options.output_tokens = {1, 50};
  options.ttft = {MockDelay::Kind::kLognormal, 50, 20};
  options.itl = {MockDelay::Kind::kExponential, 5, 0};
  const char* body = R"({"model":"mock","prompt":"x","stream":true})";
  const auto request = read_mock_request(request_of(body, "/v1/completions"), options);
  std::map<int64_t, int> lengths;
  for (uint64_t index = 0; index < 200; ++index) {
    const MockPlan one = plan_mock_answer(*request, index, options);
    const MockPlan two = plan_mock_answer(*request, index, options);
    EXPECT_EQ(one.output_tokens, two.output_tokens);
    EXPECT_EQ(one.ttft_ns, two.ttft_ns);
    EXPECT_GE(one.output_tokens, 1);
    EXPECT_LE(one.output_tokens, 50);
    ++lengths[one.output_tokens];
    const Made first = make(one, options), second = make(two, options);
    EXPECT_EQ(first.body, second.body);
    ASSERT_EQ(first.pieces.size(), second.pieces.size());
    for (size_t i = 0; i < first.pieces.size(); ++i) EXPECT_EQ(first.pieces[i].at_ns, second.pieces[i].at_ns);
  }
  EXPECT_GT(lengths.size(), 20u);
}

TEST(MockAnswer, PutsSeveralTokensIntoAChunk) {
  MockOptions options;
  options.ttft.mean_ms = 10;
  options.itl.mean_ms = 1;
  options.tokens_per_chunk = 4;
  const MockPlan chat = plan(options);
  const Made made = make(chat, options);
  ASSERT_EQ(made.pieces.size(), 6u);  // 4 + 4 + 2 tokens
  EXPECT_EQ(made.pieces[2].tokens, 4);
  EXPECT_EQ(made.pieces[2].at_ns, 13 * kMs) << "when its last token is due";
  EXPECT_EQ(made.pieces[4].tokens, 2);
  EXPECT_EQ(made.pieces[4].at_ns, 19 * kMs);
  EXPECT_EQ(text_of(made), expected_text(chat, 10));
}

TEST(MockAnswer, PutsSeveralEventsIntoASend) {
  MockOptions options;
  options.events_per_send = 4;
  const MockPlan chat = plan(options);
  const Made made = make(chat, options);
  ASSERT_EQ(made.pieces.size(), 6u);
  EXPECT_EQ(made.events.size(), 14u);
  EXPECT_EQ(tokens_of(made), 10);
  EXPECT_EQ(text_of(made), expected_text(chat, 10));
}

TEST(MockAnswer, CutsEventsWhereItIsTold) {
  for (const MockSplit split : {MockSplit::kUtf8, MockSplit::kLine}) {
    MockOptions options;
    options.split = split;
    options.split_gap_ms = 2;
    options.comment_ms = 10;
    const MockPlan chat = plan(options);
    const Made made = make(chat, options);
    EXPECT_EQ(text_of(made), expected_text(chat, 10));
    EXPECT_EQ(tokens_of(made), 10);
    int cuts = 0;
    for (size_t i = 1; i < made.pieces.size(); ++i) {
      if (made.pieces[i].tokens == 0 || made.pieces[i].bytes->find("data:") != std::string::npos) continue;
      ++cuts;  // the second part: its first lies right before it
      EXPECT_EQ(made.pieces[i].at_ns, made.pieces[i - 1].at_ns + 2 * kMs);
      const std::string& first = *made.pieces[i - 1].bytes;
      const std::string_view part = std::string_view(first).substr(0, first.size() - 2);
      EXPECT_TRUE(split == MockSplit::kLine || complete_utf8_prefix_bytes(part) < part.size());
    }
    const auto in_text = [&](char c) { return (c & 0x80) != 0; };
    int foreign = 0;
    for (int64_t i = 0; i < 10; ++i) foreign += in_text(mock_token(chat.seed, i)[0]) ? 1 : 0;
    EXPECT_GT(foreign, 0);
    // A part that was cut inside of "data:" is not found by it either.
    EXPECT_EQ(cuts, split == MockSplit::kUtf8 ? foreign : 10);
  }
}

TEST(MockAnswer, SendsCommentsWhileNothingElseComes) {
  MockOptions options;
  options.ttft.mean_ms = 100;
  options.comment_ms = 30;
  const Made made = make(plan(options), options);
  size_t comments = 0;
  int64_t last_ns = 0;
  for (const PacedPiece& piece : made.pieces) {
    EXPECT_GE(piece.at_ns, last_ns);
    last_ns = piece.at_ns;
    if (piece.bytes->find(": still here") == std::string::npos) continue;
    EXPECT_EQ(piece.at_ns, static_cast<int64_t>(comments) * 30 * kMs);
    ++comments;
  }
  EXPECT_EQ(comments, 10u);  // 0, 30, ... 270; the answer ends at 280
  EXPECT_EQ(made.events.size(), 14u);
}

TEST(MockAnswer, ShapesStreamsAsItIsTold) {
  MockOptions options;
  options.role_ms = -1;
  options.usage = MockUsage::kNever;
  const Made bare = make(plan(options), options);
  EXPECT_EQ(bare.events.size(), 12u);  // ten tokens, the finish, [DONE]
  EXPECT_NE(bare.events[0].find(R"("role":"assistant","content":)"), std::string::npos);
  EXPECT_EQ(bare.body.find("usage"), std::string::npos);

  options.usage = MockUsage::kAlways;
  const char* completion = R"({"model":"mock","prompt":"x","stream":true,"max_tokens":2,
                               "stream_options":{"continuous_usage_stats":true}})";
  const Made made = make(plan(options, completion, "/v1/completions"), options);
  ASSERT_EQ(made.events.size(), 5u);
  EXPECT_NE(made.events[0].find(R"("completion_tokens":1,)"), std::string::npos) << made.events[0];
  EXPECT_NE(made.events[1].find(R"("completion_tokens":2,)"), std::string::npos);
}

TEST(MockAnswer, SpeaksTheArticlesDialect) {
  MockOptions options;
  options.ttft.mean_ms = 250;
  const MockPlan article = plan(options, R"({"prompt":"x","max_new_tokens":3})", "/v1/completions");
  const Made made = make(article, options);
  ASSERT_EQ(made.pieces.size(), 1u);
  EXPECT_EQ(made.pieces[0].at_ns, (250 + 2 * 20) * kMs);
  const auto json = parse_json(made.body, {});
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json->find("text")->as_string(), expected_text(article, 3));
  double ttft_s = 0;
  EXPECT_TRUE(json->find("ttft")->as_number(&ttft_s));
  EXPECT_EQ(ttft_s, 0.25);
  const Made stream =
      make(plan(options, R"({"prompt":"x","max_new_tokens":3,"stream":true})", "/v1/completions"), options);
  EXPECT_NE(stream.events[3].find(R"("ttft":0.25)"), std::string::npos) << stream.events[3];
}

TEST(MockAnswer, MakesEachFault) {
  MockOptions options;
  MockPlan chat = plan(options);
  const auto fault = [&](MockFault which) {
    chat.fault = which;
    return make(chat, options);
  };
  EXPECT_EQ(fault(MockFault::kRefuse400).status, 400);
  EXPECT_EQ(fault(MockFault::kFail500).status, 500);
  for (const MockFault later : {MockFault::kRefuse429, MockFault::kFail503}) {
    EXPECT_NE(fault(later).pieces[0].bytes->find("Retry-After: 1\r\n"), std::string::npos);
  }
  EXPECT_TRUE(fault(MockFault::kNoAnswer).pieces.empty());
  EXPECT_EQ(fault(MockFault::kNoAnswer).ending, PacedEnding::kHold);
  for (const auto& [which, ending] : {std::pair{MockFault::kTruncate, PacedEnding::kClose},
                                      {MockFault::kReset, PacedEnding::kReset},
                                      {MockFault::kStall, PacedEnding::kHold}}) {
    const Made made = fault(which);
    EXPECT_EQ(made.ending, ending);
    EXPECT_FALSE(made.whole);
    EXPECT_EQ(text_of(made), expected_text(chat, 3));
    EXPECT_EQ(made.events.size(), 4u);
  }
  const Made no_done = fault(MockFault::kNoDone);
  EXPECT_TRUE(no_done.whole);
  EXPECT_EQ(no_done.events.size(), 4u);
  EXPECT_EQ(text_of(no_done), expected_text(chat, 3));
  const Made error = fault(MockFault::kError);
  EXPECT_EQ(error.events.size(), 6u);
  EXPECT_TRUE(error.events[4].starts_with(R"({"error":{"message":)")) << error.events[4];
  const Made empty = fault(MockFault::kEmpty);
  EXPECT_TRUE(empty.whole);
  EXPECT_EQ(text_of(empty), "");
  EXPECT_NE(empty.body.find(R"("completion_tokens":0,)"), std::string::npos);
  const Made bad = fault(MockFault::kBadJson);
  EXPECT_EQ(text_of(bad), expected_text(chat, 10));
  EXPECT_FALSE(parse_json(bad.events[4], {}).ok());
  const Made wrong = fault(MockFault::kWrongUsage);
  EXPECT_NE(wrong.body.find(R"("completion_tokens":0,)"), std::string::npos);
  const Made plain = fault(MockFault::kPlainJson);
  EXPECT_TRUE(parse_json(plain.body, {}).ok());

  options.stall_ms = 1000;
  const Made stalled = fault(MockFault::kStall);
  EXPECT_TRUE(stalled.whole);
  EXPECT_EQ(stalled.pieces.back().at_ns, (50 + 9 * 20 + 1000) * kMs);
  options.fault_after_tokens = 100;
  EXPECT_EQ(text_of(fault(MockFault::kTruncate)), expected_text(chat, 10)) << "when the text is over";
}

TEST(MockAnswer, StrikesAsOftenAsItIsTold) {
  MockOptions options;
  options.fault_rates = *parse_mock_fault_rates("truncate=0.25,429=0.125");
  const auto request = read_mock_request(request_of(kChat), options);
  std::map<MockFault, int> counts;
  constexpr int kDraws = 10'000;
  for (uint64_t index = 0; index < kDraws; ++index)
    ++counts[plan_mock_answer(*request, index, options).fault];
  // Five standard deviations of a binomial distribution.
  EXPECT_NEAR(counts[MockFault::kTruncate], kDraws * 0.25, 5 * std::sqrt(kDraws * 0.25 * 0.75));
  EXPECT_NEAR(counts[MockFault::kRefuse429], kDraws * 0.125, 5 * std::sqrt(kDraws * 0.125 * 0.875));
  EXPECT_EQ(counts.size(), 3u);
}

TEST(MockAnswer, DrawsDelaysOfTheAskedMeanAndSpread) {
  for (const auto kind : {MockDelay::Kind::kConstant, MockDelay::Kind::kUniform, MockDelay::Kind::kNormal,
                          MockDelay::Kind::kLognormal, MockDelay::Kind::kExponential}) {
    const MockDelay delay{kind, 20, 4};
    Random random(5);
    constexpr int kDraws = 20'000;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double ms = static_cast<double>(delay.draw_ns(&random)) / 1e6;
      EXPECT_GE(ms, 0);
      sum += ms;
      squares += ms * ms;
    }
    const double mean = sum / kDraws, deviation = std::sqrt(squares / kDraws - mean * mean);
    const double expected = kind == MockDelay::Kind::kConstant      ? 0
                            : kind == MockDelay::Kind::kUniform     ? 4 / std::sqrt(3)
                            : kind == MockDelay::Kind::kExponential ? 20
                                                                    : 4;
    // Five standard errors, of the mean and (generously, as for heavy tails) of the deviation.
    EXPECT_NEAR(mean, 20, 5 * expected / std::sqrt(kDraws) + 1e-6) << static_cast<int>(kind);
    EXPECT_NEAR(deviation, expected, 10 * expected / std::sqrt(kDraws) + 1e-3) << static_cast<int>(kind);
  }
}

TEST(MockOptions, AreReadFromWords) {
  EXPECT_EQ((*parse_mock_fault_rates("truncate=0.5"))[static_cast<size_t>(MockFault::kTruncate)], 0.5);
  EXPECT_TRUE(parse_mock_fault_rates("").ok());
  EXPECT_TRUE(parse_mock_fault_rates("stall=0.1,429=0.2,500=0.3,none=1,truncate=0.4").ok());
  for (const char* bad : {"x=1", "truncate", "truncate=", "truncate=2", "truncate=-1", "truncate=nan",
                          "truncate=0.6,stall=0.6", "truncate=0.1,,", "=1", "truncate=0.1x"}) {
    EXPECT_FALSE(parse_mock_fault_rates(bad).ok()) << bad;
  }
  EXPECT_EQ(parse_mock_tokens("5:9")->max, 9);
  EXPECT_EQ(parse_mock_tokens("5")->max, 5);
  for (const char* bad : {"", "x", "-1", "5:", ":5", "9:5", "5:6:7", "1e3", "99999999999"}) {
    EXPECT_FALSE(parse_mock_tokens(bad).ok()) << bad;
  }
  for (int i = 0; i < kMockFaultCount; ++i) {
    const auto fault = static_cast<MockFault>(i);
    EXPECT_EQ(*parse_mock_fault(mock_fault_name(fault)), fault);
  }
}

TEST(MockRequest, RefusesWhatIsWrong) {
  MockOptions options;
  options.context_tokens = 50;
  const std::tuple<const char*, ErrorCode, const char*> cases[] = {
      {"{", ErrorCode::kInvalid, ""},
      {"[]", ErrorCode::kInvalid, ""},
      {R"({"model":"other","prompt":"x"})", ErrorCode::kNotFound, "model"},
      {R"({"model":"mock"})", ErrorCode::kInvalid, "prompt"},
      {R"({"prompt":5})", ErrorCode::kInvalid, "prompt"},
      {R"({"prompt":["a","b"]})", ErrorCode::kInvalid, "prompt"},
      {R"({"prompt":"x","max_tokens":-1})", ErrorCode::kInvalid, "max_tokens"},
      {R"({"prompt":"x","max_tokens":1.5})", ErrorCode::kInvalid, "max_tokens"},
      {R"({"prompt":"x","stream":1})", ErrorCode::kInvalid, "stream"},
      {R"({"prompt":"x","stream_options":{}})", ErrorCode::kInvalid, "stream_options"},
      {R"({"prompt":"x","n":2})", ErrorCode::kInvalid, "n"},
      {R"({"prompt":"x","max_tokens":50})", ErrorCode::kTooLarge, "prompt"},
  };
  for (const auto& [body, code, field] : cases) {
    const auto request = read_mock_request(request_of(body, "/v1/completions"), options);
    ASSERT_FALSE(request.ok()) << body;
    EXPECT_EQ(request.error().code, code) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
  for (const char* body : {"{}", R"({"messages":[]})", R"({"messages":[{}]})", R"({"messages":["a"]})"}) {
    EXPECT_FALSE(read_mock_request(request_of(body), options).ok()) << body;
  }
  HttpRequest faulty = request_of(kChat);
  faulty.headers = {{"X-Mock-Fault", "unheard-of"}};
  EXPECT_FALSE(read_mock_request(faulty, options).ok());
  faulty.headers = {{"x-mock-fault", "reset"}, {"x-request-id", "abc"}};
  const auto read = read_mock_request(faulty, options);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->fault, MockFault::kReset);
  EXPECT_EQ(read->request_id, "abc");
  EXPECT_EQ(read_mock_request(request_of(R"({"prompt":[1,2,3]})", "/v1/completions"), options)->prompt_tokens,
            3);
}

}  // namespace
}  // namespace hussar
