#include "bench/event_scanner.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "bench/event_reference.h"

namespace hussar {
namespace {

struct Scanned {
  ScanEnd end;
  AnswerEvent event;
  std::string text;
  std::string wrong_field;
};

// Scans a copy on the heap of the exact size, and compares with the tree.
Scanned scan(std::string_view json) {
  const std::vector<char> bytes(json.begin(), json.end());
  const std::string_view copy(bytes.data(), bytes.size());
  Scanned scanned;
  std::string_view wrong_field;
  scanned.text = "before ";
  scanned.end = scan_answer_event(copy, &scanned.event, &scanned.text, &wrong_field);
  EXPECT_TRUE(scanned.text.starts_with("before "));
  scanned.text.erase(0, 7);
  EXPECT_TRUE(scanned.end == ScanEnd::kFine || scanned.text.empty());
  if (scanned.end == ScanEnd::kWrongType) scanned.wrong_field = wrong_field;
  EXPECT_TRUE(agrees(EventReference::read(json), scanned.end, scanned.event, scanned.text)) << json;
  AnswerEvent without_text;
  EXPECT_EQ(scan_answer_event(copy, &without_text, nullptr, &wrong_field), scanned.end);
  EXPECT_EQ(without_text.text_bytes, scanned.event.text_bytes);
  return scanned;
}

TEST(EventScanner, ReadsHussarsStream) {
  const std::string head =
      R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[)";
  auto got = scan(
      head +
      R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null})");
  EXPECT_EQ(got.end, ScanEnd::kFine);
  EXPECT_TRUE(got.event.has_choice && !got.event.has_text && !got.event.has_usage && !got.event.is_error);
  got = scan(
      head +
      R"({"index":0,"delta":{"content":"caf\u00e9 \"x\""},"logprobs":null,"finish_reason":null}],"usage":null})");
  EXPECT_TRUE(got.event.has_text);
  EXPECT_EQ(got.text, "café \"x\"");
  EXPECT_EQ(got.event.text_bytes, got.text.size());
  got = scan(head + R"({"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null})");
  EXPECT_EQ(got.event.finish_reason, "length");
  EXPECT_FALSE(got.event.has_text);
  got = scan(
      head +
      R"(],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4}},"ttft":0.25})");
  EXPECT_FALSE(got.event.has_choice);
  EXPECT_EQ(got.event.prompt_tokens, 9);
  EXPECT_EQ(got.event.completion_tokens, 7);
  EXPECT_EQ(got.event.cached_tokens, 4);
  EXPECT_EQ(got.event.ttft_s, 0.25);
}

TEST(EventScanner, ReadsWholeAnswers) {
  auto got = scan(
      R"({"choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})");
  EXPECT_EQ(got.text, "hi");
  EXPECT_EQ(got.event.finish_reason, "stop");
  EXPECT_EQ(got.event.completion_tokens, 2);
  // The article's dialect, alone and beside completions: the text counts once.
  got = scan(R"({"text":"hi","ttft":1})");
  EXPECT_EQ(got.text, "hi");
  EXPECT_EQ(got.event.ttft_s, 1.0);
  EXPECT_TRUE(got.event.has_choice);
  got = scan(
      R"({"text":"hi","choices":[{"text":"hi","logprobs":{"tokens":["h","i"],"token_logprobs":[-1,-2.5e-7]}}]})");
  EXPECT_EQ(got.text, "hi");
  EXPECT_EQ(got.event.tokens, 2);
}

TEST(EventScanner, ReadsOtherServersStreams) {
  // vLLM, with ids and with its usage in every chunk.
  auto got = scan(
      R"({"id":"c","choices":[{"index":0,"delta":{"content":" a b"},"logprobs":null,"finish_reason":null,"token_ids":[5,6]}],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2}})");
  EXPECT_EQ(got.event.tokens, 2);
  EXPECT_EQ(got.event.completion_tokens, 2);
  got = scan(
      R"({"choices":[{"delta":{"reasoning_content":"hm"},"logprobs":{"content":[{"token":"hm","logprob":-9.5e-05,"bytes":[104],"top_logprobs":[]}]}}]})");
  EXPECT_TRUE(got.event.has_text);
  EXPECT_EQ(got.event.text_bytes, 0u);
  EXPECT_EQ(got.event.tokens, 1);
  got = scan(R"({"object":"error","message":"no","type":"BadRequestError","param":null,"code":400})");
  EXPECT_TRUE(got.event.is_error);
  // llama-server.
  got = scan(
      R"({"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"id":"x","model":"m","system_fingerprint":"b1","object":"chat.completion.chunk"})");
  EXPECT_TRUE(got.event.has_choice && !got.event.has_text);
  got = scan(
      R"({"choices":[],"usage":{"completion_tokens":8,"prompt_tokens":4,"total_tokens":12},"timings":{"prompt_n":4,"prompt_ms":1.5,"predicted_per_second":1e3}})");
  EXPECT_EQ(got.event.completion_tokens, 8);
  // Ollama.
  got = scan(
      R"({"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"so"},"finish_reason":null}]})");
  EXPECT_TRUE(got.event.has_text);
  // A tool call is an answer, too.
  got = scan(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]})");
  EXPECT_TRUE(got.event.has_text);
  EXPECT_FALSE(scan(R"({"choices":[{"delta":{"tool_calls":[]}}]})").event.has_text);
}

TEST(EventScanner, SeesErrors) {
  for (const char* error : {R"({"message":"no"})", R"("no")", "{}", "[1]", "true", "1"}) {
    EXPECT_TRUE(scan("{\"error\":" + std::string(error) + "}").event.is_error) << error;
  }
  for (const char* none : {"null", "false", "\"\""}) {
    EXPECT_FALSE(scan("{\"error\":" + std::string(none) + "}").event.is_error) << none;
  }
}

TEST(EventScanner, NamesTheFieldOfAWrongType) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "the document"},
      {R"("text")", "the document"},
      {R"({"choices":{}})", "choices"},
      {R"({"choices":[1]})", "choices[0]"},
      {R"({"choices":[{"text":1}]})", "choices[0].text"},
      {R"({"choices":[{"delta":"x"}]})", "choices[0].delta"},
      {R"({"choices":[{"delta":{"content":["x"]}}]})", "choices[0].delta.content"},
      {R"({"choices":[{"delta":{"tool_calls":{}}}]})", "choices[0].delta.tool_calls"},
      {R"({"choices":[{"finish_reason":1}]})", "choices[0].finish_reason"},
      {R"({"choices":[{"token_ids":1}]})", "choices[0].token_ids"},
      {R"({"usage":[]})", "usage"},
      {R"({"usage":{"prompt_tokens":1.0}})", "usage.prompt_tokens"},
      {R"({"usage":{"completion_tokens":"7"}})", "usage.completion_tokens"},
      {R"({"usage":{"completion_tokens":9223372036854775808}})", "usage.completion_tokens"},
      {R"({"ttft":"soon"})", "ttft"},
      {R"({"text":{},"usage":7})", "text"},
  };
  for (const auto& [json, field] : cases) {
    const Scanned got = scan(json);
    EXPECT_EQ(got.end, ScanEnd::kWrongType) << json;
    EXPECT_EQ(got.wrong_field, field) << json;
  }
  EXPECT_EQ(scan(R"({"ttft":"soon",)").end, ScanEnd::kNoJson);
}

TEST(EventScanner, RefusesAKeyThatStandsTwiceWhereItIsRead) {
  for (const char* json : {R"({"text":"a","text":"a"})", R"({"text":"a","te\u0078t":"b"})",
                           R"({"choices":[{"delta":{"content":"a","content":"b"}}]})",
                           R"({"usage":{"prompt_tokens":1,"prompt_tokens":1}})"}) {
    EXPECT_EQ(scan(json).end, ScanEnd::kNoJson) << json;
  }
}

TEST(EventScanner, JudgesJsonAsTheTreeParserDoes) {
  std::vector<std::string> cases = {
      "",
      " ",
      "{",
      "}",
      "{}",
      " { } ",
      "{}x",
      "{},",
      "{,}",
      "[,]",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1,}",
      "{\"a\" : 1 }",
      "{a:1}",
      "nul",
      "null",
      "nullx",
      "{\"a\":tru}",
      "{\"a\":[1,]}",
      "{\"a\":[1 2]}",
      "{\"a\":1 \"b\":2}",
      "\xEF\xBB\xBF{}",
      "{\"a\":\"\xFF\"}",
      "{\"a\":\"\xC3\"}",
      "{\"a\":\"\xED\xA0\x80\"}",
      "\xC3{}",
      "{\"a\":\"\x01\"}",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\x7F\"}",
      "{\"text\":\"\xE5\xBC\xA0\"}",
      std::string("{\"a\":\"\0\"}", 9),
      std::string("{}\0", 3),
  };
  for (const char* number : {"0",
                             "-0",
                             "-",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "1e",
                             "1e+",
                             "1E-5",
                             "1e999",
                             "-1e999",
                             "1e-999",
                             "0e999",
                             "0e99999999999",
                             "1e-99999999999",
                             "1e400",
                             "1e308",
                             "1.8e308",
                             "1e00005",
                             "NaN",
                             "Infinity",
                             "9223372036854775807",
                             "-9223372036854775808",
                             "18446744073709551616"}) {
    for (const char* key : {"a", "ttft"}) cases.push_back("{\"" + std::string(key) + "\":" + number + "}");
    cases.push_back("{\"usage\":{\"prompt_tokens\":" + std::string(number) + "}}");
  }
  cases.push_back("{\"ttft\":" + std::string(300, '9') + "}");
  cases.push_back("{\"ttft\":" + std::string(400, '9') + "}");
  cases.push_back("{\"ttft\":" + std::string(400, '9') + "e-200}");
  cases.push_back("{\"ttft\":0." + std::string(400, '0') + "1}");
  for (const char* text :
       {R"(\n\t\b\f\r\/\\\")", R"(\u0041\u00e9\u20AC)", R"(\ud83d\udc0e)", R"(\uD83D)", R"(\udc0e)",
        R"(\ud83dx)", R"(\ud83d\n)", R"(\ud83d\ud83d)", R"(\u12)", R"(\u12G4)", R"(\x)", R"(\u0000)", "\\"}) {
    for (const char* key : {"text", "other"})
      cases.push_back("{\"" + std::string(key) + "\":\"" + text + "\"}");
    cases.push_back("{\"" + std::string(text) + "\":1}");
  }
  for (const int depth : {62, 63, 64, 65}) {
    const auto levels = static_cast<size_t>(depth);
    cases.push_back("{\"a\":" + std::string(levels, '[') + std::string(levels, ']') + "}");
    cases.push_back("{\"text\":" + std::string(levels, '[') + std::string(levels, ']') + "}");
  }
  for (const std::string& json : cases) scan(json);
}

TEST(EventScanner, AgreesWithTheTreeParserOnDamagedEvents) {
  const std::vector<std::string> whole = {
      R"({"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" a\u00e9\n"},"logprobs":{"content":[{"logprob":-1.5e-3}]},"finish_reason":null}],"usage":{"prompt_tokens":12,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":0}}})",
      R"({"choices":[{"text":"张伟","finish_reason":"stop","token_ids":[1,2,3]}],"text":"张伟","ttft":0.5,"error":null})",
      R"({"error":{"message":"no \ud83d\udc0e","code":500},"object":"error"})"};
  static constexpr std::string_view kBytes = "{}[]\",:\\ue0123456789.-+tfnl \n\x01\xC3\xA9\xFF";
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  int fine = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string json = whole[generator() % whole.size()];
    for (size_t damage = generator() % 3; damage-- > 0 && !json.empty();) {
      const size_t at = generator() % json.size();
      switch (generator() % 4) {
        case 0:
          json[at] = kBytes[generator() % kBytes.size()];
          break;
        case 1:
          json.erase(at, 1 + generator() % 4);
          break;
        case 2:
          json.insert(at, 1, kBytes[generator() % kBytes.size()]);
          break;
        default:
          json.insert(at, json.substr(generator() % json.size(), generator() % 12));
      }
    }
    fine += scan(json).end == ScanEnd::kFine;
    if (HasFailure()) break;
  }
  EXPECT_GT(fine, 5000);
}

}  // namespace
}  // namespace hussar
