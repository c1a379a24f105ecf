// What a request wants its answer held to: OpenAI's `response_format` and vLLM's `structured_outputs`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "grammar/grammar_spec.h"
#include "server/fields.h"

namespace hussar {

struct AnswerFormat {
  GrammarSpec spec;
  std::string field;  // as errors name it: "response_format.json_schema.schema"
};

struct CompletionRequest;

// Nothing for {"type": "text"}. Errors: kInvalid, kUnsupported.
Result<std::optional<AnswerFormat>> read_response_format(std::string_view name, const Json& value,
                                                         const FieldContext& context,
                                                         std::vector<std::string>* ignored);
// Exactly one of json, json_object, regex, choice and grammar. Errors: kInvalid, kUnsupported.
Result<std::optional<AnswerFormat>> read_structured_outputs(std::string_view name, const Json& value,
                                                            const FieldContext& context,
                                                            std::vector<std::string>* ignored);

// A format and a field that would end the answer elsewhere than where the document is whole exclude each
// other. Errors: kInvalid, naming that field.
Result<void> check_format_conflicts(const CompletionRequest& request);

// The error of a grammar that could not be compiled, as its sender is to read it.
Error format_error(const AnswerFormat& format, Error error);

}  // namespace hussar
