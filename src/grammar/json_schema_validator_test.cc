#include "grammar/json_schema_validator.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "grammar/json_schema_documents.h"

namespace hussar {
namespace {

using Kind = SchemaVerdict::Kind;

JsonSchema compiled(const std::string& schema, const JsonSchema::Options& options = {}) {
  auto result = JsonSchema::compile(schema, options);
  EXPECT_TRUE(result.ok()) << schema << ": " << (result.ok() ? "" : result.error().message);
  return *std::move(result);
}

SchemaVerdict validate(const std::string& schema, const std::string& instance) {
  return compiled(schema).validate(instance, {});
}

// "keyword schema_path instance_path" of an invalid instance.
std::string failure(const std::string& schema, const std::string& instance) {
  const SchemaVerdict verdict = validate(schema, instance);
  EXPECT_EQ(verdict.kind, Kind::kInvalid) << schema << " " << instance << " " << verdict.reason;
  return verdict.keyword + " " + verdict.schema_path + " " + verdict.instance_path;
}

Error refusal(const std::string& schema, const JsonSchema::Options& options = {}) {
  const auto result = JsonSchema::compile(schema, options);
  EXPECT_FALSE(result.ok()) << schema;
  return result.ok() ? Error() : result.error();
}

TEST(JsonSchema, NamesTheKeywordThatFailedAndTheValue) {
  const std::string schema =
      R"({"type":"object","properties":{"a":{"minimum":3},"b/c":{"items":{"type":"string"}},
      "d":false},"required":["a"],"anyOf":[{"required":["x"]},{"required":["a"]}]})";
  EXPECT_EQ(failure(schema, R"({"a":2})"), "minimum /properties/a /a");
  EXPECT_EQ(failure(schema, R"({"a":3,"b/c":["x",1]})"), "type /properties/b~1c/items /b~1c/1");
  EXPECT_EQ(failure(schema, R"({"a":3,"d":1})"), " /properties/d /d");
  EXPECT_EQ(failure(schema, R"({"x":1})"), "required  ");
  EXPECT_EQ(failure(schema, "[]"), "type  ");
  EXPECT_EQ(failure(R"({"anyOf":[{"type":"null"},{"minimum":5}]})", "4"), "anyOf  ");
  EXPECT_EQ(failure(R"({"items":{"$ref":"#/$defs/x"},"$defs":{"x":{"not":{"const":1}}}})", "[0,1.0]"),
            "not /$defs/x /1");
  EXPECT_EQ(failure(R"({"contains":{"const":1},"minContains":2})", "[1,2]"), "minContains  ");
  EXPECT_TRUE(validate(schema, R"({"a":3,"b/c":["x"]})").is_valid());
}

TEST(JsonSchema, NamesTheDocumentWhereItIsAnother) {
  const SchemaSource other[] = {{"http://x/other", R"({"$defs":{"n":{"type":"number"}}})"}};
  JsonSchema::Options options;
  options.documents = other;
  const JsonSchema schema = compiled(R"({"$id":"http://x/main","$ref":"other#/$defs/n"})", options);
  EXPECT_TRUE(schema.validate("1", {}).is_valid());
  const SchemaVerdict verdict = schema.validate("\"1\"", {});
  EXPECT_EQ(verdict.kind, Kind::kInvalid);
  EXPECT_EQ(verdict.document, "http://x/other");
  EXPECT_EQ(verdict.schema_path, "/$defs/n");
}

TEST(JsonSchema, NumbersAreExact) {
  const struct {
    const char *schema, *valid, *invalid;
  } cases[] = {
      {R"({"const":1})", "1.0", "1.00000000000000000000001"},
      {R"({"enum":[12345678901234567890123]})", "1.2345678901234567890123e22", "12345678901234567890124"},
      {R"({"multipleOf":0.01})", "19.99", "19.999"},
      {R"({"type":"integer"})", "1e30", "1e-30"},
      {R"({"maximum":18446744073709551615})", "18446744073709551615", "18446744073709551616"},
      {R"({"exclusiveMinimum":0.1})", "0.10000000000000000001", "0.1000"},
      {R"({"uniqueItems":true})", "[1,1.5,true,\"1\"]", "[2,1,1.0]"},
      {R"({"minItems":2e0,"maxItems":2.0})", "[1,2]", "[1]"},
      {R"({"maxLength":1e30,"minLength":0})", "\"x\"", "nothing"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(validate(c.schema, c.valid).is_valid()) << c.schema;
    EXPECT_EQ(validate(c.schema, c.invalid).kind, Kind::kInvalid) << c.schema;
  }
}

TEST(JsonSchema, LengthsAreCodePoints) {
  EXPECT_TRUE(validate(R"({"minLength":2,"maxLength":2})", "\"\U0001F432\u00e9\"").is_valid());
  EXPECT_EQ(failure(R"({"minLength":3})", "\"\U0001F432\u00e9\""), "minLength  ");
  EXPECT_EQ(failure(R"({"maxLength":1})", R"("\ud83d\udc32x")"), "maxLength  ");
}

TEST(JsonSchema, WhatIsNoJsonIsInvalidAndWhatIsTooLargeUndecided) {
  const JsonSchema schema = compiled("true");
  for (const char* text : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "1 2", "\"\xff\"", "nul", "\"\\ud800\""}) {
    const SchemaVerdict verdict = schema.validate(text, {});
    EXPECT_EQ(verdict.kind, Kind::kInvalid) << text;
    EXPECT_FALSE(verdict.reason.empty());
    EXPECT_EQ(verdict.keyword, "");
  }
  EXPECT_EQ(schema.validate(std::string(100, '['), {}).kind, Kind::kUndecided);
  JsonSchema::InstanceLimits limits;
  limits.json.bytes_max = 3;
  EXPECT_EQ(schema.validate("[1,2]", limits).kind, Kind::kUndecided);
  limits.json = {.values_max = 2};
  EXPECT_EQ(schema.validate("[1,2]", limits).kind, Kind::kUndecided);
}

TEST(JsonSchema, RefusesWhatIsNoSchemaByKeywordAndPath) {
  const struct {
    const char *schema, *keyword, *path;
  } cases[] = {
      {"7", "schema", "the root"},
      {R"({"properties":{"a":[]}})", "schema", "/properties/a"},
      {R"({"type":"int"})", "type", "the root"},
      {R"({"type":[]})", "type", "the root"},
      {R"({"type":["null","null"]})", "type", "the root"},
      {R"({"items":{"minLength":-1}})", "minLength", "/items"},
      {R"({"items":{"maxItems":1.5}})", "maxItems", "/items"},
      {R"({"minimum":"3"})", "minimum", "the root"},
      {R"({"multipleOf":0})", "multipleOf", "the root"},
      {R"({"multipleOf":-1})", "multipleOf", "the root"},
      {R"({"enum":1})", "enum", "the root"},
      {R"({"uniqueItems":1})", "uniqueItems", "the root"},
      {R"({"required":"a"})", "required", "the root"},
      {R"({"required":["a","a"]})", "required", "the root"},
      {R"({"dependentRequired":{"a":[1]}})", "dependentRequired", "the root"},
      {R"({"pattern":"("})", "pattern", "the root"},
      {R"({"pattern":1})", "pattern", "the root"},
      {R"({"not":{"patternProperties":{"[":true}}})", "patternProperties", "/not"},
      {R"({"properties":[]})", "properties", "the root"},
      {R"({"allOf":[]})", "allOf", "the root"},
      {R"({"anyOf":{}})", "anyOf", "the root"},
      {R"({"$ref":1})", "$ref", "the root"},
      {R"({"$ref":"#/$defs/x"})", "$ref", "the root"},
      {R"({"$ref":"#x"})", "$ref", "the root"},
      {R"({"$dynamicRef":"#x"})", "$dynamicRef", "the root"},
      {R"({"$id":"#x"})", "$id", "the root"},
      {R"({"$id":3})", "$id", "the root"},
      {R"({"$anchor":"1"})", "$anchor", "the root"},
      {R"({"items":{"$anchor":"a"},"not":{"$anchor":"a"}})", "$anchor", "/not"},
      {R"({"items":{"$id":"a"},"not":{"$id":"a"}})", "$id", "/not"},
      {R"({"$schema":"http://json-schema.org/draft-07/schema#"})", "$schema", "the root"},
      {R"({"if":{"$schema":[]},"then":1})", "schema", "/then"},
  };
  for (const auto& c : cases) {
    const Error error = refusal(c.schema);
    const std::string path = c.path[0] == '/' ? '"' + std::string(c.path) + '"' : c.path;
    EXPECT_EQ(error.message.rfind("'" + std::string(c.keyword) + "' at " + path + ": ", 0), 0U)
        << c.schema << " -> " << error.message;
    EXPECT_EQ(error.field, c.keyword);
  }
  EXPECT_EQ(refusal(R"({"$ref":"http://elsewhere/"})").code, ErrorCode::kNotFound);
  EXPECT_EQ(refusal(R"({"$schema":"http://json-schema.org/draft-07/schema#"})").code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(refusal(R"({"pattern":"(a)\\1"})").code, ErrorCode::kUnsupported);
  EXPECT_EQ(refusal(R"({"multipleOf":1.0000000000000000001})").code, ErrorCode::kUnsupported);
}

TEST(JsonSchema, ReferencesThatNeverEndAreFound) {
  for (
      const char* schema :
      {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"}]})",
       R"({"not":{"anyOf":[{"type":"null"},{"$ref":"#"}]}})",
       R"({"$ref":"#/$defs/a","$defs":{"a":{"if":true,"then":{"$ref":"#/$defs/b"}},"b":{"$ref":"#/$defs/a"}}})",
       R"({"items":{"dependentSchemas":{"x":{"$ref":"#/items"}}}})"}) {
    const Error error = refusal(schema);
    EXPECT_NE(error.message.find("leads back"), std::string::npos) << schema << " " << error.message;
  }
  // Where only the run can tell, it ends at a limit.
  const JsonSchema schema = compiled(R"({"$dynamicAnchor":"a","$dynamicRef":"#a"})");
  const SchemaVerdict verdict = schema.validate("1", {});
  EXPECT_EQ(verdict.kind, Kind::kUndecided);
  EXPECT_NE(verdict.reason.find("without an end"), std::string::npos) << verdict.reason;
}

TEST(JsonSchema, RecursionThroughTheInstanceIsFine) {
  const JsonSchema list =
      compiled(R"({"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"integer"}}})");
  std::string good = R"({"v":1})", bad = R"({"v":"1"})";
  for (int i = 0; i < 60; ++i) {
    good = R"({"next":)" + good + "}";
    bad = R"({"next":)" + bad + "}";
  }
  EXPECT_TRUE(list.validate(good, {}).is_valid());
  EXPECT_EQ(list.validate(bad, {}).kind, Kind::kInvalid);
}

// The deepest run that the limits allow, on a thread's ordinary stack.
TEST(JsonSchema, DepthIsBoundedAndFitsTheStack) {
  std::string schema = R"({"$defs":{"s0":{"items":{"$ref":"#/$defs/s0"}})";
  for (int i = 1; i < 990; ++i) {
    schema +=
        ",\"s" + std::to_string(i) + R"(":{"anyOf":[{"$ref":"#/$defs/s)" + std::to_string(i - 1) + "\"}]}";
  }
  const auto starting_at = [&](int i) {
    return schema + R"(},"$ref":"#/$defs/s)" + std::to_string(i) + "\"}";
  };
  EXPECT_TRUE(validate(starting_at(400), "[[1]]").is_valid());
  EXPECT_EQ(validate(starting_at(600), "[[1]]").kind, Kind::kUndecided);
}

TEST(JsonSchema, CostIsBounded) {
  // Each level doubles the work.
  std::string schema = R"({"$ref":"#/$defs/s40","$defs":{"s0":{"type":"null"})";
  for (int i = 1; i <= 40; ++i) {
    const std::string below = R"({"$ref":"#/$defs/s)" + std::to_string(i - 1) + "\"}";
    schema += ",\"s" + std::to_string(i) + R"(":{"oneOf":[)" + below + "," + below + "]}";
  }
  const SchemaVerdict verdict = validate(schema + "}}", "1");
  EXPECT_EQ(verdict.kind, Kind::kUndecided);
  EXPECT_NE(verdict.reason.find("20000000 steps"), std::string::npos) << verdict.reason;
}

TEST(JsonSchema, HostileSchemasAreAnsweredOrRefused) {
  std::string many = R"({"enum":[)";
  for (int i = 0; i < 60'000; ++i) many += (i == 0 ? "\"v" : ",\"v") + std::to_string(i) + '"';
  const JsonSchema alternatives = compiled(many + "]}");
  EXPECT_TRUE(alternatives.validate("\"v59999\"", {}).is_valid());
  EXPECT_EQ(alternatives.validate("\"v60000\"", {}).kind, Kind::kInvalid);
  EXPECT_EQ(failure(R"({"minLength":1000000000000000000000})", "\"a\""), "minLength  ");
  EXPECT_EQ(failure(R"({"pattern":"^(a+)+b$"})", '"' + std::string(30'000, 'a') + '"'), "pattern  ");
  EXPECT_EQ(refusal(R"({"pattern":"a{1000000000}"})").code, ErrorCode::kTooLarge);
  std::string patterns = R"({"patternProperties":{)";
  for (int i = 0; i < 30; ++i) patterns += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "a{9000}\":true";
  EXPECT_EQ(refusal(patterns + "}}").code, ErrorCode::kTooLarge);
  EXPECT_EQ(refusal(R"({"$id":")" + std::string(10'000, 'a') + "\"}").code, ErrorCode::kTooLarge);
  EXPECT_EQ(refusal(R"({"$ref":"#)" + std::string(10'000, 'a') + "\"}").code, ErrorCode::kTooLarge);
  JsonSchema::Options options;
  options.limits.subschemas_max = 3;
  EXPECT_EQ(refusal(R"({"allOf":[true,true,true]})", options).code, ErrorCode::kTooLarge);
  // Equal hashes are not to be had cheaply, but equal values are: the first pair ends it.
  std::string items = "[1";
  for (int i = 0; i < 50'000; ++i) items += ",1";
  EXPECT_EQ(failure(R"({"uniqueItems":true})", items + "]"), "uniqueItems  ");
}

TEST(JsonSchema, FormatsDescribeUnlessAsserted) {
  const std::string schema = R"({"format":"ipv4"})";
  EXPECT_TRUE(validate(schema, "\"x\"").is_valid());
  JsonSchema::Options options;
  options.formats = JsonSchema::Formats::kAssert;
  const JsonSchema asserting = compiled(schema, options);
  EXPECT_EQ(asserting.validate("\"x\"", {}).keyword, "format");
  EXPECT_TRUE(asserting.validate("\"1.2.3.4\"", {}).is_valid());
  EXPECT_TRUE(asserting.validate("7", {}).is_valid());
  EXPECT_EQ(refusal(R"({"format":"iri"})", options).code, ErrorCode::kUnsupported);
  const JsonSchema regex = compiled(R"({"format":"regex"})", options);
  EXPECT_EQ(regex.validate("\"\\\\p{Script=Greek}\"", {}).kind, Kind::kUndecided);
}

TEST(JsonSchema, OlderDraftsAreReadAsThisOneOrRefusedByName) {
  JsonSchema::Options options;
  options.older_drafts = JsonSchema::OlderDrafts::kReadAs2020;
  const std::string draft7 = R"({"$schema":"http://json-schema.org/draft-07/schema#",)";
  const JsonSchema schema =
      compiled(draft7 + R"("$ref":"#/definitions/a","definitions":{"a":{"minimum":3}}})", options);
  EXPECT_EQ(schema.validate("2", {}).keyword, "minimum");
  EXPECT_TRUE(schema.validate("3", {}).is_valid());
  const auto refused_keyword = [&](const std::string& start, const std::string& rest) {
    const Error error = refusal(start + rest, options);
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << rest;
    return error.field;
  };
  for (const std::string keyword :
       {"dependencies", "additionalItems", "$recursiveRef", "$recursiveAnchor", "unevaluatedItems",
        "prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "minContains",
        "maxContains"})
    EXPECT_EQ(refused_keyword(draft7, R"("not":{")" + keyword + R"(":{}}})"), keyword);
  EXPECT_EQ(refused_keyword(draft7, R"("not":{"$ref":"#","type":"null"}})"), "type");
  const std::string draft2019 = R"({"$schema":"https://json-schema.org/draft/2019-09/schema",)";
  EXPECT_EQ(refused_keyword(draft2019, R"("unevaluatedItems":false})"), "unevaluatedItems");
  EXPECT_FALSE(
      compiled(draft2019 + R"("$ref":"#/$defs/a","type":"null","$defs":{"a":{"minContains":0}}})", options)
          .validate("1", {})
          .is_valid());
  EXPECT_EQ(refusal(draft7 + R"("items":[true]})", options).code, ErrorCode::kUnsupported);
  EXPECT_EQ(refusal(R"({"$schema":"http://json-schema.org/draft-04/schema#"})", options).code,
            ErrorCode::kUnsupported);
}

// Each anchor is found only after the queue of subschemas has run empty once more.
TEST(JsonSchema, ManyDynamicAnchorsInARowAreFound) {
  constexpr int kCount = 2'000;
  std::string base = R"({"$id":"base","$defs":{)", resources;
  for (int i = 0; i <= kCount; ++i) {
    const std::string n = std::to_string(i);
    base += (i == 0 ? "\"" : ",\"") + n + R"(":{"$dynamicAnchor":"a)" + n + "\"}";
    if (i == kCount) break;
    resources += R"(,"r)" + n + R"(":{"$id":"r)" + n + R"(","$defs":{"x":{"$dynamicAnchor":"a)" + n +
                 R"(","$dynamicRef":"base#a)" + std::to_string(i + 1) + "\"}}}";
  }
  const JsonSchema schema =
      compiled(R"({"$dynamicRef":"base#a0","$defs":{"base":)" + base + "}}" + resources + "}}");
  EXPECT_TRUE(schema.validate("1", {}).is_valid());
}

TEST(JsonSchema, CompilesFromAParsedSchemaToo) {
  const Json schema = JsonObject{{"multipleOf", 0.01}, {"maximum", int64_t{9007199254740993}}};
  const auto result = JsonSchema::compile_json(schema, {});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->validate("0.07", {}).is_valid());
  EXPECT_EQ(result->validate("9007199254740994", {}).keyword, "maximum");
}

TEST(JsonSchema, OneSchemaServesManyThreads) {
  const JsonSchema schema = compiled(
      R"({"items":{"type":"string","pattern":"^(a|b)+$"},"uniqueItems":true,"unevaluatedItems":false})");
  std::vector<std::thread> threads;
  std::vector<int> right(4, 0);
  for (size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        right[t] += schema.validate(R"(["a","ab","ba"])", {}).is_valid() ? 1 : 0;
        right[t] += schema.validate(R"(["a","abc"])", {}).keyword == "pattern" ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(4, 400));
}

}  // namespace
}  // namespace hussar
