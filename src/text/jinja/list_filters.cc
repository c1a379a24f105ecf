#include <algorithm>
#include <optional>

#include "text/jinja/filter_tables.h"
#include "text/jinja/format.h"
#include "text/jinja/literals.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/sorting.h"
#include "text/jinja/text_functions.h"

namespace hussar::jinja {
namespace {

Result<Value> list_of(Runtime& runtime, std::vector<Value> items, Origin origin) {
  SequenceBuilder builder(&runtime.budget);
  for (Value& item : items) builder.push(std::move(item));
  return builder.finish(SequenceKind::kList, origin);
}

Result<Value> filter_length(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("length", arguments, {}, 0));
  const Origin origin = value.origin();
  const auto count = [origin](size_t size) { return Value(static_cast<int64_t>(size), origin); };
  if (const Text* text = value.text()) return count(text->code_points());
  if (const Sequence* sequence = value.sequence()) return count(sequence->items.size());
  if (const Dict* dict = value.dict()) return count(dict->entries.size());
  if (const RangeRef* range = value.get<RangeRef>()) return Value((*range)->size(), origin);
  if (value.is<Undefined>()) return count(0);
  return type_error("a value of type " + std::string(value.type_name()) + " has no length");
}

Result<Value> filter_list(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("list", arguments, {}, 0));
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  return list_of(runtime, items->items, value.origin());
}

Result<Value> filter_first(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("first", arguments, {}, 0));
  if (const GeneratorRef* generator = value.get<GeneratorRef>()) {
    auto& [items, next, failure] = **generator;
    if (next < items->items.size()) return items->items[next++];
    if (failure) return *failure;
    return Value();
  }
  if (value.text() != nullptr) return get_item(runtime, value, Value(int64_t{0}));
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  return items->items.empty() ? Value() : items->items.front();
}

Result<Value> filter_last(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("last", arguments, {}, 0));
  if (value.is<GeneratorRef>()) return type_error("a generator can't be gone through from its end");
  if (value.text() != nullptr) return get_item(runtime, value, Value(int64_t{-1}));
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  return items->items.empty() ? Value() : items->items.back();
}

Result<Value> filter_reverse(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("reverse", arguments, {}, 0));
  const Value step(int64_t{-1});
  if (value.text() != nullptr) return get_slice(runtime, value, nullptr, nullptr, &step);
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  std::vector<Value> reversed(items->items.rbegin(), items->items.rend());
  if (value.is<GeneratorRef>()) return list_of(runtime, std::move(reversed), value.origin());
  SequenceBuilder builder(&runtime.budget);
  for (Value& item : reversed) builder.push(std::move(item));
  return make_generator(&builder, value.origin());
}

Result<Value> filter_join(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("join", arguments, {"d", "attribute"}, 0));
  TextRef separator = *constant_text("").get<TextRef>();
  if (bound[0] != nullptr) {
    ASSIGN_OR_RETURN(separator, to_text(runtime, *bound[0]));
  }
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  std::optional<AttributePath> path;
  if (bound[1] != nullptr && !bound[1]->is<None>()) {
    ASSIGN_OR_RETURN(path, AttributePath::create(*bound[1]));
  }
  std::vector<Value> texts;
  for (const Value& item : items->items) {
    if (!runtime.budget.step()) return runtime.budget.exceeded();
    Value part = item;
    if (path) {
      ASSIGN_OR_RETURN(part, path->get(runtime, item, nullptr));
    }
    ASSIGN_OR_RETURN(TextRef text, to_text(runtime, part));
    texts.emplace_back(std::move(text));
  }
  return join(runtime, *separator, texts, value.origin());
}

Result<Value> filter_items(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("items", arguments, {}, 0));
  SequenceBuilder builder(&runtime.budget);
  if (!value.is<Undefined>()) {
    if (value.dict() == nullptr)
      return make_generator(&builder, value.origin(), type_error("items() needs a mapping"));
    ASSIGN_OR_RETURN(const Value view, find_dict_method("items")->call(runtime, value, {}));
    for (const Value& item : view.sequence()->items) builder.push(item);
  }
  return make_generator(&builder, value.origin());
}

struct Keyed {
  Value key;
  Value item;
};

Result<void> sort_keyed(Runtime& runtime, bool reverse, std::vector<Keyed>* items) {
  // Reversed, equals still keep their order.
  return merge_sort(items, [&](const Keyed& a, const Keyed& b) -> Result<bool> {
    ASSIGN_OR_RETURN(const int order, compare(&runtime.budget, a.key, b.key));
    return order == (reverse ? 1 : -1);
  });
}

Result<Value> sorted_list(Runtime& runtime, bool reverse, std::vector<Keyed> items, Origin origin) {
  RETURN_IF_ERROR(sort_keyed(runtime, reverse, &items));
  SequenceBuilder builder(&runtime.budget);
  for (Keyed& entry : items) builder.push(std::move(entry.item));
  return builder.finish(SequenceKind::kList, origin);
}

Result<Value> filter_sort(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("sort", arguments, {"reverse", "case_sensitive", "attribute"}, 0));
  const bool by_attribute = bound[2] != nullptr && !bound[2]->is<None>();
  std::vector<AttributePath> paths;  // "a,b": by a, then by b
  if (by_attribute) {
    Value names = *bound[2];
    if (names.text() != nullptr) {
      const Text comma(",", {}, Charge());
      ASSIGN_OR_RETURN(names, split(runtime, *names.text(), &comma, kAll));
      for (const Value& name : names.sequence()->items) {
        ASSIGN_OR_RETURN(AttributePath path, AttributePath::create(name));
        paths.push_back(std::move(path));
      }
    } else {
      ASSIGN_OR_RETURN(AttributePath path, AttributePath::create(names));
      paths.push_back(std::move(path));
    }
  }
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  std::vector<Keyed> keyed;
  for (const Value& item : items->items) {
    SequenceBuilder keys(&runtime.budget);
    for (size_t i = 0; i < std::max<size_t>(paths.size(), 1); ++i) {
      Value key = item;
      if (by_attribute) {
        ASSIGN_OR_RETURN(key, paths[i].get(runtime, item, nullptr));
      }
      ASSIGN_OR_RETURN(key, sort_key(runtime, key, flag(bound[1])));
      keys.push(std::move(key));
    }
    ASSIGN_OR_RETURN(Value key, keys.finish(SequenceKind::kList, Origin::kTemplate));
    keyed.push_back({std::move(key), item});
  }
  return sorted_list(runtime, flag(bound[0]), std::move(keyed), value.origin());
}

Result<Value> filter_dictsort(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("dictsort", arguments, {"case_sensitive", "by", "reverse"}, 0));
  bool by_value = false;
  if (bound[1] != nullptr) {
    const Text* by = bound[1]->text();
    by_value = by != nullptr && by->bytes() == "value";
    if (!by_value && (by == nullptr || by->bytes() != "key"))
      return type_error("dictsort() sorts by key or value");
  }
  if (value.dict() == nullptr) return type_error("dictsort() needs a mapping");
  ASSIGN_OR_RETURN(const Value view, find_dict_method("items")->call(runtime, value, {}));
  std::vector<Keyed> keyed;
  for (const Value& item : view.sequence()->items) {
    ASSIGN_OR_RETURN(Value key, sort_key(runtime, item.sequence()->items[by_value ? 1 : 0], flag(bound[0])));
    keyed.push_back({std::move(key), item});
  }
  return sorted_list(runtime, flag(bound[2]), std::move(keyed), value.origin());
}

Result<Value> filter_unique(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("unique", arguments, {"case_sensitive", "attribute"}, 0));
  std::optional<AttributePath> path;
  if (bound[1] != nullptr && !bound[1]->is<None>()) {
    ASSIGN_OR_RETURN(path, AttributePath::create(*bound[1]));
  }
  DictBuilder seen(&runtime.budget);
  return generate(runtime, value, [&](const Value& item, SequenceBuilder* unique) -> Result<void> {
    Value key = item;
    if (path) {
      ASSIGN_OR_RETURN(key, path->get(runtime, item, nullptr));
    }
    ASSIGN_OR_RETURN(key, sort_key(runtime, key, flag(bound[0])));
    ASSIGN_OR_RETURN(const bool added, seen.add(std::move(key)));
    if (added) unique->push(item);
    return {};
  });
}

Result<Value> extreme(Runtime& runtime, const char* name, int wanted, const Value& value,
                      const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind(name, arguments, {"case_sensitive", "attribute"}, 0));
  std::optional<AttributePath> path;
  if (bound[1] != nullptr && !bound[1]->is<None>()) {
    ASSIGN_OR_RETURN(path, AttributePath::create(*bound[1]));
  }
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  std::optional<Keyed> best;
  for (const Value& item : items->items) {
    Value key = item;
    if (path) {
      ASSIGN_OR_RETURN(key, path->get(runtime, item, nullptr));
    }
    ASSIGN_OR_RETURN(key, sort_key(runtime, key, flag(bound[0])));
    int order = wanted;
    if (best) {
      ASSIGN_OR_RETURN(order, compare(&runtime.budget, key, best->key));
    }
    if (order == wanted) best = Keyed{std::move(key), item};
  }
  return best ? best->item : Value();
}

Result<Value> filter_min(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return extreme(runtime, "min", -1, value, arguments);
}

Result<Value> filter_max(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return extreme(runtime, "max", 1, value, arguments);
}

Result<Value> filter_sum(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("sum", arguments, {"attribute", "start"}, 0));
  Value total = bound[1] == nullptr ? Value(int64_t{0}) : *bound[1];
  if (total.text() != nullptr) return type_error("sum() doesn't join strings");
  std::optional<AttributePath> path;
  if (bound[0] != nullptr && !bound[0]->is<None>()) {
    ASSIGN_OR_RETURN(path, AttributePath::create(*bound[0]));
  }
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  for (const Value& item : items->items) {
    Value term = item;
    if (path) {
      ASSIGN_OR_RETURN(term, path->get(runtime, item, nullptr));
    }
    ASSIGN_OR_RETURN(total, arithmetic(runtime, ArithmeticOp::kAdd, total, term));
  }
  return total;
}

Result<Value> filter_batch(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("batch", arguments, {"linecount", "fill_with"}, 1));
  ASSIGN_OR_RETURN(const int64_t size, integer_argument("batch", *bound[0]));
  if (size < 1) return unsupported("batch() needs a positive size");
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  const bool fill = bound[1] != nullptr && !bound[1]->is<None>();
  SequenceBuilder batches(&runtime.budget);
  const auto count = static_cast<int64_t>(items->items.size());
  for (int64_t begin = 0; begin < count; begin += size) {
    SequenceBuilder batch(&runtime.budget);
    for (int64_t i = begin; i - begin < size && (i < count || fill); ++i) {
      if (!batch.push(i < count ? items->items[static_cast<size_t>(i)] : *bound[1])) break;
    }
    ASSIGN_OR_RETURN(Value list, batch.finish(SequenceKind::kList, value.origin()));
    batches.push(std::move(list));
    if (size >= count) break;
  }
  return make_generator(&batches, value.origin());
}

Result<Value> filter_slice(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("slice", arguments, {"slices", "fill_with"}, 1));
  ASSIGN_OR_RETURN(const int64_t slices, integer_argument("slice", *bound[0]));
  if (slices == 0) return type_error("slice() needs a number of slices");
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, value));
  const bool fill = bound[1] != nullptr && !bound[1]->is<None>();
  const auto count = static_cast<int64_t>(items->items.size());
  SequenceBuilder result(&runtime.budget);
  int64_t begin = 0;
  for (int64_t i = 0; i < slices; ++i) {
    const bool longer = i < count % slices;  // the first slices take one item more
    SequenceBuilder slice(&runtime.budget);
    for (int64_t taken = 0; taken < count / slices + (longer ? 1 : 0); ++taken) {
      slice.push(items->items[static_cast<size_t>(begin++)]);
    }
    if (fill && !longer) slice.push(*bound[1]);
    ASSIGN_OR_RETURN(Value list, slice.finish(SequenceKind::kList, value.origin()));
    if (!result.push(std::move(list))) break;
  }
  return make_generator(&result, value.origin());
}

Result<Value> filter_default(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("default", arguments, {"default_value", "boolean"}, 0));
  const bool missing = value.is<Undefined>() || (flag(bound[1]) && !value.truthy());
  if (!missing) return value;
  return bound[0] == nullptr ? constant_text("") : *bound[0];
}

// Like object.name, but never the item with that key.
Result<Value> filter_attr(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("attr", arguments, {"name"}, 1));
  ASSIGN_OR_RETURN(const Text* name, text_argument("attr", *bound[0]));
  if (value.dict() != nullptr && find_method(value, name->bytes()).outcome == MethodLookup::Outcome::kNone) {
    return Value();
  }
  ASSIGN_OR_RETURN(Value found, get_attribute(runtime, value, std::string(name->bytes())));
  return found.is<Undefined>() ? Value() : found;  // its name ends with this call
}

constexpr Filter kListFilters[] = {
    {"length", filter_length},     {"count", filter_length},    {"list", filter_list},
    {"first", filter_first},       {"last", filter_last},       {"reverse", filter_reverse},
    {"join", filter_join},         {"items", filter_items},     {"sort", filter_sort},
    {"dictsort", filter_dictsort}, {"unique", filter_unique},   {"min", filter_min},
    {"max", filter_max},           {"sum", filter_sum},         {"batch", filter_batch},
    {"slice", filter_slice},       {"default", filter_default}, {"d", filter_default},
    {"attr", filter_attr},
};

}  // namespace

std::span<const Filter> list_filters() { return kListFilters; }

Result<AttributePath> AttributePath::create(const Value& attribute) {
  AttributePath path;
  const Text* text = attribute.text();
  if (text == nullptr) {
    if (!attribute.is<int64_t>()) return type_error("an attribute must be a string or an integer");
    path.parts_.push_back(attribute);
    return path;
  }
  std::string_view rest = text->bytes();
  for (;;) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits) {
      ASSIGN_OR_RETURN(const std::optional<int64_t> index, parse_integer(part, 10));
      path.parts_.emplace_back(*index);
    } else {
      path.parts_.push_back(constant_text(std::string(part)));
    }
    if (dot == std::string_view::npos) return path;
    rest.remove_prefix(dot + 1);
  }
}

Result<Value> AttributePath::get(Runtime& runtime, const Value& item, const Value* fallback) const {
  Value value = item;
  for (const Value& part : parts_) {
    ASSIGN_OR_RETURN(value, get_item(runtime, value, part));
    if (fallback != nullptr && value.is<Undefined>()) value = *fallback;
  }
  return value;
}

Result<Value> sort_key(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (case_sensitive || value.text() == nullptr) return value;
  return change_case(runtime, *value.text(), Case::kLower);
}

bool flag(const Value* argument) { return argument != nullptr && argument->truthy(); }

Result<Value> make_generator(SequenceBuilder* items, Origin origin, std::optional<Error> failure) {
  ASSIGN_OR_RETURN(SequenceRef sequence, items->finish_sequence(SequenceKind::kList));
  auto generator = std::make_shared<Generator>();
  generator->items = std::move(sequence);
  generator->failure = std::move(failure);
  return Value(Value::Payload(std::move(generator)), origin);
}

}  // namespace hussar::jinja
