#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/loop_state.h"
#include "text/jinja/methods.h"

namespace hussar::jinja {
namespace {

constexpr size_t kIndexedFrom = 16;  // entries; below that a scan is as fast

constexpr int kUnordered = 2;

int three_way(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }
int three_way(double a, double b) { return a < b ? -1 : a > b ? 1 : a == b ? 0 : kUnordered; }

// Exact, where a conversion to double would round.
int three_way(int64_t a, double b) {
  if (std::isnan(b)) return kUnordered;
  if (b >= 0x1p63) return -1;
  if (b < -0x1p63) return 1;
  const double whole = std::trunc(b);
  const int order = three_way(a, static_cast<int64_t>(whole));
  return order != 0 ? order : three_way(whole, b);
}

// REQUIRES: both are numbers.
int compare_numbers(const Value& a, const Value& b) {
  int64_t a_int = 0;
  int64_t b_int = 0;
  const bool a_is_int = a.integer(&a_int);
  const bool b_is_int = b.integer(&b_int);
  if (a_is_int && b_is_int) return three_way(a_int, b_int);
  if (a_is_int) return three_way(a_int, *b.get<double>());
  if (!b_is_int) return three_way(*a.get<double>(), *b.get<double>());
  const int order = three_way(b_int, *a.get<double>());
  return order == kUnordered ? order : -order;
}

Result<bool> equal_sequences(Budget* budget, const Sequence& a, const Sequence& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (a.kind != SequenceKind::kList && a.kind != SequenceKind::kTuple) {
    return unsupported("comparing dictionary views is not supported");
  }
  for (size_t i = 0; i < a.items.size(); ++i) {
    ASSIGN_OR_RETURN(const bool same, equal(budget, a.items[i], b.items[i]));
    if (!same) return false;
  }
  return true;
}

Result<bool> equal_dicts(Budget* budget, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    ASSIGN_OR_RETURN(const Value* other, find_key(budget, b, key));
    if (other == nullptr) return false;
    ASSIGN_OR_RETURN(const bool same, equal(budget, value, *other));
    if (!same) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  const int64_t size = a.size();
  return size == b.size() && (size == 0 || (a.start == b.start && (size == 1 || a.step == b.step)));
}

Result<SequenceRef> characters(Budget* budget, const Text& text) {
  SequenceBuilder items(budget);
  for (size_t offset = 0; offset < text.size() && !items.failed();) {
    const size_t begin = offset;
    next_code_point(text.bytes(), &offset);
    TextBuilder one(budget);
    one.append(text, begin, offset);
    ASSIGN_OR_RETURN(TextRef character, one.finish());
    items.push(Value(std::move(character)));
  }
  return items.finish_sequence(SequenceKind::kList);
}

Result<SequenceRef> rest_of(Budget* budget, Generator* generator) {
  if (generator->failure) return *generator->failure;
  const size_t begin = std::exchange(generator->next, generator->items->items.size());
  if (begin == 0) return generator->items;
  SequenceBuilder items(budget);
  for (size_t i = begin; i < generator->items->items.size(); ++i) items.push(generator->items->items[i]);
  return items.finish_sequence(SequenceKind::kList);
}

}  // namespace

const Value* Dict::find(std::string_view key) const {
  if (!text_index.empty()) {
    const auto found = text_index.find(key);
    return found == text_index.end() ? nullptr : &entries[found->second].second;
  }
  for (const auto& [entry_key, value] : entries) {
    const Text* text = entry_key.text();
    if (text != nullptr && text->bytes() == key) return &value;
  }
  return nullptr;
}

int64_t Range::size() const {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

const Sequence* Value::list_or_tuple() const {
  const Sequence* value = sequence();
  const bool plain =
      value != nullptr && (value->kind == SequenceKind::kList || value->kind == SequenceKind::kTuple);
  return plain ? value : nullptr;
}

bool Value::integer(int64_t* value) const {
  if (const int64_t* integer = get<int64_t>()) return *value = *integer, true;
  if (const bool* boolean = get<bool>()) return *value = *boolean ? 1 : 0, true;
  return false;
}

bool Value::number(double* value) const {
  if (const double* real = get<double>()) return *value = *real, true;
  int64_t whole = 0;
  if (!integer(&whole)) return false;
  return *value = static_cast<double>(whole), true;
}

bool Value::truthy() const {
  if (is<Undefined>() || is<None>()) return false;
  if (const bool* value = get<bool>()) return *value;
  if (const int64_t* value = get<int64_t>()) return *value != 0;
  if (const double* value = get<double>()) return *value != 0;
  if (const Text* value = text()) return value->size() != 0;
  if (const Sequence* value = sequence()) return !value->items.empty();
  if (const Dict* value = dict()) return !value->entries.empty();
  if (const RangeRef* value = get<RangeRef>()) return (*value)->size() != 0;
  return true;
}

std::string_view Value::type_name() const {
  if (const Sequence* value = sequence()) {
    constexpr std::string_view kNames[] = {"list", "tuple", "dict_keys", "dict_values", "dict_items"};
    return kNames[static_cast<size_t>(value->kind)];
  }
  constexpr std::string_view kNames[] = {"undefined", "None",  "bool",     "int",    "float",
                                         "str",       "list",  "dict",     "range",  "generator",
                                         "namespace", "macro", "function", "method", "loop"};
  static_assert(std::size(kNames) == std::variant_size_v<Payload>);
  return kNames[payload_.index()];
}

int32_t Value::depth() const {
  if (const Sequence* value = sequence()) return value->depth;
  if (const Dict* value = dict()) return value->depth;
  if (const GeneratorRef* value = get<GeneratorRef>()) return (*value)->items->depth + 1;
  if (const MethodRef* value = get<MethodRef>()) return (*value)->self.depth() + 1;
  if (const LoopRef* value = get<LoopRef>()) return (*value)->source->depth + 1;
  return 0;
}

bool SequenceBuilder::push(Value value) {
  failed_ = failed_ || !budget_->step() || !charge_.grow(sizeof(Value));
  if (failed_) return false;
  depth_ = std::max(depth_, value.depth());
  items_.push_back(std::move(value));
  return true;
}

Result<SequenceRef> SequenceBuilder::finish_sequence(SequenceKind kind) {
  if (failed_ || !charge_.grow(sizeof(Sequence))) return budget_->exceeded();
  if (depth_ >= budget_->depth_max()) return budget_->too_deep();
  return SequenceRef(
      std::make_shared<const Sequence>(Sequence{std::move(items_), kind, depth_ + 1, std::move(charge_)}));
}

Result<Value> SequenceBuilder::finish(SequenceKind kind, Origin origin) {
  ASSIGN_OR_RETURN(SequenceRef sequence, finish_sequence(kind));
  return Value(Value::Payload(std::move(sequence)), origin);
}

Result<void> DictBuilder::set(Value key, Value value) {
  ASSIGN_OR_RETURN(const Value* found, find_key(budget_, *dict_, key));
  if (found == nullptr) return append(std::move(key), std::move(value));
  if (value.depth() >= budget_->depth_max()) return budget_->too_deep();
  dict_->depth = std::max(dict_->depth, value.depth() + 1);
  // The builder owns the dictionary; find_key() only promises not to change it.
  *const_cast<Value*>(found) = std::move(value);
  return {};
}

Result<void> DictBuilder::append(Value key, Value value) {
  const int32_t depth = std::max(key.depth(), value.depth());
  if (depth >= budget_->depth_max()) return budget_->too_deep();
  if (!budget_->step() || !dict_->charge.grow(2 * sizeof(Value))) return budget_->exceeded();
  dict_->depth = std::max(dict_->depth, depth + 1);
  dict_->entries.emplace_back(std::move(key), std::move(value));
  const size_t size = dict_->entries.size();
  if (size <= kIndexedFrom) return {};
  for (size_t i = size == kIndexedFrom + 1 ? 0 : size - 1; i < size; ++i) {
    if (const Text* text = dict_->entries[i].first.text()) dict_->text_index.emplace(text->bytes(), i);
  }
  return {};
}

Result<bool> DictBuilder::add(Value key) {
  ASSIGN_OR_RETURN(const Value* found, find_key(budget_, *dict_, key));
  if (found != nullptr) return false;
  RETURN_IF_ERROR(append(std::move(key), Value()));
  return true;
}

Result<Value> DictBuilder::finish(Origin origin) {
  if (!dict_->charge.grow(sizeof(Dict))) return budget_->exceeded();
  return Value(Value::Payload(DictRef(std::move(dict_))), origin);
}

Error type_error(std::string message) { return Error{ErrorCode::kInvalid, std::move(message), ""}; }
Error unsupported(std::string message) { return Error{ErrorCode::kUnsupported, std::move(message), ""}; }

Error undefined_error(const Undefined& undefined) {
  if (undefined.name == nullptr) return type_error("an undefined value is used");
  return type_error("'" + *undefined.name + "' is undefined");
}

Result<Value> make_text(Budget* budget, std::string_view bytes, Origin origin) {
  TextBuilder builder(budget);
  builder.append(bytes, origin);
  ASSIGN_OR_RETURN(TextRef text, builder.finish());
  return Value(std::move(text));
}

Value constant_text(std::string bytes) {
  return Value(std::make_shared<const Text>(std::move(bytes), std::vector<ByteRange>(), Charge()));
}

Result<bool> equal(Budget* budget, const Value& a, const Value& b) {
  if (!budget->step()) return budget->exceeded();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.payload().index() != b.payload().index()) return false;
  if (a.is<Undefined>() || a.is<None>()) return true;
  if (const Text* text = a.text()) {
    if (!budget->touch(std::min(text->size(), b.text()->size()))) return budget->exceeded();
    return text->bytes() == b.text()->bytes();
  }
  if (const Sequence* sequence = a.sequence()) return equal_sequences(budget, *sequence, *b.sequence());
  if (const Dict* dict = a.dict()) return equal_dicts(budget, *dict, *b.dict());
  if (const RangeRef* range = a.get<RangeRef>()) return equal_ranges(**range, **b.get<RangeRef>());
  if (const auto* space = a.get<Namespace*>()) return *space == *b.get<Namespace*>();
  if (const auto* macro = a.get<const Macro*>()) return *macro == *b.get<const Macro*>();
  if (const auto* function = a.get<Function>()) return *function == *b.get<Function>();
  if (const auto* generator = a.get<GeneratorRef>()) return *generator == *b.get<GeneratorRef>();
  if (const auto* loop = a.get<LoopRef>()) return *loop == *b.get<LoopRef>();
  return unsupported("comparing methods is not supported");
}

Result<int> compare(Budget* budget, const Value& a, const Value& b) {
  if (!budget->step()) return budget->exceeded();
  if (const auto* undefined = a.get<Undefined>()) return undefined_error(*undefined);
  if (const auto* undefined = b.get<Undefined>()) return undefined_error(*undefined);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.text() != nullptr && b.text() != nullptr) {
    if (!budget->touch(std::min(a.text()->size(), b.text()->size()))) return budget->exceeded();
    // The order of UTF-8 bytes is the order of code points.
    return three_way(int64_t{a.text()->bytes().compare(b.text()->bytes())}, int64_t{0});
  }
  const Sequence* left = a.list_or_tuple();
  const Sequence* right = b.list_or_tuple();
  if (left == nullptr || right == nullptr || left->kind != right->kind) {
    return type_error("values of type " + std::string(a.type_name()) + " and " + std::string(b.type_name()) +
                      " have no order");
  }
  const size_t shared = std::min(left->items.size(), right->items.size());
  for (size_t i = 0; i < shared; ++i) {
    ASSIGN_OR_RETURN(const bool same, equal(budget, left->items[i], right->items[i]));
    if (!same) return compare(budget, left->items[i], right->items[i]);
  }
  return three_way(static_cast<int64_t>(left->items.size()), static_cast<int64_t>(right->items.size()));
}

Result<void> check_hashable(const Value& key) {
  const Sequence* sequence = key.sequence();
  bool hashable = key.dict() == nullptr;
  if (sequence != nullptr) {
    hashable = sequence->kind == SequenceKind::kTuple;
    for (size_t i = 0; hashable && i < sequence->items.size(); ++i) {
      hashable = check_hashable(sequence->items[i]).ok();
    }
  }
  if (hashable) return {};
  return type_error("a value of type " + std::string(key.type_name()) + " can't be a key");
}

Result<const Value*> find_key(Budget* budget, const Dict& dict, const Value& key) {
  if (key.text() != nullptr) {
    const size_t scanned = dict.text_index.empty() ? dict.entries.size() : 1;
    if (!budget->touch(key.text()->size() + scanned)) return budget->exceeded();
    return dict.find(key.text()->bytes());
  }
  RETURN_IF_ERROR(check_hashable(key));
  for (const auto& [entry_key, value] : dict.entries) {
    ASSIGN_OR_RETURN(const bool same, equal(budget, entry_key, key));
    if (same) return &value;
  }
  return static_cast<const Value*>(nullptr);
}

Result<void> set_member(Budget* budget, Namespace* space, const std::string& name, Value value) {
  for (auto& [key, member] : space->members) {
    if (key == name) return member = std::move(value), Result<void>();
  }
  if (!space->charge.grow(name.size() + sizeof(Value))) return budget->exceeded();
  space->members.emplace_back(name, std::move(value));
  return {};
}

Result<SequenceRef> iterate(Budget* budget, const Value& value) {
  if (const SequenceRef* sequence = value.get<SequenceRef>()) return *sequence;
  if (const Text* text = value.text()) return characters(budget, *text);
  if (const GeneratorRef* generator = value.get<GeneratorRef>()) return rest_of(budget, generator->get());
  SequenceBuilder items(budget);
  if (const Dict* dict = value.dict()) {
    for (const auto& entry : dict->entries) items.push(entry.first);
  } else if (const RangeRef* range = value.get<RangeRef>()) {
    const int64_t size = (*range)->size();
    for (int64_t i = 0; i < size && items.push(Value((*range)->at(i), value.origin())); ++i) {
    }
  } else if (!value.is<Undefined>()) {
    return type_error("a value of type " + std::string(value.type_name()) + " can't be iterated over");
  }
  return items.finish_sequence(SequenceKind::kList);
}

}  // namespace hussar::jinja
