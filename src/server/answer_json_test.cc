#include "server/answer_json.h"

#include <gtest/gtest.h>

#include <limits>

#include "server/testing.h"

namespace hussar {
namespace {

class AnswerJsonTest : public ::testing::Test {
 protected:
  AnswerJson writer(Endpoint endpoint, AnswerJson::Logprobs logprobs = AnswerJson::Logprobs::kNo,
                    bool include_usage = false) {
    return {endpoint, "id-1", "m", 123, tokenizer_, logprobs, include_usage};
  }
  const Tokenizer tokenizer_ = testing_tokenizer();
  const Usage usage_{7, 4, 2};
};

TEST_F(AnswerJsonTest, WholeCompletionCarriesTheArticlesFields) {
  EXPECT_EQ(
      writer(Endpoint::kCompletions).whole({"a\"b", {}}, FinishReason::kLength, usage_, 0.25),
      R"({"id":"id-1","object":"text_completion","created":123,"model":"m","choices":[{"index":0,"text":"a\"b",)"
      R"("logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":2,)"
      R"("total_tokens":9,"prompt_tokens_details":{"cached_tokens":4}},"text":"a\"b","ttft":0.25})");
}

TEST_F(AnswerJsonTest, WholeChat) {
  EXPECT_EQ(
      writer(Endpoint::kChat).whole({"hi", {}}, FinishReason::kStop, usage_, 0.25),
      R"({"id":"id-1","object":"chat.completion","created":123,"model":"m","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":)"
      R"({"cached_tokens":4}}})");
}

TEST_F(AnswerJsonTest, ChatChunks) {
  const AnswerJson json = writer(Endpoint::kChat, AnswerJson::Logprobs::kNo, true);
  EXPECT_EQ(
      json.first_chunk(),
      R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[{"index":0,"delta":)"
      R"({"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null})");
  EXPECT_EQ(
      json.chunk({"hi", {}}),
      R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[{"index":0,"delta":)"
      R"({"content":"hi"},"logprobs":null,"finish_reason":null}],"usage":null})");
  EXPECT_EQ(
      json.finish_chunk({}, FinishReason::kStop, 0.5),
      R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[{"index":0,"delta":)"
      R"({},"logprobs":null,"finish_reason":"stop"}],"usage":null})");
  EXPECT_EQ(
      json.usage_chunk(usage_, 0.5),
      R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[],"usage":)"
      R"({"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}})");
}

TEST_F(AnswerJsonTest, TheLastCompletionChunkCarriesTtft) {
  const AnswerJson json = writer(Endpoint::kCompletions);
  EXPECT_EQ(
      json.finish_chunk({"x", {}}, FinishReason::kLength, 0.5),
      R"({"id":"id-1","object":"text_completion","created":123,"model":"m","choices":[{"index":0,"text":"x",)"
      R"("logprobs":null,"finish_reason":"length"}],"ttft":0.5})");
  EXPECT_NE(json.usage_chunk(usage_, 0.5).find(R"("ttft":0.5)"), std::string::npos);
}

TEST_F(AnswerJsonTest, ChatLogprobs) {
  const AnswerJson json = writer(Endpoint::kChat, AnswerJson::Logprobs::kYes);
  const ShownToken token{'a', "a", 0, -0.5f, {{'a', -0.5f}, {0xE4, -std::numeric_limits<float>::infinity()}}};
  const std::string text = json.chunk({"a", {token}});
  EXPECT_NE(
      text.find(
          R"("logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[)"
          R"({"token":"a","logprob":-0.5,"bytes":[97]},{"token":"�","logprob":-9999.0,"bytes":[228]}]}],)"
          R"("refusal":null})"),
      std::string::npos)
      << text;
}

TEST_F(AnswerJsonTest, CompletionLogprobs) {
  const AnswerJson json = writer(Endpoint::kCompletions, AnswerJson::Logprobs::kYes);
  const ShownToken token{0xE4, "\xE4", 3, -0.5f, {{0xE4, -0.5f}, {'a', -1.5f}}};
  const std::string text = json.whole({"a", {token}}, FinishReason::kStop, usage_, 0);
  EXPECT_NE(text.find(R"("logprobs":{"tokens":["bytes:\\xe4"],"token_logprobs":[-0.5],"top_logprobs":)"
                      R"([{"bytes:\\xe4":-0.5,"a":-1.5}],"text_offset":[3]})"),
            std::string::npos)
      << text;
}

TEST(SseTest, FramesADocument) {
  std::string out = "data: 1\n\n";
  append_sse(R"({"a":1})", &out);
  EXPECT_EQ(out, "data: 1\n\ndata: {\"a\":1}\n\n");
}

}  // namespace
}  // namespace hussar
