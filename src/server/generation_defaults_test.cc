#include "server/generation_defaults.h"

#include <gtest/gtest.h>

#include <string>

namespace hussar {
namespace {

Result<GenerationConfig> read(const std::string& text) {
  const auto json = parse_json(text, {});
  EXPECT_TRUE(json.ok()) << text;
  return read_generation_config(*json);
}
std::string text_of(const std::string& text) {
  const auto config = read(text);
  return config.ok() ? defaults_text(config->defaults) : config.error().message;
}

TEST(GenerationDefaults, ReadsWhatPublishedFilesHold) {
  // Qwen2.5-Instruct's.
  const auto config = read(
      R"({"bos_token_id":151643,"pad_token_id":151643,"do_sample":true,"eos_token_id":[151645,151643],)"
      R"("repetition_penalty":1.1,"temperature":0.7,"top_p":0.8,"top_k":20,"transformers_version":"4.37.0"})");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->defaults.temperature, 0.7);
  EXPECT_EQ(config->defaults.top_p, 0.8);
  EXPECT_EQ(config->defaults.top_k, 20);
  EXPECT_EQ(config->defaults.repetition_penalty, 1.1);
  EXPECT_FALSE(config->defaults.min_p || config->defaults.tokens_max);
  EXPECT_TRUE(config->unsupported.empty());
  EXPECT_EQ(defaults_text(config->defaults), "temperature 0.7, top_p 0.8, repetition_penalty 1.1, top_k 20");
}

TEST(GenerationDefaults, OnlyAFalseDoSampleIsGreedy) {
  EXPECT_EQ(text_of(R"({"temperature":0.6})"), "temperature 0.6");
  EXPECT_EQ(text_of(R"({"do_sample":false,"temperature":0.6,"max_new_tokens":9})"),
            "temperature 0, max_tokens 9");
  EXPECT_EQ(text_of(R"({"do_sample":null,"top_k":null,"min_p":0.05})"), "min_p 0.05");
  EXPECT_EQ(text_of("{}"), "");
}

TEST(GenerationDefaults, NamesWhatItDoesNotHave) {
  const auto config = read(R"({"num_beams":4,"no_repeat_ngram_size":3,"typical_p":1.0,"length_penalty":1,)"
                           R"("suppress_tokens":[],"forced_eos_token_id":2,"max_length":20})");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->unsupported,
            (std::vector<std::string>{"no_repeat_ngram_size", "num_beams", "forced_eos_token_id"}));
}

TEST(GenerationDefaults, RefusesAbsurdValuesByName) {
  for (const char* wrong :
       {R"({"temperature":-1})", R"({"temperature":1e30})", R"({"temperature":"hot"})", R"({"top_p":1.01})",
        R"({"min_p":-0.1})", R"({"top_k":0.5})", R"({"top_k":-2})", R"({"repetition_penalty":0})",
        R"({"max_new_tokens":0})", R"({"max_new_tokens":99999999999})", R"({"do_sample":1})", "[]"}) {
    const auto config = read(wrong);
    ASSERT_FALSE(config.ok()) << wrong;
    EXPECT_TRUE(config.error().message.starts_with("generation_config.json: ")) << config.error().message;
  }
  EXPECT_EQ(text_of(R"({"temperature":-1})"),
            "generation_config.json: temperature must be between 0 and 2, not -1");
}

}  // namespace
}  // namespace hussar
