#include "bench/workload.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "bench/testing_server.h"

namespace hussar {
namespace {

// A server that counts words as tokens, line breaks and points too.
class WorkloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.json("GET /v1/models",
                 R"({"object":"list","data":[{"id":"m","owned_by":"vllm","max_model_len":4096}]})");
    server_.route("POST /tokenize", [](const HttpRequest& request, Responder responder) {
      const auto body = parse_json(request.body, {});
      const Json* prompt = body.ok() ? body->find("prompt") : nullptr;
      if (prompt == nullptr) return responder.answer({400, "application/json", {}, "{}"});
      const int64_t count = count_of(*prompt->as_string());
      responder.answer(
          {200,
           "application/json",
           {},
           write_json(JsonObject{{"count", count}, {"tokens", JsonArray(static_cast<size_t>(count), 1)}})});
    });
    server_.start();
    TargetOptions options;
    options.url = server_.url();
    auto target = Target::open(options);
    ASSERT_TRUE(target.ok()) << target.error().message;
    target_ = std::move(*target);
    folder_ = std::filesystem::temp_directory_path() / ("workload_test." + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static int64_t count_of(const std::string& text) {
    int64_t count = 0;
    bool in_word = false;
    for (const char c : text) {
      const bool letter = c != ' ' && c != '\n' && c != '.';
      count += (letter && !in_word) || c == '\n' || c == '.';
      in_word = letter;
    }
    return count;
  }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  std::unique_ptr<Workload> prepare(const WorkloadOptions& options, int64_t wanted) {
    auto workload = Workload::prepare(*target_, options, wanted);
    if (!workload.ok()) {
      ADD_FAILURE() << workload.error().message;
      return nullptr;
    }
    return std::move(*workload);
  }
  Error refusal(const WorkloadOptions& options) {
    const auto workload = Workload::prepare(*target_, options, 0);
    if (workload.ok()) {
      ADD_FAILURE() << "was prepared";
      return {};
    }
    EXPECT_EQ(workload.error().message.find('\n'), std::string::npos);
    return workload.error();
  }
  static Json body_of(const PlannedRequest& request) {
    const std::string& wire = *request.wire;
    const size_t end = wire.find("\r\n\r\n");
    const std::string body = wire.substr(end + 4);
    EXPECT_NE(wire.find("Content-Length: " + std::to_string(body.size()) + "\r\n"), std::string::npos)
        << wire;
    auto json = parse_json(body, {.bytes_max = 16 << 20});
    EXPECT_TRUE(json.ok()) << body;
    return json.ok() ? *json : Json();
  }
  static std::string prompt_of(const PlannedRequest& request) {
    return *body_of(request).find("prompt")->as_string();
  }
  static int64_t output_of(const PlannedRequest& request) {
    return *body_of(request).find("max_tokens")->as_int();
  }
  static bool has_note(const Workload& workload, std::string_view part) {
    for (const std::string& note : workload.notes()) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }

  TestingServer server_;
  std::unique_ptr<Target> target_;
  std::filesystem::path folder_;
};

WorkloadOptions completions() {
  WorkloadOptions options;
  options.api = Api::kCompletions;
  options.input = Lengths::fixed(64);
  options.output = Lengths::fixed(20);
  options.seed = 5;
  return options;
}

TEST_F(WorkloadTest, PromptsAreAsLongAsWantedAndNeverTheSame) {
  auto options = completions();
  options.requests_held_max = 8;
  const auto workload = prepare(options, 0);
  ASSERT_NE(workload, nullptr);
  EXPECT_EQ(workload->tokenizer(), "/tokenize");
  EXPECT_TRUE(has_note(*workload, "8 requests are made ahead"));
  std::set<std::string> prompts, firsts;
  for (int source_number = 0; source_number < 2; ++source_number) {
    const auto source = workload->closed_source();
    for (int i = 0; i < 50; ++i) {
      const auto request = source->next(0);
      ASSERT_TRUE(request.has_value());
      const std::string prompt = prompt_of(*request);
      EXPECT_EQ(count_of(prompt), 64);
      EXPECT_EQ(request->prompt_tokens_planned, 64);
      EXPECT_EQ(output_of(*request), 20);
      prompts.insert(prompt);
      firsts.insert(prompt.substr(0, prompt.find(' ')));
    }
  }
  EXPECT_EQ(prompts.size(), 100u);
  EXPECT_EQ(firsts.size(), 100u);
}

TEST_F(WorkloadTest, NoMoreIsMadeThanIsSent) {
  const auto workload = prepare(completions(), 3);
  ASSERT_NE(workload, nullptr);
  EXPECT_FALSE(has_note(*workload, "made ahead"));
}

TEST_F(WorkloadTest, ASharedPrefixStandsBeforeTheHead) {
  auto options = completions();
  options.shared_prefix_tokens = 40;
  options.requests_held_max = 2;
  const auto workload = prepare(options, 0);
  ASSERT_NE(workload, nullptr);
  const auto source = workload->closed_source();
  std::set<std::string> prefixes, rests;
  for (int i = 0; i < 6; ++i) {
    const std::string prompt = prompt_of(*source->next(0));
    EXPECT_EQ(count_of(prompt), 64);
    prefixes.insert(prompt.substr(0, 199));  // 40 words of four letters
    rests.insert(prompt.substr(200, 4));
  }
  EXPECT_EQ(prefixes.size(), 1u);
  EXPECT_EQ(rests.size(), 6u);
  options.shared_prefix_tokens = 64;
  EXPECT_EQ(refusal(options).field, "--shared-prefix-tokens");
}

TEST_F(WorkloadTest, LengthsKeepToTheContext) {
  auto options = completions();
  options.input = Lengths::fixed(4000);
  options.output = Lengths::fixed(97);
  const Error error = refusal(options);
  EXPECT_EQ(error.field, "--input-tokens");
  EXPECT_NE(error.message.find("4096"), std::string::npos) << error.message;
  options.output = Lengths::fixed(96);
  EXPECT_NE(prepare(options, 1), nullptr);
  options.input = Lengths::parse("uniform:3900:9000").value();
  options.output = Lengths::parse("uniform:10:400").value();
  const auto workload = prepare(options, 50);
  ASSERT_NE(workload, nullptr);
  EXPECT_TRUE(has_note(*workload, "were cut to the model's context of 4096"));
  const auto source = workload->closed_source();
  for (int i = 0; i < 50; ++i) {
    const auto request = source->next(0);
    EXPECT_LE(count_of(prompt_of(*request)) + output_of(*request), 4096);
  }
}

TEST_F(WorkloadTest, SomeAreCancelled) {
  auto options = completions();
  options.cancel_share = 0.25;
  options.cancel_after_ms = 30;
  const auto workload = prepare(options, 0);
  ASSERT_NE(workload, nullptr);
  const auto source = workload->closed_source();
  int cancelled = 0;
  const int requests = 2000;
  for (int i = 0; i < requests; ++i) {
    const auto request = source->next(0);
    if (request->cancel_after_ns >= 0) {
      EXPECT_EQ(request->cancel_after_ns, 30'000'000);
      ++cancelled;
    }
  }
  // Binomial, five standard deviations, seed 5.
  EXPECT_NEAR(cancelled, requests * 0.25, 5 * std::sqrt(requests * 0.25 * 0.75));
}

TEST_F(WorkloadTest, AnOpenLoopHasItsTimes) {
  const auto workload = prepare(completions(), 0);
  ASSERT_NE(workload, nullptr);
  const auto source = workload->open_source({.kind = ArrivalKind::kConstant, .stages = {{10, 0.5}}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(source->next(-1)->at_ns, i * 100'000'000);
  EXPECT_FALSE(source->next(-1).has_value());
}

TEST_F(WorkloadTest, ADatasetIsSentAsItIs) {
  auto options = completions();
  options.dataset = file("d.jsonl", "{\"prompt\": \"Why?\", \"max_tokens\": 7}\n{\"prompt\": \"How?\"}\n");
  auto workload = prepare(options, 0);
  ASSERT_NE(workload, nullptr);
  EXPECT_TRUE(has_note(*workload, "sent again from the front"));
  auto source = workload->closed_source();
  for (int round = 0; round < 2; ++round) {
    const auto first = source->next(0), second = source->next(0);
    EXPECT_EQ(prompt_of(*first), "Why?");
    EXPECT_EQ(output_of(*first), 7);
    EXPECT_EQ(prompt_of(*second), "How?");
    EXPECT_EQ(output_of(*second), 20);
  }
  options.output_given = true;
  workload = prepare(options, 2);
  EXPECT_EQ(output_of(*workload->closed_source()->next(0)), 20);
  EXPECT_FALSE(has_note(*workload, "again"));
}

TEST_F(WorkloadTest, ShareGptsRepliesTellHowLongAnswersAre) {
  auto options = completions();
  options.dataset = file(
      "d.json",
      R"([{"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Why?"},
                             {"from": "gpt", "value": "aaaa bbbb cccc dddd eeee"}]}])");
  auto workload = prepare(options, 1);
  ASSERT_NE(workload, nullptr);
  auto request = workload->closed_source()->next(0);
  EXPECT_EQ(prompt_of(*request), "Be brief.\n\nWhy?");
  EXPECT_EQ(output_of(*request), 5);
  options.api = Api::kChat;
  workload = prepare(options, 1);
  request = workload->closed_source()->next(0);
  const Json body = body_of(*request);
  ASSERT_EQ(body.find("messages")->as_array()->size(), 2u);
}

TEST_F(WorkloadTest, MessagesNeedTheChatApi) {
  auto options = completions();
  options.dataset = file("d.jsonl", R"({"messages": [{"role": "user", "content": "Hi"}]})");
  const Error error = refusal(options);
  EXPECT_EQ(error.field, "--dataset");
  EXPECT_NE(error.message.find("--api chat"), std::string::npos);
  options.api = Api::kChat;
  EXPECT_NE(prepare(options, 1), nullptr);
}

TEST_F(WorkloadTest, ATraceIsReplayed) {
  auto options = completions();
  options.trace = file("t.jsonl",
                       R"({"timestamp": 500, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}
{"timestamp": 1500, "input_length": 700, "output_length": 6, "hash_ids": [1, 3]}
{"timestamp": 2500, "input_length": 9000, "output_length": 7, "hash_ids": [9]}
)");
  options.trace_options.speed = 2;
  const auto workload = prepare(options, 0);
  ASSERT_NE(workload, nullptr);
  EXPECT_EQ(workload->trace_seconds(), 1);
  EXPECT_TRUE(has_note(*workload, "the lengths of 1 requests were cut"));
  const auto source = workload->trace_source();
  const auto a = source->next(-1), b = source->next(-1), c = source->next(-1);
  ASSERT_TRUE(a && b && c);
  EXPECT_FALSE(source->next(-1).has_value());
  EXPECT_EQ(a->at_ns, 0);
  EXPECT_EQ(b->at_ns, 500'000'000);
  EXPECT_EQ(count_of(prompt_of(*a)), 600);
  EXPECT_EQ(count_of(prompt_of(*b)), 700);
  EXPECT_LE(count_of(prompt_of(*c)) + output_of(*c), 4096);
  EXPECT_EQ(output_of(*b), 6);
  EXPECT_EQ(prompt_of(*a).substr(0, 512 * 5 - 1), prompt_of(*b).substr(0, 512 * 5 - 1));
  options.bytes_held_max = 5000;
  const Error error = refusal(options);
  EXPECT_EQ(error.code, ErrorCode::kTooLarge);
  EXPECT_NE(error.message.find("2 of 3"), std::string::npos) << error.message;
}

TEST_F(WorkloadTest, DescriptionsTellWorkloadsApartButNotSeeds) {
  auto options = completions();
  const auto a = prepare(options, 1);
  options.seed = 6;
  const auto b = prepare(options, 1);
  options.input = Lengths::fixed(65);
  const auto c = prepare(options, 1);
  EXPECT_EQ(write_json(a->description()), write_json(b->description()));
  EXPECT_NE(write_json(a->description()), write_json(c->description()));
  options.dataset = file("d.jsonl", "{\"prompt\": \"Why?\"}");
  const auto d = prepare(options, 1);
  options.dataset = file("d.jsonl", "{\"prompt\": \"Who?\"}");
  const auto e = prepare(options, 1);
  EXPECT_NE(write_json(d->description()), write_json(e->description()));
}

}  // namespace
}  // namespace hussar
