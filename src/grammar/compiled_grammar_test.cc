#include "grammar/compiled_grammar.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/json.h"
#include "grammar/matcher.h"
#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

constexpr char kPersonSchema[] =
    R"({"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z ]{0,8}$"},"age":{"type":"integer","minimum":0,)"
    R"("maximum":120},"skills":{"type":"array","items":{"type":"string","pattern":"^[ab]{1,4}$"},"maxItems":3}},)"
    R"("required":["name","age","skills"],"additionalProperties":false})";

Result<std::shared_ptr<const CompiledGrammar>> compile(GrammarKind kind, std::string text,
                                                       std::vector<std::string> choices = {}) {
  return CompiledGrammar::compile({kind, std::move(text), std::move(choices)}, testing_vocabulary());
}

// Feeds the bytes of `text` one by one; whether the grammar takes them all and lets the answer end there.
bool matches(const std::shared_ptr<const CompiledGrammar>& grammar, std::string_view text) {
  Matcher matcher = std::move(*Matcher::create(grammar));
  for (const char c : text) {
    if (!matcher.accept(static_cast<unsigned char>(c)).ok()) return false;
  }
  return matcher.accept(kTestEnd).ok();
}

TEST(CompiledGrammar, RandomAnswersOfASchemaAreInstancesOfIt) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto grammar = compile(GrammarKind::kJsonSchema, kPersonSchema);
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  int ended = 0;
  for (int run = 0; run < 200; ++run) {
    const RandomAnswer answer = random_answer(*grammar, 400, &random);
    if (!answer.ended) continue;
    ++ended;
    const auto json = parse_json(answer.text, {});
    ASSERT_TRUE(json.ok()) << json.error().message << " in " << answer.text;
    ASSERT_EQ(json->as_object()->size(), 3u) << answer.text;
    ASSERT_NE(json->find("name")->as_string(), nullptr) << answer.text;
    const int64_t* age = json->find("age")->as_int();
    ASSERT_TRUE(age != nullptr && *age >= 0 && *age <= 120) << answer.text;
    ASSERT_LE(json->find("skills")->as_array()->size(), 3u) << answer.text;
  }
  EXPECT_EQ(ended, 200);  // everything in the schema is bounded
}

TEST(CompiledGrammar, AnyObjectIsAnObjectAndNothingElse) {
  const auto grammar = compile(GrammarKind::kJsonObject, "");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  EXPECT_TRUE(matches(*grammar, R"({})"));
  EXPECT_TRUE(matches(*grammar, R"({"a": [1, {"b": null}], "c": "x\n"})"));
  EXPECT_FALSE(matches(*grammar, R"([])"));
  EXPECT_FALSE(matches(*grammar, R"("a")"));
  EXPECT_FALSE(matches(*grammar, R"({"a": 1)"));
}

TEST(CompiledGrammar, WhiteSpaceCanNotGoOnForEver) {
  const auto grammar = compile(GrammarKind::kJsonObject, "");
  ASSERT_TRUE(grammar.ok());
  EXPECT_FALSE(matches(*grammar, R"({"a":          1})"));
  EXPECT_FALSE(matches(*grammar, "{}                  "));
}

TEST(CompiledGrammar, RegexMatchesAsAWhole) {
  const auto grammar = compile(GrammarKind::kRegex, "[a-c]{2}(x|yz)?");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  EXPECT_TRUE(matches(*grammar, "ab"));
  EXPECT_TRUE(matches(*grammar, "cayz"));
  EXPECT_FALSE(matches(*grammar, "a"));
  EXPECT_FALSE(matches(*grammar, "abq"));
}

TEST(CompiledGrammar, ChoicesMayHoldAnyCharacter) {
  const std::vector<std::string> choices = {"yes", "no", "a\"b\\c\n\t\x01", "\xe4\xbd\xa0\xe5\xa5\xbd",
                                            "root ::= [x]"};
  const auto grammar = compile(GrammarKind::kChoice, "", choices);
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  for (const std::string& choice : choices) EXPECT_TRUE(matches(*grammar, choice)) << choice;
  EXPECT_FALSE(matches(*grammar, "yesno"));
  EXPECT_FALSE(matches(*grammar, "x"));
  EXPECT_FALSE(compile(GrammarKind::kChoice, "").ok());
}

TEST(CompiledGrammar, EbnfBeginsAtRoot) {
  const auto grammar = compile(GrammarKind::kEbnf, "root ::= \"a\" tail\ntail ::= \"b\" tail | \"c\"");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  EXPECT_TRUE(matches(*grammar, "abbc"));
  EXPECT_FALSE(matches(*grammar, "abb"));
}

TEST(CompiledGrammar, WhatIsMalformedIsAnErrorOfOneLine) {
  for (const auto& [kind, text] :
       std::vector<std::pair<GrammarKind, std::string>>{{GrammarKind::kJsonSchema, "{"},
                                                        {GrammarKind::kJsonSchema, R"({"type":"nothing"})"},
                                                        {GrammarKind::kRegex, "(a"},
                                                        {GrammarKind::kRegex, "a{3,1}"},
                                                        {GrammarKind::kEbnf, "root ::= missing"},
                                                        {GrammarKind::kEbnf, "start ::= \"a\""},
                                                        {GrammarKind::kEbnf, ""}}) {
    const auto grammar = compile(kind, text);
    ASSERT_FALSE(grammar.ok()) << text;
    EXPECT_TRUE(grammar.error().code == ErrorCode::kInvalid ||
                grammar.error().code == ErrorCode::kUnsupported);
    EXPECT_EQ(grammar.error().message.find('\n'), std::string::npos) << grammar.error().message;
    EXPECT_EQ(grammar.error().message.find(".cc:"), std::string::npos) << grammar.error().message;
    EXPECT_FALSE(grammar.error().message.empty());
  }
}

TEST(CompiledGrammar, WhatIsNoTextInAGrammarIsRefusedByName) {
  for (const auto& [text, named] : std::vector<std::pair<std::string, std::string>>{
           {R"(root ::= Token(3) "a")", "Token(...)"},
           {R"(root ::= ExcludeToken(3) "a")", "ExcludeToken(...)"},
           {R"(root[max_tokens=3] ::= "a"*)", "[max_tokens]"},
           {R"(root[temperature=0.5] ::= "a"*)", "[temperature]"},
           {R"(root[lazy] ::= "a"*)", "[lazy]"},
           {R"(root[capture="x"] ::= "a"*)", "[capture]"},
           {R"(root[stop_capture="x"] ::= "a"*)", "[capture]"},
           {"root ::= \"a\" more\nmore ::= \"b\" (=\"c\")", "lookahead"}}) {
    const auto grammar = compile(GrammarKind::kEbnf, text);
    ASSERT_FALSE(grammar.ok()) << text;
    EXPECT_EQ(grammar.error().code, ErrorCode::kUnsupported) << text << ": " << grammar.error().message;
    EXPECT_NE(grammar.error().message.find(named), std::string::npos) << grammar.error().message;
  }
  for (const char* text : {R"(root ::= Regex("[ab]+"))", R"(root ::= "a"{2,3} | [x-z]* "b"?)",
                           R"(root[max_chars=3] ::= "a"*)"}) {
    const auto grammar = compile(GrammarKind::kEbnf, text);
    EXPECT_TRUE(grammar.ok()) << text << ": " << (grammar.ok() ? "" : grammar.error().message);
  }
}

TEST(CompiledGrammar, AGrammarWithoutAWholeAnswerIsAnError) {
  EXPECT_FALSE(compile(GrammarKind::kEbnf, "root ::= \"a\" root").ok());
  EXPECT_FALSE(compile(GrammarKind::kEbnf, "root ::= \"a\" more\nmore ::= root | more \"b\"").ok());
  EXPECT_FALSE(compile(GrammarKind::kJsonSchema, R"({"$ref":"#"})").ok());
  const auto longest = compile(GrammarKind::kRegex, "a{65536}");
  ASSERT_TRUE(longest.ok()) << longest.error().message;
  EXPECT_EQ((*longest)->tokens_min(), 65537);
  const auto longer = compile(GrammarKind::kRegex, "a{65537}");
  ASSERT_FALSE(longer.ok());
  EXPECT_NE(longer.error().message.find("65537 bytes"), std::string::npos) << longer.error().message;
  // "b" would be needed, and no token has it.
  const auto vocabulary = GrammarVocabulary::create({"a", "c", ""}, {2});
  ASSERT_TRUE(vocabulary.ok());
  EXPECT_FALSE(CompiledGrammar::compile({GrammarKind::kRegex, "ab", {}}, *vocabulary).ok());
  EXPECT_TRUE(CompiledGrammar::compile({GrammarKind::kRegex, "a[bc]", {}}, *vocabulary).ok());
}

TEST(CompiledGrammar, SerialisedItAllowsTheSame) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto vocabulary = testing_vocabulary();
  for (const GrammarSpec& spec : {GrammarSpec{GrammarKind::kJsonSchema, kPersonSchema, {}},
                                  GrammarSpec{GrammarKind::kJsonObject, "", {}},
                                  GrammarSpec{GrammarKind::kRegex, "(ab|a)*c{2,5}", {}}}) {
    const auto direct = CompiledGrammar::compile(spec, vocabulary);
    ASSERT_TRUE(direct.ok()) << direct.error().message;
    const auto bytes = (*direct)->serialise();
    ASSERT_TRUE(bytes.ok());
    const auto read = CompiledGrammar::deserialise(*bytes, spec, {}, vocabulary);
    ASSERT_TRUE(read.ok()) << read.error().message;
    Matcher a = std::move(*Matcher::create(*direct)), b = std::move(*Matcher::create(*read));
    std::vector<uint32_t> mask_a(Matcher::mask_words(vocabulary->vocab_size())), mask_b(mask_a.size());
    for (int step = 0; step < 200; ++step) {
      ASSERT_TRUE(a.fill_mask(mask_a).ok());
      ASSERT_TRUE(b.fill_mask(mask_b).ok());
      ASSERT_EQ(mask_a, mask_b);
      const std::vector<TokenId> allowed = allowed_tokens(mask_a);
      const TokenId token = allowed[random() % allowed.size()];
      ASSERT_TRUE(a.accept(token).ok());
      ASSERT_TRUE(b.accept(token).ok());
      if (token == kTestEnd) break;
    }
  }
  EXPECT_FALSE(CompiledGrammar::deserialise("{}", {}, {}, vocabulary).ok());
  EXPECT_FALSE(CompiledGrammar::deserialise("no json", {}, {}, vocabulary).ok());
}

TEST(CompiledGrammar, WhatItLeavesToBeCheckedIsChecked) {
  const auto vocabulary = testing_vocabulary();
  const GrammarSpec spec{
      GrammarKind::kJsonSchema,
      R"({"type":"array","items":{"type":"integer","maximum":9007199254740993},"uniqueItems":true,"maxItems":3})",
      {}};
  const auto direct = CompiledGrammar::compile(spec, vocabulary);
  ASSERT_TRUE(direct.ok()) << direct.error().message;
  ASSERT_EQ((*direct)->checks().size(), 1u);
  const auto read =
      CompiledGrammar::deserialise(*(*direct)->serialise(), spec, (*direct)->checks(), vocabulary);
  ASSERT_TRUE(read.ok()) << read.error().message;
  for (const auto& grammar : {*direct, *read}) {
    EXPECT_TRUE(grammar->check("[1, 2, 3]").ok());
    EXPECT_TRUE(grammar->check("[9007199254740992, 9007199254740993]").ok());
    const auto twice = grammar->check("[1, 2, 1]");
    ASSERT_FALSE(twice.ok());
    EXPECT_EQ(twice.error().message, "'uniqueItems' at the root fails for the value at the root");
    EXPECT_FALSE(grammar->check("[9007199254740994]").ok());  // the schema's digits are not rounded
    EXPECT_FALSE(grammar->check("[1, 2").ok());
  }
  const auto plain =
      CompiledGrammar::compile({GrammarKind::kJsonSchema, R"({"type":"null"})", {}}, vocabulary);
  ASSERT_TRUE(plain.ok());
  EXPECT_TRUE((*plain)->check("anything").ok());
}

// A format that is checked is one by the validator's reading; elsewhere it only describes.
TEST(CompiledGrammar, AFormatIsCheckedWhereTheGrammarCannotWriteIt) {
  const auto grammar = CompiledGrammar::compile(
      {GrammarKind::kJsonSchema, R"({"type":"string","format":"regex","maxLength":9})", {}},
      testing_vocabulary());
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  EXPECT_TRUE((*grammar)->check(R"("a+b")").ok());
  EXPECT_FALSE((*grammar)->check(R"("a(")").ok());
}

TEST(CompiledGrammar, AVocabularyNeedsAnEnd) {
  EXPECT_FALSE(GrammarVocabulary::create(testing_token_bytes(), {}).ok());
  EXPECT_FALSE(GrammarVocabulary::create(testing_token_bytes(), {9999}).ok());
  EXPECT_FALSE(GrammarVocabulary::create({}, {0}).ok());
}

}  // namespace
}  // namespace hussar
