#include "server/tools.h"

#include <algorithm>

namespace hussar {

namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kDescriptionBytesMax = 64 << 10;
constexpr size_t kCallIdBytesMax = 256;
constexpr int64_t kValidationStepsMax = 1'000'000;  // some milliseconds, in the thread that all answers share

Error invalid(const std::string& name, const std::string& message) {
  return {ErrorCode::kInvalid, name + " " + message, name};
}

Error unsupported(const std::string& name, const std::string& message) {
  return {ErrorCode::kUnsupported, name + " " + message, name};
}

// What OpenAI allows. It also keeps a name from being taken for a part of the call that it stands in.
bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string_view name_of(const Json& tool) { return *tool.find("function")->find("name")->as_string(); }

// A function without parameters takes none.
Json parameters_of(const Json& tool) {
  const Json* parameters = tool.find("function")->find("parameters");
  if (parameters != nullptr) return *parameters;
  return JsonObject{{"type", "object"}, {"properties", JsonObject{}}, {"additionalProperties", false}};
}

struct Function {
  std::optional<std::string> name, description;
  std::optional<Json> parameters;
  bool strict = false;
};

Result<void> read_parameters(std::string_view, const Json& value, const FieldContext&, Function* to) {
  to->parameters = value;
  return {};
}

constexpr Field<Function> kFunctionFields[] = {
    {"name", StringField<Function>{&Function::name, kNameBytesMax}},
    {"description", StringField<Function>{&Function::description, kDescriptionBytesMax}},
    {"parameters", CustomField<Function>{read_parameters}},
    {"strict", BoolField<Function>{&Function::strict}},
};

struct Tool {
  std::optional<std::string> type;
  std::optional<Json> function;
};

Result<void> read_function(std::string_view, const Json& value, const FieldContext&, Tool* to) {
  to->function = value;
  return {};
}

constexpr Field<Tool> kToolFields[] = {
    {"type", StringField<Tool>{&Tool::type, kNameBytesMax}},
    {"function", CustomField<Tool>{read_function}},
};

Result<Tool> read_tool(const std::string& place, const Json& value, const FieldContext& context,
                       std::vector<std::string>* ignored) {
  const JsonObject* object = value.as_object();
  if (object == nullptr) return invalid(place, "must be an object, not " + std::string(value.type_name()));
  Tool tool;
  RETURN_IF_ERROR(read_fields<Tool>(*object, place + ".", kToolFields, context, &tool, ignored));
  if (!tool.type) return invalid(place + ".type", "is missing");
  if (*tool.type != "function") return unsupported(place + ".type", "is not supported: only function is");
  if (!tool.function || tool.function->as_object() == nullptr)
    return invalid(place + ".function", "must be an object");
  return tool;
}

}  // namespace

const Json* ToolOffer::find(std::string_view name) const {
  const auto found = std::ranges::find_if(tools, [&](const Json& tool) { return name_of(tool) == name; });
  return found == tools.end() ? nullptr : &*found;
}

bool ToolOffer::fits(std::string_view name, std::string_view arguments) const {
  JsonSchema::InstanceLimits limits;
  limits.steps_max = kValidationStepsMax;
  return std::ranges::all_of(strict, [&](const auto& held) {
    return held.first != name || held.second->validate(arguments, limits).is_valid();
  });
}

std::string_view ToolOffer::forced_name() const {
  if (choice.kind == ToolChoice::Kind::kNamed) return choice.name;
  return tools.size() == 1 ? name_of(tools.front()) : std::string_view();
}

Result<void> add_tool(const std::string& place, const std::string& name, const std::string* description,
                      const Json* parameters, const FieldContext& context, ToolOffer* to) {
  if (!is_tool_name(name))
    return invalid(place + ".name", "must be 1 to 64 letters, digits, underscores and dashes");
  if (to->find(name) != nullptr) return invalid(place + ".name", "is the name of another tool too");
  if (parameters != nullptr && parameters->as_object() == nullptr)
    return invalid(place + ".parameters",
                   "must be a JSON schema, not " + std::string(parameters->type_name()));
  if (to->tools.size() >= static_cast<size_t>(context.options.tools_max))
    return invalid("tools", "may hold at most " + std::to_string(context.options.tools_max) + " tools");
  JsonObject function{{"name", name}};
  if (description != nullptr) function.emplace_back("description", *description);
  if (parameters != nullptr) function.emplace_back("parameters", *parameters);
  to->tools.push_back(JsonObject{{"type", "function"}, {"function", std::move(function)}});
  return {};
}

Result<void> make_strict(const std::string& place, ToolOffer* to) {
  const Json& tool = to->tools.back();
  auto schema = JsonSchema::compile_json(parameters_of(tool), {});
  if (!schema.ok()) {
    const bool known = schema.error().code == ErrorCode::kInvalid;
    return Error{known ? ErrorCode::kInvalid : ErrorCode::kUnsupported,
                 place + ".parameters can't be held to strictly: " + schema.error().message,
                 place + ".parameters"};
  }
  to->strict.emplace_back(name_of(tool), std::make_shared<const JsonSchema>(std::move(*schema)));
  return {};
}

Result<void> read_tools(std::string_view name, const Json& value, const FieldContext& context,
                        std::vector<std::string>* ignored, ToolOffer* to) {
  const JsonArray* items = value.as_array();
  if (items == nullptr)
    return invalid(std::string(name), "must be an array, not " + std::string(value.type_name()));
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    ASSIGN_OR_RETURN(const Tool tool, read_tool(place, (*items)[i], context, ignored));
    const std::string inside = place + ".function";
    Function function;
    RETURN_IF_ERROR(read_fields<Function>(*tool.function->as_object(), inside + ".", kFunctionFields, context,
                                          &function, ignored));
    if (!function.name) return invalid(inside + ".name", "is missing");
    RETURN_IF_ERROR(add_tool(inside, *function.name, function.description ? &*function.description : nullptr,
                             function.parameters ? &*function.parameters : nullptr, context, to));
    if (function.strict) RETURN_IF_ERROR(make_strict(inside, to));
  }
  return {};
}

Result<void> read_tool_choice(std::string_view name, const Json& value, const FieldContext& context,
                              std::vector<std::string>* ignored, ToolOffer* to) {
  const std::string place(name);
  if (const std::string* word = value.as_string()) {
    static constexpr std::pair<std::string_view, ToolChoice::Kind> kWords[] = {
        {"auto", ToolChoice::Kind::kAuto},
        {"none", ToolChoice::Kind::kNone},
        {"required", ToolChoice::Kind::kRequired}};
    for (const auto& [known, kind] : kWords) {
      if (*word != known) continue;
      to->choice = {kind, ""};
      return {};
    }
    return invalid(place, "must be none, auto, required or an object that names a function");
  }
  ASSIGN_OR_RETURN(const Tool tool, read_tool(place, value, context, ignored));
  Function function;
  RETURN_IF_ERROR(read_fields<Function>(*tool.function->as_object(), place + ".function.", kFunctionFields,
                                        context, &function, ignored));
  if (!function.name) return invalid(place + ".function.name", "is missing");
  to->choice = {ToolChoice::Kind::kNamed, *function.name};
  return {};
}

Result<void> check_tool_offer(const ToolOffer& offer) {
  if (offer.forced() && offer.tools.empty()) return invalid("tool_choice", "needs tools");
  if (offer.choice.kind == ToolChoice::Kind::kNamed && offer.find(offer.choice.name) == nullptr)
    return invalid("tool_choice", "names " + offer.choice.name + ", which is none of the tools");
  return {};
}

namespace {

// A schema that moves into another one takes its references along: "#" becomes `root`.
void move_references(const std::string& root, Json* schema) {
  if (JsonArray* items = std::get_if<JsonArray>(&schema->value())) {
    for (Json& item : *items) move_references(root, &item);
  }
  JsonObject* members = std::get_if<JsonObject>(&schema->value());
  if (members == nullptr || schema->find("$id") != nullptr) return;  // with a name of its own, it stays
  for (auto& [key, member] : *members) {
    if (key == "const" || key == "enum" || key == "default" || key == "examples") continue;
    std::string* text = std::get_if<std::string>(&member.value());
    if (text != nullptr && (key == "$ref" || key == "$dynamicRef") && text->starts_with('#')) {
      *text = root + text->substr(1);
    } else {
      move_references(root, &member);
    }
  }
}

// Of a call whose arguments are defined elsewhere.
Json call_schema(const Json& tool, const std::string& arguments) {
  return JsonObject{{"type", "object"},
                    {"properties", JsonObject{{"name", JsonObject{{"const", name_of(tool)}}},
                                              {"arguments", JsonObject{{"$ref", arguments}}}}},
                    {"required", JsonArray{"name", "arguments"}},
                    {"additionalProperties", false}};
}

}  // namespace

ForcedCall forced_call(const ToolOffer& offer) {
  if (const std::string_view name = offer.forced_name(); !name.empty()) {
    const Json* tool = offer.find(name);
    const auto index = tool - offer.tools.data();
    return {write_json(parameters_of(*tool)), "tools[" + std::to_string(index) + "].function.parameters"};
  }
  JsonArray calls;
  JsonObject definitions;
  for (const Json& tool : offer.tools) {
    const std::string name = "arguments_" + std::to_string(calls.size()), place = "#/$defs/" + name;
    Json arguments = parameters_of(tool);
    move_references(place, &arguments);
    definitions.emplace_back(name, std::move(arguments));
    calls.push_back(call_schema(tool, place));
  }
  return {write_json(JsonObject{{"anyOf", std::move(calls)}, {"$defs", std::move(definitions)}}), "tools"};
}

std::string forced_call_begin(const ToolOffer& offer, CallForm form) {
  const std::string tag = form == CallForm::kTagged ? "<tool_call>\n" : "";
  const std::string_view name = offer.forced_name();
  if (name.empty()) return tag;
  // Without a space at the end: the tokens that the model knows begin with it.
  const std::string_view key = form == CallForm::kTagged ? "arguments" : "parameters";
  return tag + "{\"name\": \"" + std::string(name) + "\", \"" + std::string(key) + "\":";
}

namespace {

struct Call {
  std::optional<std::string> id, type;
  std::optional<Json> function;
  std::optional<int64_t> index;
};

Result<void> read_call_function(std::string_view, const Json& value, const FieldContext&, Call* to) {
  to->function = value;
  return {};
}

constexpr Field<Call> kCallFields[] = {
    {"id", StringField<Call>{&Call::id, kCallIdBytesMax}},
    {"type", StringField<Call>{&Call::type, kNameBytesMax}},
    {"function", CustomField<Call>{read_call_function}},
    {"index", IntField<Call>{&Call::index, 0, 1 << 20}},  // of a streamed answer, sent back as it came
};

struct CallFunction {
  std::optional<std::string> name;
  std::optional<Json> arguments;
};

Result<void> read_arguments(std::string_view name, const Json& value, const FieldContext& context,
                            CallFunction* to) {
  if (value.as_object() != nullptr) {
    to->arguments = value;
    return {};
  }
  const std::string* text = value.as_string();
  if (text == nullptr) return invalid(std::string(name), "must be a string that holds a JSON object");
  JsonLimits limits;
  limits.bytes_max = text->size();
  limits.depth_max = static_cast<int32_t>(context.options.json_depth_max);
  auto parsed = text->empty() ? Result<Json>(Json(JsonObject{})) : parse_json(*text, limits);
  if (!parsed.ok()) return invalid(std::string(name), "is no JSON: " + parsed.error().message);
  if (parsed->as_object() == nullptr) return invalid(std::string(name), "must hold a JSON object");
  to->arguments = std::move(*parsed);
  return {};
}

constexpr Field<CallFunction> kCallFunctionFields[] = {
    {"name", StringField<CallFunction>{&CallFunction::name, kNameBytesMax}},
    {"arguments", CustomField<CallFunction>{read_arguments}},
};

}  // namespace

Result<JsonArray> read_tool_calls(const std::string& place, const Json& value, const FieldContext& context,
                                  std::vector<std::string>* ignored) {
  const JsonArray* items = value.as_array();
  if (items == nullptr) return invalid(place, "must be an array, not " + std::string(value.type_name()));
  JsonArray calls;
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string at = place + "[" + std::to_string(i) + "]";
    const JsonObject* object = (*items)[i].as_object();
    if (object == nullptr) return invalid(at, "must be an object");
    Call call;
    RETURN_IF_ERROR(read_fields<Call>(*object, at + ".", kCallFields, context, &call, ignored));
    if (call.type.value_or("function") != "function")
      return unsupported(at + ".type", "is not supported: only function is");
    if (!call.function || call.function->as_object() == nullptr)
      return invalid(at + ".function", "must be an object");
    CallFunction function;
    RETURN_IF_ERROR(read_fields<CallFunction>(*call.function->as_object(), at + ".function.",
                                              kCallFunctionFields, context, &function, ignored));
    if (!function.name || !is_tool_name(*function.name))
      return invalid(at + ".function.name", "must be 1 to 64 letters, digits, underscores and dashes");
    calls.push_back(JsonObject{
        {"id", call.id.value_or("")},
        {"type", "function"},
        {"function",
         JsonObject{{"name", *function.name}, {"arguments", function.arguments.value_or(JsonObject{})}}}});
  }
  return calls;
}

namespace {

const std::string& text_of(const Json& message, std::string_view member) {
  return *message.find(member)->as_string();
}

std::string tools_text(const JsonArray& tools) {
  std::string text = "You can call functions. They are described here, one on each line:\n<tools>\n";
  for (const Json& tool : tools) text += write_json(*tool.find("function")) + "\n";
  return text +
         "</tools>\nTo call one, write a JSON object with its name and its arguments between these tags:\n"
         "<tool_call>\n{\"name\": \"the function's name\", \"arguments\": {\"an argument\": \"its value\"}}\n"
         "</tool_call>";
}

std::string calls_text(const JsonArray& calls) {
  std::string text;
  for (const Json& call : calls) {
    if (!text.empty()) text += "\n";
    const Json& function = *call.find("function");
    text +=
        "<tool_call>\n" +
        write_json(JsonObject{{"name", *function.find("name")}, {"arguments", *function.find("arguments")}}) +
        "\n</tool_call>";
  }
  return text;
}

}  // namespace

JsonArray spell_out_tools(const JsonArray& messages, const JsonArray& tools) {
  JsonArray out;
  const auto add = [&out](std::string_view role, std::string content) {
    out.push_back(JsonObject{{"role", role}, {"content", std::move(content)}});
  };
  size_t i = 0;
  if (!tools.empty()) {
    const bool has_system = text_of(messages[0], "role") == "system";
    const std::string before = has_system ? text_of(messages[i++], "content") + "\n\n" : "";
    add("system", before + tools_text(tools));
  }
  bool last_was_result = false;
  for (; i < messages.size(); ++i) {
    const std::string& role = text_of(messages[i], "role");
    const std::string& content = text_of(messages[i], "content");
    const Json* calls = messages[i].find("tool_calls");
    if (role == "tool") {
      // Results that follow each other are one turn of the user's: templates want the roles to alternate.
      const std::string result = "<tool_response>\n" + content + "\n</tool_response>";
      if (last_was_result) {
        std::string& before =
            std::get<std::string>(std::get<JsonObject>(out.back().value())[1].second.value());
        before += "\n" + result;
      } else {
        add("user", result);
      }
    } else if (calls != nullptr) {
      add(role, content + (content.empty() ? "" : "\n") + calls_text(*calls->as_array()));
    } else {
      out.push_back(messages[i]);
    }
    last_was_result = role == "tool";
  }
  return out;
}

}  // namespace hussar
