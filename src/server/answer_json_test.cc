#include "server/answer_json.h"

#include <gtest/gtest.h>

#include <limits>

#include "server/testing.h"

namespace hussar {
namespace {

class AnswerJsonTest : public ::testing::Test {
 protected:
  AnswerJson writer(Endpoint endpoint, AnswerJson::Options options = {}) {
    options.endpoint = endpoint;
    options.id = "id-1";
    options.model = "m";
    options.created_unix_seconds = 123;
    return {std::move(options), tokenizer_};
  }
  static std::string whole(AnswerJson writer, const WholeChoice& choice, const Usage& usage) {
    return writer.whole({&choice, 1}, usage, 0.25);
  }
  // The documents of a stream without their framing.
  static std::vector<std::string> documents(std::string_view stream) {
    std::vector<std::string> list;
    while (!stream.empty()) {
      const size_t end = stream.find("\n\n");
      EXPECT_TRUE(stream.starts_with("data: "));
      list.emplace_back(stream.substr(6, end - 6));
      stream.remove_prefix(end + 2);
    }
    return list;
  }
  static WholeChoice text_choice(const char* text, FinishReason reason) {
    return {{{text, {}, "", {}, {}}}, {reason, false, ""}};
  }
  const Tokenizer tokenizer_ = testing_tokenizer();
  const Usage usage_{7, 4, 2};
};

TEST_F(AnswerJsonTest, WholeCompletionCarriesTheArticlesFields) {
  EXPECT_EQ(
      whole(writer(Endpoint::kCompletions), text_choice("a\"b", FinishReason::kLength), usage_),
      R"({"id":"id-1","object":"text_completion","created":123,"model":"m","choices":[{"index":0,"text":"a\"b",)"
      R"("logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":2,)"
      R"("total_tokens":9,"prompt_tokens_details":{"cached_tokens":4}},"text":"a\"b","ttft":0.25})");
}

TEST_F(AnswerJsonTest, WholeChat) {
  EXPECT_EQ(
      whole(writer(Endpoint::kChat), text_choice("hi", FinishReason::kStop), usage_),
      R"({"id":"id-1","object":"chat.completion","created":123,"model":"m","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":)"
      R"({"cached_tokens":4}}})");
}

TEST_F(AnswerJsonTest, WholeChoicesOfSeveralPromptsWithTheirIds) {
  AnswerJson json = writer(Endpoint::kCompletions, {.choices_per_prompt = 2, .prompt_ids = {{1, 2}, {3}}});
  std::vector<WholeChoice> choices;
  for (const char* text : {"a", "b", "c", "d"}) choices.push_back(text_choice(text, FinishReason::kStop));
  choices[2].pieces[0].ids = {9};
  const Json answer = *parse_json(json.whole(choices, usage_, 0.5), {});
  const JsonArray& list = *answer.find("choices")->as_array();
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(write_json(list[1]),
            R"({"index":1,"text":"b","logprobs":null,"finish_reason":"stop","token_ids":[],)"
            R"("prompt_token_ids":[1,2]})");
  EXPECT_EQ(write_json(list[2]),
            R"({"index":2,"text":"c","logprobs":null,"finish_reason":"stop","token_ids":[9],)"
            R"("prompt_token_ids":[3]})");
  EXPECT_EQ(*answer.find("text")->as_string(), "a");
}

TEST_F(AnswerJsonTest, ToolCallsWholeAndAsDeltas) {
  const ToolCall call{"call_1", "f", R"({"a":1})"}, other{"call_2", "g", "{}"};
  const WholeChoice choice{{{"", {call, other}, "", {}, {}}}, {FinishReason::kStop, true, ""}};
  const Json answer = *parse_json(whole(writer(Endpoint::kChat), choice, usage_), {});
  EXPECT_EQ(write_json(answer.find("choices")->as_array()->front()),
            R"({"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[)"
            R"({"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},)"
            R"({"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
            R"("logprobs":null,"finish_reason":"tool_calls"})");
  AnswerJson stream = writer(Endpoint::kChat);
  std::string out;
  stream.add(0, {"so", {call}, "", {}, {}}, &out);
  stream.end_choice(0, {"", {other}, "", {}, {}}, choice.end, 0.5, &out);
  const auto chunks = documents(out);
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_NE(
      chunks[1].find(R"("delta":{"content":"so","tool_calls":[{"index":0,"id":"call_1","type":"function",)"
                     R"("function":{"name":"f","arguments":"{\"a\":1}"}}]})"),
      std::string::npos)
      << chunks[1];
  EXPECT_NE(chunks[2].find(R"("tool_calls":[{"index":1,"id":"call_2")"), std::string::npos) << chunks[2];
  EXPECT_NE(chunks[2].find(R"("finish_reason":"tool_calls")"), std::string::npos);
}

TEST_F(AnswerJsonTest, ChatChunks) {
  AnswerJson json = writer(Endpoint::kChat, {.include_usage = true});
  std::string out;
  json.begin(7, &out);
  json.add(0, {"hi", {}, "", {}, {}}, &out);
  json.end_choice(0, {}, {FinishReason::kStop, false, ""}, 0.5, &out);
  json.end(usage_, 0.5, &out);
  EXPECT_EQ(
      documents(out),
      (std::vector<std::string>{
          R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[{"index":0,"delta":)"
          R"({"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null})",
          R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[{"index":0,"delta":)"
          R"({"content":"hi"},"logprobs":null,"finish_reason":null}],"usage":null})",
          R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[{"index":0,"delta":)"
          R"({},"logprobs":null,"finish_reason":"stop"}],"usage":null})",
          R"({"id":"id-1","object":"chat.completion.chunk","created":123,"model":"m","choices":[],"usage":)"
          R"({"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}})",
          "[DONE]"}));
}

TEST_F(AnswerJsonTest, TheLastCompletionChunkCarriesTtft) {
  AnswerJson json = writer(Endpoint::kCompletions, {.include_usage = true});
  std::string out;
  json.end_choice(1, {"y", {}, "", {}, {}}, {FinishReason::kStop, false, ""}, std::nullopt, &out);
  json.end_choice(0, {"x", {}, "", {}, {}}, {FinishReason::kLength, false, ""}, 0.5, &out);
  json.end(usage_, 0.5, &out);
  const auto chunks = documents(out);
  EXPECT_EQ(
      chunks.at(1),
      R"({"id":"id-1","object":"text_completion","created":123,"model":"m","choices":[{"index":0,"text":"x",)"
      R"("logprobs":null,"finish_reason":"length"}],"usage":null,"ttft":0.5})");
  EXPECT_EQ(chunks.at(0).find("ttft"), std::string::npos) << "another choice goes on";
  EXPECT_NE(chunks.at(2).find(R"("ttft":0.5)"), std::string::npos);
}

TEST_F(AnswerJsonTest, ChatLogprobs) {
  AnswerJson json = writer(Endpoint::kChat, {.logprobs = true});
  const ShownToken token{'a', "a", 0, -0.5f, {{'a', -0.5f}, {0xE4, -std::numeric_limits<float>::infinity()}}};
  std::string text;
  json.add(0, {"a", {}, "", {token}, {}}, &text);
  EXPECT_NE(
      text.find(
          R"("logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[)"
          R"({"token":"a","logprob":-0.5,"bytes":[97]},{"token":"�","logprob":-9999.0,"bytes":[228]}]}],)"
          R"("refusal":null})"),
      std::string::npos)
      << text;
}

TEST_F(AnswerJsonTest, CompletionLogprobs) {
  const ShownToken token{0xE4, "\xE4", 3, -0.5f, {{0xE4, -0.5f}, {'a', -1.5f}}};
  const WholeChoice choice{{{"a", {}, "", {token}, {}}}, {}};
  const std::string text = whole(writer(Endpoint::kCompletions, {.logprobs = true}), choice, usage_);
  EXPECT_NE(text.find(R"("logprobs":{"tokens":["bytes:\\xe4"],"token_logprobs":[-0.5],"top_logprobs":)"
                      R"([{"bytes:\\xe4":-0.5,"a":-1.5}],"text_offset":[3]})"),
            std::string::npos)
      << text;
  const std::string ids =
      whole(writer(Endpoint::kCompletions, {.logprobs = true, .tokens_as_ids = true}), choice, usage_);
  EXPECT_NE(ids.find(R"("tokens":["token_id:228"],"token_logprobs":[-0.5],"top_logprobs":)"
                     R"([{"token_id:228":-0.5,"token_id:97":-1.5}])"),
            std::string::npos)
      << ids;
}

TEST(SseTest, FramesADocument) {
  std::string out = "data: 1\n\n";
  append_sse(R"({"a":1})", &out);
  EXPECT_EQ(out, "data: 1\n\ndata: {\"a\":1}\n\n");
}

}  // namespace
}  // namespace hussar
