#include "text/jinja/runtime.h"

#include <algorithm>

namespace hussar::jinja {

Origin Arguments::origin() const {
  Origin origin = Origin::kTemplate;
  for (const Value& value : positional) origin = either(origin, value.origin());
  for (const auto& entry : named) origin = either(origin, entry.second.origin());
  return origin;
}

Result<std::vector<const Value*>> bind(std::string_view function, const Arguments& arguments,
                                       std::initializer_list<std::string_view> parameters, size_t required) {
  const std::string name(function);
  if (arguments.positional.size() > parameters.size()) {
    return type_error(name + "() takes at most " + std::to_string(parameters.size()) + " arguments");
  }
  std::vector<const Value*> bound(parameters.size(), nullptr);
  for (size_t i = 0; i < arguments.positional.size(); ++i) bound[i] = &arguments.positional[i];
  for (const auto& [key, value] : arguments.named) {
    const auto parameter = std::find(parameters.begin(), parameters.end(), key);
    const auto index = static_cast<size_t>(parameter - parameters.begin());
    if (parameter == parameters.end()) return type_error(name + "() has no parameter '" + key + "'");
    if (bound[index] != nullptr) return type_error(name + "() got '" + key + "' twice");
    bound[index] = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (bound[i] == nullptr)
      return type_error(name + "() needs '" + std::string(parameters.begin()[i]) + "'");
  }
  return bound;
}

Result<int64_t> integer_argument(std::string_view function, const Value& value) {
  int64_t integer = 0;
  if (value.integer(&integer)) return integer;
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  return type_error(std::string(function) + "() needs an integer, not " + std::string(value.type_name()));
}

Result<const Text*> text_argument(std::string_view function, const Value& value) {
  if (value.text() != nullptr) return value.text();
  if (const auto* undefined = value.get<Undefined>()) return undefined_error(*undefined);
  return type_error(std::string(function) + "() needs a string, not " + std::string(value.type_name()));
}

}  // namespace hussar::jinja
