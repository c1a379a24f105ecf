#include "bench/target.h"

#include <gtest/gtest.h>

#include "bench/testing_server.h"

namespace hussar {
namespace {

constexpr std::string_view kModels = R"({"object":"list","data":[{"id":"one"},{"id":"two"}]})";

TargetOptions options_for(const std::string& url) {
  TargetOptions options;
  options.url = url;
  return options;
}

Result<std::unique_ptr<Target>> open_at(const std::string& url, const std::string& model = "") {
  TargetOptions options = options_for(url);
  options.model = model;
  return Target::open(options);
}

RequestSpec spec_of(const std::string& prompt) {
  RequestSpec spec;
  spec.prompt = prompt;
  spec.output_tokens_max = 7;
  spec.stream = false;
  return spec;
}

std::unique_ptr<Target> open_or_die(const std::string& url, const std::string& model = "") {
  auto target = open_at(url, model);
  if (!target.ok()) {
    ADD_FAILURE() << target.error().message;
    return nullptr;
  }
  return std::move(*target);
}

class TargetTest : public ::testing::Test {
 protected:
  // The error of opening the server; the line must be one.
  Error refusal(const std::string& path = "", const std::string& model = "") {
    const auto target = open_at(server_.url() + path, model);
    if (target.ok()) {
      ADD_FAILURE() << "was opened";
      return {};
    }
    EXPECT_EQ(target.error().message.find('\n'), std::string::npos);
    return target.error();
  }
  void expect_refusal(const std::string& path, ErrorCode code, std::string_view part) {
    const Error error = refusal(path);
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
  }
  void serve_models(std::string body = std::string(kModels), std::vector<HttpHeader> headers = {}) {
    server_.json("GET /v1/models", std::move(body), 200, std::move(headers));
  }

  TestingServer server_;
};

TEST_F(TargetTest, TakesTheFirstModelUnlessOneIsNamed) {
  serve_models();
  server_.start();
  auto target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->model(), "one");
  EXPECT_EQ(target->models(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(target->server(), "unknown");
  EXPECT_EQ(target->context_tokens(), -1);
  EXPECT_FALSE(target->can_tokenize() || target->knows_ignore_eos() || target->knows_min_tokens());
  target = open_or_die(server_.url(), "two");
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->model(), "two");
  const Error error = refusal("", "three");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.message, "the server has no model three; it has one, two");
}

TEST_F(TargetTest, TakesTheUrlUpToAnyPlace) {
  serve_models();
  server_.json("GET /proxy/v1/models", std::string(kModels));
  server_.json("GET /api/v3/models", std::string(kModels));
  server_.start();
  for (const char* path : {"", "/", "/v1", "/v1/", "/v1/models", "/v1/completions", "/v1/chat/completions"}) {
    const auto target = open_or_die(server_.url() + path);
    ASSERT_NE(target, nullptr);
    EXPECT_TRUE(target->wire(Api::kChat, {})->starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_TRUE(target->wire(Api::kArticle, {})->starts_with("POST /v1/completions HTTP/1.1\r\n"));
  }
  for (const char* path : {"/proxy", "/proxy/v1"}) {
    const auto target = open_or_die(server_.url() + path);
    ASSERT_NE(target, nullptr);
    EXPECT_TRUE(target->wire(Api::kCompletions, {})->starts_with("POST /proxy/v1/completions HTTP/1.1\r\n"));
  }
  const auto target = open_or_die(server_.url() + "/api/v3");
  ASSERT_NE(target, nullptr);
  EXPECT_TRUE(target->wire(Api::kCompletions, {})->starts_with("POST /api/v3/completions HTTP/1.1\r\n"));
}

TEST_F(TargetTest, SaysInOneLineWhatIsWrongWithAUrl) {
  server_.json("GET /nowhere/else", "{}");
  server_.json("GET /html/v1/models", "<html>\n<body>hello</body></html>");
  server_.json("GET /list/v1/models", R"([1,2])");
  server_.json("GET /none/v1/models", R"({"data":null})");
  server_.json("GET /key/v1/models", R"({"error":{"message":"invalid key"}})", 401);
  server_.json("GET /loading/v1/models", R"({"error":{"message":"Loading model","code":503}})", 503);
  server_.json("GET /moved/v1/models", "", 301, {{"Location", "https://example.test/v1"}});
  server_.start();
  expect_refusal("/wrong", ErrorCode::kNotFound, "404 Not Found: Not Found; give the URL up to and with /v1");
  expect_refusal("/html", ErrorCode::kInvalid, "answered with no list of models");
  expect_refusal("/list", ErrorCode::kInvalid, "answered with no list of models");
  expect_refusal("/none", ErrorCode::kNotFound, "no model yet");
  expect_refusal("/key", ErrorCode::kInvalid, "401 Unauthorized: invalid key; give the server's API key");
  expect_refusal("/loading", ErrorCode::kIo, "503 Service Unavailable: Loading model");
  expect_refusal("/moved", ErrorCode::kInvalid, "https://example.test/v1");
  server_.stop();
  expect_refusal("", ErrorCode::kIo, "no connection");
  for (const char* url : {"", "nonsense", "ftp://127.0.0.1/", "http://127.0.0.1:1/?a=b"}) {
    const auto target = open_at(url);
    ASSERT_FALSE(target.ok()) << url;
    EXPECT_EQ(target.error().code, ErrorCode::kInvalid) << target.error().message;
  }
}

TEST_F(TargetTest, RefusesAHeaderThatCouldBreakTheRequest) {
  serve_models();
  server_.start();
  for (const HttpHeader& header :
       {HttpHeader{"X-A", "1\r\nX-B: 2"}, HttpHeader{"X A", "1"}, HttpHeader{"", "1"}}) {
    TargetOptions options = options_for(server_.url());
    options.headers = {header};
    const auto target = Target::open(options);
    ASSERT_FALSE(target.ok());
    EXPECT_EQ(target.error().code, ErrorCode::kInvalid);
  }
  TargetOptions options = options_for(server_.url());
  options.api_key = "a\nb";
  EXPECT_FALSE(Target::open(options).ok());
}

TEST_F(TargetTest, SendsKeyAndHeadersWithEveryRequest) {
  serve_models();
  server_.start();
  TargetOptions options = options_for(server_.url());
  options.api_key = "secret";
  options.headers = {{"X-Team", "red"}, {"user-agent", "me"}};
  const auto target = Target::open(options);
  ASSERT_TRUE(target.ok());
  for (const HttpRequest& request : server_.requests()) {
    ASSERT_NE(request.header("Authorization"), nullptr);
    EXPECT_EQ(*request.header("Authorization"), "Bearer secret");
    EXPECT_EQ(*request.header("X-Team"), "red");
    EXPECT_EQ(*request.header("User-Agent"), "me");
  }
  const std::string wire = *(*target)->wire(Api::kChat, {});
  EXPECT_NE(wire.find("Authorization: Bearer secret\r\n"), std::string::npos);
  EXPECT_NE(wire.find("Content-Type: application/json\r\n"), std::string::npos);
}

TEST_F(TargetTest, TakesAServerWithoutAListOfModelsAsItIs) {
  server_.json("GET /v1/completions", "", 405);
  server_.start();
  auto target = open_or_die(server_.url(), "any");
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->model(), "any");
  EXPECT_TRUE(target->models().empty());
  target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->body(Api::kCompletions, spec_of("x")), R"({"prompt":"x","max_tokens":7})");
}

TEST_F(TargetTest, KnowsHussarAndVllm) {
  for (const std::string kind : {"hussar", "vllm"}) {
    TestingServer server;
    server.json("GET /v1/models",
                R"({"data":[{"id":"m","owned_by":")" + kind + R"(","max_model_len":4096}]})");
    server.json("GET /" + std::string(kind == "vllm" ? "version" : "health"), R"({"version":"1.2"})");
    server.json("POST /tokenize", R"({"count":3,"max_model_len":4096,"tokens":[1,2,3]})");
    server.start();
    const auto target = open_or_die(server.url());
    ASSERT_NE(target, nullptr);
    EXPECT_EQ(target->server(), kind + " 1.2");
    EXPECT_EQ(target->context_tokens(), 4096);
    EXPECT_TRUE(target->can_tokenize() && target->knows_ignore_eos() && target->knows_min_tokens());
    EXPECT_EQ(*target->count_tokens("a \"b\""), 3);
    EXPECT_EQ(server.requests().back().body,
              R"({"model":"m","prompt":"a \"b\"","add_special_tokens":false})");
  }
}

TEST_F(TargetTest, KnowsLlamaServer) {
  serve_models(R"({"data":[{"id":"m","owned_by":"llamacpp","meta":{"n_ctx_train":8192}}]})");
  server_.json("GET /props", R"({"default_generation_settings":{"n_ctx":2048},"build_info":"b5000-abc"})");
  server_.route("POST /tokenize", [](const HttpRequest& request, Responder responder) {
    const bool known = request.body.find("\"content\"") != std::string::npos;
    responder.answer({200, "application/json", {}, known ? R"({"tokens":[5,6]})" : R"({"tokens":[]})"});
  });
  server_.start();
  const auto target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->server(), "llama.cpp b5000-abc");
  EXPECT_EQ(target->context_tokens(), 2048);
  EXPECT_TRUE(target->can_tokenize() && target->knows_ignore_eos());
  EXPECT_FALSE(target->knows_min_tokens());
  EXPECT_EQ(*target->count_tokens("a"), 2);
  EXPECT_EQ(server_.requests().back().body, R"({"content":"a","add_special":false})");
  RequestSpec spec;
  spec.repetition_penalty = 1.5;
  EXPECT_NE(target->body(Api::kCompletions, spec).find(R"("repeat_penalty":1.5)"), std::string::npos);
}

TEST_F(TargetTest, KnowsAnAnonymousServerByItsRoutes) {
  serve_models();
  server_.json("GET /props", R"({"default_generation_settings":{"n_ctx":512},"build_info":"b1"})");
  server_.start();
  const auto target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->server(), "llama.cpp b1");
  EXPECT_EQ(target->context_tokens(), 512);
}

TEST_F(TargetTest, KnowsOllamaAndItsTags) {
  serve_models(R"({"object":"list","data":[{"id":"smol:latest","owned_by":"library"}]})");
  server_.json("GET /api/version", R"({"version":"0.6.1"})");
  server_.start();
  const auto target = open_or_die(server_.url(), "smol");
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->model(), "smol:latest");
  EXPECT_EQ(target->server(), "ollama 0.6.1");
  EXPECT_FALSE(target->can_tokenize());
  EXPECT_EQ(target->count_tokens("a").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(server_.count("POST /tokenize"), 0u);
}

TEST_F(TargetTest, BearsAnythingForAFact) {
  serve_models(R"({"data":[7,{"id":9},{"id":"m","owned_by":"hussar","max_model_len":"long","meta":[]}]})");
  server_.json("GET /health", "[[[");
  server_.json("POST /tokenize", R"({"count":-5,"tokens":7})");
  server_.start();
  const auto target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->model(), "m");
  EXPECT_EQ(target->server(), "hussar");
  EXPECT_EQ(target->context_tokens(), -1);
  EXPECT_FALSE(target->can_tokenize());
}

TEST_F(TargetTest, SpellsARequestAsTheApiWantsIt) {
  serve_models(R"({"data":[{"id":"m","owned_by":"hussar"}]})");
  server_.start();
  const auto target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  RequestSpec spec = spec_of("a\"\n张");
  spec.stream = true;
  EXPECT_EQ(
      target->body(Api::kCompletions, spec),
      R"({"model":"m","prompt":"a\"\n张","max_tokens":7,"stream":true,"stream_options":{"include_usage":true}})");
  spec.stream = false;
  spec.force_length = true;
  EXPECT_EQ(target->body(Api::kArticle, spec),
            R"({"prompt":"a\"\n张","max_new_tokens":7,"ignore_eos":true})");
  spec.force_length = false;
  spec.temperature = 0.5;
  spec.top_p = 0.25;
  spec.repetition_penalty = 1.5;
  spec.seed = 3;
  EXPECT_EQ(
      target->body(Api::kChat, spec),
      R"({"model":"m","messages":[{"role":"user","content":"a\"\n张"}],"max_tokens":7,"temperature":0.5,)"
      R"("top_p":0.25,"repetition_penalty":1.5,"seed":3})");
  spec = spec_of("");
  spec.messages = {{"system", "s"}, {"user", "u"}};
  spec.extra = {{"max_tokens", 9}, {"response_format", JsonObject{{"type", "json_object"}}}};
  EXPECT_EQ(target->body(Api::kChat, spec),
            R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],)"
            R"("max_tokens":9,"response_format":{"type":"json_object"}})");
}

TEST_F(TargetTest, AnUnknownServerIsNotAskedForWhatItMayRefuse) {
  serve_models();
  server_.start();
  const auto target = open_or_die(server_.url());
  ASSERT_NE(target, nullptr);
  RequestSpec spec = spec_of("x");
  spec.force_length = true;
  EXPECT_EQ(target->body(Api::kCompletions, spec), R"({"model":"one","prompt":"x","max_tokens":7})");
}

}  // namespace
}  // namespace hussar
