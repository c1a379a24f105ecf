#include "server/response_format.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/completion_request.h"

namespace hussar {

namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kDescriptionBytesMax = 16 << 10;
constexpr size_t kTextBytesMax = 1 << 20;  // of an expression or a grammar; the body is bounded before
constexpr size_t kChoicesMax = 100'000;    // what they cost is limited where they are compiled

Error invalid(std::string_view name, std::string message) {
  return {ErrorCode::kInvalid, std::string(name) + " " + std::move(message), std::string(name)};
}

// One value that is an object or a boolean: what a JSON Schema can be.
Result<std::string> schema_text(const std::string& name, const Json& value) {
  if (value.as_object() == nullptr && value.as_bool() == nullptr) {
    return invalid(name, "must be a JSON Schema, an object, not " + std::string(value.type_name()));
  }
  return write_json(value);
}

// --- response_format
// --------------------------------------------------------------------------------------------------------------

struct SchemaWrapper {
  std::optional<std::string> name, description;
  std::optional<std::string> schema;
  bool strict = true;  // an answer is held to the schema either way
};

Result<void> read_wrapped_schema(std::string_view name, const Json& value, const FieldContext&,
                                 SchemaWrapper* to) {
  ASSIGN_OR_RETURN(to->schema, schema_text(std::string(name), value));
  return {};
}

constexpr Field<SchemaWrapper> kWrapperFields[] = {
    {"name", StringField<SchemaWrapper>{&SchemaWrapper::name, kNameBytesMax}},
    {"description", StringField<SchemaWrapper>{&SchemaWrapper::description, kDescriptionBytesMax}},
    {"schema", CustomField<SchemaWrapper>{read_wrapped_schema}},
    {"strict", BoolField<SchemaWrapper>{&SchemaWrapper::strict}},
};

struct ResponseFormat {
  std::optional<std::string> type;
  std::optional<Json> json_schema;
};

Result<void> keep_json_schema(std::string_view, const Json& value, const FieldContext&, ResponseFormat* to) {
  to->json_schema = value;
  return {};
}

constexpr Field<ResponseFormat> kFormatFields[] = {
    {"type", StringField<ResponseFormat>{&ResponseFormat::type, kNameBytesMax}},
    {"json_schema", CustomField<ResponseFormat>{keep_json_schema}},
};

Result<std::optional<AnswerFormat>> read_wrapper(const std::string& name, const Json& value,
                                                 const FieldContext& context,
                                                 std::vector<std::string>* ignored) {
  const JsonObject* members = value.as_object();
  if (members == nullptr) return invalid(name, "must be an object, not " + std::string(value.type_name()));
  SchemaWrapper wrapper;
  RETURN_IF_ERROR(
      read_fields<SchemaWrapper>(*members, name + ".", kWrapperFields, context, &wrapper, ignored));
  if (!wrapper.name) return invalid(name + ".name", "is missing");
  if (!wrapper.schema) return invalid(name + ".schema", "is missing");
  return std::optional(AnswerFormat{{GrammarKind::kJsonSchema, *wrapper.schema, {}}, name + ".schema"});
}

// --- structured_outputs
// -----------------------------------------------------------------------------------------------------------

struct StructuredOutputs {
  std::optional<std::string> json, regex, grammar;
  bool json_object = false;
  std::vector<std::string> choices;
};

// A schema, or its text.
Result<void> read_json(std::string_view name, const Json& value, const FieldContext& context,
                       StructuredOutputs* to) {
  const std::string field(name);
  const std::string* text = value.as_string();
  if (text == nullptr) {
    ASSIGN_OR_RETURN(to->json, schema_text(field, value));
    return {};
  }
  JsonLimits limits;
  limits.bytes_max = static_cast<size_t>(context.options.body_bytes_max);
  limits.depth_max = static_cast<int32_t>(context.options.json_depth_max);
  const auto parsed = parse_json(*text, limits);
  if (!parsed.ok()) return invalid(field, "is no acceptable JSON: " + parsed.error().message);
  ASSIGN_OR_RETURN(to->json, schema_text(field, *parsed));
  return {};
}

Result<void> read_choice(std::string_view name, const Json& value, const FieldContext&,
                         StructuredOutputs* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(name, "must be an array of strings, not " + std::string(value.type_name()));
  if (items->empty()) return invalid(name, "must not be empty");
  if (items->size() > kChoicesMax) {
    return invalid(name, "may hold at most " + std::to_string(kChoicesMax) + " choices");
  }
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    ASSIGN_OR_RETURN(std::string choice, read_string(place, (*items)[i], kTextBytesMax));
    if (choice.empty()) return invalid(place, "must not be an empty string");
    to->choices.push_back(std::move(choice));
  }
  return {};
}

constexpr Field<StructuredOutputs> kStructuredFields[] = {
    {"json", CustomField<StructuredOutputs>{read_json}},
    {"json_object", BoolField<StructuredOutputs>{&StructuredOutputs::json_object}},
    {"regex", StringField<StructuredOutputs>{&StructuredOutputs::regex, kTextBytesMax}},
    {"choice", CustomField<StructuredOutputs>{read_choice}},
    {"grammar", StringField<StructuredOutputs>{&StructuredOutputs::grammar, kTextBytesMax}},
    {"structural_tag", NeutralField{"[]"}},
    {"disable_fallback", HarmlessField{}},  // there is nothing to fall back to
    {"disable_any_whitespace", NeutralField{"[false]"}},
    {"disable_additional_properties", NeutralField{"[false]"}},
    {"whitespace_pattern", NeutralField{"[]"}},
};

}  // namespace

Result<std::optional<AnswerFormat>> read_response_format(std::string_view name, const Json& value,
                                                         const FieldContext& context,
                                                         std::vector<std::string>* ignored) {
  const std::string field(name);
  const JsonObject* members = value.as_object();
  if (members == nullptr) return invalid(field, "must be an object, not " + std::string(value.type_name()));
  ResponseFormat format;
  RETURN_IF_ERROR(
      read_fields<ResponseFormat>(*members, field + ".", kFormatFields, context, &format, ignored));
  if (!format.type) return invalid(field + ".type", "is missing");
  const bool with_schema = *format.type == "json_schema";
  if (format.json_schema.has_value() != with_schema) {
    return invalid(field + ".json_schema", with_schema ? "is missing" : "needs type: json_schema");
  }
  if (*format.type == "text") return std::optional<AnswerFormat>();
  if (*format.type == "json_object") {
    return std::optional(AnswerFormat{{GrammarKind::kJsonObject, "", {}}, field});
  }
  if (with_schema) return read_wrapper(field + ".json_schema", *format.json_schema, context, ignored);
  return invalid(field + ".type", "must be one of text, json_object, json_schema, not " + *format.type);
}

Result<std::optional<AnswerFormat>> read_structured_outputs(std::string_view name, const Json& value,
                                                            const FieldContext& context,
                                                            std::vector<std::string>* ignored) {
  const std::string field(name);
  const JsonObject* members = value.as_object();
  if (members == nullptr) return invalid(field, "must be an object, not " + std::string(value.type_name()));
  StructuredOutputs outputs;
  RETURN_IF_ERROR(
      read_fields<StructuredOutputs>(*members, field + ".", kStructuredFields, context, &outputs, ignored));
  std::vector<AnswerFormat> formats;
  if (outputs.json) formats.push_back({{GrammarKind::kJsonSchema, *outputs.json, {}}, field + ".json"});
  if (outputs.json_object) formats.push_back({{GrammarKind::kJsonObject, "", {}}, field + ".json_object"});
  if (outputs.regex) formats.push_back({{GrammarKind::kRegex, *outputs.regex, {}}, field + ".regex"});
  if (!outputs.choices.empty()) {
    formats.push_back({{GrammarKind::kChoice, "", std::move(outputs.choices)}, field + ".choice"});
  }
  if (outputs.grammar) formats.push_back({{GrammarKind::kEbnf, *outputs.grammar, {}}, field + ".grammar"});
  if (formats.size() != 1) {
    return invalid(field, "must hold exactly one of json, json_object, regex, choice, grammar, not " +
                              std::to_string(formats.size()));
  }
  const GrammarSpec& spec = formats.front().spec;
  const bool with_text = spec.kind != GrammarKind::kJsonObject && spec.kind != GrammarKind::kChoice;
  if (with_text && spec.text.empty()) return invalid(formats.front().field, "must not be empty");
  return std::optional(std::move(formats.front()));
}

Result<void> check_format_conflicts(const CompletionRequest& request) {
  if (!request.format) return {};
  const auto excluded = [&](bool given, const char* field) -> Result<void> {
    if (!given) return {};
    return invalid(field, "can't be combined with " + request.format->field +
                              ": the answer ends where its document is whole");
  };
  RETURN_IF_ERROR(excluded(!request.stop.empty(), "stop"));
  RETURN_IF_ERROR(excluded(!request.stop_ids.empty(), "stop_token_ids"));
  RETURN_IF_ERROR(excluded(request.tokens_min.value_or(0) > 0, "min_tokens"));
  RETURN_IF_ERROR(excluded(request.ignore_eos, "ignore_eos"));
  const auto forbidden = [&](bool given, const char* field) -> Result<void> {
    if (!given) return {};
    return invalid(field, "can't be combined with " + request.format->field +
                              ": a token that the document needs could be forbidden");
  };
  RETURN_IF_ERROR(forbidden(!request.allowed_ids.empty(), "allowed_token_ids"));
  RETURN_IF_ERROR(forbidden(!request.bad_words.empty(), "bad_words"));
  constexpr float kForbids = -100;
  RETURN_IF_ERROR(forbidden(
      std::ranges::any_of(request.bias, [](const TokenBias& entry) { return entry.bias <= kForbids; }),
      "logit_bias"));
  if (!request.chat.tools.active() || request.chat.tools.forced()) return {};
  return Error{ErrorCode::kUnsupported,
               "tools can't be combined with " + request.format->field +
                   ": an answer that is held to a format calls nothing; send tool_choice none",
               "tools"};
}

Error format_error(const AnswerFormat& format, Error error) {
  const bool of_sender = error.code == ErrorCode::kInvalid || error.code == ErrorCode::kUnsupported ||
                         error.code == ErrorCode::kTooLarge;
  if (!of_sender) return error;
  // Not kTooLarge: that is the context's.
  const ErrorCode code = error.code == ErrorCode::kTooLarge ? ErrorCode::kUnsupported : error.code;
  return {code, format.field + " can't be used: " + error.message, format.field};
}

}  // namespace hussar
