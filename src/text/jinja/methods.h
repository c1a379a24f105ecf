// The methods of strings, lists and dictionaries.
#pragma once

#include <memory>
#include <string_view>

#include "text/jinja/runtime.h"

namespace hussar::jinja {

struct MethodEntry {
  std::string_view name;
  Result<Value> (*call)(Runtime& runtime, const Value& self,
                        const Arguments& arguments);  // null: known, not supported
};

// A method bound to its object: "a".upper without the call.
struct Method {
  const MethodEntry* entry;
  Value self;
};

// How python's getattr() would end.
struct MethodLookup {
  enum class Outcome { kNone, kFound, kForbidden, kUnsupported };
  Outcome outcome = Outcome::kNone;
  const MethodEntry* entry = nullptr;  // for kFound
};
// kForbidden: one that would change its object, which the sandbox hides.
MethodLookup find_method(const Value& self, std::string_view name);

// The tables, one for each type.
const MethodEntry* find_text_method(std::string_view name);
const MethodEntry* find_sequence_method(std::string_view name);
const MethodEntry* find_dict_method(std::string_view name);

}  // namespace hussar::jinja
