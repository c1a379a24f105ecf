// Anthropic's /v1/messages: from its bodies to requests, and from answers to its events.
#include <gtest/gtest.h>

#include "server/messages_answer.h"
#include "server/messages_request.h"
#include "server/testing.h"

namespace hussar {
namespace {

class MessagesTest : public ::testing::Test {
 protected:
  Result<CompletionRequest> read(const std::string& body) {
    const auto json = parse_json(body, {});
    EXPECT_TRUE(json.ok()) << body;
    return read_messages_request(*json, {options_, "m", 1000});
  }
  ServerOptions options_;
};

TEST_F(MessagesTest, ReadsAConversationWithTools) {
  const auto request = read(R"({"model":"m","max_tokens":5,"system":[{"type":"text","text":"s",
      "cache_control":{"type":"ephemeral"}}],"temperature":0.5,"top_k":3,"stop_sequences":["END"],"messages":[
      {"role":"user","content":"a"},
      {"role":"assistant","content":[{"type":"text","text":"I look"},
        {"type":"tool_use","id":"t1","name":"f","input":{"x":1}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"7"}]},
        {"type":"text","text":"and?"}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"t2","name":"f","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"no","is_error":true}]}],
      "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],
      "tool_choice":{"type":"auto","disable_parallel_tool_use":true}})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->dialect, Dialect::kMessages);
  EXPECT_EQ(write_json(request->chat.messages),
            R"([{"role":"system","content":"s"},{"role":"user","content":"a"},)"
            R"({"role":"assistant","content":"I look","tool_calls":[{"id":"t1","type":"function",)"
            R"("function":{"name":"f","arguments":{"x":1}}}]},)"
            R"({"role":"tool","content":"7","tool_call_id":"t1"},{"role":"user","content":"and?"},)"
            R"({"role":"assistant","content":"","tool_calls":[{"id":"t2","type":"function",)"
            R"("function":{"name":"f","arguments":{}}}]},)"
            R"({"role":"tool","content":"Error: no","tool_call_id":"t2"}])");
  EXPECT_EQ(request->tokens_max, 5);
  EXPECT_EQ(request->stop, std::vector<std::string>{"END"});
  EXPECT_FALSE(request->chat.tools.parallel);
  EXPECT_FALSE(request->chat.continue_final_message);
  EXPECT_TRUE(request->chat.tools.active());
}

TEST_F(MessagesTest, GoesOnWhereTheAssistantsLastMessageEnds) {
  const auto request = read(
      R"({"max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"The"}]})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_TRUE(request->chat.continue_final_message);
}

TEST_F(MessagesTest, AnyAndNamedToolsAreForced) {
  const std::string tools = R"("tools":[{"name":"f","input_schema":{"type":"object"}},
      {"name":"g","input_schema":{"type":"array","items":{"$ref":"#"}}}])";
  const std::string body = R"({"max_tokens":5,"messages":[{"role":"user","content":"a"}],)" + tools;
  const auto any = read(body + R"(,"tool_choice":{"type":"any"}})");
  ASSERT_TRUE(any.ok()) << any.error().message;
  EXPECT_EQ(
      any->format->spec.text,
      R"({"anyOf":[{"type":"object","properties":{"name":{"const":"f"},"arguments":{"$ref":"#/$defs/arguments_0"}},)"
      R"("required":["name","arguments"],"additionalProperties":false},{"type":"object","properties":)"
      R"({"name":{"const":"g"},"arguments":{"$ref":"#/$defs/arguments_1"}},"required":["name","arguments"],)"
      R"("additionalProperties":false}],"$defs":{"arguments_0":{"type":"object"},)"
      R"("arguments_1":{"type":"array","items":{"$ref":"#/$defs/arguments_1"}}}})");
  const auto named = read(body + R"(,"tool_choice":{"type":"tool","name":"g"}})");
  ASSERT_TRUE(named.ok()) << named.error().message;
  EXPECT_EQ(named->format->spec.text, R"({"type":"array","items":{"$ref":"#"}})");
}

TEST_F(MessagesTest, RefusesByName) {
  const std::pair<const char*, const char*> members[] = {
      {R"("temperature":1.5)", "temperature"},
      {R"("stop_sequences":[""])", "stop_sequences[0]"},
      {R"("stop_sequences":7)", "stop_sequences"},
      {R"("thinking":{"type":"enabled","budget_tokens":1024})", "thinking"},
      {R"("mcp_servers":[{}])", "mcp_servers"},
      {R"("system":5)", "system"},
      {R"("system":[{"type":"image"}])", "system[0].type"},
      {R"("tools":[{"type":"bash_20250124","name":"bash"}])", "tools[0].type"},
      {R"("tools":[{"name":"f"}])", "tools[0].input_schema"},
      {R"("tool_choice":{"type":"any"})", "tool_choice"},
      {R"("tool_choice":{"type":"tool"})", "tool_choice.name"},
      {R"("tool_choice":{"type":"maybe"})", "tool_choice.type"},
      {R"("n":2)", "n"},
  };
  for (const auto& [member, field] : members) {
    const auto request =
        read(R"({"max_tokens":5,"messages":[{"role":"user","content":"a"}],)" + std::string(member) + "}");
    ASSERT_FALSE(request.ok()) << member;
    EXPECT_EQ(request.error().field, field) << member << ": " << request.error().message;
  }
  const std::pair<const char*, const char*> bodies[] = {
      {R"({"messages":[{"role":"user","content":"a"}]})", "max_tokens"},
      {R"({"max_tokens":0,"messages":[{"role":"user","content":"a"}]})", "max_tokens"},
      {R"({"max_tokens":5})", "messages"},
      {R"({"max_tokens":5,"messages":[]})", "messages"},
      {R"({"max_tokens":5,"messages":[{"role":"system","content":"a"}]})", "messages[0].role"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":{}}]}]})",
       "messages[0].content[0].type"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_use","id":"1","name":"f"}]}]})",
       "messages[0].content[0].type"},
      {R"({"max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"1"}]}]})",
       "messages[0].content[0].type"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text"}]}]})",
       "messages[0].content[0].text"},
      {R"([])", ""},
  };
  for (const auto& [body, field] : bodies) {
    const auto request = read(body);
    ASSERT_FALSE(request.ok()) << body;
    EXPECT_EQ(request.error().field, field) << body << ": " << request.error().message;
  }
}

// The documents of a stream, each after an event line that names its type.
std::vector<std::string> events(std::string_view stream) {
  std::vector<std::string> list;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    const std::string_view event = stream.substr(0, end);
    const size_t line = event.find('\n');
    const std::string data(event.substr(line + 7));
    EXPECT_EQ("event: " + *parse_json(data, {})->find("type")->as_string(), event.substr(0, line));
    list.push_back(data);
    stream.remove_prefix(end + 2);
  }
  return list;
}

TEST(MessagesAnswerTest, AStreamOfTextAndACall) {
  MessagesAnswer answer("m");
  std::string out;
  answer.begin(7, &out);
  answer.add(0, {"a", {}, "", {}, {}}, &out);
  answer.add(0, {"b", {{"toolu_1", "f", ""}}, "{\"x\"", {}, {}}, &out);
  answer.end_choice(0, {"", {}, ":1}", {}, {}}, {FinishReason::kStop, true, ""}, 0.5, &out);
  answer.end({7, 4, 3}, 0.5, &out);
  const auto list = events(out);
  ASSERT_EQ(list.size(), 11u);
  EXPECT_NE(list[0].find(R"("stop_reason":null)"), std::string::npos) << list[0];
  EXPECT_EQ(
      std::vector<std::string>(list.begin() + 1, list.end()),
      (std::vector<std::string>{
          R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
          R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})",
          R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}})",
          R"({"type":"content_block_stop","index":0})",
          R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1",)"
          R"("name":"f","input":{}}})",
          R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":)"
          R"("{\"x\""}})",
          R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":)"
          R"(":1}"}})",
          R"({"type":"content_block_stop","index":1})",
          R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":)"
          R"({"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,)"
          R"("output_tokens":3}})",
          R"({"type":"message_stop"})"}));
}

TEST(MessagesAnswerTest, WholeAnswersAndTheirEnds) {
  const auto whole = [](const WholeChoice& choice) {
    MessagesAnswer answer("m");
    return *parse_json(answer.whole({&choice, 1}, {7, 4, 3}, 0), {});
  };
  const Json stopped = whole({{{"a", {}, "", {}, {}}}, {FinishReason::kStop, false, "END"}});
  EXPECT_EQ(*stopped.find("stop_reason")->as_string(), "stop_sequence");
  EXPECT_EQ(*stopped.find("stop_sequence")->as_string(), "END");
  EXPECT_EQ(write_json(*stopped.find("content")), R"([{"type":"text","text":"a"}])");
  const Json cut =
      whole({{{"", {{"toolu_1", "f", "{\"x\":"}}, "", {}, {}}}, {FinishReason::kLength, true, ""}});
  EXPECT_EQ(*cut.find("stop_reason")->as_string(), "max_tokens");
  EXPECT_EQ(write_json(*cut.find("content")->as_array()->front().find("input")),
            R"({"incomplete":"{\"x\":"})");
  EXPECT_EQ(*whole({{}, {}}).find("stop_reason")->as_string(), "end_turn");
}

TEST(MessagesAnswerTest, ErrorsInThatApisShape) {
  const HttpResponse response = refusal("/v1/messages", {429, "full", "", "queue_full", {}});
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, R"({"type":"error","error":{"type":"rate_limit_error","message":"full"}})");
  EXPECT_EQ(refusal("/v1/completions", {429, "full", "", "queue_full", {}}).body.substr(0, 10),
            R"({"error":{)");
  MessagesAnswer answer("m");
  std::string out;
  answer.fail({500, "it broke", "", "internal_error", {}}, &out);
  EXPECT_EQ(out,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
            "\"message\":\"it broke\"}}\n\n");
}

}  // namespace
}  // namespace hussar
