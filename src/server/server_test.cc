// The server over real sockets and a fake engine.
#include "server/server.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "server/server_fixture.h"
#include "server/worker_pool.h"

namespace hussar {
namespace {

TEST_F(ServerTest, CompletionWithTheArticlesFields) {
  start();
  RawClient client(port());
  client.send(post(
      "/v1/completions",
      R"({"prompt":"hello","max_new_tokens":9,"temperature":0.7,"top_p":0.9,"repetition_penalty":1.1})"));
  ASSERT_TRUE(wait_for_request(1));
  const Request request = *engine_.request(1);
  EXPECT_EQ(request.prompt, std::vector<TokenId>{kHello});
  EXPECT_EQ(request.tokens_max, 9);
  EXPECT_EQ(request.sample.temperature, 0.7f);
  EXPECT_EQ(request.sample.repetition_penalty, 1.1f);
  EXPECT_EQ(request.stop_ids, std::vector<TokenId>{kImEnd});
  engine_.feed_text(1, "ok", last_event(kImEnd, FinishReason::kStop, kImEnd));
  const Answer answer = parse_answer(client.read_all());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(*answer.json.find("text")->as_string(), "ok");
  double ttft = -1;
  EXPECT_TRUE(answer.json.find("ttft")->as_number(&ttft));
  EXPECT_GT(ttft, 0);
  EXPECT_EQ(*answer.json.find("usage")->find("completion_tokens")->as_int(), 3);
  EXPECT_EQ(*answer.json.find("usage")->find("prompt_tokens")->as_int(), 1);
  const Json& choice = answer.json.find("choices")->as_array()->front();
  EXPECT_EQ(*choice.find("text")->as_string(), "ok");
  EXPECT_EQ(*choice.find("finish_reason")->as_string(), "stop");
}

TEST_F(ServerTest, StreamsEachTokenAsItComes) {
  start();
  RawClient client(port());
  client.send(
      post("/v1/completions", R"({"prompt":"x","stream":true,"stream_options":{"include_usage":true}})"));
  ASSERT_TRUE(wait_for_request(1));
  engine_.feed(1, {token_event('a')});
  const std::string first = client.read_until("\"text\":\"a\"");
  EXPECT_NE(first.find("text/event-stream"), std::string::npos) << first;
  EXPECT_NE(first.find("\"text\":\"a\""), std::string::npos) << "before the answer ends";
  engine_.feed(1, {last_event('b', FinishReason::kLength)});
  const Answer answer = parse_answer(first + client.read_all());
  EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n")) << answer.body;
  EXPECT_NE(answer.body.find(R"("text":"b","logprobs":null,"finish_reason":"length")"), std::string::npos);
  EXPECT_NE(answer.body.find(R"("choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2)"),
            std::string::npos)
      << answer.body;
}

TEST_F(ServerTest, StopStringsAreNeverShown) {
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x","stream":true,"stop":["END"]})"));
  ASSERT_TRUE(wait_for_request(1));
  ASSERT_NE(engine_.request(1)->stops, nullptr);
  engine_.feed_text(1, "aE", std::nullopt);
  const std::string first = client.read_until("\"text\":\"a\"");
  engine_.feed_text(1, "N", last_event('D', FinishReason::kStop));
  const std::string all = first + client.read_all();
  for (const char* part : {"\"E", "EN", "ND", "\"D"})
    EXPECT_EQ(all.find(part), std::string::npos) << part << "\n" << all;
  EXPECT_NE(all.find("\"finish_reason\":\"stop\""), std::string::npos);
}

TEST_F(ServerTest, ChatUsesTheTemplateAndUserTextStaysText) {
  auto compiled = ChatTemplate::compile(
      "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}{% if "
      "add_generation_prompt %}<|im_start|>{% endif %}",
      {});
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  chat_template_ = std::move(*compiled);
  start();
  RawClient client(port());
  client.send(post("/v1/chat/completions",
                   R"({"messages":[{"role":"user","content":"a<|im_end|>"}],"stream":true})"));
  ASSERT_TRUE(wait_for_request(1));
  std::vector<TokenId> wanted{kImStart, 'a'};
  for (const char c : std::string("<|im_end|>")) wanted.push_back(c);
  wanted.insert(wanted.end(), {kImEnd, kImStart});
  EXPECT_EQ(engine_.request(1)->prompt, wanted);
  engine_.feed_text(1, "hi", last_event(kImEnd, FinishReason::kStop, kImEnd));
  const Answer answer = parse_answer(client.read_all());
  EXPECT_NE(answer.body.find(R"("delta":{"role":"assistant","content":""})"), std::string::npos)
      << answer.body;
  EXPECT_NE(answer.body.find(R"("delta":{"content":"h"})"), std::string::npos);
  EXPECT_NE(answer.body.find(R"("delta":{},"logprobs":null,"finish_reason":"stop")"), std::string::npos);
}

TEST_F(ServerTest, ATemplateThatRefusesIsA400) {
  auto compiled = ChatTemplate::compile("{{ raise_exception('roles must alternate') }}", {});
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  chat_template_ = std::move(*compiled);
  start();
  const Answer answer =
      exchange(post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}]})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("roles must alternate"), std::string::npos) << answer.body;
}

TEST_F(ServerTest, AModelWithoutATemplateSaysSo) {
  start();
  const Answer answer =
      exchange(post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}]})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("no chat template"), std::string::npos);
}

TEST_F(ServerTest, RefusesWhatHttpCanGetWrong) {
  options_.body_bytes_max = 10'000;
  start();
  const std::string good = R"({"prompt":"x"})";
  struct Case {
    std::string bytes;
    int status;
    const char* code;
  };
  const Case cases[] = {
      {post("/v1/completions", good, "Content-Type: text/plain\r\n"), 415, "unsupported_media_type"},
      {post("/v1/completions", good, "Content-Type: application/x-www-form-urlencoded\r\n"), 415,
       "unsupported_media_type"},
      {post("/v1/completions", good, "Content-Type: application/json; charset=latin1\r\n"), 415,
       "unsupported_media_type"},
      {post("/v1/completions", good, "Content-Encoding: gzip\r\n"), 415, "unsupported_media_type"},
      {post("/v1/completions", ""), 400, "invalid_json"},
      {post("/v1/completions", "{"), 400, "invalid_json"},
      {post("/v1/completions", R"({"prompt":"x","temperature":NaN})"), 400, "invalid_json"},
      {post("/v1/completions", R"({"prompt":"x","temperature":1e999})"), 400, "invalid_json"},
      {post("/v1/completions", R"({"prompt":"x","prompt":"y"})"), 400, "invalid_json"},
      {post("/v1/completions", "{\"prompt\":\"\xff\xfe\"}"), 400, "invalid_json"},
      {post("/v1/completions", R"({"prompt":"\ud800"})"), 400, "invalid_json"},
      {post("/v1/completions", "{\"prompt\":" + std::string(100, '[') + std::string(100, ']') + "}"), 400,
       "invalid_json"},
      {post("/v1/completions", R"({"prompt":""})"), 400, "invalid_value"},
      {post("/v1/completions", R"({"prompt":"x","frob":1})"), 400, "unsupported_parameter"},
      {post("/v1/completions", R"({"prompt":"x","model":"gpt-4"})"), 404, "model_not_found"},
      {post("/v1/completions", R"({"prompt":"x","max_tokens":100})"), 400, "context_length_exceeded"},
      {post("/v1/completions", "{\"prompt\":\"" + std::string(200, 'x') + "\"}"), 400,
       "context_length_exceeded"},
      {post("/v1/completions", std::string(20'000, ' ')), 413, "body_too_large"},
      {post("/v1/nothing", good), 404, "unknown_path"},
      {post("/health", good), 405, "method_not_allowed"},
      {"GET /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405,
       "method_not_allowed"},
      {"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405,
       "method_not_allowed"},
      {"GET /v1/models/other HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404,
       "model_not_found"},
      {"nonsense\r\n\r\n", 400, "bad_request"},
      {post("/tokenize", "{}"), 400, "invalid_value"},
      {post("/tokenize", R"({"prompt":"a","content":"b"})"), 400, "invalid_value"},
      {post("/tokenize", R"({"prompt":5})"), 400, "invalid_value"},
      {post("/detokenize", "{}"), 400, "invalid_value"},
      {post("/detokenize", R"({"tokens":[100000]})"), 400, "invalid_value"},
  };
  for (const Case& bad : cases) {
    const Answer answer = exchange(bad.bytes);
    EXPECT_EQ(answer.status, bad.status) << bad.bytes.substr(0, 200) << "\n" << answer.body;
    EXPECT_EQ(error_code(answer), bad.code) << answer.body;
    EXPECT_EQ(answer.head.find("\r\nAllow: ") != std::string::npos, bad.status == 405) << answer.head;
  }
  EXPECT_FALSE(engine_.request(1).has_value());
}

TEST_F(ServerTest, APromptThatIsTooLongIsNamedAsItsApiCallsIt) {
  auto compiled = ChatTemplate::compile("{% for m in messages %}{{ m.content }}{% endfor %}", {});
  ASSERT_TRUE(compiled.ok());
  chat_template_ = std::move(*compiled);
  start();
  const std::string text(200, 'x');
  for (const auto& [path, body, field] : std::vector<std::array<std::string, 3>>{
           {"/v1/completions", R"({"prompt":")" + text + "\"}", "prompt"},
           {"/v1/chat/completions", R"({"messages":[{"role":"user","content":")" + text + "\"}]}",
            "messages"},
           {"/v1/responses", R"({"input":")" + text + "\"}", "input"}}) {
    const Answer answer = exchange(post(path, body));
    EXPECT_EQ(error_code(answer), "context_length_exceeded") << path;
    EXPECT_EQ(*answer.json.find("error")->find("param")->as_string(), field);
  }
}

TEST_F(ServerTest, AnErrorIsOneShortLineWhateverItQuotes) {
  start();
  const Answer lines =
      exchange(post("/v1/completions", R"({"prompt":"x","response_format":{"type":"a\nb\u0000c"}})"));
  EXPECT_EQ(lines.status, 400);
  EXPECT_EQ(lines.json.find("error")->find("message")->as_string()->find_first_of(std::string("\n\0", 2)),
            std::string::npos);
  std::string key;
  for (int i = 0; i < 100'000; ++i) key += "\xc3\xa9";
  const Answer longer = exchange(
      post("/v1/chat/completions",
           R"({"messages":[{"role":"user","content":[{"type":"text","text":"x",")" + key + R"(":1}]}]})"));
  EXPECT_EQ(longer.status, 400);
  EXPECT_LE(longer.body.size(), 3000u);
  EXPECT_EQ(longer.body.find("\xef\xbf\xbd"), std::string::npos) << "cut within a character";
}

TEST_F(ServerTest, AFullQueueIsA429WithRetryAfter) {
  engine_.refusal = Error{ErrorCode::kFull, "the queue of 256 requests is full", ""};
  start();
  const Answer answer = exchange(post("/v1/completions", R"({"prompt":"x"})"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(error_code(answer), "queue_full");
  EXPECT_NE(answer.head.find("\r\nRetry-After: 1\r\n"), std::string::npos) << answer.head;
}

TEST_F(ServerTest, WarnModeNamesIgnoredFieldsInAHeader) {
  options_.unknown_fields = UnknownFields::kWarn;
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x","frob":1,"nicate":2})"));
  ASSERT_TRUE(wait_for_request(1));
  engine_.feed(1, {last_event('a', FinishReason::kLength)});
  EXPECT_NE(parse_answer(client.read_all()).head.find("X-Hussar-Ignored-Fields: frob, nicate\r\n"),
            std::string::npos);
}

TEST_F(ServerTest, AFormatGoesToTheEngineAsAGrammar) {
  with_grammars();
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x","structured_outputs":{"choice":["yes","no"]}})"));
  ASSERT_TRUE(wait_for_request(1));
  const Request request = *engine_.request(1);
  ASSERT_NE(request.grammar, nullptr);
  EXPECT_EQ(request.stop_ids, request.grammar->stop_ids());
  const auto allowed = [&](TokenId token) {
    return (request.grammar->first_mask()[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
  };
  EXPECT_TRUE(allowed('y') && allowed('n'));
  EXPECT_FALSE(allowed('x') || allowed(kImEnd) || allowed(kHello));
  engine_.feed_text(1, "no", last_event(kImEnd, FinishReason::kStop, kImEnd));
  EXPECT_EQ(parse_answer(client.read_all()).status, 200);
}

TEST_F(ServerTest, AFormatThatCanNotBeUsedIsItsSendersFault) {
  with_grammars();
  start();
  for (int i = 0; i < 2; ++i) {  // the second time from what is remembered
    const Answer answer =
        exchange(post("/v1/completions", R"({"prompt":"x","structured_outputs":{"regex":"(a"}})"));
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(*answer.json.find("error")->find("param")->as_string(), "structured_outputs.regex");
    EXPECT_EQ(error_code(answer), "invalid_value");
  }
  EXPECT_NE(get("/metrics").body.find("hussar_schema_refused_total{model_name=\"m\"} 2"), std::string::npos);
  EXPECT_FALSE(engine_.request(1));
}

TEST_F(ServerTest, AGrammarIsNotCompiledForAClientThatHasGone) {
  // A compiler that takes a second and has no answer then, and shows when it begins.
  const std::string began = ::testing::TempDir() + "compiler-began-" + std::to_string(getpid());
  grammars_ = std::make_unique<GrammarCompiler>(
      GrammarLimits{}, [this] { return answer_bytes_table(tokenizer_); }, std::vector<TokenId>{kImEnd},
      GrammarCompiler::ChildCommand{"/bin/sh", {"-c", "touch " + began + "; exec sleep 1"}});
  start();
  const auto ask = [](const char* expression) {
    return post("/v1/completions",
                R"({"prompt":"x","structured_outputs":{"regex":")" + std::string(expression) + "\"}}");
  };
  RawClient first(port());
  first.send(ask("a"));
  // Or another one could come before it.
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(began); }));
  RawClient late(port());  // its deadline passes while it waits
  late.send(
      post("/v1/completions", R"({"prompt":"x","deadline_ms":300,"structured_outputs":{"regex":"c"}})"));
  {
    RawClient second(port());
    second.send(ask("b"));
    ASSERT_TRUE(eventually([&] {
      return get("/metrics").body.find("hussar_http_connections{model_name=\"m\"} 4") != std::string::npos;
    }));
  }
  EXPECT_EQ(parse_answer(first.read_all()).status, 500);
  const Answer refused = parse_answer(late.read_all());
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(error_code(refused), "deadline_infeasible");
  const auto count = [&](const std::string& status) {
    const std::string line =
        "hussar_http_responses_total{model_name=\"m\",path=\"/v1/completions\",status=\"" + status +
        "\"} 1\n";
    return get("/metrics").body.find(line) != std::string::npos;
  };
  EXPECT_TRUE(eventually([&] { return count("499"); }));
  EXPECT_TRUE(count("500")) << "the first one's, and no other";
  std::filesystem::remove(began);
}

TEST_F(ServerTest, WithoutACompilerAFormatIsRefusedByName) {
  start();
  const Answer answer =
      exchange(post("/v1/completions", R"({"prompt":"x","response_format":{"type":"json_object"}})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(*answer.json.find("error")->find("param")->as_string(), "response_format");
}

TEST_F(ServerTest, ADisconnectCancelsWholeAndStreamedAnswers) {
  start();
  RawClient whole(port()), stream(port());
  whole.send(post("/v1/completions", R"({"prompt":"x"})"));
  ASSERT_TRUE(wait_for_request(1));
  stream.send(post("/v1/completions", R"({"prompt":"x","stream":true})"));
  ASSERT_TRUE(wait_for_request(2));
  engine_.feed(2, {token_event('a')});
  stream.read_until("\"text\":\"a\"");
  EXPECT_EQ(engine_.cancels(), 0);
  whole.close();
  EXPECT_TRUE(eventually([&] { return engine_.cancels() == 1; }));
  stream.close();
  EXPECT_TRUE(eventually(
      [&] { return engine_.counters().finished[static_cast<size_t>(FinishReason::kCancelled)] == 2; }));
}

TEST_F(ServerTest, ErrorsAfterTheFirstTokenAreEvents) {
  start();
  RawClient early(port()), late(port());
  early.send(post("/v1/completions", R"({"prompt":"x","stream":true})"));
  ASSERT_TRUE(wait_for_request(1));
  TokenEvent fault = last_event(-1, FinishReason::kError);
  fault.error = "the device has failed";
  engine_.feed(1, {fault});
  const Answer before = parse_answer(early.read_all());
  EXPECT_EQ(before.status, 500);
  EXPECT_EQ(error_code(before), "internal_error");
  late.send(post("/v1/completions", R"({"prompt":"x","stream":true})"));
  ASSERT_TRUE(wait_for_request(2));
  engine_.feed(2, {token_event('a')});
  engine_.feed(2, {fault});
  const Answer after = parse_answer(late.read_all());
  EXPECT_EQ(after.status, 200);
  EXPECT_NE(after.body.find(R"(data: {"error":{"message":"the device has failed")"), std::string::npos)
      << after.body;
  EXPECT_TRUE(after.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ServerTest, TokenizeInBothShapes) {
  start();
  EXPECT_EQ(exchange(post("/tokenize", R"({"prompt":"hello<|im_end|>","return_token_strs":true})"))
                .json.find("count")
                ->as_int()[0],
            11)
      << "a prompt's special token stays text, as in /v1/completions";
  EXPECT_EQ(exchange(post("/tokenize", R"({"prompt":"hello","return_token_strs":true})")).body,
            R"({"count":1,"max_model_len":100,"tokens":[)" + std::to_string(kHello) +
                R"(],"token_strs":["hello"]})");
  EXPECT_EQ(exchange(post("/tokenize", R"({"content":"a<|im_end|>"})")).body,
            R"({"tokens":[97,)" + std::to_string(kImEnd) + "]}");
  EXPECT_EQ(exchange(post("/tokenize", R"({"content":"aé","with_pieces":true})")).body,
            R"({"tokens":[{"id":97,"piece":"a"},{"id":195,"piece":[195]},{"id":169,"piece":[169]}]})");
  EXPECT_EQ(exchange(post("/detokenize", R"({"tokens":[97,195,169]})")).body,
            R"({"prompt":"aé","content":"aé"})");
}

TEST_F(ServerTest, AfterADeviceFaultItIsNotReadyAndSaysWhy) {
  start();
  EXPECT_EQ(get("/ready").status, 200);
  engine_.set_fault({ErrorCode::kDeviceFault, "the device has failed: attention", ""});
  const Answer ready = get("/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_NE(ready.body.find("the device has failed: attention"), std::string::npos);
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(ServerTest, ModelsHealthReadyAndPage) {
  start();
  const Answer models = get("/v1/models");
  EXPECT_EQ(*models.json.find("data")->as_array()->front().find("id")->as_string(), "m");
  EXPECT_EQ(get("/v1/models/m").status, 200);
  EXPECT_EQ(*get("/health").json.find("status")->as_string(), "ok");
  EXPECT_EQ(get("/ready").status, 200);
  EngineCounters stalled;
  stalled.last_step = Clock::now() - std::chrono::seconds(11);
  engine_.set_counters(stalled);
  EXPECT_EQ(get("/ready").status, 503) << "alive is not ready";
  EXPECT_EQ(get("/health").status, 200);
  const Answer page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("<title>hussar</title>"), std::string::npos);
  EXPECT_NE(page.head.find("Content-Security-Policy"), std::string::npos);
  EXPECT_EQ(get("/app.js").status, 200);
  EXPECT_EQ(get("/style.css?v=1").status, 200);
  EXPECT_EQ(get("/../etc/passwd").status, 404);
}

TEST_F(ServerTest, Metrics) {
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x"})"));
  ASSERT_TRUE(wait_for_request(1));
  engine_.feed_text(1, "ab", last_event('c', FinishReason::kLength));
  client.read_all();
  EngineCounters counters;
  counters.running = 3;
  counters.waiting = 5;
  counters.blocks_all = 8;
  counters.blocks_used = 2;
  counters.prompt_tokens = 12345678901;
  counters.generated_tokens = 77;
  counters.prefix_hit_tokens = 9;
  counters.finished[static_cast<size_t>(FinishReason::kLength)] = 4;
  engine_.set_counters(counters);
  const std::string text = get("/metrics").body;
  for (const char* line : {
           "vllm:num_requests_running{model_name=\"m\"} 3",
           "vllm:num_requests_waiting{model_name=\"m\"} 5",
           "vllm:kv_cache_usage_perc{model_name=\"m\"} 0.25",
           "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.25",
           "vllm:prompt_tokens_total{model_name=\"m\"} 12345678901",
           "vllm:generation_tokens_total{model_name=\"m\"} 77",
           "vllm:prefix_cache_hits_total{model_name=\"m\"} 9",
           "vllm:request_success_total{finished_reason=\"length\",model_name=\"m\"} 4",
           "vllm:time_to_first_token_seconds_count{model_name=\"m\"} 1",
           "vllm:inter_token_latency_seconds_count{model_name=\"m\"} 2",
           "vllm:e2e_request_latency_seconds_count{model_name=\"m\"} 1",
           "vllm:request_params_n_count{model_name=\"m\"} 1",
           "vllm:request_params_n_sum{model_name=\"m\"} 1",
           "vllm:request_generation_tokens_sum{model_name=\"m\"} 3",
           "hussar_http_responses_total{model_name=\"m\",path=\"/v1/completions\",status=\"200\"} 1",
           "# TYPE vllm:prompt_tokens_total counter",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST(WorkerPoolTest, WorksOffWhatIsQueuedAndSurvivesATaskThatThrows) {
  std::atomic<int> done{0};
  WorkerPool pool(2, 100);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(pool.post([&done, i] {
      if (i % 10 == 0) throw std::bad_alloc();
      ++done;
    }));
  }
  pool.stop();
  EXPECT_EQ(done, 45);
  EXPECT_FALSE(pool.post([] {})) << "nothing is taken after the end";
}

TEST_F(ServerTest, StopEndsRunningAnswersAndReturns) {
  options_.drain_timeout_ms = 50;
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x"})"));
  ASSERT_TRUE(wait_for_request(1));
  server_->stop();
  EXPECT_EQ(engine_.cancels(), 1);
  EXPECT_EQ(client.read_all(), "");
  server_->stop();
}

TEST_F(ServerTest, AnAnswerMayEndAfterTheServerHasGone) {
  options_.drain_timeout_ms = 0;
  start();
  RawClient client(port());
  client.send(post("/v1/completions", R"({"prompt":"x","stream":true})"));
  ASSERT_TRUE(wait_for_request(1));
  engine_.feed(1, {token_event('a')});
  server_.reset();
  engine_.feed(1, {last_event('b', FinishReason::kLength)});
}

TEST_F(ServerTest, ManyStreamsAtOnce) {
  start();
  constexpr int kStreams = 16;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send(post("/v1/completions", R"({"prompt":"x","stream":true})"));
  }
  ASSERT_TRUE(wait_for_request(kStreams));
  std::thread feeder([&] {
    for (int step = 0; step < 50; ++step) {
      for (RequestId id = 1; id <= kStreams; ++id) {
        engine_.feed(id,
                     {step == 49 ? last_event('z', FinishReason::kLength) : token_event('a' + step % 20)});
      }
    }
  });
  for (const auto& client : clients) {
    const Answer answer = parse_answer(client->read_all());
    std::string text;
    for (size_t at = 0; (at = answer.body.find("\"text\":\"", at)) != std::string::npos; at += 8)
      text += answer.body[at + 8];
    std::string wanted;
    for (int step = 0; step < 49; ++step) wanted += static_cast<char>('a' + step % 20);
    EXPECT_EQ(text, wanted + "z");
  }
  feeder.join();
}

}  // namespace
}  // namespace hussar
