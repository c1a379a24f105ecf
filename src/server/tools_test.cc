#include "server/tools.h"

#include <gtest/gtest.h>

#include "server/completion_request.h"

namespace hussar {
namespace {

class ToolsTest : public ::testing::Test {
 protected:
  Result<CompletionRequest> read(const std::string& body) {
    const auto json = parse_json(body, {});
    EXPECT_TRUE(json.ok()) << body;
    return read_completion_request(Endpoint::kChat, *json, {options_, "m", 1000});
  }
  Result<CompletionRequest> chat(const std::string& members) {
    return read(R"({"messages":[{"role":"user","content":"x"}],)" + members + "}");
  }
  ServerOptions options_;
};

TEST_F(ToolsTest, ReadsToolsAndTheirCalls) {
  const auto request = read(R"({"messages":[{"role":"user","content":"x"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":
        {"name":"f","arguments":"{\"a\":1}"}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"2"}]}],
      "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},
        "strict":false}},{"type":"function","function":{"name":"g"}}],
      "tool_choice":"auto","parallel_tool_calls":false,"continue_final_message":false,
      "chat_template_kwargs":{"enable_thinking":false}})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(write_json(request->chat.messages),
            R"([{"role":"user","content":"x"},{"role":"assistant","content":"","tool_calls":[{"id":"c1",)"
            R"("type":"function","function":{"name":"f","arguments":{"a":1}}}]},)"
            R"({"role":"tool","content":"2","tool_call_id":"c1"}])");
  EXPECT_EQ(
      write_json(request->chat.tools.tools),
      R"([{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},)"
      R"({"type":"function","function":{"name":"g"}}])");
  EXPECT_TRUE(request->chat.tools.active());
  EXPECT_FALSE(request->chat.tools.parallel);
  EXPECT_EQ(write_json(request->chat.variables), R"({"enable_thinking":false})");
  options_.tools_max = 1;
  const auto many = chat(R"("tools":[{"type":"function","function":{"name":"f"}},)"
                         R"({"type":"function","function":{"name":"g"}}])");
  ASSERT_FALSE(many.ok());
  EXPECT_EQ(many.error().field, "tools");
}

TEST_F(ToolsTest, AForcedCallIsAFormat) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object",)"
      R"("properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"const":{"$ref":"#"}}}}}},)"
      R"({"type":"function","function":{"name":"g"}}],)";
  const auto named = chat(tools + R"("tool_choice":{"type":"function","function":{"name":"f"}})");
  ASSERT_TRUE(named.ok()) << named.error().message;
  EXPECT_EQ(
      named->format->spec.text,
      R"({"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"const":{"$ref":"#"}}}})");
  EXPECT_EQ(named->format->field, "tools[0].function.parameters");
  const auto any = chat(tools + R"("tool_choice":"required")");
  ASSERT_TRUE(any.ok()) << any.error().message;
  const std::string& schema = any->format->spec.text;
  EXPECT_NE(schema.find(R"("$ref":"#/$defs/arguments_0/$defs/A")"), std::string::npos) << schema;
  EXPECT_NE(schema.find(R"({"const":{"$ref":"#"}})"), std::string::npos) << "no reference: " << schema;
  EXPECT_NE(schema.find(R"("arguments_1":{"type":"object","properties":{},"additionalProperties":false})"),
            std::string::npos)
      << schema;
  EXPECT_EQ(chat(tools + R"("tool_choice":"auto")")->chat.tools.strict.size(), 1u);
  EXPECT_EQ(chat(tools + R"("tool_choice":"required","stop":"x")").error().field, "stop");
  EXPECT_EQ(
      chat(tools + R"("tool_choice":"required","response_format":{"type":"json_object"})").error().field,
      "tool_choice");
}

TEST_F(ToolsTest, ToolsThatNobodyMayCallAreNotActive) {
  const auto request = chat(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_FALSE(request->chat.tools.active());
}

}  // namespace
}  // namespace hussar
