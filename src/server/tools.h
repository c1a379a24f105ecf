// Tools that a request offers to the model, as OpenAI's API spells them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "grammar/json_schema_validator.h"
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
  bool parallel = true;  // more than one call in an answer
  // By name, those whose calls count only when their arguments fit the schema.
  std::vector<std::pair<std::string, std::shared_ptr<const JsonSchema>>> strict{};

  // Whether the model gets to know of them, and its text is looked through for calls.
  bool active() const { return !tools.empty() && choice.kind != ToolChoice::Kind::kNone; }
  // Whether the answer is a call and nothing else, which a grammar sees to.
  bool forced() const {
    return choice.kind == ToolChoice::Kind::kRequired || choice.kind == ToolChoice::Kind::kNamed;
  }
  // The function that a forced call calls; empty: any of several. REQUIRES: forced().
  std::string_view forced_name() const;
  // Null: none of this name.
  const Json* find(std::string_view name) const;
  // Whether a call is one that its tool takes. `arguments` is a JSON object.
  bool fits(std::string_view name, std::string_view arguments) const;
};

// `tools` in the shape of chat completions. Errors: kInvalid and kUnsupported, naming the member.
Result<void> read_tools(std::string_view name, const Json& value, const FieldContext& context,
                        std::vector<std::string>* ignored, ToolOffer* to);

// One function's members, wherever an API puts them: adds the tool to `to`. `parameters` may be null.
Result<void> add_tool(const std::string& place, const std::string& name, const std::string* description,
                      const Json* parameters, const FieldContext& context, ToolOffer* to);

// Holds calls of the tool that was added last to its schema. Errors: kInvalid and kUnsupported, as
// JsonSchema::compile.
Result<void> make_strict(const std::string& place, ToolOffer* to);

// "none", "auto", "required", or {"type": "function", "function": {"name": ...}}.
Result<void> read_tool_choice(std::string_view name, const Json& value, const FieldContext& context,
                              std::vector<std::string>* ignored, ToolOffer* to);

// What only the whole request shows: a choice without tools, or of a tool that is not there.
Result<void> check_tool_offer(const ToolOffer& offer);

// The calls of an earlier answer, as messages carry them: each with its arguments as an object, as templates
// want them. Errors: kInvalid (arguments that are no JSON object), kUnsupported.
Result<JsonArray> read_tool_calls(const std::string& place, const Json& value, const FieldContext& context,
                                  std::vector<std::string>* ignored);

// How a model spells its calls.
enum class CallForm { kTagged, kBare };  // Qwen's <tool_call>{...}</tool_call>; Llama's {...}

// What a forced call is held to: the schema of its arguments, or of the whole call where several functions
// may be called. `field` is the member of the request that it comes from.
struct ForcedCall {
  std::string schema;
  std::string field;
};
ForcedCall forced_call(const ToolOffer& offer);
// How the answer begins before that, so that the model writes what it was trained to write.
std::string forced_call_begin(const ToolOffer& offer, CallForm form);

// For a template that knows nothing of tools: says in the system message what can be called and how, and
// puts earlier calls and their results into the text of ordinary messages.
JsonArray spell_out_tools(const JsonArray& messages, const JsonArray& tools);

}  // namespace hussar
