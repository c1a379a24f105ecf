// The tests: {{ value is name(arguments) }}.
#pragma once

#include <string_view>

#include "text/jinja/runtime.h"

namespace hussar::jinja {

struct Predicate {
  std::string_view name;
  size_t arguments;  // how many it takes beside the value
  Result<bool> (*holds)(Runtime& runtime, const Value& value, const Value* argument);
};

// Null when there is no such test.
const Predicate* find_predicate(std::string_view name);

Result<bool> test(Runtime& runtime, const Predicate& predicate, const Value& value,
                  const Arguments& arguments);

}  // namespace hussar::jinja
