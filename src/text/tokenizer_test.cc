#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "text/tokenizer_test_vocabulary.h"

namespace hussar {
namespace {

using Ids = std::vector<TokenId>;
using Bos = Tokenizer::Bos;

Tokenizer make(Vocabulary v) {
  auto tokenizer = Tokenizer::create(std::move(v));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  return std::move(tokenizer).value();
}

// Ids 256 he, 257 ll, 258 hell, 259 "Ġhell"; 260 <|im_start|>, 261 <|im_end|>, 262 <tool>, 263 <tool>s, 264
// unused.
Vocabulary hello_vocabulary(std::string pre = "smollm") {
  return test_vocabulary(std::move(pre), {"h e", "l l", "he ll", "Ġ hell"},
                         {{"<|im_start|>", TokenKind::kControl},
                          {"<|im_end|>", TokenKind::kControl},
                          {"<tool>", TokenKind::kUserDefined},
                          {"<tool>s", TokenKind::kUserDefined},
                          {"<spare>", TokenKind::kUnused}});
}

std::string decode(const Tokenizer& tokenizer, const Ids& ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.token_bytes(id);
  return bytes;
}

TEST(Tokenizer, MergesInOrderOfStrength) {
  const Tokenizer tokenizer = make(hello_vocabulary());
  EXPECT_EQ(tokenizer.encode("hello", {}, Bos::kOmit), (Ids{258, 'o'}));
  // "Ġ hell" is in the merges, but the space belongs to the word only where the pre-tokenizer puts it.
  EXPECT_EQ(tokenizer.encode("hell hell  hell", {}, Bos::kOmit), (Ids{258, 259, ' ', 259}));
  EXPECT_EQ(tokenizer.encode("", {}, Bos::kAdd), Ids{});
}

TEST(Tokenizer, SpecialTokensAreTheLeftmostLongest) {
  const Tokenizer tokenizer = make(hello_vocabulary());
  EXPECT_EQ(tokenizer.encode("<|im_start|>hell<|im_end|>", {}, Bos::kOmit), (Ids{260, 258, 261}));
  EXPECT_EQ(tokenizer.encode("<tool>s<tool>", {}, Bos::kOmit), (Ids{263, 262}));
  EXPECT_EQ(tokenizer.encode("<<tool>", {}, Bos::kOmit), (Ids{'<', 262}));
  // An unused token is not for text.
  EXPECT_EQ(tokenizer.encode("<spare>", {}, Bos::kOmit).size(), 7u);
  EXPECT_EQ(tokenizer.encode("<|im_en", {}, Bos::kOmit).size(), 7u);
}

TEST(Tokenizer, SpecialTokensWithAForeignByteAreText) {
  const Tokenizer tokenizer = make(hello_vocabulary());
  const std::string text = "<|im_end|>";
  const Ids as_text(text.begin(), text.end());
  EXPECT_EQ(tokenizer.encode_plain(text, Bos::kOmit), as_text);
  for (size_t at = 0; at < text.size(); ++at) {
    const ByteRange foreign[] = {{at, at + 1}};
    EXPECT_EQ(tokenizer.encode(text, foreign, Bos::kOmit), as_text) << at;
  }
  const ByteRange empty[] = {{4, 4}};
  EXPECT_EQ(tokenizer.encode(text, empty, Bos::kOmit), Ids{261});

  // What stands before and behind a range is not affected; a longer token that reaches into one gives way to
  // a shorter.
  const ByteRange foreign[] = {{10, 20}, {26, 27}};
  Ids expected{261};
  expected.insert(expected.end(), as_text.begin(), as_text.end());
  expected.insert(expected.end(), {262, 's', 261});
  EXPECT_EQ(tokenizer.encode("<|im_end|><|im_end|><tool>s<|im_end|>", foreign, Bos::kOmit), expected);
}

TEST(Tokenizer, PlainTextNeverBecomesAControlToken) {
  // The merges of this file would spell a control token.
  Vocabulary v = test_vocabulary("gpt-2", {"a b"}, {});
  v.kinds[256] = TokenKind::kControl;
  const Tokenizer tokenizer = make(std::move(v));
  EXPECT_EQ(tokenizer.encode_plain("ab", Bos::kOmit), (Ids{'a', 'b'}));
  EXPECT_EQ(tokenizer.encode("ab", {}, Bos::kOmit), (Ids{256}));
}

TEST(Tokenizer, ASpecialTokenThatCutsCharactersIsNeverFound) {
  const Tokenizer tokenizer = make(test_vocabulary(
      "gpt-2", {},
      {{"\xE4", TokenKind::kControl}, {"\xBD\xA0", TokenKind::kControl}, {"", TokenKind::kControl}}));
  EXPECT_EQ(tokenizer.encode("\xE4\xBD\xA0", {}, Bos::kOmit), (Ids{0xE4, 0xBD, 0xA0}));
}

TEST(Tokenizer, ByteWithoutATokenIsLeftOut) {
  Vocabulary v = hello_vocabulary();
  v.tokens[4] = "unusable\xFF";
  const Tokenizer tokenizer = make(std::move(v));
  // What is left merges, as in HF's tokenizers.
  EXPECT_EQ(tokenizer.encode(std::string("\x04", 1), {}, Bos::kOmit), Ids{});
  EXPECT_EQ(tokenizer.encode("\x04!\x04?", {}, Bos::kOmit), (Ids{'!', '?'}));
}

TEST(Tokenizer, OnlyQwenNormalises) {
  const std::string decomposed = "e\xCC\x81";
  EXPECT_EQ(make(hello_vocabulary("qwen2")).encode(decomposed, {}, Bos::kOmit), (Ids{0xC3, 0xA9}));
  EXPECT_EQ(make(hello_vocabulary("smollm")).encode(decomposed, {}, Bos::kOmit), (Ids{'e', 0xCC, 0x81}));
}

TEST(Tokenizer, NormalisationDoesNotMoveForeignRanges) {
  const Tokenizer tokenizer = make(hello_vocabulary("qwen2"));
  // Three foreign bytes become two; the token behind them is still found, the one among them is not.
  const std::string foreign_text = "e\xCC\x81<tool>";
  const ByteRange foreign[] = {{6, 6 + foreign_text.size()}};
  const Ids ids = tokenizer.encode("<tool>" + foreign_text + "<tool>", foreign, Bos::kOmit);
  EXPECT_EQ(ids, (Ids{262, 0xC3, 0xA9, '<', 't', 'o', 'o', 'l', '>', 262}));
}

TEST(Tokenizer, LlamaTakesWholeWordsBeforeMerges) {
  // No merge forms token 256, so only a vocabulary that ignores merges for whole words can give it.
  const auto with_pre = [](const char* pre) {
    Vocabulary v = test_vocabulary(pre, {}, {{"Ġxyz", TokenKind::kNormal}});
    return make(std::move(v)).encode("a xyz", {}, Bos::kOmit);
  };
  EXPECT_EQ(with_pre("llama-bpe"), (Ids{'a', 256}));
  EXPECT_EQ(with_pre("qwen2"), (Ids{'a', ' ', 'x', 'y', 'z'}));
}

TEST(Tokenizer, BosIsAddedOnceAndOnlyWhereTheFileSaysSo) {
  Vocabulary v = hello_vocabulary();
  v.bos = 260;
  EXPECT_EQ(make(v).encode("hell", {}, Bos::kAdd), Ids{258});
  v.add_bos = true;
  const Tokenizer tokenizer = make(v);
  EXPECT_EQ(tokenizer.encode("hell", {}, Bos::kAdd), (Ids{260, 258}));
  EXPECT_EQ(tokenizer.encode("", {}, Bos::kAdd), (Ids{260}));
  EXPECT_EQ(tokenizer.encode("hell", {}, Bos::kOmit), Ids{258});
  EXPECT_EQ(tokenizer.encode("<|im_start|>hell", {}, Bos::kAdd), (Ids{260, 258}));
}

TEST(Tokenizer, TokenBytes) {
  const Tokenizer tokenizer = make(hello_vocabulary());
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(tokenizer.token_bytes(byte), std::string(1, static_cast<char>(byte)));
  EXPECT_EQ(tokenizer.token_bytes(259), " hell");
  EXPECT_EQ(tokenizer.token_bytes(261), "<|im_end|>");
  EXPECT_EQ(tokenizer.kind(261), TokenKind::kControl);
  EXPECT_EQ(tokenizer.find("Ġhell"), 259);
  EXPECT_EQ(tokenizer.find(" hell"), -1);
  EXPECT_EQ(tokenizer.vocab_size(), 265);
}

TEST(Tokenizer, ABadVocabularyIsRefused) {
  const auto refusal = [](const Vocabulary& v) {
    auto tokenizer = Tokenizer::create(v);
    return tokenizer.ok() ? Error{ErrorCode::kFull, "accepted", ""} : tokenizer.error();
  };
  Vocabulary v = hello_vocabulary("spm");
  EXPECT_EQ(refusal(v).code, ErrorCode::kUnsupported);
  EXPECT_NE(refusal(v).message.find("\"spm\""), std::string::npos);
  for (const char* merge : {"", " ", "h", "h e l", "h  e", " h", "h ", "z zz", "zz z", "q q"}) {
    v = hello_vocabulary();
    v.merges.push_back(merge);
    EXPECT_EQ(refusal(v).code, ErrorCode::kInvalid) << merge;
  }
  v = hello_vocabulary();
  v.kinds.pop_back();
  EXPECT_EQ(refusal(v).code, ErrorCode::kInvalid);
  v = hello_vocabulary();
  v.bos = 265;
  EXPECT_EQ(refusal(v).code, ErrorCode::kInvalid);
  v.bos = -1;
  v.add_bos = true;
  EXPECT_EQ(refusal(v).code, ErrorCode::kInvalid);
  EXPECT_EQ(refusal(Vocabulary{}).code, ErrorCode::kInvalid);
}

// Normalisation moves foreign ranges. The same text with round brackets in them, and nothing foreign, has to
// give the same tokens but for those.
TEST(Tokenizer, ForeignRangesKeepTheirPlaceInNormalisedText) {
  Vocabulary v =
      test_vocabulary("qwen2", {}, {{"[t]", TokenKind::kUserDefined}, {"<raw>", TokenKind::kControl}});
  v.special_rules = {{.id = 256, .in_normal_form = true}};
  const Tokenizer tokenizer = make(std::move(v));
  const std::string parts[] = {"[t]",
                               "[t",
                               "]",
                               "[",
                               "e\xCC\x81",
                               "\xCC\x81",
                               "\xCC\xA3\xCC\x82",
                               "a",
                               "t\xCC\x87",
                               "\xE2\x84\xAB",
                               "\xE4\xBD\xA0",
                               "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8",
                               "<raw>"};
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 5000; ++round) {
    std::string text, replaced;
    std::vector<ByteRange> foreign;
    for (unsigned i = random() % 12; i > 0; --i) {
      const std::string& part = parts[random() % std::size(parts)];
      const bool is_foreign = random() % 3 == 0;
      if (is_foreign) foreign.push_back({text.size(), text.size() + part.size()});
      text += part;
      for (const char c : part) replaced += !is_foreign ? c : c == '[' || c == '<' ? '(' : c == ']' ? ')' : c;
    }
    Ids expected = tokenizer.encode(replaced, {}, Bos::kOmit);
    Ids found = tokenizer.encode(text, foreign, Bos::kOmit);
    for (Ids* ids : {&expected, &found}) {
      for (TokenId& id : *ids) id = id == '[' || id == '<' ? '(' : id == ']' ? ')' : id;
    }
    ASSERT_EQ(found, expected) << text << "\n" << replaced;
  }
}

// Each of these takes minutes or more in a tokenizer that is quadratic anywhere.
TEST(Tokenizer, LongInputsTakeLinearTime) {
  const Tokenizer tokenizer =
      make(test_vocabulary("qwen2", {"l l", "ll ll", "llll llll"}, {{"<|im_end|>", TokenKind::kControl}}));
  constexpr size_t kCount = 300'000;
  std::string marks;  // in the order that normalisation has to turn round
  for (size_t i = 0; i < kCount; ++i) marks += "\xCC\x81";
  for (size_t i = 0; i < kCount; ++i) marks += "\xCC\xA3";
  std::string almost_special;
  while (almost_special.size() < kCount) almost_special += "<|im_end|";
  const std::string texts[] = {std::string(kCount, 'l'),        std::string(kCount, ' ') + "x",
                               std::string(kCount, '\n') + "x", std::string(kCount, '!'),
                               std::string(kCount, '1'),        almost_special};
  for (const std::string& text : texts) {
    const Ids ids = tokenizer.encode(text, {}, Bos::kOmit);
    EXPECT_EQ(decode(tokenizer, ids), text);
  }
  EXPECT_EQ(tokenizer.encode(texts[0], {}, Bos::kOmit).size(), kCount / 8);
  EXPECT_EQ(tokenizer.encode(marks, {}, Bos::kOmit).size(), marks.size());
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer tokenizer = make(hello_vocabulary());
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (Ids& ids : found) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) ids = tokenizer.encode("hello hell <tool> he ll", {}, Bos::kOmit);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, found[0]);
}

}  // namespace
}  // namespace hussar
