// The metaschemas of draft 2020-12, without the parts that only describe.
#include "grammar/json_schema_documents.h"

namespace hussar {
namespace {

#define META "https://json-schema.org/draft/2020-12/"
#define VOCABULARY(NAME)                                                                                   \
  R"({"$schema":")" META R"(schema","$id":")" META "meta/" NAME R"(","$vocabulary":{")" META "vocab/" NAME \
  R"(":true},"$dynamicAnchor":"meta","type":["object","boolean"],)"

constexpr std::string_view kSchema =
    R"({"$schema":")" META R"(schema","$id":")" META R"(schema","$vocabulary":{")" META
    R"(vocab/core":true,")" META R"(vocab/applicator":true,")" META R"(vocab/unevaluated":true,")" META
    R"(vocab/validation":true,")" META R"(vocab/meta-data":true,")" META
    R"(vocab/format-annotation":true,")" META
    R"(vocab/content":true},"$dynamicAnchor":"meta","allOf":[{"$ref":"meta/core"},{"$ref":"meta/applicator"},
    {"$ref":"meta/unevaluated"},{"$ref":"meta/validation"},{"$ref":"meta/meta-data"},
    {"$ref":"meta/format-annotation"},{"$ref":"meta/content"}],"type":["object","boolean"],"properties":{
    "definitions":{"type":"object","additionalProperties":{"$dynamicRef":"#meta"}},
    "dependencies":{"type":"object","additionalProperties":{"anyOf":[{"$dynamicRef":"#meta"},
        {"$ref":"meta/validation#/$defs/stringArray"}]}},
    "$recursiveAnchor":{"$ref":"meta/core#/$defs/anchorString"},
    "$recursiveRef":{"$ref":"meta/core#/$defs/uriReferenceString"}}})";

constexpr std::string_view kCore = VOCABULARY("core") R"("properties":{
    "$id":{"$ref":"#/$defs/uriReferenceString","pattern":"^[^#]*#?$"},
    "$schema":{"$ref":"#/$defs/uriString"},
    "$ref":{"$ref":"#/$defs/uriReferenceString"},
    "$anchor":{"$ref":"#/$defs/anchorString"},
    "$dynamicRef":{"$ref":"#/$defs/uriReferenceString"},
    "$dynamicAnchor":{"$ref":"#/$defs/anchorString"},
    "$vocabulary":{"type":"object","propertyNames":{"$ref":"#/$defs/uriString"},
        "additionalProperties":{"type":"boolean"}},
    "$comment":{"type":"string"},
    "$defs":{"type":"object","additionalProperties":{"$dynamicRef":"#meta"}}},
  "$defs":{
    "anchorString":{"type":"string","pattern":"^[A-Za-z_][-A-Za-z0-9._]*$"},
    "uriString":{"type":"string","format":"uri"},
    "uriReferenceString":{"type":"string","format":"uri-reference"}}})";

constexpr std::string_view kApplicator = VOCABULARY("applicator") R"("properties":{
    "prefixItems":{"$ref":"#/$defs/schemaArray"},
    "items":{"$dynamicRef":"#meta"},
    "contains":{"$dynamicRef":"#meta"},
    "additionalProperties":{"$dynamicRef":"#meta"},
    "properties":{"type":"object","additionalProperties":{"$dynamicRef":"#meta"}},
    "patternProperties":{"type":"object","additionalProperties":{"$dynamicRef":"#meta"},
        "propertyNames":{"format":"regex"}},
    "dependentSchemas":{"type":"object","additionalProperties":{"$dynamicRef":"#meta"}},
    "propertyNames":{"$dynamicRef":"#meta"},
    "if":{"$dynamicRef":"#meta"},
    "then":{"$dynamicRef":"#meta"},
    "else":{"$dynamicRef":"#meta"},
    "allOf":{"$ref":"#/$defs/schemaArray"},
    "anyOf":{"$ref":"#/$defs/schemaArray"},
    "oneOf":{"$ref":"#/$defs/schemaArray"},
    "not":{"$dynamicRef":"#meta"}},
  "$defs":{"schemaArray":{"type":"array","minItems":1,"items":{"$dynamicRef":"#meta"}}}})";

constexpr std::string_view kUnevaluated = VOCABULARY("unevaluated") R"("properties":{
    "unevaluatedItems":{"$dynamicRef":"#meta"},
    "unevaluatedProperties":{"$dynamicRef":"#meta"}}})";

constexpr std::string_view kValidation = VOCABULARY("validation") R"("properties":{
    "type":{"anyOf":[{"$ref":"#/$defs/simpleTypes"},
        {"type":"array","items":{"$ref":"#/$defs/simpleTypes"},"minItems":1,"uniqueItems":true}]},
    "const":true,
    "enum":{"type":"array","items":true},
    "multipleOf":{"type":"number","exclusiveMinimum":0},
    "maximum":{"type":"number"},
    "exclusiveMaximum":{"type":"number"},
    "minimum":{"type":"number"},
    "exclusiveMinimum":{"type":"number"},
    "maxLength":{"$ref":"#/$defs/nonNegativeInteger"},
    "minLength":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},
    "pattern":{"type":"string","format":"regex"},
    "maxItems":{"$ref":"#/$defs/nonNegativeInteger"},
    "minItems":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},
    "uniqueItems":{"type":"boolean"},
    "maxContains":{"$ref":"#/$defs/nonNegativeInteger"},
    "minContains":{"$ref":"#/$defs/nonNegativeInteger"},
    "maxProperties":{"$ref":"#/$defs/nonNegativeInteger"},
    "minProperties":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},
    "required":{"$ref":"#/$defs/stringArray"},
    "dependentRequired":{"type":"object","additionalProperties":{"$ref":"#/$defs/stringArray"}}},
  "$defs":{
    "nonNegativeInteger":{"type":"integer","minimum":0},
    "nonNegativeIntegerDefault0":{"$ref":"#/$defs/nonNegativeInteger"},
    "simpleTypes":{"enum":["array","boolean","integer","null","number","object","string"]},
    "stringArray":{"type":"array","items":{"type":"string"},"uniqueItems":true}}})";

constexpr std::string_view kMetaData = VOCABULARY("meta-data") R"("properties":{
    "title":{"type":"string"},
    "description":{"type":"string"},
    "default":true,
    "deprecated":{"type":"boolean"},
    "readOnly":{"type":"boolean"},
    "writeOnly":{"type":"boolean"},
    "examples":{"type":"array","items":true}}})";

constexpr std::string_view kFormatAnnotation =
    VOCABULARY("format-annotation") R"("properties":{"format":{"type":"string"}}})";
constexpr std::string_view kFormatAssertion =
    VOCABULARY("format-assertion") R"("properties":{"format":{"type":"string"}}})";

constexpr std::string_view kContent = VOCABULARY("content") R"("properties":{
    "contentEncoding":{"type":"string"},
    "contentMediaType":{"type":"string"},
    "contentSchema":{"$dynamicRef":"#meta"}}})";

constexpr SchemaSource kMetaschemas[] = {
    {META "schema", kSchema},
    {META "meta/core", kCore},
    {META "meta/applicator", kApplicator},
    {META "meta/unevaluated", kUnevaluated},
    {META "meta/validation", kValidation},
    {META "meta/meta-data", kMetaData},
    {META "meta/format-annotation", kFormatAnnotation},
    {META "meta/format-assertion", kFormatAssertion},
    {META "meta/content", kContent},
};

}  // namespace

std::span<const SchemaSource> builtin_metaschemas() { return kMetaschemas; }

}  // namespace hussar
