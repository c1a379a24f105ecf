// Tools that a request offers to the model, as OpenAI's API spells them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "server/fields.h"

namespace hussar {

struct ToolChoice {
  enum class Kind { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name;  // with kNamed
};

struct ToolOffer {
  JsonArray tools;  // {"type": "function", "function": {"name", "description", "parameters"}}, checked
  ToolChoice choice;
  bool parallel = true;               // more than one call in an answer
  std::vector<std::string> strict{};  // names of those whose arguments must fit their schema

  // Whether the model gets to know of them, and its text is looked through for calls.
  bool active() const { return !tools.empty() && choice.kind != ToolChoice::Kind::kNone; }
  bool has(std::string_view name) const;
};

// `tools` in the shape of chat completions. Errors: kInvalid and kUnsupported, naming the member.
Result<void> read_tools(std::string_view name, const Json& value, const FieldContext& context,
                        std::vector<std::string>* ignored, ToolOffer* to);

// One function's members, wherever an API puts them: adds the tool to `to`. `parameters` may be null.
Result<void> add_tool(const std::string& place, const std::string& name, const std::string* description,
                      const Json* parameters, const FieldContext& context, ToolOffer* to);

// "none", "auto", "required", or {"type": "function", "function": {"name": ...}}.
Result<void> read_tool_choice(std::string_view name, const Json& value, const FieldContext& context,
                              std::vector<std::string>* ignored, ToolOffer* to);

// What only the whole request shows: a choice without tools, or of a tool that is not there.
Result<void> check_tool_offer(const ToolOffer& offer);

// The calls of an earlier answer, as messages carry them: each with its arguments as an object, as templates
// want them. Errors: kInvalid (arguments that are no JSON object), kUnsupported.
Result<JsonArray> read_tool_calls(const std::string& place, const Json& value, const FieldContext& context,
                                  std::vector<std::string>* ignored);

// For a template that knows nothing of tools: says in the system message what can be called and how, and
// puts earlier calls and their results into the text of ordinary messages.
JsonArray spell_out_tools(const JsonArray& messages, const JsonArray& tools);

}  // namespace hussar
