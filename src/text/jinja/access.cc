// Look-ups: attributes, items, slices, and `in`.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "text/jinja/loop_state.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"

namespace hussar::jinja {
namespace {

Value undefined(const std::string* name = nullptr) { return Value(Undefined{name}); }

const Value* find_member(const Namespace& space, std::string_view name) {
  for (const auto& [key, value] : space.members) {
    if (key == name) return &value;
  }
  return nullptr;
}

// loop.length and the like look at items that the loop has not reached.
Result<Value> loop_attribute(LoopState& loop, std::string_view name) {
  if (name == "index") return Value(loop.index0 + 1);
  if (name == "index0") return Value(loop.index0);
  if (name == "first") return Value(loop.index0 == 0);
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") return loop.previous.value_or(undefined());
  const bool needs_all = name == "length" || name == "revindex" || name == "revindex0";
  if (!needs_all && name != "last" && name != "nextitem") return undefined();
  if (loop.fill) RETURN_IF_ERROR(loop.fill(loop, needs_all ? std::numeric_limits<size_t>::max() : 1));
  if (name == "last") return Value(loop.ahead.empty());
  if (name == "nextitem") return loop.ahead.empty() ? undefined() : loop.ahead.front();
  if (name == "length") return Value(loop.index0 + 1 + loop.remaining());
  return Value(name == "revindex" ? loop.remaining() + 1 : loop.remaining());
}

// The attribute as python's getattr() finds it; nothing where there is none.
Result<std::optional<Value>> own_attribute(const Value& object, const std::string& name) {
  if (const auto* missing = object.get<Undefined>()) return undefined_error(*missing);
  if (const auto* space = object.get<Namespace*>()) {
    const Value* member = find_member(**space, name);
    if (member == nullptr) return std::optional<Value>();
    return std::optional<Value>(name.starts_with('_') ? undefined() : *member);
  }
  if (const auto* loop = object.get<LoopRef>(); loop != nullptr && name != "cycle" && name != "changed") {
    ASSIGN_OR_RETURN(Value value, loop_attribute(**loop, name));
    return std::optional<Value>(std::move(value));
  }
  const MethodLookup method = find_method(object, name);
  switch (method.outcome) {
    case MethodLookup::Outcome::kFound:
      return std::optional<Value>(
          Value(std::make_shared<const Method>(Method{method.entry, object}), object.origin()));
    case MethodLookup::Outcome::kForbidden:
      return std::optional<Value>(undefined());
    case MethodLookup::Outcome::kUnsupported:
      return unsupported("the attribute '" + name + "' of " + std::string(object.type_name()) +
                         " is not supported");
    case MethodLookup::Outcome::kNone:
      break;
  }
  return std::optional<Value>();
}

Result<Value> text_at(Runtime& runtime, const Text& text, int64_t index) {
  const auto size = static_cast<int64_t>(text.code_points());
  if (index < 0) index += size;
  if (index < 0 || index >= size) return undefined();
  if (!text.is_ascii() && !runtime.budget.touch(text.size())) return runtime.budget.exceeded();
  const size_t begin = text.offset_of(static_cast<size_t>(index));
  size_t end = begin + 1;
  while (end < text.size() && (static_cast<unsigned char>(text.bytes()[end]) & 0xC0) == 0x80) ++end;
  TextBuilder builder(&runtime.budget);
  builder.append(text, begin, end);
  ASSIGN_OR_RETURN(TextRef character, builder.finish());
  return Value(std::move(character));
}

struct Slice {
  int64_t start, stop, step, count;
};

bool within_bound(const Range& range) {
  return std::max({std::abs(range.start), std::abs(range.stop), std::abs(range.step)}) <= kRangeBound;
}

Result<Slice> resolve_slice(int64_t size, const Value* start_value, const Value* stop_value,
                            const Value* step_value) {
  const auto part = [](const Value* value, int64_t absent) -> Result<int64_t> {
    if (value == nullptr || value->is<None>()) return absent;
    int64_t integer = 0;
    if (value->integer(&integer)) return integer;
    return type_error("a slice needs integers");
  };
  ASSIGN_OR_RETURN(const int64_t step, part(step_value, 1));
  if (step == 0) return type_error("a slice's step can't be 0");
  if (step == std::numeric_limits<int64_t>::min()) return unsupported("the slice's step is too large");
  const int64_t low = step < 0 ? -1 : 0;
  const int64_t high = step < 0 ? size - 1 : size;
  const auto clamp = [&](int64_t index) {
    if (index < 0) index += size;
    return std::min(std::max(index, low), high);
  };
  constexpr int64_t kAbsent = std::numeric_limits<int64_t>::min();
  ASSIGN_OR_RETURN(int64_t start, part(start_value, kAbsent));
  ASSIGN_OR_RETURN(int64_t stop, part(stop_value, kAbsent));
  const bool no_start = start_value == nullptr || start_value->is<None>();
  const bool no_stop = stop_value == nullptr || stop_value->is<None>();
  start = no_start ? (step < 0 ? high : low) : clamp(start);
  stop = no_stop ? (step < 0 ? low : high) : clamp(stop);
  const Range range{start, stop, step};
  return Slice{start, stop, step, range.size()};
}

Result<Value> slice_text(Runtime& runtime, const Text& text, const Slice& slice) {
  if (!text.is_ascii() && !runtime.budget.touch(text.size())) return runtime.budget.exceeded();
  TextBuilder builder(&runtime.budget);
  if (slice.count > 0 && slice.step == 1) {
    const size_t begin = text.offset_of(static_cast<size_t>(slice.start));
    builder.append(text, begin, text.offset_of(static_cast<size_t>(slice.start + slice.count)));
  } else if (slice.count > 0) {
    std::vector<size_t> borders;  // of the code points
    borders.reserve(text.code_points() + 1);
    for (size_t offset = 0; offset <= text.size(); ++offset) {
      const bool border =
          offset == text.size() || (static_cast<unsigned char>(text.bytes()[offset]) & 0xC0) != 0x80;
      if (border) borders.push_back(offset);
    }
    for (int64_t i = 0; i < slice.count && !builder.failed(); ++i) {
      const auto index = static_cast<size_t>(slice.start + i * slice.step);
      builder.append(text, borders[index], borders[index + 1]);
    }
  }
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

Result<bool> contains_text(Runtime& runtime, const Text& text, const Value& item) {
  if (item.text() == nullptr) return type_error("only a string can be in a string");
  if (!runtime.budget.touch(text.size() + item.text()->size())) return runtime.budget.exceeded();
  const std::string_view needle = item.text()->bytes();
  // memmem is linear; std::string_view::find is not.
  return memmem(text.bytes().data(), text.size(), needle.data(), needle.size()) != nullptr;
}

Result<bool> contains_in_range(const Range& range, const Value& item) {
  int64_t value = 0;
  if (const double* number = item.get<double>()) {
    value = std::abs(*number) < 0x1p62 ? static_cast<int64_t>(*number) : range.stop;
    if (static_cast<double>(value) != *number) return false;
  } else if (!item.integer(&value)) {
    return false;
  }
  const bool inside = range.step > 0 ? value >= range.start && value < range.stop
                                     : value <= range.start && value > range.stop;
  return inside && (value - range.start) % range.step == 0;
}

}  // namespace

Result<Value> get_attribute(Runtime& runtime, const Value& object, const std::string& name) {
  if (!runtime.budget.step()) return runtime.budget.exceeded();
  ASSIGN_OR_RETURN(std::optional<Value> own, own_attribute(object, name));
  if (own) return std::move(*own);
  if (const Dict* dict = object.dict()) {
    if (!runtime.budget.touch(dict->text_index.empty() ? dict->entries.size() : 1))
      return runtime.budget.exceeded();
    if (const Value* item = dict->find(name)) return *item;
  }
  return undefined(&name);
}

Result<Value> get_item(Runtime& runtime, const Value& object, const Value& index) {
  if (!runtime.budget.step()) return runtime.budget.exceeded();
  if (const auto* missing = object.get<Undefined>()) return undefined_error(*missing);
  int64_t position = 0;
  const bool is_integer = index.integer(&position);
  if (const Dict* dict = object.dict()) {
    if (check_hashable(index).ok()) {
      ASSIGN_OR_RETURN(const Value* item, find_key(&runtime.budget, *dict, index));
      if (item != nullptr) return *item;
    }
  } else if (const Sequence* sequence = object.list_or_tuple(); sequence != nullptr && is_integer) {
    const auto size = static_cast<int64_t>(sequence->items.size());
    if (position < 0) position += size;
    if (position >= 0 && position < size) return sequence->items[static_cast<size_t>(position)];
  } else if (object.text() != nullptr && is_integer) {
    return text_at(runtime, *object.text(), position);
  } else if (const RangeRef* range = object.get<RangeRef>(); range != nullptr && is_integer) {
    const int64_t size = (*range)->size();
    if (position < 0) position += size;
    if (position >= 0 && position < size) return Value((*range)->at(position), object.origin());
  }
  if (index.text() != nullptr) {
    ASSIGN_OR_RETURN(std::optional<Value> own, own_attribute(object, std::string(index.text()->bytes())));
    if (own) return std::move(*own);
  }
  return undefined();
}

Result<Value> get_slice(Runtime& runtime, const Value& object, const Value* start, const Value* stop,
                        const Value* step) {
  if (!runtime.budget.step()) return runtime.budget.exceeded();
  if (const auto* missing = object.get<Undefined>()) return undefined_error(*missing);
  if (const Text* text = object.text()) {
    ASSIGN_OR_RETURN(const Slice slice,
                     resolve_slice(static_cast<int64_t>(text->code_points()), start, stop, step));
    return slice_text(runtime, *text, slice);
  }
  if (const Sequence* sequence = object.list_or_tuple()) {
    const auto size = static_cast<int64_t>(sequence->items.size());
    ASSIGN_OR_RETURN(const Slice slice, resolve_slice(size, start, stop, step));
    SequenceBuilder items(&runtime.budget);
    for (int64_t i = 0; i < slice.count; ++i) {
      if (!items.push(sequence->items[static_cast<size_t>(slice.start + i * slice.step)])) break;
    }
    return items.finish(sequence->kind, object.origin());
  }
  if (const RangeRef* range = object.get<RangeRef>()) {
    ASSIGN_OR_RETURN(const Slice slice, resolve_slice((*range)->size(), start, stop, step));
    int64_t new_step = 0;
    if (__builtin_mul_overflow((*range)->step, slice.step, &new_step)) {
      return unsupported("the slice's step is too large");
    }
    const Range part{(*range)->at(slice.start), (*range)->at(slice.stop), new_step};
    if (!within_bound(part)) return unsupported("the slice's ends are too large");
    return Value(std::make_shared<const Range>(part), object.origin());
  }
  return type_error("a value of type " + std::string(object.type_name()) + " can't be sliced");
}

Result<bool> contains(Runtime& runtime, const Value& container, const Value& item) {
  Budget* budget = &runtime.budget;
  if (!budget->step()) return budget->exceeded();
  if (const Text* text = container.text()) return contains_text(runtime, *text, item);
  if (const Dict* dict = container.dict()) {
    ASSIGN_OR_RETURN(const Value* found, find_key(budget, *dict, item));
    return found != nullptr;
  }
  if (const RangeRef* range = container.get<RangeRef>()) return contains_in_range(**range, item);
  if (const GeneratorRef* generator = container.get<GeneratorRef>()) {
    auto& [items, next, failure] = **generator;  // python stops at the first that fits and leaves the rest
    while (next < items->items.size()) {
      ASSIGN_OR_RETURN(const bool same, equal(budget, items->items[next++], item));
      if (same) return true;
    }
    if (failure) return *failure;
    return false;
  }
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(budget, container));
  for (const Value& candidate : items->items) {
    ASSIGN_OR_RETURN(const bool same, equal(budget, candidate, item));
    if (same) return true;
  }
  return false;
}

}  // namespace hussar::jinja
