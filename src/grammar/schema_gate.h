// The gate before the grammar compiler: reads a JSON Schema (draft 2020-12) and either refuses it, by the
// name and path of a keyword, or hands out a plan whose grammar, together with the checks that the plan
// names, lets through instances of the schema and no others. No keyword is silently ignored or weakened.
//
// The plan's grammar is EBNF text for the compiler, written here from the schema: the compiler's own reading
// of JSON Schema is never used, because it drops what it can't express. It is exact up to the order of
// properties (that of the schema), properties that nobody asked for (OtherProperties), white space (at most
// one line break and an indent between tokens) and how a number or string is spelled: it writes every value
// that the schema allows, in one spelling at least. What a grammar can't express (say, uniqueItems) is let
// through by the grammar and named in `checks`: whoever uses the plan validates the finished instance against
// the schema as it was sent, and draws again when it fails.
//
// Cost is counted here, before the compiler sees anything: its work is bounded by `rules_max` and
// `expressions_max`.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hussar {

struct SchemaLimits {
  int32_t nodes_max = 20'000;         // subschemas met, after $ref
  int32_t conjunctions_max = 4'000;   // sets of subschemas that one value must satisfy together
  int32_t alternatives_max = 256;     // ways to satisfy one such set: anyOf and the like, multiplied out
  int64_t work_max = 100'000;         // steps to multiply alternatives out and tell them apart
  int32_t enum_values_max = 5'000;    // of one enum
  int32_t pattern_bytes_max = 2'000;  // of one pattern
  int32_t pattern_states_max =
      2'000;                     // of one string's automaton: patterns, lengths and excluded names together
  int64_t multiple_max = 1'000;  // multipleOf, without its decimal point
  int32_t repetitions_max =
      10'000;  // minLength, minItems and the like; higher upper bounds are checked or refused too
  int32_t length_min_max = 256;  // minLength, where there is no pattern
  // States of strings and property names in which most characters may follow: 5 ms each for the compiler.
  int32_t open_states_max = 400;
  int32_t rules_max = 20'000;           // of the grammar
  int32_t expressions_max = 200'000;    // of the grammar: literals, classes, references, operators
  int32_t shortest_bytes_max = 65'536;  // of the schema's shortest instance
};

// Why a schema is refused. All of it is the sender's business: a 400.
struct SchemaRefusal {
  ErrorCode code = ErrorCode::kUnsupported;  // kInvalid: not a schema; kTooLarge: over a limit
  std::string keyword;                       // "not"; empty where no keyword is at fault
  std::string
      path;  // JSON pointer to the schema that holds the keyword: "/properties/a", "" for the whole document
  std::string reason;  // one line, no full stop

  // "'not' at /properties/a: <reason>", the root being "the root".
  std::string message() const;
};

// A keyword that the grammar alone doesn't ensure.
struct SchemaCheck {
  std::string keyword;
  std::string path;
};

struct SchemaPlan {
  std::string grammar;              // EBNF; its start is the rule `root_rule`
  std::vector<SchemaCheck> checks;  // empty: every text of the grammar is an instance of the schema
  std::string shortest;             // one text of the grammar with the least bytes
  int32_t rules = 0;
  int32_t expressions = 0;

  bool needs_check() const { return !checks.empty(); }
};

// Properties that an object's schema does not list. Where it lists some and says nothing of others (no
// additionalProperties, patternProperties, propertyNames or unevaluatedProperties, nor a minProperties that
// needs them), the standard allows any: who lists properties seldom means that, and each name would have to
// be kept apart from the listed ones, which costs the compiler more than all else.
enum class OtherProperties {
  kWhereAsked,  // such an object has the listed ones only
  kAnywhere,    // all that the standard allows can be written
};

struct SchemaGateOptions {
  SchemaLimits limits;
  OtherProperties others = OtherProperties::kWhereAsked;
  // Name of the grammar's start; all other rules are called `root_rule` + "_" + a number, so that several
  // plans fit into one grammar.
  std::string root_rule = "root";
};

// Deterministic, without state, and bounded in time and memory by the limits. `schema` may be anything.
std::variant<SchemaPlan, SchemaRefusal> plan_schema(const Json& schema, const SchemaGateOptions& options);

}  // namespace hussar
