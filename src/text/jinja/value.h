// The values that a template computes with: python's, as far as the dialect has them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/tracked_text.h"

namespace hussar::jinja {

class Value;
struct MacroStatement;  // ast.h
struct Scope;           // interpreter.h
struct Method;          // methods.h
struct LoopState;       // loop_state.h

// A name that has no value. Prints as nothing; nearly every other use is an error that names it.
struct Undefined {
  const std::string* name = nullptr;  // into the compiled template; null where there is none
};
struct None {};

enum class SequenceKind : uint8_t { kList, kTuple, kKeys, kValues, kItems };

// Immutable. `depth` is one more than the deepest item's, so that no walk over a value (or its destruction)
// recurses beyond a limit.
struct Sequence {
  std::vector<Value> items;
  SequenceKind kind;
  int32_t depth;
  Charge charge;
};

// Immutable, in insertion order, keys unique.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_map<std::string_view, size_t> text_index;  // into entries; only filled for large ones
  int32_t depth = 1;
  Charge charge;

  const Value* find(std::string_view key) const;  // null when absent
};

constexpr int64_t kRangeBound = int64_t{1} << 53;  // no sum or product of a range's parts overflows

struct Range {
  int64_t start;  // these three: -kRangeBound .. kRangeBound
  int64_t stop;
  int64_t step;  // not 0
  int64_t size() const;
  int64_t at(int64_t index) const { return start + index * step; }  // REQUIRES: 0 <= index < size()
};

// What map, select and the like give: can be gone through once. The items are computed at once, which python
// does not do; so that this does not show, an error waits behind the items that came before it.
struct Generator {
  std::shared_ptr<const Sequence> items;
  size_t next = 0;
  std::optional<Error> failure;
};

// namespace(): the one mutable value. Owned by the runtime, so that cycles through it do no harm.
struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
  Charge charge;
};

struct Macro {
  const MacroStatement* definition;
  Scope* scope;  // where it was defined; kept by the interpreter
};

enum class Function : uint8_t { kRange, kNamespace, kDict, kRaiseException, kStrftimeNow };

using SequenceRef = std::shared_ptr<const Sequence>;
using DictRef = std::shared_ptr<const Dict>;
using RangeRef = std::shared_ptr<const Range>;
using GeneratorRef = std::shared_ptr<Generator>;
using MethodRef = std::shared_ptr<const Method>;
using LoopRef = std::shared_ptr<LoopState>;

class Value {
 public:
  using Payload =
      std::variant<Undefined, None, bool, int64_t, double, TextRef, SequenceRef, DictRef, RangeRef,
                   GeneratorRef, Namespace*, const Macro*, Function, MethodRef, LoopRef>;

  Value() = default;
  explicit Value(Payload payload, Origin origin = Origin::kTemplate)
      : payload_(std::move(payload)), origin_(origin) {}
  static Value boolean(bool value, Origin origin) { return Value(Payload(value), origin); }

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&payload_);
  }
  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(payload_);
  }
  const Payload& payload() const { return payload_; }

  // Null when it has another type.
  const Text* text() const { return is<TextRef>() ? get<TextRef>()->get() : nullptr; }
  const Sequence* sequence() const { return is<SequenceRef>() ? get<SequenceRef>()->get() : nullptr; }
  const Sequence* list_or_tuple() const;
  const Dict* dict() const { return is<DictRef>() ? get<DictRef>()->get() : nullptr; }
  // An integer or a boolean: python counts with both.
  bool integer(int64_t* value) const;
  // The same and floats.
  bool number(double* value) const;
  bool is_number() const { return is<bool>() || is<int64_t>() || is<double>(); }

  // For a text: whether any of its bytes is foreign. For everything else: a mark that travels with the value,
  // because a number or a list of the caller's turns into text of the caller's when it is printed.
  Origin origin() const { return text() != nullptr ? text()->origin() : origin_; }
  Value with_origin(Origin origin) const { return Value(payload_, either(origin_, origin)); }

  bool truthy() const;
  std::string_view type_name() const;  // python's, for messages
  int32_t depth() const;               // 0 for what holds no values

 private:
  Payload payload_;
  Origin origin_ = Origin::kTemplate;
};

// Collects items under the budget (a step and some memory each), as TextBuilder does for text.
class SequenceBuilder {
 public:
  explicit SequenceBuilder(Budget* budget) : budget_(budget), charge_(budget) {}
  // False when there is no room; finish() then fails.
  bool push(Value value);
  // Fails at once when `count` times `items` can't be had.
  void expect(size_t items, int64_t count) {
    failed_ = failed_ || (count > 0 && !budget_->has(items * sizeof(Value), static_cast<size_t>(count)));
  }
  bool failed() const { return failed_; }
  Result<SequenceRef> finish_sequence(SequenceKind kind);
  Result<Value> finish(SequenceKind kind, Origin origin);

 private:
  Budget* budget_;
  Charge charge_;
  std::vector<Value> items_;
  int32_t depth_ = 0;
  bool failed_ = false;
};

class DictBuilder {
 public:
  explicit DictBuilder(Budget* budget) : budget_(budget), dict_(std::make_shared<Dict>()) {
    dict_->charge = Charge(budget);
  }
  // A key that is there keeps its place and gets the new value. Error: the key is not hashable; the budget.
  Result<void> set(Value key, Value value);
  // The same for a key that is known to be new.
  Result<void> append(Value key, Value value);
  // Uses the dictionary as a set: false when the key was there.
  Result<bool> add(Value key);
  Result<Value> finish(Origin origin);

 private:
  Budget* budget_;
  std::shared_ptr<Dict> dict_;
};

// Errors of the template or of what it was given.
Error type_error(std::string message);
Error unsupported(std::string message);
Error undefined_error(const Undefined& undefined);

Result<Value> make_text(Budget* budget, std::string_view bytes, Origin origin);

// Constants of a compiled template: no budget.
Value constant_text(std::string bytes);

// Python's ==. Error: the budget.
Result<bool> equal(Budget* budget, const Value& a, const Value& b);
// -1, 0, 1, or 2 where the values are not ordered (NaN). Error: types that have no order; the budget.
Result<int> compare(Budget* budget, const Value& a, const Value& b);
// Error: not hashable.
Result<void> check_hashable(const Value& key);

// The value for `key`, null when absent. Error: not hashable; the budget.
Result<const Value*> find_key(Budget* budget, const Dict& dict, const Value& key);

// Error: the budget.
Result<void> set_member(Budget* budget, Namespace* space, const std::string& name, Value value);

// The items that a for loop would see, in a sequence. A generator is used up. Error: not iterable; the
// budget.
Result<SequenceRef> iterate(Budget* budget, const Value& value);

}  // namespace hussar::jinja
