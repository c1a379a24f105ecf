// /v1/responses: from its bodies to requests, and from answers to its events.
#include <gtest/gtest.h>

#include "server/responses_answer.h"
#include "server/responses_request.h"
#include "server/testing.h"

namespace hussar {
namespace {

class ResponsesTest : public ::testing::Test {
 protected:
  Result<CompletionRequest> read(const std::string& body) {
    const auto json = parse_json(body, {});
    EXPECT_TRUE(json.ok()) << body;
    return read_responses_request(*json, {options_, "m", 1000});
  }
  ServerOptions options_;
};

TEST_F(ResponsesTest, ATextIsAQuestion) {
  const auto request =
      read(R"({"model":"m","input":"hi","instructions":"be brief","max_output_tokens":5,"temperature":0.5,)"
           R"("stream":true,"user":"u","metadata":{"a":"b"},"store":false})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->endpoint, Endpoint::kChat);
  EXPECT_EQ(request->dialect, Dialect::kResponses);
  EXPECT_EQ(write_json(request->chat.messages),
            R"([{"role":"system","content":"be brief"},{"role":"user","content":"hi"}])");
  EXPECT_EQ(request->tokens_max, 5);
  EXPECT_EQ(request->temperature, 0.5);
  EXPECT_TRUE(request->stream);
  EXPECT_NE(write_json(request->echoed_settings).find(R"("instructions":"be brief")"), std::string::npos);
}

TEST_F(ResponsesTest, ItemsOfAConversation) {
  const auto request = read(R"({"input":[
      {"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
      {"type":"message","role":"assistant","id":"msg_1","status":"completed",
       "content":[{"type":"output_text","text":"I look","annotations":[],"logprobs":[]}]},
      {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"x\":1}","status":"completed"},
      {"type":"function_call","call_id":"c2","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"7"},
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"8"}]}],
      "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false}],
      "tool_choice":"auto","parallel_tool_calls":false})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(write_json(request->chat.messages),
            R"([{"role":"user","content":"ab"},{"role":"assistant","content":"I look","tool_calls":[)"
            R"({"id":"c1","type":"function","function":{"name":"f","arguments":{"x":1}}},)"
            R"({"id":"c2","type":"function","function":{"name":"f","arguments":{}}}]},)"
            R"({"role":"tool","content":"7","tool_call_id":"c1"},)"
            R"({"role":"tool","content":"8","tool_call_id":"c2"}])");
  EXPECT_EQ(
      write_json(request->chat.tools.tools),
      R"([{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}])");
  EXPECT_FALSE(request->chat.tools.parallel);
}

TEST_F(ResponsesTest, FormatsAndForcedCallsBecomeGrammars) {
  const auto format = read(
      R"({"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"null"},"strict":true}}})");
  ASSERT_TRUE(format.ok()) << format.error().message;
  EXPECT_EQ(format->format->spec.text, R"({"type":"null"})");
  EXPECT_TRUE(format->format->field.starts_with("text.format")) << format->format->field;
  const auto named =
      read(R"({"input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"null"}},
      {"type":"function","name":"g","parameters":{"type":"object"}}],"tool_choice":{"type":"function","name":"g"}})");
  ASSERT_TRUE(named.ok()) << named.error().message;
  EXPECT_EQ(named->format->spec.text, R"({"type":"object"})");
}

TEST_F(ResponsesTest, RefusesByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "input"},
      {R"({"input":5})", "input"},
      {R"({"input":[]})", "input"},
      {R"({"input":["x"]})", "input[0]"},
      {R"({"input":[{"role":"user"}]})", "input[0].content"},
      {R"({"input":[{"content":"x"}]})", "input[0].role"},
      {R"({"input":[{"role":"tool","content":"x"}]})", "input[0].role"},
      {R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]})",
       "input[0].content[0].type"},
      {R"({"input":[{"type":"reasoning","summary":[]}]})", "input[0].type"},
      {R"({"input":[{"type":"item_reference","id":"x"}]})", "input[0].type"},
      {R"({"input":[{"type":"function_call","name":"f"}]})", "input[0].call_id"},
      {R"({"input":[{"type":"function_call_output","call_id":"f"}]})", "input[0].output"},
      {R"({"input":"x","previous_response_id":"resp_1"})", "previous_response_id"},
      {R"({"input":"x","store":true})", "store"},
      {R"({"input":"x","background":true})", "background"},
      {R"({"input":"x","truncation":"auto"})", "truncation"},
      {R"({"input":"x","include":["message.output_text.logprobs"]})", "include"},
      {R"({"input":"x","reasoning":{"effort":"high"}})", "reasoning"},
      {R"({"input":"x","tools":[{"type":"web_search"}]})", "tools[0].type"},
      {R"({"input":"x","tools":[{"type":"function"}]})", "tools[0].name"},
      {R"({"input":"x","tool_choice":{"type":"web_search"}})", "tool_choice.type"},
      {R"({"input":"x","tool_choice":{"type":"function","name":"f"}})", "tool_choice"},
      {R"({"input":"x","text":{"format":{"type":"xml"}}})", "text.format.type"},
      {R"({"input":"x","stream_options":{}})", "stream_options"},
      {R"({"input":"x","max_output_tokens":0})", "max_output_tokens"},
      {R"({"input":"x","model":"other"})", "model"},
      {R"({"input":"x","messages":[]})", "messages"},
      {R"([])", ""},
  };
  for (const auto& [body, field] : cases) {
    const auto request = read(body);
    ASSERT_FALSE(request.ok()) << body;
    EXPECT_EQ(request.error().field, field) << body << ": " << request.error().message;
  }
}

// The types of a stream's events, and their documents; sequence numbers are checked.
std::vector<std::pair<std::string, Json>> events(std::string_view stream) {
  std::vector<std::pair<std::string, Json>> list;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    const std::string_view event = stream.substr(0, end);
    const size_t line = event.find('\n');
    const std::string type(event.substr(7, line - 7));
    EXPECT_TRUE(event.starts_with("event: ") && event.substr(line + 1).starts_with("data: ")) << event;
    const Json data = *parse_json(event.substr(line + 7), {});
    EXPECT_EQ(*data.find("type")->as_string(), type);
    EXPECT_EQ(*data.find("sequence_number")->as_int(), static_cast<int64_t>(list.size()));
    list.emplace_back(type, data);
    stream.remove_prefix(end + 2);
  }
  return list;
}

TEST(ResponsesAnswerTest, AStreamOfTextAndACall) {
  ResponsesAnswer answer("m", 123, {{"store", false}});
  std::string out;
  answer.begin(7, &out);
  answer.add(0, {"a", {}, "", {}, {}}, &out);
  answer.add(0, {"b", {{"call_1", "f", ""}}, "{\"x\"", {}, {}}, &out);
  answer.end_choice(0, {"", {}, ":1}", {}, {}}, {FinishReason::kStop, true, ""}, 0.5, &out);
  answer.end({7, 4, 3}, 0.5, &out);
  const auto list = events(out);
  std::vector<std::string> types;
  for (const auto& [type, data] : list) types.push_back(type);
  EXPECT_EQ(types,
            (std::vector<std::string>{
                "response.created", "response.in_progress", "response.output_item.added",
                "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                "response.output_text.done", "response.content_part.done", "response.output_item.done",
                "response.output_item.added", "response.function_call_arguments.delta",
                "response.function_call_arguments.delta", "response.function_call_arguments.done",
                "response.output_item.done", "response.completed"}));
  EXPECT_EQ(*list[6].second.find("text")->as_string(), "ab");
  EXPECT_EQ(*list[12].second.find("arguments")->as_string(), R"({"x":1})");
  EXPECT_EQ(*list[12].second.find("output_index")->as_int(), 1);
  const Json& response = *list.back().second.find("response");
  EXPECT_EQ(*response.find("status")->as_string(), "completed");
  EXPECT_EQ(response.find("output")->as_array()->size(), 2u);
  EXPECT_EQ(write_json(*response.find("usage")),
            R"({"input_tokens":7,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,)"
            R"("output_tokens_details":{"reasoning_tokens":0},"total_tokens":10})");
}

TEST(ResponsesAnswerTest, WholeCutAndFailed) {
  ResponsesAnswer whole("m", 123, {});
  const WholeChoice choice{{{"ab", {}, "", {}, {}}}, {FinishReason::kLength, false, ""}};
  const Json json = *parse_json(whole.whole({&choice, 1}, {7, 4, 3}, 0), {});
  EXPECT_EQ(*json.find("status")->as_string(), "incomplete");
  EXPECT_EQ(write_json(*json.find("incomplete_details")), R"({"reason":"max_output_tokens"})");
  const Json& item = json.find("output")->as_array()->front();
  EXPECT_EQ(write_json(*item.find("content")),
            R"([{"type":"output_text","text":"ab","annotations":[],"logprobs":[]}])");
  ResponsesAnswer failed("m", 123, {});
  std::string out;
  failed.begin(1, &out);
  failed.fail({500, "it broke", "", "internal_error", {}}, &out);
  EXPECT_EQ(events(out).back().first, "response.failed");
}

}  // namespace
}  // namespace hussar
