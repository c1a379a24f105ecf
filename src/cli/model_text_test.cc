#include "cli/model_text.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace hussar {
namespace {

// Six tokens: "a", "b", "ab", then <s>, <|im_end|> (both control) and <end> (user-defined).
constexpr const char* kTokenizer =
    R"({"added_tokens":[{"id":3,"content":"<s>","special":true},{"id":4,"content":"<|im_end|>","special":true},)"
    R"({"id":5,"content":"<end>","special":false}],"normalizer":null,)"
    R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"post_processor":null,)"
    R"("decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})";

class ModelTextTest : public ::testing::Test {
 protected:
  static Json parsed(const std::string& text) {
    auto json = parse_json(text, {});
    EXPECT_TRUE(json.ok()) << text;
    return json.ok() ? *json : Json();
  }
  Result<ModelText> read(int32_t rows = 8) {
    const auto pointer = [](const std::optional<Json>& json) { return json ? &*json : nullptr; };
    return read_folder_text({.config = pointer(config_),
                             .tokenizer = pointer(tokenizer_),
                             .tokenizer_config = pointer(tokenizer_config_),
                             .generation_config = pointer(generation_config_),
                             .chat_template = template_ ? &*template_ : nullptr},
                            rows);
  }
  std::string refusal(int32_t rows = 8) {
    const auto text = read(rows);
    return text.ok() ? "accepted" : text.error().message;
  }
  void expect_refused_with(const std::string& tokenizer_config, const std::string& part) {
    tokenizer_config_ = parsed(tokenizer_config);
    EXPECT_NE(refusal().find(part), std::string::npos) << refusal();
  }

  std::optional<Json> config_ = parsed("{}"), tokenizer_ = parsed(kTokenizer);
  std::optional<Json> tokenizer_config_, generation_config_;
  std::optional<std::string> template_;
};

TEST_F(ModelTextTest, ATokenizerAloneIsEnough) {
  const auto text = read();
  ASSERT_TRUE(text.ok()) << text.error().message;
  ASSERT_EQ(text->vocabulary.tokens.size(), 8u);
  EXPECT_EQ(text->vocabulary.kinds[7], TokenKind::kUnused);
  EXPECT_EQ(text->stop_ids, (std::vector<TokenId>{4}));  // by its name
  EXPECT_EQ(text->bos_token, "");
  EXPECT_EQ(text->template_problem, "the folder has no chat template");
  tokenizer_.reset();
  EXPECT_NE(refusal().find("tokenizer.json"), std::string::npos);
}

TEST_F(ModelTextTest, EndIdsComeFromAllThreeDocuments) {
  config_ = parsed(R"({"eos_token_id":3})");
  generation_config_ = parsed(R"({"eos_token_id":[0,3]})");
  tokenizer_config_ = parsed(R"({"eos_token":{"content":"<end>","__type":"AddedToken"},"bos_token":"<s>"})");
  const auto text = read();
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(text->stop_ids, (std::vector<TokenId>{0, 3, 4, 5}));
  EXPECT_EQ(text->eos_token, "<end>");
  EXPECT_EQ(text->bos_token, "<s>");
  EXPECT_FALSE(text->vocabulary.add_bos);
  config_ = parsed(R"({"eos_token_id":null})");
  EXPECT_TRUE(read().ok());
  config_ = parsed(R"({"eos_token_id":6})");
  EXPECT_EQ(refusal(), "config.json: eos_token_id is 6, but tokenizer.json has 6 tokens");
  config_ = parsed(R"({"eos_token_id":"3"})");
  EXPECT_NE(refusal().find("config.json: eos_token_id must be"), std::string::npos);
  config_ = parsed("{}");
  generation_config_ = parsed(R"({"eos_token_id":[-1]})");
  EXPECT_NE(refusal().find("generation_config.json: eos_token_id is -1"), std::string::npos);
  Json many{JsonArray(65, Json(1))};
  generation_config_ = JsonObject{{"eos_token_id", many}};
  EXPECT_NE(refusal().find("more than 64 ids"), std::string::npos);
}

TEST_F(ModelTextTest, TheTokenizersConfigDecidesWhatIsPutInFront) {
  tokenizer_config_ = parsed(R"({"add_bos_token":true,"bos_token":"<s>"})");
  auto text = read();
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_TRUE(text->vocabulary.add_bos);
  EXPECT_EQ(text->vocabulary.bos, 3);
  tokenizer_config_ = parsed(R"({"add_bos_token":false,"bos_token":"<s>"})");
  EXPECT_FALSE(read()->vocabulary.add_bos);
  expect_refused_with(R"({"add_bos_token":true})", "there is no bos_token");
  expect_refused_with(R"({"add_bos_token":true,"bos_token":"<t>"})",
                      "bos_token is \"<t>\", which tokenizer.json");
  expect_refused_with(R"({"add_bos_token":1})", "add_bos_token must be true or false");
  expect_refused_with(R"({"add_eos_token":true})", "add_eos_token is true");
  expect_refused_with(R"({"eos_token":"<t>"})", "eos_token is \"<t>\"");
  expect_refused_with(R"({"eos_token":3})", "eos_token must be a string");
  expect_refused_with(R"({"added_tokens_decoder":{"3":{"content":"<t>"}}})", "different models");
}

TEST_F(ModelTextTest, FindsTheChatTemplate) {
  tokenizer_config_ = parsed(R"({"chat_template":"one"})");
  EXPECT_EQ(read()->chat_template, "one");
  template_ = "two";
  EXPECT_EQ(read()->chat_template, "two");
  template_.reset();
  tokenizer_config_ = parsed(
      R"({"chat_template":[{"name":"tool_use","template":"x"},{"name":"default","template":"three"}]})");
  EXPECT_EQ(read()->chat_template, "three");
  tokenizer_config_ = parsed(R"({"chat_template":[{"name":"tool_use","template":"x"}]})");
  EXPECT_EQ(read()->chat_template, "");
  EXPECT_NE(read()->template_problem.find("none named default"), std::string::npos);
  tokenizer_config_ = parsed(R"({"chat_template":7})");
  EXPECT_NE(read()->template_problem.find("wrong type"), std::string::npos);
}

TEST_F(ModelTextTest, ATokenizerWithMoreTokensThanRowsIsRefused) {
  EXPECT_TRUE(read(6).ok());
  EXPECT_EQ(refusal(5),
            "the tokenizer has 6 tokens, but the embedding has only 5 rows: they belong to different models");
}

}  // namespace
}  // namespace hussar
