// JSON Schema, draft 2020-12: whether a finished JSON text is an instance of a schema. It shares no code with
// the grammar that generates texts, the reading of URIs aside, so that each can be held against the other.
//
// Checked, exactly as the draft says:
//   core          $id $anchor $dynamicAnchor $ref $dynamicRef $defs $schema $vocabulary
//   applicators   allOf anyOf oneOf not if then else dependentSchemas properties patternProperties
//                 additionalProperties propertyNames prefixItems items contains
//   unevaluated   unevaluatedProperties unevaluatedItems
//   validation    type const enum multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minLength
//                 maxLength pattern minItems maxItems uniqueItems minContains maxContains minProperties
//                 maxProperties required dependentRequired
//   format        when Options::formats asks for it or the metaschema requires it: those that
//                 is_checked_format (json_schema_format.h) knows
// Never checked, because the draft says that they only describe: title description default examples
// deprecated readOnly writeOnly $comment contentEncoding contentMediaType contentSchema, `format` by default,
// a format of a name that the draft does not have, and every keyword that the draft does not have
// ("dependencies", "definitions" and "nullable" among them). Whoever wants these refused refuses them before.
//
// Numbers are compared by their exact decimal value, lengths counted in code points, patterns read as
// ECMA-262 with the flag u (json_schema_regex.h says what it refuses).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "grammar/json_schema_regex.h"

namespace hussar {

struct SchemaProgram;
struct SchemaSource;

// How a validation ended.
struct SchemaVerdict {
  enum class Kind {
    kValid,
    kInvalid,    // also a text that is no JSON; `reason` then says why, and `keyword` is empty
    kUndecided,  // a limit was reached, which `reason` names
  };
  Kind kind = Kind::kValid;
  // The first keyword that failed, JSON pointers to the schema that holds it and to the value that it looked
  // at, and the document where that is not the schema itself. A schema `false` has no keyword.
  std::string keyword;
  std::string schema_path;
  std::string document;
  std::string instance_path;
  std::string reason;

  bool is_valid() const { return kind == Kind::kValid; }
};

// Immutable; validates on any number of threads at once.
class JsonSchema {
 public:
  enum class Formats { kAnnotate, kAssert };

  // These, and InstanceLimits, are no flags of the server: they say what a schema or an answer of sensible
  // size never reaches, so that what is foreign stays bounded. Who writes schemas meets the limits of
  // compiling a grammar for them first, which are flags; whoever validates in a thread that others wait for
  // passes less.
  struct Limits {
    JsonLimits json = {.bytes_max = 1 << 20, .depth_max = 64, .values_max = 200'000};  // of each document
    size_t subschemas_max = 50'000;
    SchemaRegex::Limits regex;
    size_t regex_instructions_max = 200'000;  // of all patterns together
  };
  // A $schema that names draft 6, 7 or 2019-09. Read as 2020-12, a keyword that has another meaning there is
  // refused by name (json_schema_older_drafts.h), so that every schema that compiles means what its draft
  // says.
  enum class OlderDrafts { kRefuse, kReadAs2020 };

  struct Options {
    Limits limits;
    Formats formats = Formats::kAnnotate;
    OlderDrafts older_drafts = OlderDrafts::kRefuse;
    // What a reference may lead to outside the schema. The draft's metaschemas are always there. Nothing is
    // ever fetched.
    std::span<const SchemaSource> documents;
  };

  // Errors name the keyword and its path ("'minLength' at /properties/a: ..."): kInvalid (not JSON, not a
  // schema, a reference to nothing or in a circle), kUnsupported (another draft, an unknown vocabulary, a
  // pattern or, when asserted, a format that can't be checked), kTooLarge. A schema that compiles is one by
  // the draft's metaschema, as far as it can be reached.
  static Result<JsonSchema> compile(std::string_view schema, const Options& options);
  // For a schema that is a Json already. Numbers of more than 17 digits lost some when they became one; the
  // text keeps them.
  static Result<JsonSchema> compile_json(const Json& schema, const Options& options);

  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;
  ~JsonSchema();

  struct InstanceLimits {
    JsonLimits json = {.bytes_max = 1 << 20, .depth_max = 64, .values_max = 200'000};
    int64_t steps_max = 20'000'000;  // a step takes some nanoseconds
    int32_t depth_max = 1'000;       // of subschemas within one another, which is about 1 KiB of stack each
  };
  SchemaVerdict validate(std::string_view instance, const InstanceLimits& limits) const;

 private:
  explicit JsonSchema(std::unique_ptr<const SchemaProgram> program);
  std::unique_ptr<const SchemaProgram> program_;
};

}  // namespace hussar
