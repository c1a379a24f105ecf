// Looking methods up, and those of lists, dictionaries and loops.
#include "text/jinja/methods.h"

#include <algorithm>
#include <iterator>

#include "text/jinja/loop_state.h"
#include "text/jinja/operators.h"

namespace hussar::jinja {
namespace {

Result<Value> method_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("index", arguments, {"value"}, 1));
  const auto& items = self.sequence()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    ASSIGN_OR_RETURN(const bool same, equal(&runtime.budget, items[i], *bound[0]));
    if (same) return Value(static_cast<int64_t>(i), self.origin());
  }
  return type_error("the value is not in the list");
}

Result<Value> method_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("count", arguments, {"value"}, 1));
  int64_t count = 0;
  for (const Value& item : self.sequence()->items) {
    ASSIGN_OR_RETURN(const bool same, equal(&runtime.budget, item, *bound[0]));
    count += same ? 1 : 0;
  }
  return Value(count, self.origin());
}

// Values don't change, so that a copy is as good as the original.
Result<Value> method_copy(Runtime&, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("copy", arguments, {}, 0));
  return self;
}

Result<Value> method_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) return type_error("get() takes no named arguments");
  ASSIGN_OR_RETURN(const auto bound, bind("get", arguments, {"key", "default"}, 1));
  ASSIGN_OR_RETURN(const Value* found, find_key(&runtime.budget, *self.dict(), *bound[0]));
  if (found != nullptr) return *found;
  return bound[1] != nullptr ? *bound[1] : Value(None{});
}

Result<Value> method_items(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("items", arguments, {}, 0));
  SequenceBuilder items(&runtime.budget);
  for (const auto& [key, value] : self.dict()->entries) {
    SequenceBuilder pair(&runtime.budget);
    pair.push(key);
    pair.push(value);
    ASSIGN_OR_RETURN(Value tuple, pair.finish(SequenceKind::kTuple, self.origin()));
    if (!items.push(std::move(tuple))) break;
  }
  return items.finish(SequenceKind::kItems, self.origin());
}

Result<Value> method_keys(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("keys", arguments, {}, 0));
  SequenceBuilder items(&runtime.budget);
  for (const auto& entry : self.dict()->entries) items.push(entry.first);
  return items.finish(SequenceKind::kKeys, self.origin());
}

Result<Value> method_values(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("values", arguments, {}, 0));
  SequenceBuilder items(&runtime.budget);
  for (const auto& entry : self.dict()->entries) items.push(entry.second);
  return items.finish(SequenceKind::kValues, self.origin());
}

Result<Value> method_cycle(Runtime&, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) return type_error("loop.cycle() takes no named arguments");
  if (arguments.positional.empty()) return type_error("loop.cycle() needs values");
  const int64_t index = (*self.get<LoopRef>())->index0;
  return arguments.positional[static_cast<size_t>(index) % arguments.positional.size()];
}

constexpr MethodEntry kSequenceMethods[] = {
    {"index", method_index}, {"count", method_count}, {"copy", method_copy}};
constexpr MethodEntry kDictMethods[] = {{"get", method_get},   {"items", method_items},
                                        {"keys", method_keys}, {"values", method_values},
                                        {"copy", method_copy}, {"fromkeys", nullptr}};
constexpr MethodEntry kLoopMethods[] = {{"cycle", method_cycle}, {"changed", nullptr}};
// What changes its object does not exist in the sandbox.
constexpr std::string_view kListChanges[] = {"append", "clear",  "extend",  "insert",
                                             "pop",    "remove", "reverse", "sort"};
constexpr std::string_view kDictChanges[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kNumberAttributes[] = {
    "real",     "imag", "numerator",  "denominator", "conjugate",       "bit_length",
    "to_bytes", "hex",  "is_integer", "bit_count",   "as_integer_ratio"};
constexpr std::string_view kRangeAttributes[] = {"start", "stop", "step", "count", "index"};
constexpr std::string_view kMacroAttributes[] = {"name",          "arguments", "catch_kwargs",
                                                 "catch_varargs", "caller",    "explicit_caller"};

template <typename Table>
bool lists(const Table& table, std::string_view name) {
  return std::find(std::begin(table), std::end(table), name) != std::end(table);
}

template <typename Table>
const MethodEntry* find_in(const Table& table, std::string_view name) {
  const auto found = std::find_if(std::begin(table), std::end(table),
                                  [name](const MethodEntry& entry) { return entry.name == name; });
  return found == std::end(table) ? nullptr : &*found;
}

MethodLookup outcome_of(const MethodEntry* entry) {
  using Outcome = MethodLookup::Outcome;
  if (entry == nullptr) return {};
  return {entry->call == nullptr ? Outcome::kUnsupported : Outcome::kFound, entry};
}

}  // namespace

const MethodEntry* find_sequence_method(std::string_view name) { return find_in(kSequenceMethods, name); }
const MethodEntry* find_dict_method(std::string_view name) { return find_in(kDictMethods, name); }

MethodLookup find_method(const Value& self, std::string_view name) {
  using Outcome = MethodLookup::Outcome;
  if (self.text() != nullptr) return outcome_of(find_text_method(name));
  if (const Sequence* sequence = self.list_or_tuple()) {
    const bool tuple = sequence->kind == SequenceKind::kTuple;
    if (!tuple && lists(kListChanges, name)) return {Outcome::kForbidden, nullptr};
    return tuple && name == "copy" ? MethodLookup() : outcome_of(find_sequence_method(name));
  }
  if (self.dict() != nullptr) {
    if (lists(kDictChanges, name)) return {Outcome::kForbidden, nullptr};
    return outcome_of(find_dict_method(name));
  }
  if (self.is<LoopRef>()) return outcome_of(find_in(kLoopMethods, name));
  const bool unsupported_attribute = (self.is_number() && lists(kNumberAttributes, name)) ||
                                     (self.is<RangeRef>() && lists(kRangeAttributes, name)) ||
                                     (self.is<const Macro*>() && lists(kMacroAttributes, name));
  return {unsupported_attribute ? Outcome::kUnsupported : Outcome::kNone, nullptr};
}

}  // namespace hussar::jinja
