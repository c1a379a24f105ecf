#include "text/jinja/functions.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja/format.h"

namespace hussar::jinja {
namespace {

constexpr int64_t kRangeSizeMax = 100'000;  // jinja2's sandbox has the same limit

Result<Value> make_range(const Arguments& arguments) {
  if (!arguments.named.empty()) return type_error("range() takes no named arguments");
  if (arguments.positional.empty() || arguments.positional.size() > 3)
    return type_error("range() takes 1 to 3 arguments");
  int64_t parts[3] = {0, 0, 1};
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    ASSIGN_OR_RETURN(parts[i], integer_argument("range", arguments.positional[i]));
    if (parts[i] > kRangeBound || parts[i] < -kRangeBound)
      return unsupported("range() only takes smaller numbers");
  }
  if (arguments.positional.size() == 1) std::swap(parts[0], parts[1]);
  if (parts[2] == 0) return type_error("range()'s step can't be 0");
  const Range range{parts[0], parts[1], parts[2]};
  if (range.size() > kRangeSizeMax)
    return Error{ErrorCode::kTooLarge, "range() is limited to 100000 items", ""};
  return Value(Value::Payload(std::make_shared<const Range>(range)), arguments.origin());
}

// dict(mapping or pairs, name=value ...)
Result<Value> make_dict(Runtime& runtime, const Arguments& arguments) {
  DictBuilder dict(&runtime.budget);
  if (arguments.positional.size() > 1) return type_error("dict() takes one positional argument");
  for (const Value& source : arguments.positional) {
    if (const Dict* mapping = source.dict()) {
      for (const auto& [key, value] : mapping->entries) RETURN_IF_ERROR(dict.set(key, value));
      continue;
    }
    ASSIGN_OR_RETURN(const SequenceRef pairs, iterate(&runtime.budget, source));
    for (const Value& entry : pairs->items) {
      ASSIGN_OR_RETURN(const SequenceRef pair, iterate(&runtime.budget, entry));
      if (pair->items.size() != 2) return type_error("dict() needs pairs");
      RETURN_IF_ERROR(dict.set(pair->items[0], pair->items[1]));
    }
  }
  for (const auto& [name, value] : arguments.named) {
    ASSIGN_OR_RETURN(Value key, make_text(&runtime.budget, name, Origin::kTemplate));
    RETURN_IF_ERROR(dict.set(std::move(key), value));
  }
  return dict.finish(arguments.origin());
}

Result<Value> make_namespace(Runtime& runtime, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const Value members, make_dict(runtime, arguments));
  auto space = std::make_unique<Namespace>();
  space->charge = Charge(&runtime.budget);
  if (!space->charge.grow(sizeof(Namespace))) return runtime.budget.exceeded();
  for (const auto& [key, value] : members.dict()->entries) {
    if (key.text() == nullptr) return unsupported("namespace() needs strings as names");
    if (!space->charge.grow(key.text()->size() + sizeof(Value))) return runtime.budget.exceeded();
    space->members.emplace_back(std::string(key.text()->bytes()), value);
  }
  runtime.namespaces.push_back(std::move(space));
  return Value(runtime.namespaces.back().get());
}

Result<Value> raise_exception(Runtime& runtime, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("raise_exception", arguments, {"message"}, 1));
  ASSIGN_OR_RETURN(const TextRef message, to_text(runtime, *bound[0]));
  runtime.raised = true;
  return type_error(std::string(message->bytes()));
}

Result<Value> strftime_now(Runtime& runtime, const Arguments& arguments) {
  constexpr size_t kFormatMax = 1000;
  ASSIGN_OR_RETURN(const auto bound, bind("strftime_now", arguments, {"format"}, 1));
  ASSIGN_OR_RETURN(const Text* format, text_argument("strftime_now", *bound[0]));
  if (format->size() > kFormatMax) return unsupported("strftime_now()'s format is too long");
  const std::string pattern(format->bytes());
  std::tm local{};
  if (pattern.find('\0') != std::string::npos || localtime_r(&runtime.now, &local) == nullptr) {
    return unsupported("strftime_now() can't show this time");
  }
  char buffer[64 *
              kFormatMax];  // no conversion gives more than 64 bytes, but for widths, which then show nothing
  const size_t size = std::strftime(buffer, sizeof(buffer), pattern.c_str(), &local);
  return make_text(&runtime.budget, replace_invalid_utf8(std::string_view(buffer, size)), format->origin());
}

}  // namespace

std::optional<Function> find_function(std::string_view name, bool* refused) {
  *refused = name == "lipsum" || name == "cycler" || name == "joiner" || name == "self";
  if (name == "range") return Function::kRange;
  if (name == "namespace") return Function::kNamespace;
  if (name == "dict") return Function::kDict;
  if (name == "raise_exception") return Function::kRaiseException;
  if (name == "strftime_now") return Function::kStrftimeNow;
  return std::nullopt;
}

Result<Value> call_function(Runtime& runtime, Function function, const Arguments& arguments) {
  switch (function) {
    case Function::kRange:
      return make_range(arguments);
    case Function::kNamespace:
      return make_namespace(runtime, arguments);
    case Function::kDict:
      return make_dict(runtime, arguments);
    case Function::kRaiseException:
      return raise_exception(runtime, arguments);
    case Function::kStrftimeNow:
      break;
  }
  return strftime_now(runtime, arguments);
}

}  // namespace hussar::jinja
