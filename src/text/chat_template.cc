#include "text/chat_template.h"

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace hussar {
namespace {

using jinja::Budget;
using jinja::Origin;
using jinja::Value;

// Where in the caller's variables a value stands: only there a role is known to be one.
enum class Place { kMessages, kMessage, kElsewhere };

bool is_known_role(const std::string& text) {
  constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool", "function"};
  return std::find(std::begin(kRoles), std::end(kRoles), text) != std::end(kRoles);
}

class Converter {
 public:
  Converter(Budget* budget, Origin origin) : budget_(budget), origin_(origin) {}

  Result<Value> convert(const Json& json, Place place, int32_t depth) const;

 private:
  Result<Value> text(const std::string& bytes, Origin origin) const;
  Result<Value> list(const JsonArray& array, Place place, int32_t depth) const;
  Result<Value> dict(const JsonObject& object, Place place, int32_t depth) const;

  Budget* budget_;
  Origin origin_;
};

Result<Value> Converter::text(const std::string& bytes, Origin origin) const {
  if (!is_valid_utf8(bytes)) return Error{ErrorCode::kInvalid, "a string is not valid UTF-8", ""};
  return jinja::make_text(budget_, bytes, origin);
}

Result<Value> Converter::list(const JsonArray& array, Place place, int32_t depth) const {
  jinja::SequenceBuilder items(budget_);
  const Place inside = place == Place::kMessages ? Place::kMessage : Place::kElsewhere;
  for (const Json& item : array) {
    ASSIGN_OR_RETURN(Value value, convert(item, inside, depth + 1));
    if (!items.push(std::move(value))) break;
  }
  return items.finish(jinja::SequenceKind::kList, origin_);
}

Result<Value> Converter::dict(const JsonObject& object, Place place, int32_t depth) const {
  jinja::DictBuilder entries(budget_);
  for (const auto& [name, member] : object) {
    ASSIGN_OR_RETURN(Value key, text(name, origin_));
    const std::string* role = place == Place::kMessage && name == "role" ? member.as_string() : nullptr;
    const bool trusted_role = role != nullptr && is_known_role(*role);
    ASSIGN_OR_RETURN(Value value, trusted_role ? text(*role, Origin::kTemplate)
                                               : convert(member, Place::kElsewhere, depth + 1));
    RETURN_IF_ERROR(entries.set(std::move(key), std::move(value)));
  }
  return entries.finish(origin_);
}

Result<Value> Converter::convert(const Json& json, Place place, int32_t depth) const {
  if (depth > budget_->depth_max()) return budget_->too_deep();
  if (const std::string* string = json.as_string()) return text(*string, origin_);
  if (const JsonArray* array = json.as_array()) return list(*array, place, depth);
  if (const JsonObject* object = json.as_object()) return dict(*object, place, depth);
  if (const bool* boolean = json.as_bool()) return Value(*boolean, origin_);
  if (const int64_t* integer = json.as_int()) return Value(*integer, origin_);
  double number = 0;
  if (json.as_number(&number)) return Value(number, origin_);
  return Value(jinja::None{}, origin_);
}

}  // namespace

struct ChatTemplate::Impl {
  TemplateLimits limits;
  std::string source;
  std::unique_ptr<const jinja::Template> tree;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::compile(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "the chat template is longer than " + std::to_string(limits.source_bytes_max) + " bytes",
                 ""};
  }
  if (!is_valid_utf8(source)) return Error{ErrorCode::kInvalid, "the chat template is not valid UTF-8", ""};
  auto impl = std::make_unique<Impl>();
  impl->limits = limits;
  impl->source = source;
  ASSIGN_OR_RETURN(impl->tree, jinja::parse(source, limits));
  return ChatTemplate(std::move(impl));
}

bool ChatTemplate::mentions(std::string_view variable) const {
  const auto& names = impl_->tree->names;
  return std::find(names.begin(), names.end(), variable) != names.end();
}

bool ChatTemplate::spells(std::string_view text) const {
  return impl_->source.find(text) != std::string::npos;
}

Result<RenderedText> ChatTemplate::render(const Json& trusted, const Json& foreign, std::time_t now) const {
  jinja::Interpreter interpreter(*impl_->tree, impl_->limits, now);
  Budget* budget = &interpreter.runtime().budget;
  const auto& names = impl_->tree->names;
  for (size_t id = 0; id < names.size(); ++id) {
    const Json* own = trusted.find(names[id]);
    const Json* given = own != nullptr ? own : foreign.find(names[id]);
    if (given == nullptr) continue;
    const Converter converter(budget, own != nullptr ? Origin::kTemplate : Origin::kForeign);
    const Place place = own == nullptr && names[id] == "messages" ? Place::kMessages : Place::kElsewhere;
    ASSIGN_OR_RETURN(Value value, converter.convert(*given, place, 1));
    interpreter.define(static_cast<jinja::NameId>(id), std::move(value));
  }
  auto text = interpreter.run();
  if (!text.ok()) {
    Error error = std::move(text).error();
    if (!interpreter.runtime().raised) {
      error.message =
          "line " + std::to_string(interpreter.line()) + " of the chat template: " + error.message;
    }
    return error;
  }
  return RenderedText{std::string((*text)->bytes()), (*text)->foreign()};
}

}  // namespace hussar
