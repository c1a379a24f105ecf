#include "cli/vocabulary.h"

#include <gtest/gtest.h>

#include "weights/testing_gguf.h"

namespace hussar {
namespace {

using hussar::testing::ByteWriter;
using hussar::testing::GgufBuilder;

constexpr int32_t kNormal = 1, kControl = 3, kUserDefined = 4;

class VocabularyTest : public ::testing::Test {
 protected:
  struct Token {
    std::string spelling;
    int32_t kind;
  };

  void put_tokens(const std::vector<Token>& tokens) {
    ByteWriter spellings, kinds;
    spellings.put<uint32_t>(8).put<uint64_t>(tokens.size());
    kinds.put<uint32_t>(5).put<uint64_t>(tokens.size());
    for (const Token& token : tokens) spellings.text(token.spelling), kinds.put<int32_t>(token.kind);
    gguf_.key_string("tokenizer.ggml.model", "gpt2").key_string("tokenizer.ggml.pre", "smollm");
    gguf_.key_raw("tokenizer.ggml.tokens", 9, spellings).key_raw("tokenizer.ggml.token_type", 9, kinds);
    gguf_.key_raw("tokenizer.ggml.merges", 9, ByteWriter().put<uint32_t>(8).put<uint64_t>(1).text("a b"));
  }
  ModelFile file() {
    bytes_ = gguf_.build();
    return ModelFile::parse_gguf(bytes_, "test").value();
  }

  GgufBuilder gguf_;
  std::vector<std::byte> bytes_;
};

TEST_F(VocabularyTest, ReadsTheKeys) {
  put_tokens({{"a", kNormal}, {"b", kNormal}, {"ab", kNormal}, {"<s>", kControl}});
  gguf_.key_uint32("tokenizer.ggml.bos_token_id", 3).key_value<uint8_t>("tokenizer.ggml.add_bos_token", 7, 1);
  const ModelFile model = file();
  const auto v = read_vocabulary(model);
  ASSERT_TRUE(v.ok()) << v.error().message;
  EXPECT_EQ(v->pre, "smollm");
  EXPECT_EQ(v->tokens.size(), 4u);
  EXPECT_EQ(v->kinds[3], TokenKind::kControl);
  EXPECT_EQ(v->merges, std::vector<std::string>{"a b"});
  EXPECT_EQ(v->bos, 3);
  EXPECT_TRUE(v->add_bos);
  EXPECT_EQ(*special_spelling(model, *v, "tokenizer.ggml.bos_token_id"), "<s>");
  EXPECT_EQ(*special_spelling(model, *v, "tokenizer.ggml.eos_token_id"), "");
}

TEST_F(VocabularyTest, StopIdsAreTheKeysAndTheUsualControlTokens) {
  put_tokens({{"<|endoftext|>", kControl},
              {"<|im_end|>", kUserDefined},  // a user's token of that name ends nothing
              {"<|eot_id|>", kControl},
              {"x", kNormal},
              {"<end>", kControl},
              {"<|im_start|>", kControl}});
  gguf_.key_uint32("tokenizer.ggml.eos_token_id", 4).key_uint32("tokenizer.ggml.eom_token_id", 3);
  gguf_.key_uint32("tokenizer.ggml.eot_token_id", 0);
  const ModelFile model = file();
  const auto v = read_vocabulary(model);
  ASSERT_TRUE(v.ok()) << v.error().message;
  EXPECT_EQ(*find_stop_ids(model, *v), (std::vector<TokenId>{0, 2, 3, 4}));
}

TEST_F(VocabularyTest, AnEndIdOutsideOfTheVocabularyIsRefusedByName) {
  put_tokens({{"a", kNormal}, {"b", kNormal}, {"ab", kNormal}});
  gguf_.key_uint32("tokenizer.ggml.eos_token_id", 3);
  const ModelFile model = file();
  const auto ids = find_stop_ids(model, *read_vocabulary(model));
  ASSERT_FALSE(ids.ok());
  EXPECT_NE(ids.error().message.find("tokenizer.ggml.eos_token_id is 3"), std::string::npos);
}

TEST_F(VocabularyTest, AnIdOfAllOnesMeansNone) {
  put_tokens({{"a", kNormal}, {"b", kNormal}, {"ab", kNormal}});
  gguf_.key_uint32("tokenizer.ggml.eos_token_id", 0xFFFFFFFF);
  const ModelFile model = file();
  EXPECT_TRUE(find_stop_ids(model, *read_vocabulary(model))->empty());
}

TEST_F(VocabularyTest, FitsTheEmbeddingsRows) {
  put_tokens({{"a", kNormal}, {"b", kNormal}, {"ab", kNormal}});
  const ModelFile model = file();
  Vocabulary v = read_vocabulary(model).value();
  ASSERT_TRUE(fit_vocabulary(&v, 5).ok());
  EXPECT_EQ(v.tokens.size(), 5u);
  ASSERT_EQ(v.kinds.size(), 5u);
  EXPECT_EQ(v.kinds[2], TokenKind::kNormal);
  EXPECT_EQ(v.kinds[4], TokenKind::kUnused);
  EXPECT_TRUE(Tokenizer::create(v).ok());
  const auto refused = fit_vocabulary(&v, 4);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "the tokenizer has 5 tokens, but the embedding has only 4 rows: they belong to different models");
}

TEST_F(VocabularyTest, RefusesOtherTokenizersAndMissingKeys) {
  gguf_.key_string("tokenizer.ggml.model", "llama");
  const ModelFile spm = file();
  EXPECT_EQ(read_vocabulary(spm).error().code, ErrorCode::kUnsupported);
  gguf_ = GgufBuilder();
  const ModelFile empty = file();
  EXPECT_EQ(read_vocabulary(empty).error().code, ErrorCode::kInvalid);
  gguf_ = GgufBuilder();
  gguf_.key_string("tokenizer.ggml.model", "gpt2").key_string("tokenizer.ggml.pre", "smollm");
  const ModelFile no_tokens = file();
  EXPECT_NE(read_vocabulary(no_tokens).error().message.find("tokenizer.ggml.tokens"), std::string::npos);
}

}  // namespace
}  // namespace hussar
