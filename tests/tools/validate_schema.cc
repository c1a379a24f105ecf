// Validates instances, one schema for each line of standard input:
//   {"documents": {URI: text, ...}}                             what references of the later lines may lead
//   to
//   {"schema": text, "instances": [text, ...], "formats": "assert", "limits": {...}}
//   {"pattern": text, "instances": [string, ...], "strict": true}
//   {"builtin": URI}                                            the text of a metaschema that is built in
// The answer is one line: {"verdicts": [{"verdict", "keyword", "schema", "instance", "reason"}, ...]}, for a
// pattern {"matches": [...]}, for a metaschema {"text"}, or {"error", "code"}.
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "grammar/json_schema_documents.h"
#include "grammar/json_schema_validator.h"

namespace {

using hussar::Error;
using hussar::ErrorCode;
using hussar::Json;
using hussar::JsonArray;
using hussar::JsonObject;
using hussar::JsonSchema;
using hussar::Result;
using hussar::SchemaVerdict;

std::string code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kTooLarge:
      return "too_large";
    default:
      return "other";
  }
}

std::string verdict_name(SchemaVerdict::Kind kind) {
  switch (kind) {
    case SchemaVerdict::Kind::kValid:
      return "valid";
    case SchemaVerdict::Kind::kInvalid:
      return "invalid";
    case SchemaVerdict::Kind::kUndecided:
      break;
  }
  return "undecided";
}

std::vector<std::string> strings(const Json& request, std::string_view key) {
  std::vector<std::string> texts;
  const Json* list = request.find(key);
  if (list == nullptr || list->as_array() == nullptr) return texts;
  for (const Json& text : *list->as_array()) {
    if (text.as_string() != nullptr) texts.push_back(*text.as_string());
  }
  return texts;
}

class Tool {
 public:
  Result<Json> answer(const Json& request) {
    if (const Json* documents = request.find("documents")) return keep_documents(*documents);
    if (const Json* uri = request.find("builtin")) return builtin(*uri);
    if (const Json* pattern = request.find("pattern")) return search(*pattern, request);
    const Json* schema = request.find("schema");
    if (schema == nullptr || schema->as_string() == nullptr)
      return Error{ErrorCode::kInvalid, "no schema", ""};
    JsonSchema::Options options;
    options.documents = sources_;
    if (request.find("formats") != nullptr) options.formats = JsonSchema::Formats::kAssert;
    ASSIGN_OR_RETURN(const JsonSchema compiled, JsonSchema::compile(*schema->as_string(), options));
    JsonArray verdicts;
    for (const std::string& instance : strings(request, "instances")) {
      const SchemaVerdict verdict = compiled.validate(instance, {});
      verdicts.emplace_back(JsonObject{{"verdict", verdict_name(verdict.kind)},
                                       {"keyword", verdict.keyword},
                                       {"schema", verdict.schema_path},
                                       {"instance", verdict.instance_path},
                                       {"reason", verdict.reason}});
    }
    return Json(JsonObject{{"verdicts", std::move(verdicts)}});
  }

 private:
  Result<Json> keep_documents(const Json& documents) {
    if (documents.as_object() == nullptr) return Error{ErrorCode::kInvalid, "no object", ""};
    for (const auto& [uri, text] : *documents.as_object()) {
      if (text.as_string() != nullptr) texts_.emplace_back(uri, *text.as_string());
    }
    sources_.clear();
    for (const auto& [uri, text] : texts_) sources_.push_back({uri, text});
    return Json(JsonObject());
  }

  static Result<Json> builtin(const Json& uri) {
    for (const hussar::SchemaSource& source : hussar::builtin_metaschemas()) {
      if (uri.as_string() != nullptr && *uri.as_string() == source.uri)
        return Json(JsonObject{{"text", source.text}});
    }
    return Error{ErrorCode::kNotFound, "no such metaschema", ""};
  }

  static Result<Json> search(const Json& pattern, const Json& request) {
    if (pattern.as_string() == nullptr) return Error{ErrorCode::kInvalid, "no string", ""};
    if (request.find("strict") != nullptr) {
      const auto strict = hussar::parse_regex(*pattern.as_string(), hussar::RegexDialect::kStrict, {});
      if (!strict.ok()) return strict.error();
    }
    ASSIGN_OR_RETURN(const hussar::SchemaRegex regex, hussar::SchemaRegex::compile(*pattern.as_string(), {}));
    hussar::RegexScratch scratch;
    JsonArray matches;
    for (const std::string& text : strings(request, "instances")) {
      hussar::StepBudget budget{1 << 30};
      matches.emplace_back(regex.search(text, &budget, &scratch));
    }
    return Json(JsonObject{{"matches", std::move(matches)}});
  }

  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<hussar::SchemaSource> sources_;
};

}  // namespace

int main() {
  Tool tool;
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = hussar::parse_json(line, {.bytes_max = 64 << 20, .depth_max = 200});
    const Result<Json> reply = request.ok() ? tool.answer(*request) : Result<Json>(request.error());
    const Json shown =
        reply.ok()
            ? *reply
            : Json(JsonObject{{"error", reply.error().message}, {"code", code_name(reply.error().code)}});
    std::cout << hussar::write_json(shown) << std::endl;
  }
  return 0;
}
