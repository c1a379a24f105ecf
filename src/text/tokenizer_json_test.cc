#include "text/tokenizer_json.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer_test_vocabulary.h"

namespace hussar {
namespace {

using Ids = std::vector<TokenId>;
using Bos = Tokenizer::Bos;

// A tokenizer.json that is read: 256 bytes, "he" (256), "ll" (257), and two added tokens. Tests change one
// member of it.
class TokenizerJsonTest : public ::testing::Test {
 protected:
  TokenizerJsonTest() {
    JsonObject vocab;
    for (int byte = 0; byte < 256; ++byte) vocab.emplace_back(test_letter(byte), byte);
    vocab.emplace_back("he", 256);
    vocab.emplace_back("ll", 257);
    const JsonObject byte_level{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
    document_ =
        JsonObject{{"version", "1.0"},
                   {"added_tokens", JsonArray{added(258, "<|end|>", true), added(259, "<tool>", false)}},
                   {"normalizer", nullptr},
                   {"pre_tokenizer", byte_level},
                   {"post_processor", nullptr},
                   {"decoder", byte_level},
                   {"model", JsonObject{{"type", "BPE"},
                                        {"dropout", nullptr},
                                        {"unk_token", nullptr},
                                        {"continuing_subword_prefix", ""},
                                        {"end_of_word_suffix", nullptr},
                                        {"byte_fallback", false},
                                        {"ignore_merges", false},
                                        {"vocab", vocab},
                                        {"merges", JsonArray{"h e", JsonArray{"l", "l"}}}}}};
  }

  static Json added(int64_t id, const char* content, bool special) {
    return JsonObject{{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                      {"rstrip", false}, {"normalized", false}, {"special", special}};
  }
  static Json parsed(const std::string& text) {
    auto json = parse_json(text, {});
    EXPECT_TRUE(json.ok()) << text;
    return json.ok() ? *json : Json();
  }
  // The member that a path such as "model.vocab" names; made where there is none.
  Json& at(std::string_view path) {
    Json* value = &document_;
    while (!path.empty()) {
      const std::string_view key = path.substr(0, path.find('.'));
      path.remove_prefix(std::min(path.size(), key.size() + 1));
      JsonObject& members = std::get<JsonObject>(value->value());
      const auto found =
          std::find_if(members.begin(), members.end(), [&](auto& m) { return m.first == key; });
      value =
          found != members.end() ? &found->second : &members.emplace_back(std::string(key), nullptr).second;
    }
    return *value;
  }
  JsonArray& added_tokens() { return std::get<JsonArray>(at("added_tokens").value()); }
  void erase(const char* parent, std::string_view key) {
    std::erase_if(std::get<JsonObject>(at(parent).value()), [&](auto& m) { return m.first == key; });
  }

  Vocabulary read() {
    auto v = read_tokenizer_json(document_);
    EXPECT_TRUE(v.ok()) << v.error().message;
    return v.ok() ? *std::move(v) : Vocabulary();
  }
  Ids encode(std::string_view text) {
    auto tokenizer = Tokenizer::create(read());
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    return tokenizer.ok() ? tokenizer->encode(text, {}, Bos::kAdd) : Ids();
  }
  void expect_refused(ErrorCode code, const std::string& part) {
    const auto v = read_tokenizer_json(document_);
    ASSERT_FALSE(v.ok()) << part;
    EXPECT_EQ(v.error().code, code) << v.error().message;
    EXPECT_TRUE(v.error().message.starts_with("tokenizer.json: ")) << v.error().message;
    EXPECT_NE(v.error().message.find(part), std::string::npos) << v.error().message;
  }
  // With `value`, JSON text, in place of a member.
  void expect_refused_with(std::string_view path, const std::string& value, ErrorCode code,
                           const std::string& part) {
    const Json before = at(path);
    at(path) = parsed(value);
    expect_refused(code, part);
    at(path) = before;
  }

  Json document_;
};

constexpr ErrorCode kBad = ErrorCode::kInvalid, kOther = ErrorCode::kUnsupported;

TEST_F(TokenizerJsonTest, ReadsTokensKindsAndMergesInBothSpellings) {
  const Vocabulary v = read();
  EXPECT_EQ(v.pre, "gpt-2");
  ASSERT_EQ(v.tokens.size(), 260u);
  EXPECT_EQ(v.tokens[257], "ll");
  EXPECT_EQ(v.kinds[257], TokenKind::kNormal);
  EXPECT_EQ(v.kinds[258], TokenKind::kControl);
  EXPECT_EQ(v.kinds[259], TokenKind::kUserDefined);
  EXPECT_EQ(v.merges, (std::vector<std::string>{"h e", "l l"}));
  EXPECT_EQ(v.bos, -1);
  EXPECT_FALSE(v.add_bos);
  EXPECT_EQ(v.wants_nfc, false);
  EXPECT_EQ(v.ignores_merges, false);
  EXPECT_EQ(encode("hell<|end|> <tool>o"), (Ids{256, 257, 258, ' ', 259, 'o'}));
}

TEST_F(TokenizerJsonTest, MembersThatAreOftenAbsentMayBe) {
  for (const char* key : {"type", "dropout", "unk_token", "byte_fallback", "ignore_merges"})
    erase("model", key);
  for (const char* key : {"normalizer", "post_processor", "version"}) erase("", key);
  EXPECT_EQ(encode("hell<|end|>"), (Ids{256, 257, 258}));
  erase("", "added_tokens");
  EXPECT_EQ(read().tokens.size(), 258u);
}

TEST_F(TokenizerJsonTest, AnAddedTokenMayBeOneOfTheModels) {
  added_tokens() = {added(256, "he", true)};
  EXPECT_EQ(read().kinds[256], TokenKind::kControl);
  added_tokens() = {added(255, "he", true)};
  expect_refused(kBad, "the id 255, but model.vocab has it as 256");
}

TEST_F(TokenizerJsonTest, AUserDefinedByteIsStillAByteOfForeignText) {
  added_tokens() = {added('!', "!", false)};
  const auto tokenizer = Tokenizer::create(read());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->encode_plain("a!", Bos::kOmit), (Ids{'a', '!'}));
  EXPECT_EQ(tokenizer->encode("a!", {}, Bos::kOmit), (Ids{'a', '!'}));
  added_tokens() = {added('!', "!", true)};
  expect_refused(kOther, "\"!\" is special and a single byte");
  added_tokens() = {added(0xE9, "\xC3\xA9", false)};
  expect_refused(kOther, "stands for other bytes");
}

TEST_F(TokenizerJsonTest, TokensTakeTheSpaceThatTheyAskFor) {
  const auto with = [&](const char* flag) {
    Json token = added(258, "<|end|>", true);
    for (auto& [key, value] : std::get<JsonObject>(token.value())) {
      if (key == flag) value = true;
    }
    added_tokens() = {token};
    return encode("a \xE3\x80\x80<|end|>\n\x1F<|end|>");
  };
  EXPECT_EQ(with(""), (Ids{'a', ' ', 0xE3, 0x80, 0x80, 258, '\n', 0x1F, 258}));
  EXPECT_EQ(with("lstrip"), (Ids{'a', 258, '\n', 0x1F, 258}));
  EXPECT_EQ(with("rstrip"), (Ids{'a', ' ', 0xE3, 0x80, 0x80, 258, 0x1F, 258}));
}

TEST_F(TokenizerJsonTest, NormalisedTokensAreFoundInNormalisedText) {
  Json token = added(258, "e\xCC\x81!", false);
  std::get<JsonObject>(token.value())[5].second = true;
  added_tokens() = {token};
  at("normalizer") = parsed(R"({"type":"Sequence","normalizers":[{"type":"NFC"}]})");
  EXPECT_EQ(encode("\xC3\xA9!e\xCC\x81!"), (Ids{258, 258}));
  const auto tokenizer = Tokenizer::create(read());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->token_bytes(258), "\xC3\xA9!");
  // The second mark is foreign and does not touch the token before it, the third one would change it.
  const std::string text =
      "e\xCC\x81!\xCC\xB4"
      "e\xCC\x81!e\xCC\x81!";
  const ByteRange foreign[] = {{4, 6}, {7, 9}};
  EXPECT_EQ(tokenizer->encode(text, foreign, Bos::kOmit), (Ids{258, 0xCC, 0xB4, 0xC3, 0xA9, '!', 258}));
}

TEST_F(TokenizerJsonTest, KnowsFourPreTokenizers) {
  const std::string byte_level = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})";
  const auto split = [&](const std::string& digits) {
    return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
           R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|)" +
           digits +
           R"(| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},)"
           R"("behavior":"Isolated","invert":false},)" +
           byte_level + "]}";
  };
  const std::string digits =
      R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},)"
      R"({"type":"ByteLevel","add_prefix_space":false}]})";
  const std::pair<std::string, const char*> known[] = {
      {split(R"(\\p{N})"), "qwen2"}, {split(R"(\\p{N}{1,3})"), "llama-bpe"}, {digits, "smollm"}};
  for (const auto& [text, name] : known) {
    at("pre_tokenizer") = parsed(text);
    EXPECT_EQ(read().pre, name);
  }
  for (
      const std::string& text :
      {std::string("null"), split(R"(\\p{N}{1,2})"), byte_level, std::string(R"({"type":"Whitespace"})"),
       std::string(R"({"type":"Sequence","pretokenizers":[]})"),
       "{\"type\":\"Sequence\",\"pretokenizers\":[" + byte_level + "," + byte_level + "]}",
       std::string(
           R"({"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"ByteLevel","add_prefix_space":false}]})"),
       std::string(R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},)") +
           byte_level + "]}"}) {
    expect_refused_with("pre_tokenizer", text, kOther, "pre_tokenizer is ");
  }
  std::string other = split(R"(\\p{N})");
  other.replace(other.find("Isolated"), 8, "Removed");
  expect_refused_with("pre_tokenizer", other, kOther, "Removed");
  expect_refused_with("pre_tokenizer", R"({"type":"ByteLevel"})", kOther, "add_prefix_space is true");
  expect_refused_with("pre_tokenizer", R"({"type":"ByteLevel","add_prefix_space":1})", kBad, "true or false");
  expect_refused_with("pre_tokenizer", R"({"pretokenizers":[]})", kBad, "has no type");
  expect_refused_with("pre_tokenizer", R"({"type":"Sequence","pretokenizers":{}})", kBad, "an array");
}

TEST_F(TokenizerJsonTest, PutsABosInFront) {
  const std::string bos =
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|end|>","type_id":0}},)"
      R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":)"
      R"({"<|end|>":{"id":"<|end|>","ids":[258],"tokens":["<|end|>"]}}})";
  at("post_processor") =
      parsed(R"({"type":"Sequence","processors":[{"type":"ByteLevel","trim_offsets":false},)" + bos + "]}");
  EXPECT_EQ(encode("he"), (Ids{258, 256}));
  EXPECT_EQ(read().bos, 258);
  at("post_processor") = parsed(
      R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{}})");
  EXPECT_EQ(encode("he"), (Ids{256}));

  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = bos;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  expect_refused_with("post_processor", changed("[258]", "[257]"), kBad, "in front");
  expect_refused_with("post_processor", changed("[258]", "[-1]"), kBad, "in front");
  expect_refused_with("post_processor", changed("[258]", "[99999999999]"), kBad, "in front");
  expect_refused_with("post_processor", changed("[258]", "[258,257]"), kOther, "post_processor.single");
  expect_refused_with("post_processor", changed("[258]", "[\"258\"]"), kBad, "wrong type");
  expect_refused_with("post_processor", changed("\"A\"", "\"B\""), kOther, "post_processor.single");
  expect_refused_with("post_processor", changed("{\"<|end|>\":", "{\"x\":"), kBad, "says nothing");
  expect_refused_with(
      "post_processor",
      R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"<|end|>"}}]})",
      kOther, "post_processor.single");
  expect_refused_with("post_processor", R"({"type":"Sequence","processors":[)" + bos + "," + bos + "]}",
                      kOther, "two tokens");
  expect_refused_with("post_processor", R"({"type":"RobertaProcessing"})", kOther, "RobertaProcessing");
}

TEST_F(TokenizerJsonTest, RefusesWhatItCannotDoByName) {
  expect_refused_with("model.type", R"("Unigram")", kOther, "model.type is \"Unigram\"");
  expect_refused_with("model.type", "1", kOther, "model.type");
  expect_refused_with("model.byte_fallback", "true", kOther, "byte_fallback");
  expect_refused_with("model.byte_fallback", "0", kBad, "byte_fallback");
  expect_refused_with("model.dropout", "0.1", kOther, "dropout");
  expect_refused_with("model.continuing_subword_prefix", R"("##")", kOther, "continuing_subword_prefix");
  expect_refused_with("model.end_of_word_suffix", R"("</w>")", kOther, "end_of_word_suffix");
  expect_refused_with("model.ignore_merges", "\"yes\"", kBad, "ignore_merges");
  expect_refused_with("model.unk_token", "1", kBad, "unk_token");
  expect_refused_with("normalizer", R"({"type":"NFKC"})", kOther, "normalizer is {\"type\":\"NFKC\"}");
  expect_refused_with("decoder", "null", kOther, "decoder is nothing");
  expect_refused_with("decoder", R"({"type":"WordPiece"})", kOther, "WordPiece");
  expect_refused_with("model", "null", kBad, "model is missing");
  document_ = JsonArray{};
  expect_refused(kBad, "must hold an object");
}

TEST_F(TokenizerJsonTest, AnUnknownTokenMattersOnlyWhereABytesTokenIsMissing) {
  at("model.unk_token") = "<|end|>";
  EXPECT_EQ(encode("he"), (Ids{256}));
  JsonObject& vocab = std::get<JsonObject>(at("model.vocab").value());
  vocab['z'].first = "zz";
  expect_refused(kOther, "unk_token is \"<|end|>\" and 1 bytes have no token");
  at("model.unk_token") = nullptr;
  EXPECT_EQ(encode("hez"), (Ids{256}));
}

TEST_F(TokenizerJsonTest, RefusesIdsThatDoNotFit) {
  expect_refused_with("model.vocab", "{}", kBad, "no tokens");
  expect_refused_with("model.vocab", "[]", kBad, "must be an object");
  expect_refused_with("model.vocab.he", "1000", kBad, "has the id 1000, but there are only 260 tokens");
  expect_refused_with("model.vocab.he", "-1", kBad, "the id -1");
  expect_refused_with("model.vocab.he", "9223372036854775807", kBad, "9223372036854775807");
  expect_refused_with("model.vocab.he", "1.5", kBad, "no integer");
  expect_refused_with("model.vocab.he", "257", kBad, "the id 257 of the token \"");
  const JsonArray before = added_tokens();
  added_tokens().push_back(added(260, "<tool>", false));
  expect_refused(kBad, "\"<tool>\" twice");
  added_tokens() = before;
  added_tokens()[1] = added(258, "<other>", false);
  expect_refused(kBad, "the id 258 of the token");
  added_tokens()[1] = added(261, "<tool>", false);
  expect_refused(kBad, "some id has none");
  for (const char* wrong :
       {R"({"content":"x"})", R"({"id":-1,"content":"x"})", R"({"id":"1","content":"x"})",
        R"({"id":9999999999,"content":"x"})", R"({"id":259})", R"({"id":259,"content":""})",
        R"({"id":259,"content":"x","special":1})", "null", "[]"}) {
    added_tokens()[1] = parsed(wrong);
    expect_refused(kBad, "added_tokens[1]");
  }
  added_tokens()[1] = parsed(R"({"id":259,"content":"x","single_word":true})");
  expect_refused(kOther, "single_word");
  at("added_tokens") = "x";
  expect_refused(kBad, "added_tokens must be an array");
}

TEST_F(TokenizerJsonTest, RefusesMergesThatDoNotFit) {
  expect_refused_with("model.merges", "null", kBad, "model.merges");
  for (const char* wrong : {"1", "[]", "[\"h\"]", "[\"h\",\"e\",\"l\"]", "[\"h\",1]"}) {
    expect_refused_with("model.merges", "[" + std::string(wrong) + "]", kBad, "model.merges[0]");
  }
  expect_refused_with("model.merges", R"(["h e",["h","e"]])", kBad, "\"h e\" twice");
  for (const char* wrong : {R"(["hee"])", R"([["h e","l"]])", R"(["h x"])", R"(["he xx"])", R"([["",""]])"}) {
    at("model.merges") = parsed(wrong);
    EXPECT_FALSE(Tokenizer::create(read()).ok()) << wrong;
  }
}

TEST_F(TokenizerJsonTest, LimitsAreErrors) {
  JsonArray merges(size_t{1} << 21 | 1, Json("h e"));
  at("model.merges") = std::move(merges);
  expect_refused(ErrorCode::kTooLarge, "model.merges");
  JsonObject& vocab = std::get<JsonObject>(at("model.vocab").value());
  vocab.back().first = std::string((64 << 10) + 1, 'x');
  expect_refused(ErrorCode::kTooLarge, "bytes");
  for (int i = 258; i <= 1 << 20; ++i) vocab.emplace_back("t" + std::to_string(i), i);
  expect_refused(ErrorCode::kTooLarge, "model.vocab");
}

TEST_F(TokenizerJsonTest, TheConfigsTokensMustBeTheSame) {
  const auto add = [&](const std::string& text) {
    Vocabulary v = read();
    const auto done = add_config_tokens(parsed(text), &v);
    EXPECT_TRUE(done.ok() || done.error().message.starts_with("tokenizer_config.json: "));
    return std::pair(std::move(v), done.ok() ? std::string() : done.error().message);
  };
  const auto [same, fine] = add(R"({"258":{"content":"<|end|>","special":true}})");
  EXPECT_EQ(fine, "");
  EXPECT_EQ(same.tokens.size(), 260u);
  const auto [more, also_fine] =
      add(R"({"261":{"content":"b"},"260":{"content":"a","special":true},"256":{"content":"he"}})");
  EXPECT_EQ(also_fine, "");
  ASSERT_EQ(more.tokens.size(), 262u);
  EXPECT_EQ(more.kinds[260], TokenKind::kControl);
  EXPECT_EQ(more.kinds[261], TokenKind::kUserDefined);
  EXPECT_EQ(more.kinds[256], TokenKind::kUserDefined);
  EXPECT_EQ(
      add(R"({"258":{"content":"<|im_end|>"}})").second,
      "tokenizer_config.json: token 258 is \"<|end|>\" in tokenizer.json, but \"<|im_end|>\" here: the two "
      "files belong to different models");
  EXPECT_NE(add(R"({"261":{"content":"x"}})").second.find("token 261 is missing in"), std::string::npos);
  for (const char* wrong : {"[]", R"({"x":{"content":"x"}})", R"({"-1":{"content":"x"}})",
                            R"({"":{"content":"x"}})", R"({"258":{}})", R"({"258 ":{"content":"x"}})"}) {
    EXPECT_NE(add(wrong).second, "") << wrong;
  }
}

}  // namespace
}  // namespace hussar
