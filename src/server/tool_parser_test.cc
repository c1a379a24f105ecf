#include "server/tool_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace hussar {
namespace {

ToolOffer offer() {
  ToolOffer offer;
  for (const char* name : {"weather", "add"}) {
    offer.tools.push_back(JsonObject{{"type", "function"}, {"function", JsonObject{{"name", name}}}});
  }
  return offer;
}

// Everything as one line: text, and calls as [name arguments].
std::string shown(const std::vector<ToolParser::Piece>& pieces) {
  std::string line;
  for (const ToolParser::Piece& piece : pieces) {
    line += piece.text;
    for (const ToolCall& call : piece.calls) line += "[" + call.name + " " + call.arguments + "]";
  }
  return line;
}

std::string parsed(const ToolOffer& from, std::string_view text, size_t chunk = SIZE_MAX) {
  ToolParser parser(from);
  std::string line;
  for (size_t begin = 0; begin < text.size(); begin += std::min(chunk, text.size() - begin)) {
    line += shown(parser.add(text.substr(begin, chunk)));
  }
  return line + shown(parser.finish());
}

struct Case {
  std::string text, wanted;
};

const Case kCases[] = {
    {"just text", "just text"},
    {"  text with space around  \n", "  text with space around  \n"},
    {R"(<tool_call>{"name":"add","arguments":{"a":1}}</tool_call>)", R"([add {"a":1}])"},
    {"Let me see.\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": "
     "\"Oslo\"}}\n</tool_call>\n",
     R"(Let me see.[weather {"city":"Oslo"}])"},
    {R"(<tool_call>{"name":"add","arguments":{}}</tool_call> <tool_call>{"name":"weather"}</tool_call> done)",
     "[add {}][weather {}]done"},
    {R"(<tool_call>{"name":"add","arguments":{"t":"} </tool_call> \" {"}}</tool_call>)",
     R"([add {"t":"} </tool_call> \" {"}])"},
    {R"(<tool_call>{"name":"add","arguments":"{\"a\":[1,{}]}"}</tool_call>)", R"([add {"a":[1,{}]}])"},
    {R"(<tool_call>{"name":"add","arguments":{"a":1}})", R"([add {"a":1}])"},
    {R"(<tool_call>{"name":"add","arguments":{"a":1}}</tool_)", R"([add {"a":1}])"},
    // Llama's form.
    {R"({"name": "add", "parameters": {"a": 1}})", R"([add {"a":1}])"},
    {R"( {"type":"function","name":"add","parameters":{}}; {"name":"weather","parameters":{}})",
     "[add {}][weather {}]"},
    // What is none stays as it is.
    {"a < b and <tool_calls> and <tool", "a < b and <tool_calls> and <tool"},
    {R"(<tool_call>{"name":"other","arguments":{}}</tool_call>)",
     R"(<tool_call>{"name":"other","arguments":{}}</tool_call>)"},
    {R"(<tool_call>{"name":"add","arguments":[1]}</tool_call>)",
     R"(<tool_call>{"name":"add","arguments":[1]}</tool_call>)"},
    {R"(<tool_call>{'name':'add'}</tool_call>)", R"(<tool_call>{'name':'add'}</tool_call>)"},
    {R"(<tool_call>{"name":"add","name":"add"}</tool_call>)",
     R"(<tool_call>{"name":"add","name":"add"}</tool_call>)"},
    {R"(<tool_call>add(1)</tool_call>)", R"(<tool_call>add(1)</tool_call>)"},
    {R"(<tool_call>{"name":"add","arguments":{"a":1)", R"(<tool_call>{"name":"add","arguments":{"a":1)"},
    {R"(<tool_call>{"name":"add"} more</tool_call>)", R"(<tool_call>{"name":"add"} more</tool_call>)"},
    {R"(<tool_call><tool_call>{"name":"add"}</tool_call>)", "<tool_call>[add {}]"},
    {R"({"name": "add", "parameters": {"a": 1}} is a call)",
     R"({"name": "add", "parameters": {"a": 1}} is a call)"},
    {R"(Here: {"name": "add", "parameters": {}})", R"(Here: {"name": "add", "parameters": {}})"},
    {R"({"answer": 42})", R"({"answer": 42})"},
    {"{", "{"},
    {"<tool_call>", "<tool_call>"},
    {"", ""},
};

TEST(ToolParser, FindsCallsAndLeavesTheRest) {
  const ToolOffer tools = offer();
  for (const Case& one : kCases) EXPECT_EQ(parsed(tools, one.text), one.wanted) << one.text;
}

TEST(ToolParser, HowTheTextIsCutMakesNoDifference) {
  const ToolOffer tools = offer();
  for (const Case& one : kCases) {
    for (const size_t chunk : {1, 2, 3, 7}) EXPECT_EQ(parsed(tools, one.text, chunk), one.wanted) << chunk;
  }
}

TEST(ToolParser, TextIsShownAsItComes) {
  const ToolOffer tools = offer();
  ToolParser parser(tools);
  EXPECT_EQ(shown(parser.add("Let me")), "Let me");
  EXPECT_EQ(shown(parser.add(" see")), " see");
  EXPECT_EQ(shown(parser.add(" <too")), "") << "might begin a call";
  EXPECT_EQ(shown(parser.add("th>")), " <tooth>");
  EXPECT_EQ(shown(parser.add("<tool_call>{\"name\":\"add\"}")), "");
  EXPECT_EQ(shown(parser.add("</tool_call>")), "[add {}]") << "without waiting for the end";
}

TEST(ToolParser, OneCallOnlyWhereNoneMayFollow) {
  ToolOffer tools = offer();
  tools.parallel = false;
  const std::string call = R"(<tool_call>{"name":"add"}</tool_call>)";
  EXPECT_EQ(parsed(tools, call + call), "[add {}]" + call);
}

TEST(ToolParser, AStrictToolsCallCountsOnlyWhenItsArgumentsFit) {
  ToolOffer tools = offer();
  auto schema = JsonSchema::compile(R"({"required":["a"]})", {});
  ASSERT_TRUE(schema.ok());
  tools.strict.emplace_back("add", std::make_shared<const JsonSchema>(std::move(*schema)));
  EXPECT_EQ(parsed(tools, R"(<tool_call>{"name":"add","arguments":{"a":1}}</tool_call>)"),
            R"([add {"a":1}])");
  const std::string other = R"(<tool_call>{"name":"add","arguments":{"b":1}}</tool_call>)";
  EXPECT_EQ(parsed(tools, other), other);
  EXPECT_EQ(parsed(tools, R"(<tool_call>{"name":"weather"}</tool_call>)"), "[weather {}]");
}

TEST(ToolParser, ForcedArgumentsAreShownAsTheyCome) {
  ToolOffer tools = offer();
  tools.choice = {ToolChoice::Kind::kNamed, "add"};
  ToolParser parser(tools);
  auto pieces = parser.add("{\"a\"");
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].calls.at(0).name, "add");
  EXPECT_EQ(pieces[0].arguments, "{\"a\"");
  pieces = parser.add(": 1}");
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_TRUE(pieces[0].calls.empty());
  EXPECT_EQ(pieces[0].arguments, ": 1}");
  EXPECT_EQ(shown(parser.finish()), "");
}

TEST(ToolParser, AForcedCallOfAnyToolIsAllOfTheText) {
  ToolOffer tools = offer();
  tools.choice.kind = ToolChoice::Kind::kRequired;
  EXPECT_EQ(parsed(tools, R"({"name": "weather", "arguments": {"city": "Oslo"}})", 3),
            R"([weather {"city":"Oslo"}])");
  EXPECT_EQ(parsed(tools, R"({"name": "weather", "argu)", 3), R"({"name": "weather", "argu)") << "cut";
}

TEST(ToolParser, LongMisleadingTextTakesLinearTime) {
  // Each tag opens an object within the one before. Were each looked through to the end, this would take
  // hours.
  const ToolOffer tools = offer();
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "<tool_call>{";
  EXPECT_EQ(parsed(tools, text, 16), text);
  for (int i = 0; i < 200'000; ++i) text += "}";
  EXPECT_EQ(parsed(tools, text + "x", 16), text + "x");
}

TEST(ToolParser, AnyTextComesOutAgainWhenItHoldsNoCall) {
  const uint32_t seed = 20250801;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const ToolOffer none;  // no name is known, so that nothing is a call
  const std::string_view parts[] = {"<tool_call>", "</tool_call>",     "{", "}", "\"", "\\", " ", "\n", "x",
                                    ";",           R"({"name":"add"})"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += parts[random() % std::size(parts)];
    ASSERT_EQ(parsed(none, text, 1 + random() % 5), text);
  }
}

}  // namespace
}  // namespace hussar
