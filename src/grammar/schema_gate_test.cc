#include "grammar/schema_gate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

Json parsed(const std::string& text) {
  Result<Json> json = parse_json(text, JsonLimits{.bytes_max = 64 << 20, .depth_max = 200});
  EXPECT_TRUE(json.ok()) << text.substr(0, 200);
  return json.ok() ? *json : Json();
}

// A schema behind the gate, and the compiled grammar that it became.
class Planned {
 public:
  explicit Planned(const std::string& schema, OtherProperties others = OtherProperties::kAnywhere) {
    SchemaGateOptions options;
    options.others = others;
    const auto planned = plan_schema(parsed(schema), options);
    if (const SchemaRefusal* refusal = std::get_if<SchemaRefusal>(&planned)) {
      refusal_ = *refusal;
      return;
    }
    plan_ = std::get<SchemaPlan>(planned);
    auto grammar = CompiledGrammar::compile({GrammarKind::kEbnf, plan_.grammar, {}}, testing_vocabulary());
    EXPECT_TRUE(grammar.ok()) << plan_.grammar;
    if (grammar.ok()) grammar_ = *grammar;
  }

  const SchemaPlan& plan() const { return plan_; }
  bool writes(const std::string& text) const {
    EXPECT_TRUE(grammar_) << "refused: " << refusal_.message();
    if (!grammar_) return false;
    Result<Matcher> matcher = Matcher::create(grammar_);
    for (const char c : text) {
      if (!matcher->accept(static_cast<uint8_t>(c)).ok()) return false;
    }
    return matcher->may_end();
  }
  std::string refused() const { return grammar_ ? "" : refusal_.message(); }
  std::string refused_keyword() const { return grammar_ ? "" : refusal_.keyword; }
  std::string checked() const {
    std::string names;
    for (const SchemaCheck& check : plan_.checks)
      names += (names.empty() ? "" : " ") + check.keyword + "@" + check.path;
    return names;
  }

 private:
  SchemaRefusal refusal_;
  SchemaPlan plan_;
  std::shared_ptr<const CompiledGrammar> grammar_;
};

void expect(const std::string& schema, const std::vector<std::string>& valid,
            const std::vector<std::string>& invalid) {
  const Planned planned(schema);
  ASSERT_EQ(planned.refused(), "") << schema;
  EXPECT_TRUE(planned.writes(planned.plan().shortest)) << schema << " " << planned.plan().shortest;
  for (const std::string& text : valid) EXPECT_TRUE(planned.writes(text)) << schema << " " << text;
  for (const std::string& text : invalid) EXPECT_FALSE(planned.writes(text)) << schema << " " << text;
}

// Where properties are listed and nothing is said of others, the listed ones alone are written by default.
TEST(SchemaGate, OtherPropertiesAreWrittenWhereTheSchemaSpeaksOfThem) {
  const std::string other = R"({"a":1,"b":2})";
  const auto writes_other = [&](const std::string& schema) {
    const Planned planned(schema, OtherProperties::kWhereAsked);
    EXPECT_EQ(planned.refused(), "") << schema;
    EXPECT_TRUE(planned.writes(R"({"a":1})")) << schema;
    EXPECT_TRUE(Planned(schema).writes(other)) << schema;
    return planned.writes(other);
  };
  EXPECT_FALSE(writes_other(R"({"properties": {"a": {"type": "integer"}}})"));
  EXPECT_FALSE(writes_other(R"({"allOf": [{"properties": {"a": {}}}, {"required": ["a"]}]})"));
  EXPECT_TRUE(writes_other(R"({"properties": {"a": {}}, "additionalProperties": true})"));
  EXPECT_TRUE(writes_other(R"({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}})"));
  EXPECT_TRUE(writes_other(R"({"properties": {"a": {}}, "patternProperties": {"^b": {}}})"));
  EXPECT_TRUE(writes_other(R"({"properties": {"a": {}}, "propertyNames": {"maxLength": 2}})"));
  EXPECT_TRUE(writes_other(R"({"properties": {"a": {}}, "unevaluatedProperties": true})"));
  EXPECT_TRUE(writes_other(R"({"allOf": [{"properties": {"a": {}}}, {"additionalProperties": true}]})"));
  EXPECT_TRUE(writes_other(R"({"type": "object"})"));
  EXPECT_TRUE(writes_other(R"({"required": ["a"]})"));
  EXPECT_TRUE(writes_other(R"({"not": {"required": ["c"]}})"));
  // More properties are needed than are listed.
  const Planned needs_more(R"({"properties": {"a": {"type": "integer"}}, "minProperties": 2})",
                           OtherProperties::kWhereAsked);
  EXPECT_TRUE(needs_more.writes(other));
  EXPECT_FALSE(needs_more.writes(R"({"a":1})"));
  // Required ones that are not listed.
  const Planned required(R"({"properties": {"a": {}}, "required": ["b"]})", OtherProperties::kWhereAsked);
  EXPECT_TRUE(required.writes(other));
  EXPECT_FALSE(required.writes(R"({"a":1,"b":2,"c":3})"));
}

// What the compiler's own reading of JSON Schema loses without a word.

TEST(SchemaGate, OverlappingOneOfIsNotAnyOf) {
  expect(R"({"oneOf": [{"type": "integer"}, {"minimum": 2}]})", {"1", "2.5", "\"x\""}, {"3", "1.5"});
  expect(R"({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]})", {R"({"a":1})", R"({"b":1})"},
         {R"({"a":1,"b":1})", "{}"});
}

TEST(SchemaGate, PatternKeepsLengths) {
  expect(R"({"type": "string", "pattern": "^a*$", "minLength": 2, "maxLength": 3})", {"\"aa\"", "\"aaa\""},
         {"\"a\"", "\"aaaa\"", "\"ab\""});
}

TEST(SchemaGate, PatternIsSearchedFor) {
  expect(R"({"type": "string", "pattern": "^a"})", {"\"a\"", "\"ab\""}, {"\"ba\"", "\"\""});
  expect(R"({"type": "string", "pattern": "a"})", {"\"xay\""}, {"\"xy\""});
  expect(R"({"type": "string", "pattern": "^\"\\\\$"})", {R"("\"\\")"}, {R"("\"")"});
}

TEST(SchemaGate, AReferenceToTheRootThatLeadsNowhereIsRefused) {
  EXPECT_EQ(Planned(R"({"$ref": "#"})").refused_keyword(), "$ref");
  EXPECT_EQ(Planned(R"({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]})").refused(),
            "the root: no finite value satisfies the schema");
}

TEST(SchemaGate, AllOfIsMerged) {
  expect(R"({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                       {"properties": {"a": {"minimum": 3}, "b": {"type": "null"}}, "required": ["b"]}]})",
         {R"({"a":3,"b":null})"}, {R"({"a":2,"b":null})", R"({"a":3})"});
}

TEST(SchemaGate, ReferencesKeepTheirSiblings) {
  expect(R"({"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n", "minimum": 5})", {"5"},
         {"4", "\"5\"", "5.5"});
}

TEST(SchemaGate, AdditionalPropertiesAreAllowedUnlessForbidden) {
  expect(R"({"type": "object", "properties": {"a": {"type": "null"}}})",
         {"{}", R"({"b":1})", R"({"a":null,"b":[]})"}, {R"({"a":1})", R"({"b":1,"a":1})", R"({"\u0061":1})"});
  expect(R"({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false})",
         {"{}"}, {R"({"b":1})"});
}

TEST(SchemaGate, RequiredNeedsNoProperties) {
  expect(R"({"type": "object", "required": ["b", "a"]})", {R"({"b":1,"a":2})"}, {R"({"b":1})", "{}"});
}

TEST(SchemaGate, NumbersWithRangesAndMultiples) {
  expect(R"({"type": "number", "minimum": -0.5, "exclusiveMaximum": 10})", {"-0.5", "0", "9.999", "9"},
         {"-0.51", "10", "10.0", "11"});
  expect(R"({"type": "integer", "multipleOf": 7, "minimum": 10})", {"14", "700"}, {"7", "15", "14.0"});
  expect(R"({"minimum": 3})", {"3", "\"a\"", "null"}, {"2"});
}

TEST(SchemaGate, NothingIsLostWithoutTypes) {
  expect(R"({"minLength": 2})", {"\"ab\"", "1", "[]"}, {"\"a\""});
  expect(R"({"maxItems": 1})", {"[1]", "{}"}, {"[1,2]"});
}

// Keywords, one by one.

TEST(SchemaGate, ConstAndEnumOfAnyValue) {
  expect(R"({"const": {"a": [1, null], "b": "\n"}})", {R"({"a":[1,null],"b":"\n"})"},
         {R"({"a":[1],"b":"\n"})", "{}"});
  expect(R"({"enum": [1, "one", true, null, []]})", {"1", "\"one\"", "true", "null", "[]"},
         {"2", "false", "[1]"});
  expect(R"({"enum": ["red", "green"], "minLength": 4})", {"\"green\""}, {"\"red\""});
}

TEST(SchemaGate, Not) {
  expect(R"({"type": "string", "not": {"enum": ["a", "b"]}})", {"\"c\"", "\"ab\"", "\"\""},
         {"\"a\"", "\"b\""});
  expect(R"({"type": "object", "not": {"required": ["a"]}})", {"{}", R"({"b":1})"}, {R"({"a":1})"});
  expect(R"({"not": {"type": ["integer", "object"]}})", {"1.5", "[]"}, {"1", "{}"});
  EXPECT_EQ(Planned(R"({"not": {"uniqueItems": true}})").refused_keyword(), "uniqueItems");
}

TEST(SchemaGate, IfThenElse) {
  expect(
      R"({"type": "object", "properties": {"k": {"enum": ["a", "b"]}}, "required": ["k"], "additionalProperties": {"type": "integer"},
             "if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["x"]}, "else": {"required": ["y"]}})",
      {R"({"k":"a","x":1})", R"({"k":"b","y":1})"}, {R"({"k":"a","y":1})", R"({"k":"b"})"});
}

TEST(SchemaGate, Dependencies) {
  expect(R"({"type": "object", "dependentRequired": {"a": ["b"]}})", {"{}", R"({"a":1,"b":1})", R"({"b":1})"},
         {R"({"a":1})"});
  expect(R"({"type": "object", "dependentSchemas": {"a": {"maxProperties": 1}}})",
         {R"({"b":1,"c":1})", R"({"a":1})"}, {R"({"a":1,"b":1})"});
}

TEST(SchemaGate, Arrays) {
  expect(
      R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": {"type": "null"}, "minItems": 1, "maxItems": 4})",
      {"[1]", "[1,\"a\"]", "[1,\"a\",null,null]"},
      {"[]", "[\"a\"]", "[1,\"a\",1]", "[1,\"a\",null,null,null]"});
  expect(
      R"({"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 5}, "minContains": 2, "maxContains": 3})",
      {"[5,1,6]", "[5,5,5]"}, {"[5,1]", "[]", "[5,5,5,5]"});
  EXPECT_EQ(Planned(R"({"type": "array", "uniqueItems": true})").checked(), "uniqueItems@");
  EXPECT_EQ(Planned(R"({"type": "array", "uniqueItems": true, "maxItems": 1})").checked(), "");
}

TEST(SchemaGate, Objects) {
  expect(
      R"({"type": "object", "patternProperties": {"^n": {"type": "integer"}, "s$": {"type": "string"}}, "additionalProperties": false})",
      {"{}", R"({"n":1})", R"({"xs":"a"})"}, {R"({"n":"a"})", R"({"x":1})", R"({"ns":1})", R"({"ns":"a"})"});
  expect(R"({"type": "object", "propertyNames": {"maxLength": 2}})", {R"({"ab":1})"}, {R"({"abc":1})"});
  expect(
      R"({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "additionalProperties": false, "minProperties": 1, "maxProperties": 2})",
      {R"({"a":1})", R"({"b":1,"c":1})"}, {"{}", R"({"a":1,"b":1,"c":1})"});
  EXPECT_EQ(Planned(R"({"type": "object", "minProperties": 2})").checked(), "minProperties@");
}

TEST(SchemaGate, Unevaluated) {
  expect(
      R"({"type": "object", "properties": {"a": {}}, "anyOf": [{"properties": {"b": {"const": 1}}, "required": ["b"]},
             {"properties": {"c": {"const": 1}}, "required": ["c"]}], "unevaluatedProperties": false})",
      {R"({"a":1,"b":1})", R"({"b":1,"c":1})"}, {R"({"a":1})", R"({"b":1,"c":2})", R"({"b":1,"d":1})"});
  expect(R"({"prefixItems": [{}], "contains": {"const": 1}, "unevaluatedItems": {"const": 2}})",
         {"[0,1,2,1]"}, {"[0,1,3]"});
}

TEST(SchemaGate, References) {
  expect(R"({"$id": "http://x/root", "type": "array", "items": {"$ref": "leaf"}, "minItems": 1,
             "$defs": {"l": {"$id": "leaf", "anyOf": [{"$ref": "#end"}, {"$ref": "root"}], "$defs": {"e": {"$anchor": "end", "type": "null"}}}}})",
         {"[null]", "[[null],null]"}, {"[]", "[1]"});
  expect(R"({"properties": {"a/b": {"type": "null"}, "c": {"$ref": "#/properties/a~1b"}}})",
         {R"({"c":null})"}, {R"({"c":1})"});
  EXPECT_EQ(Planned(R"({"$ref": "http://elsewhere/schema"})").refused_keyword(), "$ref");
  EXPECT_EQ(Planned(R"({"$ref": "#/$defs/none"})").refused_keyword(), "$ref");
}

TEST(SchemaGate, Formats) {
  expect(R"({"type": "string", "format": "date"})", {"\"2024-02-29\""},
         {"\"2023-02-29\"", "\"0000-01-01\"", "\"2024-13-01\"", "\"x\""});
  expect(R"({"type": "string", "format": "ipv4"})", {"\"127.0.0.1\""}, {"\"256.0.0.1\"", "\"01.0.0.1\""});
  expect(R"({"type": "integer", "format": "int32"})", {"2147483647"}, {"2147483648"});
  EXPECT_EQ(Planned(R"({"format": "regex"})").checked(), "format@");
  EXPECT_EQ(Planned(R"({"format": "zip-code"})").refused_keyword(), "format");
}

TEST(SchemaGate, LengthsCountCodePoints) {
  expect(R"({"type": "string", "minLength": 2, "maxLength": 3})", {"\"\U0001F600a\"", R"("\n\"\u00e9")"},
         {"\"\U0001F600\"", "\"abcd\""});
  const std::string hundred(100, 'x');
  expect(R"({"type": "string", "minLength": 3, "maxLength": 100})",
         {"\"" + hundred + "\"", "\"xyz\"", "\"xyz\u00e9\""}, {"\"" + hundred + "x\"", "\"xy\""});
}

TEST(SchemaGate, LongStringsEndInTime) {
  const Planned planned(R"({"type": "string", "maxLength": 30})");
  const std::string begin = "\"" + std::string(29, 'x');
  EXPECT_TRUE(planned.writes(begin + "y\""));
  EXPECT_FALSE(planned.writes(begin + "yz\""));
  EXPECT_TRUE(planned.writes(begin + "\\u00e9\""));  // an escape that was begun is finished
  EXPECT_FALSE(planned.writes(begin + "\\u00e9z\""));
  EXPECT_FALSE(planned.writes(begin + "\\n\\n\""));
  std::string wide = "\"";
  for (int i = 0; i < 30; ++i) wide += "\U0001F600";
  EXPECT_TRUE(planned.writes(wide + "\""));
  EXPECT_FALSE(planned.writes(wide + "\U0001F600\""));
}

TEST(SchemaGate, BooleanSchemas) {
  expect("true", {"1", "{\"a\":[]}"}, {"", "nul"});
  EXPECT_EQ(Planned("false").refused(), "the root: no finite value satisfies the schema");
  EXPECT_EQ(Planned("[]").refused(), "the root: a schema must be an object, true or false");
}

TEST(SchemaGate, ShortestInstance) {
  EXPECT_EQ(
      Planned(
          R"({"type": "object", "properties": {"a": {"enum": ["long", "b"]}, "c": {"type": "integer", "minimum": 12}}, "required": ["a", "c"]})")
          .plan()
          .shortest,
      R"({"a":"b","c":12})");
}

TEST(SchemaGate, WhiteSpaceHasAnEnd) {
  const Planned planned(R"({"type": "array"})");
  EXPECT_TRUE(planned.writes("[\n    1, 2\n]"));
  EXPECT_FALSE(planned.writes("[  1]"));
  EXPECT_FALSE(planned.writes("[\n\n1]"));
}

TEST(SchemaGate, MisspeltAndForeignKeywordsAreRefused) {
  EXPECT_EQ(Planned(R"({"properties": {"a": {"minlength": 2}}})").refused(),
            "'minlength' at /properties/a: no keyword; did you mean 'minLength'?");
  EXPECT_EQ(Planned(R"({"additional_properties": false})").refused_keyword(), "additional_properties");
  EXPECT_EQ(Planned(R"({"nullable": true})").refused_keyword(), "nullable");
  EXPECT_EQ(Planned(R"({"items": [{}]})").refused(),
            "'items' at the root: must be a schema: an object, true or false");
  EXPECT_EQ(Planned(R"({"type": "text"})").refused_keyword(), "type");
  EXPECT_EQ(Planned(R"({"x-order": 1, "example": 2, "title": 3})").refused(), "");
}

// What would cost the compiler too much.

TEST(SchemaGate, HostileSchemasAreRefusedSoon) {
  const auto refused = [](const std::string& schema) {
    const auto planned = plan_schema(parsed(schema), {});
    const SchemaRefusal* refusal = std::get_if<SchemaRefusal>(&planned);
    return refusal != nullptr && refusal->code == ErrorCode::kTooLarge;
  };
  std::string nested = R"({"type": "string"})";
  for (int i = 0; i < 14; ++i)
    nested = R"({"oneOf": [)" + nested + R"(, {"properties": {"a": )" + nested + "}}]}";
  EXPECT_TRUE(refused(nested));
  std::string many = R"({"anyOf": [)";
  for (int i = 0; i < 60'000; ++i)
    many += (i == 0 ? "" : ",") + std::string(R"({"const": )") + std::to_string(i) + "}";
  EXPECT_TRUE(refused(many + "]}"));
  EXPECT_TRUE(refused(R"({"type": "string", "minLength": 1000000000})"));
  EXPECT_TRUE(refused(R"({"type": "array", "minItems": 1000000000})"));
  EXPECT_TRUE(refused(R"({"type": "string", "pattern": "(a|b)*a(a|b){20}"})"));
  std::string product = R"({"allOf": [)";
  for (int i = 0; i < 40; ++i) {
    product += (i == 0 ? "" : ",") + std::string(R"({"anyOf": [{"required": ["a)") + std::to_string(i) +
               R"("]}, {"required": ["b)" + std::to_string(i) + R"("]}]})";
  }
  EXPECT_TRUE(refused(product + "]}"));
  std::string doubled = R"({"$defs": {"d0": {"type": "null"})";
  for (int i = 1; i < 40; ++i) {
    const std::string below = R"({"$ref": "#/$defs/d)" + std::to_string(i - 1) + R"("})";
    doubled += R"(, "d)" + std::to_string(i) + R"(": {"type": "array", "prefixItems": [)" + below + ", " +
               below + R"(], "minItems": 2})";
  }
  EXPECT_TRUE(refused(doubled + R"(}, "$ref": "#/$defs/d39"})"));
}

TEST(SchemaGate, RulesAreNamedAfterTheRoot) {
  SchemaGateOptions options;
  options.root_rule = "arguments";
  const auto planned = plan_schema(parsed(R"({"type": "array"})"), options);
  ASSERT_TRUE(std::holds_alternative<SchemaPlan>(planned));
  const std::string& grammar = std::get<SchemaPlan>(planned).grammar;
  EXPECT_TRUE(grammar.starts_with("arguments ::= arguments_1\n")) << grammar;
}

}  // namespace
}  // namespace hussar
