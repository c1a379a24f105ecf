#include "bench/answer_reader.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

const std::vector<HttpHeader> kStream{{"content-type", "text/event-stream; charset=utf-8"}};
const std::vector<HttpHeader> kJson{{"Content-Type", "application/json"}};

// Each piece comes one nanosecond after the one before; the head at 10, the first piece at 11.
struct Call {
  AnswerReaderOptions options{.streamed = true, .output_tokens_max = 100, .keep_text = true};
  int status = 200;  // 0: no head came
  std::vector<HttpHeader> headers = kStream;
  std::vector<std::string> pieces = {};
  CallEnd end = CallEnd::kDone;
  std::string detail = "why it ended";
  std::optional<Outcome> given_up = {};
};

RequestRecord read(const Call& call) {
  RequestRecord record;
  AnswerReader reader(call.options, &record);
  int64_t now_ns = 10;
  if (call.status != 0) reader.head(call.status, call.headers, now_ns);
  for (const std::string& piece : call.pieces) reader.body(piece, ++now_ns);
  if (call.given_up) reader.give_up(*call.given_up, "out of patience");
  reader.end(call.end, call.detail, ++now_ns);
  return record;
}

RequestRecord read_stream(std::vector<std::string> pieces) { return read({.pieces = std::move(pieces)}); }

std::string event(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }
std::string text_event(std::string_view text, std::string_view more = "") {
  return event(R"({"choices":[{"index":0,"text":")" + std::string(text) + R"("}])" + std::string(more) + "}");
}
std::string finish_event(std::string_view reason = "length") {
  return event(R"({"choices":[{"index":0,"text":"","finish_reason":")" + std::string(reason) + R"("}]})");
}
std::string usage(int prompt, int output, int cached = 0) {
  return R"("usage":{"prompt_tokens":)" + std::to_string(prompt) + R"(,"completion_tokens":)" +
         std::to_string(output) + R"(,"prompt_tokens_details":{"cached_tokens":)" + std::to_string(cached) +
         "}}";
}
std::string usage_event(int prompt, int output, int cached = 0) {
  return event(R"({"choices":[],)" + usage(prompt, output, cached) + "}");
}
const std::string kDoneEvent = "data: [DONE]\n\n";

std::vector<int> tokens_of(const RequestRecord& record) {
  std::vector<int> tokens;
  for (const TextChunk& chunk : record.chunks) tokens.push_back(chunk.tokens);
  return tokens;
}

TEST(AnswerReader, ReadsAWholeStream) {
  const RequestRecord record = read_stream(
      {event(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})"), text_event("one "),
       text_event("two ") + text_event("three"), finish_event(), usage_event(5, 3, 2), kDoneEvent});
  EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
  EXPECT_EQ(record.detail, "");
  EXPECT_EQ(record.text, "one two three");
  EXPECT_EQ(record.text_bytes, 13);
  EXPECT_EQ(record.http_status, 200);
  EXPECT_EQ(record.head_ns, 10);
  EXPECT_EQ(record.first_token_ns, 12);
  EXPECT_EQ(record.last_token_ns, 13);
  EXPECT_EQ(record.end_ns, 17);
  ASSERT_EQ(record.chunks.size(), 3u);
  EXPECT_EQ(record.chunks[1].at_ns, 13);
  EXPECT_EQ(record.chunks[2].at_ns, 13);
  EXPECT_EQ(record.prompt_tokens, 5);
  EXPECT_EQ(record.cached_tokens, 2);
  EXPECT_EQ(record.output_tokens, 3);
  EXPECT_EQ(record.token_source, TokenSource::kUsage);
  EXPECT_EQ(record.finish_reason, "length");
}

TEST(AnswerReader, ReadsTheSameWhereverTheBytesAreCut) {
  std::string bytes = ": hello\r\n\r\n" + text_event("\xE5\xBC\xA0\\u4f1f") + text_event("b") +
                      finish_event() + usage_event(5, 2) + kDoneEvent;
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    const RequestRecord record = read_stream({bytes.substr(0, cut), bytes.substr(cut)});
    ASSERT_EQ(record.outcome, Outcome::kOk) << record.detail << " with a cut at " << cut;
    EXPECT_EQ(record.text, "张伟b");
    EXPECT_EQ(tokens_of(record), (std::vector<int>{1, 1}));
  }
}

TEST(AnswerReader, CountsTheTokensOfAChunkOnlyWhereItKnows) {
  // As many tokens as chunks: one each.
  EXPECT_EQ(tokens_of(read_stream({text_event("a"), text_event("b"), usage_event(1, 2), kDoneEvent})),
            (std::vector<int>{1, 1}));
  // Otherwise nobody knows, nor without usage.
  EXPECT_EQ(tokens_of(read_stream({text_event("a"), text_event("b"), usage_event(1, 3), kDoneEvent})),
            (std::vector<int>{0, 0}));
  EXPECT_EQ(tokens_of(read_stream({text_event("a"), text_event("b"), kDoneEvent})), (std::vector<int>{0, 0}));
  // usage in every chunk; the token that ended the answer has no text.
  EXPECT_EQ(tokens_of(read_stream({event(R"({"choices":[{"delta":{"content":""}}],)" + usage(4, 0) + "}"),
                                   text_event("a", "," + usage(4, 1)), text_event("bcd", "," + usage(4, 4)),
                                   text_event("e", "," + usage(4, 4)), usage_event(4, 5), kDoneEvent})),
            (std::vector<int>{1, 3, 0}));
  // usage beside some chunks only is no count of each.
  EXPECT_EQ(tokens_of(read_stream({text_event("a"), text_event("b", "," + usage(4, 5)), kDoneEvent})),
            (std::vector<int>{0, 0}));
  EXPECT_EQ(tokens_of(read_stream(
                {text_event("a", "," + usage(4, 1)), text_event("b"), usage_event(4, 5), kDoneEvent})),
            (std::vector<int>{0, 0}));
  // Token ids; those whose text was held back belong to the chunk that shows it.
  const auto with_ids = [](std::string_view text, std::string_view ids) {
    return event(R"({"choices":[{"text":")" + std::string(text) + R"(","token_ids":[)" + std::string(ids) +
                 "]}]}");
  };
  EXPECT_EQ(tokens_of(read_stream({with_ids("a", "1"), with_ids("", "2,3"), with_ids("b", "4"),
                                   with_ids("", "5"), usage_event(4, 5), kDoneEvent})),
            (std::vector<int>{1, 3}));
  // Log-probabilities.
  const std::string two = event(
      R"({"choices":[{"delta":{"content":"ab"},"logprobs":{"content":[{"token":"a"},{"token":"b"}]}}]})");
  EXPECT_EQ(tokens_of(read_stream({two, two, usage_event(4, 4), kDoneEvent})), (std::vector<int>{2, 2}));
  // Zeros until the last event are no counts.
  EXPECT_EQ(tokens_of(read_stream({text_event("a", "," + usage(0, 0)), text_event("b", "," + usage(0, 0)),
                                   usage_event(4, 2), kDoneEvent})),
            (std::vector<int>{1, 1}));
}

TEST(AnswerReader, KnowsWhenAStreamIsWhole) {
  EXPECT_EQ(read_stream({text_event("a"), kDoneEvent}).outcome, Outcome::kOk);
  EXPECT_EQ(read_stream({text_event("a"), "data: [DONE]"}).outcome, Outcome::kOk);
  EXPECT_EQ(read_stream({text_event("a"), finish_event()}).outcome, Outcome::kOk);
  EXPECT_EQ(read_stream({text_event("a")}).outcome, Outcome::kTruncated);
  EXPECT_EQ(read_stream({text_event("a"), "data: {\"choi"}).outcome, Outcome::kTruncated);
  EXPECT_EQ(read_stream({text_event("a"), "data: [DO"}).outcome, Outcome::kTruncated);
  EXPECT_EQ(read_stream({": ping\n\n", text_event("a"), usage_event(3, 1)}).outcome, Outcome::kTruncated);
  // A connection that broke is an orderly end only behind [DONE].
  RequestRecord record = read({.pieces = {text_event("a"), finish_event()}, .end = CallEnd::kBroken});
  EXPECT_EQ(record.outcome, Outcome::kTruncated);
  EXPECT_EQ(record.detail, "why it ended");
  record = read({.pieces = {text_event("a"), finish_event(), kDoneEvent}, .end = CallEnd::kBroken});
  EXPECT_EQ(record.outcome, Outcome::kOk);
  // What follows [DONE] is not looked at.
  EXPECT_EQ(read_stream({text_event("a"), kDoneEvent, event("{broken")}).outcome, Outcome::kOk);
}

TEST(AnswerReader, AnswersWithoutTextAreEmpty) {
  EXPECT_EQ(read_stream({finish_event("stop"), usage_event(3, 1), kDoneEvent}).outcome,
            Outcome::kEmptyAnswer);
  EXPECT_EQ(read_stream({kDoneEvent}).outcome, Outcome::kEmptyAnswer);
  EXPECT_EQ(read_stream({}).outcome, Outcome::kEmptyAnswer);
  EXPECT_EQ(read({.headers = kJson}).outcome, Outcome::kEmptyAnswer);
  EXPECT_EQ(read({.options = {.streamed = false}, .headers = kJson}).outcome, Outcome::kEmptyAnswer);
  EXPECT_EQ(read({.options = {.streamed = false},
                  .headers = kJson,
                  .pieces = {R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})"}})
                .outcome,
            Outcome::kEmptyAnswer);
  EXPECT_EQ(read({.pieces = {}, .end = CallEnd::kBroken}).outcome, Outcome::kTruncated);
}

TEST(AnswerReader, ReasoningAndToolCallsAreAnswers) {
  const RequestRecord record = read_stream({event(R"({"choices":[{"delta":{"reasoning_content":"hm"}}]})"),
                                            event(R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})"),
                                            finish_event("tool_calls"), usage_event(3, 2), kDoneEvent});
  EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
  EXPECT_EQ(record.chunks.size(), 2u);
  EXPECT_EQ(record.text, "");
}

TEST(AnswerReader, AnErrorInsideOfA200IsOneEvenBehindText) {
  for (const std::string& error :
       {event(R"({"error":{"message":"out of memory"}})"), event(R"({"error":"out of memory"})"),
        std::string("event: error\ndata: {\"message\":\"out of memory\"}\n\n"),
        std::string("error: {\"message\":\"out of memory\"}\n\n"),
        event(R"({"object":"error","message":"out of memory","code":500})")}) {
    const RequestRecord record = read_stream({text_event("a"), error, finish_event(), kDoneEvent});
    EXPECT_EQ(record.outcome, Outcome::kInBandError) << error;
    EXPECT_EQ(record.detail, "the server reported: out of memory");
  }
  EXPECT_EQ(read({.pieces = {event(R"({"error":"x"})")}, .end = CallEnd::kBroken}).outcome,
            Outcome::kInBandError);
  EXPECT_EQ(read({.headers = kJson, .pieces = {R"({"error":{"message":"x"}})"}}).outcome,
            Outcome::kInBandError);
  EXPECT_EQ(read({.options = {.streamed = false}, .headers = kJson, .pieces = {R"({"error":"x"})"}}).outcome,
            Outcome::kInBandError);
}

TEST(AnswerReader, WhatIsNotTheApiIsBadJson) {
  const auto detail_of = [](const Call& call) {
    const RequestRecord record = read(call);
    EXPECT_EQ(record.outcome, Outcome::kBadJson) << record.detail;
    return record.detail;
  };
  EXPECT_EQ(detail_of({.headers = kJson, .pieces = {R"({"choices":[{"text":"a"}]})"}}),
            "answered without a stream (Content-Type: application/json)");
  EXPECT_NE(detail_of({.headers = {{"Content-Type", "text/html"}}, .pieces = {"<html>"}}).find("<html>"),
            std::string::npos);
  EXPECT_NE(detail_of({.pieces = {text_event("a"), event("{broken}"), kDoneEvent}}).find("invalid JSON"),
            std::string::npos);
  EXPECT_NE(detail_of({.pieces = {event(R"({"choices":[{"text":7}]})"), kDoneEvent}}).find("choices[0].text"),
            std::string::npos);
  EXPECT_NE(
      detail_of({.options = {.streamed = false}, .headers = kJson, .pieces = {"{}"}}).find("without choices"),
      std::string::npos);
  EXPECT_NE(detail_of({.options = {.streamed = false}, .headers = kJson, .pieces = {R"({"choices":[{"te)"}})
                .find("invalid JSON"),
            std::string::npos);
  EXPECT_NE(detail_of({.status = 204, .headers = {}}).find("204"), std::string::npos);
  EXPECT_NE(detail_of({.status = 302, .headers = {{"Location", "/"}}}).find("302"), std::string::npos);
  EXPECT_EQ(detail_of({.status = 0, .end = CallEnd::kBadAnswer}), "why it ended");
  EXPECT_EQ(detail_of({.pieces = {text_event("a")}, .end = CallEnd::kBadAnswer}), "why it ended");
}

TEST(AnswerReader, KeepsToItsLimits) {
  RequestRecord record = read_stream({"data: " + std::string(kSseEventBytesMax, ' ')});
  EXPECT_EQ(record.outcome, Outcome::kBadJson);
  EXPECT_NE(record.detail.find("longer"), std::string::npos);
  Call call{.options = {.streamed = false}, .headers = kJson};
  for (size_t bytes = 0; bytes <= kWholeAnswerBytesMax; bytes += 1 << 20)
    call.pieces.emplace_back(1 << 20, ' ');
  record = read(call);
  EXPECT_EQ(record.outcome, Outcome::kBadJson);
  EXPECT_NE(record.detail.find("longer"), std::string::npos);
  // A stream without an end.
  RequestRecord endless;
  AnswerReader reader({.streamed = true, .keep_text = true}, &endless);
  reader.head(200, kStream, 0);
  std::string flood;
  for (int i = 0; i < 1024; ++i) flood += text_event("a");
  for (size_t i = 0; i < 2 * kChunksMax / 1024; ++i) reader.body(flood, 1);
  EXPECT_TRUE(reader.settled());
  EXPECT_EQ(endless.chunks.size(), kChunksMax);
  EXPECT_EQ(endless.text.size(), kChunksMax);
  reader.end(CallEnd::kDone, "", 2);
  EXPECT_EQ(endless.outcome, Outcome::kBadJson);
  EXPECT_EQ(endless.detail, "the answer is longer than 1048576 events");
  call = {.pieces = std::vector<std::string>(40, text_event(std::string(1'000'000, 'x')))};
  record = read(call);
  EXPECT_EQ(record.outcome, Outcome::kBadJson);
  EXPECT_LT(record.text.size(), kWholeAnswerBytesMax + 1'000'001);
  record = read({.status = 500, .pieces = {std::string(10'000'000, 'x')}});
  EXPECT_EQ(record.outcome, Outcome::kHttp5xx);
  EXPECT_LT(record.detail.size(), 300u);
}

TEST(AnswerReader, TellsStatusesApart) {
  const auto with = [](int status, std::vector<HttpHeader> headers = {}, std::string body = "") {
    return read({.status = status, .headers = std::move(headers), .pieces = {std::move(body)}});
  };
  EXPECT_EQ(with(400).outcome, Outcome::kHttp4xx);
  EXPECT_EQ(with(404).outcome, Outcome::kHttp4xx);
  EXPECT_EQ(with(500).outcome, Outcome::kHttp5xx);
  EXPECT_EQ(with(503).outcome, Outcome::kHttp5xx);
  RequestRecord record = with(429, {{"retry-after", "1.5"}}, R"({"error":{"message":"too many"}})");
  EXPECT_EQ(record.outcome, Outcome::kHttp429);
  EXPECT_EQ(record.retry_after_s, 1.5);
  EXPECT_EQ(record.detail, "HTTP 429 Too Many Requests: too many");
  for (const char* odd : {"Wed, 21 Oct 2026 07:28:00 GMT", "-1", "nan", "inf", "", "1e300"}) {
    EXPECT_EQ(with(429, {{"Retry-After", odd}}).retry_after_s, -1) << odd;
  }
  // A status says more than how the waiting for its body ended.
  record = read({.status = 500, .end = CallEnd::kCancelled, .given_up = Outcome::kTotalTimeout});
  EXPECT_EQ(record.outcome, Outcome::kHttp5xx);
}

TEST(AnswerReader, ContradictingCountsAreAMismatch) {
  const auto detail_of = [](std::vector<std::string> pieces) {
    const RequestRecord record = read_stream(std::move(pieces));
    EXPECT_EQ(record.outcome, Outcome::kUsageMismatch);
    return record.detail;
  };
  EXPECT_EQ(detail_of({text_event("a"), usage_event(3, 0), kDoneEvent}),
            "usage: 0 output tokens, but text came");
  EXPECT_EQ(detail_of({text_event("a"), usage_event(3, -4), kDoneEvent}), "usage: a count of -4 tokens");
  EXPECT_EQ(detail_of({text_event("a"), usage_event(-3, 4), kDoneEvent}), "usage: a count of -3 tokens");
  EXPECT_EQ(detail_of({text_event("a"), usage_event(3, 101), kDoneEvent}),
            "usage: 101 output tokens, but at most 100 were asked for");
  EXPECT_EQ(detail_of({text_event("a", "," + usage(3, 5)), usage_event(3, 4), kDoneEvent}),
            "usage: output tokens fell from 5 to 4");
  EXPECT_EQ(detail_of({text_event("a"), usage_event(3, 1, 4), kDoneEvent}),
            "usage: 4 cached tokens of a prompt of 3");
  EXPECT_EQ(detail_of({text_event("a"), event(R"({"usage":{"completion_tokens":4294967296}})"), kDoneEvent}),
            "usage: a count of 4294967296 tokens");
  // Fewer tokens than chunks, and usage that says nothing of the output, contradict nothing.
  EXPECT_EQ(read_stream({text_event("a"), text_event("b"), usage_event(3, 1), kDoneEvent}).outcome,
            Outcome::kOk);
  RequestRecord record =
      read_stream({text_event("a"), event(R"({"usage":{"prompt_tokens":3}})"), kDoneEvent});
  EXPECT_EQ(record.outcome, Outcome::kOk);
  EXPECT_EQ(record.output_tokens, -1);
  EXPECT_EQ(record.token_source, TokenSource::kUnknown);
}

TEST(AnswerReader, GivingUpCountsUnlessTheAnswerHadDecidedItself) {
  const auto outcome_of = [](std::vector<std::string> pieces) {
    return read({.pieces = std::move(pieces), .end = CallEnd::kCancelled, .given_up = Outcome::kStallTimeout})
        .outcome;
  };
  EXPECT_EQ(outcome_of({}), Outcome::kStallTimeout);
  EXPECT_EQ(outcome_of({text_event("a"), finish_event()}), Outcome::kStallTimeout);
  EXPECT_EQ(outcome_of({text_event("a"), kDoneEvent}), Outcome::kOk);
  EXPECT_EQ(outcome_of({text_event("a"), event(R"({"error":"x"})")}), Outcome::kInBandError);
  EXPECT_EQ(outcome_of({event("{")}), Outcome::kBadJson);
  const RequestRecord record =
      read({.status = 0, .end = CallEnd::kCancelled, .given_up = Outcome::kConnectTimeout});
  EXPECT_EQ(record.outcome, Outcome::kConnectTimeout);
  EXPECT_EQ(record.detail, "out of patience");
}

TEST(AnswerReader, SaysWhenNothingCanChangeAnyMore) {
  const auto settled_by = [](int status, const std::string& piece) {
    RequestRecord record;
    AnswerReader reader({}, &record);
    EXPECT_FALSE(reader.settled());
    reader.head(status, kStream, 0);
    reader.body(piece, 1);
    return reader.settled();
  };
  EXPECT_FALSE(settled_by(200, text_event("a") + finish_event()));
  EXPECT_TRUE(settled_by(200, kDoneEvent));
  EXPECT_TRUE(settled_by(200, event(R"({"error":"x"})")));
  EXPECT_TRUE(settled_by(200, event("{")));
  EXPECT_TRUE(settled_by(503, ""));
}

TEST(AnswerReader, NothingAtAllIsToldApart) {
  EXPECT_EQ(read({.status = 0, .end = CallEnd::kConnectFailed}).outcome, Outcome::kConnectFailed);
  EXPECT_EQ(read({.status = 0, .end = CallEnd::kBroken}).outcome, Outcome::kTruncated);
  EXPECT_EQ(read({.status = 0, .end = CallEnd::kBroken, .detail = ""}).detail, "truncated");
}

TEST(AnswerReader, ReadsAnswersThatAreNotStreamed) {
  const std::string json = R"({"choices":[{"index":0,"text":"a b","finish_reason":"stop"}],)" + usage(4, 3) +
                           R"(,"text":"a b","ttft":0.5})";
  const RequestRecord record =
      read({.options = {.streamed = false, .output_tokens_max = 3, .keep_text = true},
            .headers = kJson,
            .pieces = {json.substr(0, 30), json.substr(30)}});
  EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
  EXPECT_EQ(record.text, "a b");
  EXPECT_EQ(record.first_token_ns, -1);
  EXPECT_EQ(record.last_token_ns, 13);
  EXPECT_EQ(record.end_ns, 13);
  EXPECT_EQ(record.output_tokens, 3);
  EXPECT_EQ(record.server_ttft_s, 0.5);
  EXPECT_EQ(record.finish_reason, "stop");
  EXPECT_TRUE(record.chunks.empty());
  // One that broke off is truncated, not wrong.
  EXPECT_EQ(read({.options = {.streamed = false},
                  .headers = kJson,
                  .pieces = {json.substr(0, 30)},
                  .end = CallEnd::kBroken})
                .outcome,
            Outcome::kTruncated);
}

TEST(AnswerReader, KeepsTextOnlyWhereAsked) {
  const RequestRecord record =
      read({.options = {.keep_text = false}, .pieces = {text_event("h\\u00e9"), kDoneEvent}});
  EXPECT_EQ(record.text, "");
  EXPECT_EQ(record.text_bytes, 3);
}

}  // namespace
}  // namespace hussar
