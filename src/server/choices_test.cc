// Several answers to one request, and tools, over real sockets and a fake engine.
#include <gtest/gtest.h>

#include "base/json.h"
#include "net/raw_client.h"
#include "server/server_fixture.h"
#include "server/testing.h"

namespace hussar {
namespace {

class ChoicesTest : public ServerTest {};

TEST_F(ChoicesTest, SeveralPromptsAndChoicesAreOneAnswer) {
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":["hello","x"],"n":2,"seed":5,"max_tokens":9})"));
  ASSERT_TRUE(wait_for_request(4));
  EXPECT_EQ(engine_.request(1)->prompt, std::vector<TokenId>{kHello});
  EXPECT_EQ(engine_.request(2)->prompt, std::vector<TokenId>{kHello});
  EXPECT_EQ(engine_.request(3)->prompt, std::vector<TokenId>{'x'});
  EXPECT_EQ(engine_.request(1)->seed, 5u);
  EXPECT_EQ(engine_.request(3)->seed, 5u) << "as if the prompt were alone";
  EXPECT_NE(engine_.request(2)->seed, 5u);
  EXPECT_EQ(engine_.request(2)->seed, engine_.request(4)->seed);
  engine_.feed_text(4, "d", last_event('D', FinishReason::kLength));
  engine_.feed_text(2, "b", last_event('B', FinishReason::kStop));
  engine_.feed_text(1, "a", last_event('A', FinishReason::kStop));
  engine_.feed_text(3, "", last_event('C', FinishReason::kStop));
  const Answer answer = parse_answer(client.read_all());
  EXPECT_EQ(answer.status, 200);
  const JsonArray& choices = *answer.json.find("choices")->as_array();
  ASSERT_EQ(choices.size(), 4u);
  const char* texts[] = {"aA", "bB", "C", "dD"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(*choices[i].find("index")->as_int(), static_cast<int64_t>(i));
    EXPECT_EQ(*choices[i].find("text")->as_string(), texts[i]);
  }
  EXPECT_EQ(*answer.json.find("text")->as_string(), "aA");
  EXPECT_EQ(*answer.json.find("usage")->find("prompt_tokens")->as_int(), 2) << "each prompt once";
  EXPECT_EQ(*answer.json.find("usage")->find("completion_tokens")->as_int(), 7);
}

TEST_F(ChoicesTest, ChoicesStreamSideBySide) {
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x","n":2,"echo":true,"stream":true})"));
  ASSERT_TRUE(wait_for_request(2));
  engine_.feed(2, {token_event('b')});
  engine_.feed(1, {token_event('a')});
  engine_.feed(2, {last_event('B', FinishReason::kStop)});
  engine_.feed(1, {last_event('A', FinishReason::kStop)});
  const std::string body = parse_answer(client.read_all()).body;
  size_t at = 0;
  for (const char* part : {R"({"index":1,"text":"xb")", R"({"index":0,"text":"xa")",
                           R"({"index":1,"text":"B","logprobs":null,"finish_reason":"stop"})",
                           R"({"index":0,"text":"A","logprobs":null,"finish_reason":"stop"})", "[DONE]"}) {
    const size_t found = body.find(part, at);
    ASSERT_NE(found, std::string::npos) << part << "\n" << body;
    at = found;
  }
}

TEST_F(ChoicesTest, AChoiceThatIsRefusedTakesTheOthersWithIt) {
  engine_.accepted_max = 2;
  start();
  const Answer answer = exchange(post("/v1/completions", R"({"prompt":"x","n":3})"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(engine_.cancels(), 2);
}

TEST_F(ChoicesTest, AChoiceThatFailsEndsTheOthers) {
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x","n":2})"));
  ASSERT_TRUE(wait_for_request(2));
  engine_.feed(1, {last_event('a', FinishReason::kStop)});
  TokenEvent fault = last_event(-1, FinishReason::kError);
  fault.error = "no token is allowed";
  engine_.feed(2, {fault});
  EXPECT_EQ(parse_answer(client.read_all()).status, 500);
}

TEST_F(ChoicesTest, RestrictedTokensAndTokenIds) {
  start();
  RawClient client(port());
  client.send(post("/v1/completions",
                   R"({"prompt":[97,98,99],"truncate_prompt_tokens":2,"allowed_token_ids":[97,33],)"
                   R"("bad_words":["hello"],"return_token_ids":true,"echo":true})"));
  ASSERT_TRUE(wait_for_request(1));
  const Request request = *engine_.request(1);
  EXPECT_EQ(request.prompt, (std::vector<TokenId>{'b', 'c'}));
  ASSERT_NE(request.allowed, nullptr);
  EXPECT_EQ((*request.allowed)[1], 1u << (33 - 32));
  EXPECT_EQ((*request.allowed)[3], 1u << (97 - 96));
  EXPECT_EQ(request.bad_words, (std::vector<std::vector<TokenId>>{{kHello}, {' ', kHello}}));
  engine_.feed_text(1, "a", last_event(kImEnd, FinishReason::kStop, kImEnd));
  const Answer answer = parse_answer(client.read_all());
  const Json& choice = answer.json.find("choices")->as_array()->front();
  EXPECT_EQ(*choice.find("text")->as_string(), "bca") << "what is left of the prompt";
  EXPECT_EQ(write_json(*choice.find("token_ids")), "[97," + std::to_string(kImEnd) + "]");
  EXPECT_EQ(write_json(*choice.find("prompt_token_ids")), "[98,99]");
}

TEST_F(ChoicesTest, ToolCallsAreTakenOutOfTheText) {
  auto compiled = ChatTemplate::compile(
      "{% for t in tools or [] %}{{ t.function.name }};{% endfor %}{% for m in messages %}{{ m.content }}"
      "{% for c in m.tool_calls or [] %}<{{ c.function.name }}{{ c.function.arguments.a }}>{% endfor %}"
      "{% endfor %}",
      {});
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  chat_template_ = std::move(*compiled);
  start();
  const std::string body =
      R"({"messages":[{"role":"user","content":"u"},{"role":"assistant","tool_calls":[{"id":"1","function":)"
      R"({"name":"f","arguments":"{\"a\":7}"}}]},{"role":"tool","tool_call_id":"1","content":"t"}],)"
      R"("tools":[{"type":"function","function":{"name":"f"}}],"stream":)";
  for (const char* streamed : {"false}", "true}"}) {
    RawClient client(port());
    client.send(post("/v1/chat/completions", body + streamed));
    const RequestId id = streamed == std::string("true}") ? 2 : 1;
    ASSERT_TRUE(wait_for_request(id));
    const Request request = *engine_.request(id);
    EXPECT_EQ(std::string(request.prompt.begin(), request.prompt.end()), "f;u<f7>t");
    engine_.feed_text(id, "ok <tool_call>{\"name\":\"f\",\"arguments\":{\"a\":8}}</tool_call>",
                      last_event(kImEnd, FinishReason::kStop, kImEnd));
    const Answer answer = parse_answer(client.read_all());
    EXPECT_NE(answer.body.find(R"("function":{"name":"f","arguments":"{\"a\":8}"})"), std::string::npos)
        << answer.body;
    EXPECT_NE(answer.body.find(R"("finish_reason":"tool_calls")"), std::string::npos);
    EXPECT_EQ(answer.body.find("tool_call>"), std::string::npos);
  }
}

TEST_F(ChoicesTest, ATemplateWithoutToolsGetsThemSpelledOut) {
  auto compiled =
      ChatTemplate::compile("{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}", {});
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  chat_template_ = std::move(*compiled);
  engine_.set_context_max(2000);
  start();
  RawClient client(port());
  client.send(post(
      "/v1/chat/completions",
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant",)"
      R"("content":"c","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\":7}"}}]},)"
      R"({"role":"tool","tool_call_id":"1","content":"t"},{"role":"tool","tool_call_id":"1","content":"v"}],)"
      R"("tools":[{"type":"function","function":{"name":"f","description":"does"}}]})"));
  ASSERT_TRUE(wait_for_request(1));
  const std::vector<TokenId> ids = engine_.request(1)->prompt;
  std::string prompt;
  for (const TokenId id : ids) prompt += tokenizer_.token_bytes(id);
  EXPECT_TRUE(prompt.starts_with("[system:s\n\n")) << prompt;
  EXPECT_NE(prompt.find(R"({"name":"f","description":"does"})"), std::string::npos) << prompt;
  EXPECT_NE(prompt.find("[user:u][assistant:c\n<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":7}}\n"
                        "</tool_call>][user:<tool_response>\nt\n</tool_response>\n<tool_response>\nv\n"
                        "</tool_response>]"),
            std::string::npos)
      << prompt;
}

TEST_F(ChoicesTest, ContinuesTheLastMessage) {
  auto compiled = ChatTemplate::compile(
      "{% for m in messages %}<|im_start|>{{ m.content | trim }}<|im_end|>{% endfor %}"
      "{% if add_generation_prompt %}<|im_start|>{% endif %}",
      {});
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  chat_template_ = std::move(*compiled);
  start();
  RawClient client(port());
  client.send(post("/v1/chat/completions",
                   R"({"messages":[{"role":"user","content":"ab"},{"role":"assistant","content":" ab "}],)"
                   R"("continue_final_message":true})"));
  ASSERT_TRUE(wait_for_request(1));
  EXPECT_EQ(engine_.request(1)->prompt,
            (std::vector<TokenId>{kImStart, 'a', 'b', kImEnd, kImStart, 'a', 'b'}));
}

}  // namespace
}  // namespace hussar
