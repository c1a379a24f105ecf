#include "server/completion_request.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

class CompletionRequestTest : public ::testing::Test {
 protected:
  Result<CompletionRequest> read(Endpoint endpoint, const std::string& body) {
    const auto json = parse_json(body, {});
    EXPECT_TRUE(json.ok()) << body;
    return read_completion_request(endpoint, *json, {options_, "m", 1000});
  }
  Result<CompletionRequest> chat(const std::string& members) {
    return read(Endpoint::kChat, R"({"messages":[{"role":"user","content":"x"}])" + and_members(members));
  }
  Result<CompletionRequest> completion(const std::string& members) {
    return read(Endpoint::kCompletions, R"({"prompt":"x")" + and_members(members));
  }
  static std::string and_members(const std::string& members) {
    return (members.empty() ? "" : ",") + members + "}";
  }
  ServerOptions options_;
};

TEST_F(CompletionRequestTest, Defaults) {
  const auto request = completion("");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->prompts.at(0).text, "x");
  EXPECT_EQ(request->temperature, 1.0);
  EXPECT_EQ(request->top_p, 1.0);
  EXPECT_EQ(request->repetition_penalty, 1.0);
  EXPECT_EQ(request->logprobs_top, -1);
  EXPECT_FALSE(request->tokens_max || request->seed || request->stream || request->ignore_eos);
}

TEST_F(CompletionRequestTest, TheModelsDefaultsFillWhatIsLeftOut) {
  options_.defaults = {.temperature = 0.7,
                       .top_p = 0.8,
                       .min_p = 0.1,
                       .repetition_penalty = 1.1,
                       .top_k = 20,
                       .tokens_max = 7};
  const auto filled = chat(R"("top_p":null)");
  ASSERT_TRUE(filled.ok());
  EXPECT_EQ(filled->temperature, 0.7);
  EXPECT_EQ(filled->top_p, 0.8);
  EXPECT_EQ(filled->min_p, 0.1);
  EXPECT_EQ(filled->repetition_penalty, 1.1);
  EXPECT_EQ(filled->top_k, 20);
  EXPECT_FALSE(filled->tokens_max.has_value());
  const auto own =
      chat(R"("temperature":1,"top_p":1,"min_p":0,"repetition_penalty":1,"top_k":-1,"max_tokens":3)");
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->temperature, 1.0);
  EXPECT_EQ(own->top_p, 1.0);
  EXPECT_EQ(own->min_p, 0.0);
  EXPECT_EQ(own->repetition_penalty, 1.0);
  EXPECT_EQ(own->top_k, -1);
  EXPECT_EQ(own->tokens_max, 3);
}

TEST_F(CompletionRequestTest, ReadsEveryHonouredField) {
  const auto request = completion(
      R"("model":"m","max_tokens":5,"max_new_tokens":5,"temperature":0.7,"top_p":0.9,"top_k":40,"min_p":0.05,)"
      R"("repetition_penalty":1.1,"presence_penalty":-1,"frequency_penalty":2,"logit_bias":{"7":-100,"9":1.5},"seed":-3,)"
      R"("stop":["a","b"],"stop_token_ids":[3,4],"ignore_eos":true,"min_tokens":2,"logprobs":3,"stream":true,)"
      R"("stream_options":{"include_usage":true},"cache_salt":"s")");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->tokens_max, 5);
  EXPECT_EQ(request->temperature, 0.7);
  EXPECT_EQ(request->top_p, 0.9);
  EXPECT_EQ(request->top_k, 40);
  EXPECT_EQ(request->min_p, 0.05);
  EXPECT_EQ(request->repetition_penalty, 1.1);
  EXPECT_EQ(request->presence_penalty, -1);
  EXPECT_EQ(request->frequency_penalty, 2);
  ASSERT_EQ(request->bias.size(), 2u);
  EXPECT_EQ(request->bias[0].token, 7);
  EXPECT_EQ(request->bias[0].bias, -100.0f);
  EXPECT_EQ(request->seed, -3);
  EXPECT_EQ(request->stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request->stop_ids, (std::vector<TokenId>{3, 4}));
  EXPECT_TRUE(request->ignore_eos && request->stream && request->include_usage);
  EXPECT_EQ(request->tokens_min, 2);
  EXPECT_EQ(request->logprobs_top, 3);
  EXPECT_EQ(request->cache_salt, "s");
}

TEST_F(CompletionRequestTest, ReadsPromptsInAllTheirForms) {
  EXPECT_EQ(read(Endpoint::kCompletions, R"({"prompt":["x"]})")->prompts.at(0).text, "x");
  const std::vector<TokenId> ids{1, 2, 999};
  EXPECT_EQ(read(Endpoint::kCompletions, R"({"prompt":[1,2,999]})")->prompts.at(0).tokens, ids);
  EXPECT_EQ(read(Endpoint::kCompletions, R"({"prompt":[[1,2,999]]})")->prompts.at(0).tokens, ids);
  const auto several = read(Endpoint::kCompletions, R"({"prompt":["x",[1,2,999],"y"],"n":3,"best_of":3})");
  ASSERT_TRUE(several.ok()) << several.error().message;
  ASSERT_EQ(several->prompts.size(), 3u);
  EXPECT_EQ(several->prompts[1].tokens, ids);
  EXPECT_EQ(several->prompts[2].text, "y");
  EXPECT_EQ(several->choices(), 3);
}

TEST_F(CompletionRequestTest, ReadsMessages) {
  const auto request = read(Endpoint::kChat,
                            R"({"messages":[{"role":"developer","content":"be brief"},
                                            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"eve"},
                                            {"role":"assistant","content":null,"refusal":null,"tool_calls":[]},
                                            {"role":"user","content":""}],
                                "max_completion_tokens":9,"logprobs":true,"top_logprobs":2})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(
      write_json(request->chat.messages),
      R"([{"role":"system","content":"be brief"},{"role":"user","content":"ab"},{"role":"assistant","content":""},)"
      R"({"role":"user","content":""}])");
  EXPECT_EQ(request->tokens_max, 9);
  EXPECT_EQ(request->logprobs_top, 2);
}

TEST_F(CompletionRequestTest, FormatsOfTheAnswer) {
  struct Case {
    const char* members;
    GrammarSpec spec;
    const char* field;
  };
  const Case cases[] = {
      {R"("response_format":{"type":"json_object"})", {GrammarKind::kJsonObject, "", {}}, "response_format"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","strict":false,)"
       R"("schema":{"b":1.5,"a":[true]}}})",
       {GrammarKind::kJsonSchema, R"({"b":1.5,"a":[true]})", {}},
       "response_format.json_schema.schema"},
      {R"("structured_outputs":{"json":{"type":"null"}})",
       {GrammarKind::kJsonSchema, R"({"type":"null"})", {}},
       "structured_outputs.json"},
      {R"("structured_outputs":{"json":"{\"type\":  \"null\"}"})",
       {GrammarKind::kJsonSchema, R"({"type":"null"})", {}},
       "structured_outputs.json"},
      {R"("structured_outputs":{"json":true,"regex":null,"disable_fallback":true})",
       {GrammarKind::kJsonSchema, "true", {}},
       "structured_outputs.json"},
      {R"("structured_outputs":{"json_object":true})",
       {GrammarKind::kJsonObject, "", {}},
       "structured_outputs.json_object"},
      {R"("structured_outputs":{"regex":"a|b"})",
       {GrammarKind::kRegex, "a|b", {}},
       "structured_outputs.regex"},
      {R"("structured_outputs":{"choice":["a","b"]},"response_format":{"type":"text"})",
       {GrammarKind::kChoice, "", {"a", "b"}},
       "structured_outputs.choice"},
      {R"("structured_outputs":{"grammar":"root ::= \"a\""},"stop":[],"min_tokens":0,"ignore_eos":false)",
       {GrammarKind::kEbnf, "root ::= \"a\"", {}},
       "structured_outputs.grammar"},
  };
  for (const Case& one : cases) {
    for (const bool is_chat : {false, true}) {
      const auto request = is_chat ? chat(one.members) : completion(one.members);
      ASSERT_TRUE(request.ok()) << one.members << ": " << request.error().message;
      ASSERT_TRUE(request->format) << one.members;
      EXPECT_EQ(request->format->spec, one.spec) << one.members;
      EXPECT_EQ(request->format->field, one.field);
    }
  }
  EXPECT_FALSE(completion(R"("response_format":{"type":"text"})")->format);
}

TEST_F(CompletionRequestTest, NeutralAndHarmlessValuesCountAsAbsent) {
  for (const char* members : {R"("n":1)",
                              R"("n":1.0)",
                              R"("n":null)",
                              R"("best_of":1)",
                              R"("spaces_between_special_tokens":false)",
                              R"("use_beam_search":false)",
                              R"("echo":false)",
                              R"("suffix":"")",
                              R"("suffix":null)",
                              R"("response_format":{"type":"text"})",
                              R"("user":"me")",
                              R"("metadata":{"a":"b"})",
                              R"("store":true)",
                              R"("service_tier":"auto")",
                              R"("temperature":null)",
                              R"("stop":null)",
                              R"("stop":[])",
                              R"("logit_bias":{})",
                              R"("max_tokens":null,"max_new_tokens":4)",
                              R"("logprobs":null)",
                              R"("stream_options":null)",
                              R"("skip_special_tokens":true)",
                              R"("top_k":-1)",
                              R"("seed":null)",
                              R"("max_tokens":16.0)"}) {
    const auto request = completion(members);
    EXPECT_TRUE(request.ok()) << members << ": " << (request.ok() ? "" : request.error().message);
  }
  for (const char* members :
       {R"("tools":[])", R"("tools":null,"tool_choice":"none")", R"("parallel_tool_calls":true)",
        R"("modalities":["text"])", R"("logprobs":false,"top_logprobs":0)", R"("logprobs":false)",
        R"("chat_template_kwargs":{})", R"("functions":[])", R"("add_generation_prompt":true)",
        R"("continue_final_message":false)"}) {
    const auto request = chat(members);
    EXPECT_TRUE(request.ok()) << members << ": " << (request.ok() ? "" : request.error().message);
  }
}

TEST_F(CompletionRequestTest, ReadsWhatVllmsClientsSend) {
  const auto request =
      completion(R"("n":2,"allowed_token_ids":[3,4],"bad_words":["no"," never"],"truncate_prompt_tokens":-1,)"
                 R"("include_stop_str_in_output":true,"skip_special_tokens":false,"return_token_ids":true,)"
                 R"("return_tokens_as_token_ids":true,"echo":true,"add_special_tokens":false)");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->choices(), 2);
  EXPECT_EQ(request->allowed_ids, (std::vector<TokenId>{3, 4}));
  EXPECT_EQ(request->bad_words, (std::vector<std::string>{"no", " never"}));
  EXPECT_EQ(request->truncate_prompt_tokens, -1);
  EXPECT_TRUE(request->include_stop && request->return_token_ids && request->tokens_as_ids && request->echo);
  EXPECT_FALSE(request->skip_special_tokens || request->add_special_tokens);
}

TEST_F(CompletionRequestTest, AFormatAndWhatForbidsTokensExcludeEachOther) {
  const std::string format = R"("response_format":{"type":"json_object"},)";
  for (const char* members :
       {R"("allowed_token_ids":[1])", R"("bad_words":["x"])", R"("logit_bias":{"5":-100})",
        R"("tools":[{"type":"function","function":{"name":"f"}}])"}) {
    const auto request = chat(format + members);
    ASSERT_FALSE(request.ok()) << members;
    EXPECT_NE(std::string(members).find(request.error().field), std::string::npos) << members;
  }
  EXPECT_TRUE(chat(format + R"("logit_bias":{"5":-99})").ok());
  EXPECT_TRUE(
      chat(format + R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")").ok());
}

struct BadCase {
  const char* members;
  const char* field;
  ErrorCode code = ErrorCode::kInvalid;
};

TEST_F(CompletionRequestTest, RefusesByName) {
  constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;
  const BadCase shared[] = {
      {R"("frobnicate":1)", "frobnicate", kUnsupported},
      {R"("Temperature":1)", "Temperature", kUnsupported},
      {R"("model":"other")", "model", ErrorCode::kNotFound},
      {R"("model":7)", "model"},
      {R"("max_tokens":0)", "max_tokens"},
      {R"("max_tokens":-5)", "max_tokens"},
      {R"("max_tokens":1e30)", "max_tokens"},
      {R"("max_tokens":1.5)", "max_tokens"},
      {R"("max_tokens":"5")", "max_tokens"},
      {R"("max_tokens":true)", "max_tokens"},
      {R"("max_tokens":9223372036854775808)", "max_tokens"},
      {R"("max_tokens":4,"max_new_tokens":5)", "max_new_tokens"},
      {R"("max_tokens":4,"max_completion_tokens":5)", "max_completion_tokens"},
      {R"("temperature":-0.1)", "temperature"},
      {R"("temperature":2.1)", "temperature"},
      {R"("temperature":1e300)", "temperature"},
      {R"("temperature":"hot")", "temperature"},
      {R"("temperature":[])", "temperature"},
      {R"("top_p":1.01)", "top_p"},
      {R"("top_p":-1)", "top_p"},
      {R"("top_k":-2)", "top_k"},
      {R"("top_k":0.5)", "top_k"},
      {R"("min_p":2)", "min_p"},
      {R"("repetition_penalty":0)", "repetition_penalty"},
      {R"("repetition_penalty":-1)", "repetition_penalty"},
      {R"("presence_penalty":2.5)", "presence_penalty"},
      {R"("frequency_penalty":-2.5)", "frequency_penalty"},
      {R"("logit_bias":[1])", "logit_bias"},
      {R"("logit_bias":{"x":1})", "logit_bias.x"},
      {R"("logit_bias":{"1000":1})", "logit_bias.1000"},
      {R"("logit_bias":{"-1":1})", "logit_bias.-1"},
      {R"("logit_bias":{"1":101})", "logit_bias.1"},
      {R"("logit_bias":{"1":"a"})", "logit_bias.1"},
      {R"("seed":1e19)", "seed"},
      {R"("seed":"s")", "seed"},
      {R"("stop":5)", "stop"},
      {R"("stop":"")", "stop"},
      {R"("stop":["a",""])", "stop[1]"},
      {R"("stop":["a",1])", "stop[1]"},
      {R"("stop":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])", "stop"},
      {R"("stop_token_ids":7)", "stop_token_ids"},
      {R"("stop_token_ids":[1000])", "stop_token_ids[0]"},
      {R"("stop_token_ids":[1,-1])", "stop_token_ids[1]"},
      {R"("ignore_eos":1)", "ignore_eos"},
      {R"("min_tokens":-1)", "min_tokens"},
      {R"("min_tokens":10,"max_tokens":5)", "min_tokens"},
      {R"("stream":"yes")", "stream"},
      {R"("stream_options":{"include_usage":true})", "stream_options"},
      {R"("stream":true,"stream_options":{"x":1})", "stream_options.x", kUnsupported},
      {R"("stream":true,"stream_options":[])", "stream_options"},
      {R"("n":0)", "n"},
      {R"("n":129)", "n"},
      {R"("n":"1")", "n"},
      {R"("n":2,"best_of":4)", "best_of", kUnsupported},
      {R"("best_of":3)", "best_of", kUnsupported},
      {R"("use_beam_search":true)", "use_beam_search", kUnsupported},
      {R"("response_format":"json_object")", "response_format"},
      {R"("response_format":{})", "response_format.type"},
      {R"("response_format":{"type":"xml"})", "response_format.type"},
      {R"("response_format":{"type":"json_object","a":1})", "response_format.a", kUnsupported},
      {R"("response_format":{"type":"json_schema"})", "response_format.json_schema"},
      {R"("response_format":{"type":"text","json_schema":{}})", "response_format.json_schema"},
      {R"("response_format":{"type":"json_schema","json_schema":[]})", "response_format.json_schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"schema":{}}})",
       "response_format.json_schema.name"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n"}})",
       "response_format.json_schema.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":"{}"}})",
       "response_format.json_schema.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"strict":1}})",
       "response_format.json_schema.strict"},
      {R"("structured_outputs":{})", "structured_outputs"},
      {R"("structured_outputs":{"json_object":false})", "structured_outputs"},
      {R"("structured_outputs":{"regex":"a","choice":["b"]})", "structured_outputs"},
      {R"("structured_outputs":{"regex":""})", "structured_outputs.regex"},
      {R"("structured_outputs":{"regex":5})", "structured_outputs.regex"},
      {R"("structured_outputs":{"grammar":null})", "structured_outputs"},
      {R"("structured_outputs":{"choice":"a"})", "structured_outputs.choice"},
      {R"("structured_outputs":{"choice":[]})", "structured_outputs.choice"},
      {R"("structured_outputs":{"choice":["a",1]})", "structured_outputs.choice[1]"},
      {R"("structured_outputs":{"choice":[""]})", "structured_outputs.choice[0]"},
      {R"("structured_outputs":{"json":5})", "structured_outputs.json"},
      {R"("structured_outputs":{"json":"{"})", "structured_outputs.json"},
      {R"("structured_outputs":{"json":{},"whitespace_pattern":"x"})",
       "structured_outputs.whitespace_pattern", kUnsupported},
      {R"("structured_outputs":{"structural_tag":"x"})", "structured_outputs.structural_tag", kUnsupported},
      {R"("structured_outputs":{"json":{}},"response_format":{"type":"json_object"})", "response_format"},
      {R"("response_format":{"type":"json_object"},"stop":"x")", "stop"},
      {R"("response_format":{"type":"json_object"},"stop_token_ids":[1])", "stop_token_ids"},
      {R"("response_format":{"type":"json_object"},"min_tokens":1)", "min_tokens"},
      {R"("structured_outputs":{"regex":"a"},"ignore_eos":true)", "ignore_eos"},
      {R"("guided_json":{})", "guided_json", kUnsupported},
      {R"("cache_salt":5)", "cache_salt"},
      {R"("allowed_token_ids":[])", "allowed_token_ids"},
      {R"("allowed_token_ids":[7,1000])", "allowed_token_ids[1]"},
      {R"("bad_words":"x")", "bad_words"},
      {R"("bad_words":["x"," "])", "bad_words[1]"},
      {R"("bad_words":[5])", "bad_words[0]"},
      {R"("truncate_prompt_tokens":0)", "truncate_prompt_tokens"},
      {R"("truncate_prompt_tokens":-2)", "truncate_prompt_tokens"},
      {R"("truncation_side":"right")", "truncation_side", kUnsupported},
      {R"("detokenize":false)", "detokenize", kUnsupported},
      {R"("skip_special_tokens":false,"stop":"x")", "skip_special_tokens", kUnsupported},
      {R"("return_token_ids":1)", "return_token_ids"},
      {R"("prompt_logprobs":1)", "prompt_logprobs", kUnsupported},
  };
  for (const BadCase& bad : shared) {
    for (const bool is_chat : {false, true}) {
      const auto request = is_chat ? chat(bad.members) : completion(bad.members);
      ASSERT_FALSE(request.ok()) << bad.members;
      EXPECT_EQ(request.error().field, bad.field) << bad.members;
      EXPECT_EQ(request.error().code, bad.code) << bad.members;
      const std::string last_word =
          std::string(bad.field).substr(std::string(bad.field).find_last_of('.') + 1);
      EXPECT_NE(request.error().message.find(last_word), std::string::npos) << request.error().message;
    }
  }
}

TEST_F(CompletionRequestTest, RefusesWhatOneEndpointAloneCanGetWrong) {
  constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;
  const BadCase completions[] = {
      {R"({})", "prompt"},
      {R"({"prompt":null})", "prompt"},
      {R"({"prompt":7})", "prompt"},
      {R"({"prompt":[]})", "prompt"},
      {R"({"prompt":[[]]})", "prompt[0]"},
      {R"({"prompt":["a",1]})", "prompt[1]"},
      {R"({"prompt":["a",[]]})", "prompt[1]"},
      {R"({"prompt":["a","b","c"],"n":50})", "n"},
      {R"({"prompt":"x","echo":true,"logprobs":1})", "echo", kUnsupported},
      {R"({"prompt":"x","tools":[]})", "tools", kUnsupported},
      {R"({"prompt":[1,"a"]})", "prompt[1]"},
      {R"({"prompt":[1,1000]})", "prompt[1]"},
      {R"({"prompt":[-1]})", "prompt[0]"},
      {R"({"prompt":[1.5]})", "prompt[0]"},
      {R"({"prompt":[[1,2000]]})", "prompt[0][1]"},
      {R"({"prompt":{}})", "prompt"},
      {R"({"prompt":"x","logprobs":21})", "logprobs"},
      {R"({"prompt":"x","logprobs":true})", "logprobs"},
      {R"({"prompt":"x","suffix":"y"})", "suffix", kUnsupported},
      {R"({"prompt":"x","messages":[]})", "messages", kUnsupported},
      {R"({"prompt":"x","top_logprobs":1})", "top_logprobs", kUnsupported},
      {R"([])", ""},
      {R"("text")", ""},
      {R"(7)", ""},
  };
  for (const BadCase& bad : completions) {
    const auto request = read(Endpoint::kCompletions, bad.members);
    ASSERT_FALSE(request.ok()) << bad.members;
    EXPECT_EQ(request.error().field, bad.field) << bad.members;
    EXPECT_EQ(request.error().code, bad.code) << bad.members;
  }
  const BadCase chats[] = {
      {R"({})", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":"hi"})", "messages"},
      {R"({"messages":["hi"]})", "messages[0]"},
      {R"({"messages":[{"content":"x"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":5}]})", "messages[0].content"},
      {R"({"messages":[{"role":"king","content":"x"}]})", "messages[0].role"},
      {R"({"messages":[{"role":5,"content":"x"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"tool","content":"x"}]})", "messages[0].tool_call_id"},
      {R"({"messages":[{"role":"function","content":"x"}]})", "messages[0].role", kUnsupported},
      {R"({"messages":[{"role":"user","content":"x","tool_call_id":"1"}]})", "messages[0].tool_call_id"},
      {R"({"messages":[{"role":"user","content":"x","tool_calls":[{"function":{"name":"f"}}]}]})",
       "messages[0].tool_calls"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"[1]"}}]}]})",
       "messages[0].tool_calls[0].function.arguments"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}]})",
       "messages[0].tool_calls[0].function.arguments"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"a b"}}]}]})",
       "messages[0].tool_calls[0].function.name"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"type":"custom"}]}]})",
       "messages[0].tool_calls[0].type", kUnsupported},
      {R"({"messages":[{"role":"assistant","content":"x"}],"continue_final_message":true,)"
       R"("add_generation_prompt":true})",
       "continue_final_message"},
      {R"({"messages":[{"role":"assistant","content":""}],"continue_final_message":true})",
       "continue_final_message"},
      {R"({"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":{"tools":[]}})",
       "chat_template_kwargs.tools"},
      {R"({"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":{"a b":1}})",
       "chat_template_kwargs.a b"},
      {R"({"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":[]})", "chat_template_kwargs"},
      {R"({"messages":[{"role":"user","content":"x"}],"chat_template":"x"})", "chat_template", kUnsupported},
      {R"({"messages":[{"role":"user","content":"x"}],"echo":true})", "echo", kUnsupported},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":{}})", "tools"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[7]})", "tools[0]"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"web_search"}]})", "tools[0].type",
       kUnsupported},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{}}]})",
       "tools[0].function.name"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"a.b"}}]})",
       "tools[0].function.name"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}},)"
       R"({"type":"function","function":{"name":"f"}}]})",
       "tools[1].function.name"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function",)"
       R"("function":{"name":"f","parameters":7}}]})",
       "tools[0].function.parameters"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function",)"
       R"("function":{"name":"f","mood":7}}]})",
       "tools[0].function.mood", kUnsupported},
      {R"({"messages":[{"role":"user","content":"x"}],"tool_choice":"maybe"})", "tool_choice"},
      {R"({"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"function","function":{"name":"f"}}})",
       "tool_choice"},
      {R"({"messages":[{"role":"user","content":"x","mood":1}]})", "messages[0].mood", kUnsupported},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]})",
       "messages[0].content[0]", kUnsupported},
      {R"({"messages":[{"role":"user","content":["x"]}]})", "messages[0].content[0]"},
      {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})", "messages[0].content[0].text"},
      {R"({"messages":[{"role":"user","content":"x"}],"logprobs":3})", "logprobs"},
      {R"({"messages":[{"role":"user","content":"x"}],"top_logprobs":3})", "top_logprobs"},
      {R"({"messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":21})", "top_logprobs"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]})", "tools[0].function"},
      {R"({"messages":[{"role":"user","content":"x"}],"tool_choice":"required"})", "tool_choice"},
      {R"({"messages":[{"role":"user","content":"x"}],"prompt":"y"})", "prompt", kUnsupported},
  };
  for (const BadCase& bad : chats) {
    const auto request = read(Endpoint::kChat, bad.members);
    ASSERT_FALSE(request.ok()) << bad.members;
    EXPECT_EQ(request.error().field, bad.field) << bad.members;
    EXPECT_EQ(request.error().code, bad.code) << bad.members;
  }
}

TEST_F(CompletionRequestTest, WarnModeNamesWhatItIgnores) {
  options_.unknown_fields = UnknownFields::kWarn;
  const auto request = read(
      Endpoint::kChat,
      R"({"messages":[{"role":"user","content":"x","mood":1}],"frobnicate":1,"stream":true,"stream_options":{"y":2}})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->ignored_fields,
            (std::vector<std::string>{"messages[0].mood", "frobnicate", "stream_options.y"}));
  EXPECT_FALSE(completion(R"("suffix":"y")").ok())
      << "what is known and can't be done is refused all the same";
}

}  // namespace
}  // namespace hussar
