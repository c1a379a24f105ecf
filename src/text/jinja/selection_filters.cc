// Filters that apply another filter or a test to each item.
#include <optional>

#include "text/jinja/filter_tables.h"
#include "text/jinja/predicates.h"

namespace hussar::jinja {
namespace {

enum class Keep { kPassing, kFailing };
enum class Subject { kItem, kAttribute };

// The arguments behind the first `skipped` positional ones.
Arguments rest_of(const Arguments& arguments, size_t skipped) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<ptrdiff_t>(skipped));
  return rest;
}

Result<Value> select(Runtime& runtime, const Value& value, const Arguments& arguments, Keep keep,
                     Subject by) {
  SequenceBuilder nothing(&runtime.budget);
  if (!value.truthy()) return make_generator(&nothing, value.origin());
  std::optional<AttributePath> path;
  size_t used = 0;
  if (by == Subject::kAttribute) {
    if (arguments.positional.empty()) return type_error("the name of an attribute is missing");
    ASSIGN_OR_RETURN(path, AttributePath::create(arguments.positional[used++]));
  }
  const Predicate* predicate = nullptr;
  Arguments rest;
  if (arguments.positional.size() > used) {
    ASSIGN_OR_RETURN(const Text* name, text_argument("select", arguments.positional[used++]));
    predicate = find_predicate(name->bytes());
    if (predicate == nullptr) return unsupported("there is no test '" + std::string(name->bytes()) + "'");
    rest = rest_of(arguments, used);
  }
  return generate(runtime, value, [&](const Value& item, SequenceBuilder* kept) -> Result<void> {
    Value subject = item;
    if (path) {
      ASSIGN_OR_RETURN(subject, path->get(runtime, item, nullptr));
    }
    bool passes = subject.truthy();
    if (predicate != nullptr) {
      ASSIGN_OR_RETURN(passes, test(runtime, *predicate, subject, rest));
    }
    if (passes == (keep == Keep::kPassing)) kept->push(item);
    return {};
  });
}

Result<Value> filter_select(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return select(runtime, value, arguments, Keep::kPassing, Subject::kItem);
}

Result<Value> filter_reject(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return select(runtime, value, arguments, Keep::kFailing, Subject::kItem);
}

Result<Value> filter_selectattr(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return select(runtime, value, arguments, Keep::kPassing, Subject::kAttribute);
}

Result<Value> filter_rejectattr(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return select(runtime, value, arguments, Keep::kFailing, Subject::kAttribute);
}

Result<Value> map_attribute(Runtime& runtime, const Value& value, const Arguments& arguments) {
  const Value* attribute = nullptr;
  const Value* fallback = nullptr;
  for (const auto& [name, argument] : arguments.named) {
    if (name != "attribute" && name != "default") return type_error("map() has no parameter '" + name + "'");
    (name == "attribute" ? attribute : fallback) = &argument;
  }
  if (attribute == nullptr) return type_error("map() needs a filter or an attribute");
  if (fallback != nullptr && fallback->is<None>()) fallback = nullptr;
  ASSIGN_OR_RETURN(const AttributePath path, AttributePath::create(*attribute));
  return generate(runtime, value, [&](const Value& item, SequenceBuilder* mapped) -> Result<void> {
    ASSIGN_OR_RETURN(Value result, path.get(runtime, item, fallback));
    mapped->push(std::move(result));
    return {};
  });
}

Result<Value> filter_map(Runtime& runtime, const Value& value, const Arguments& arguments) {
  SequenceBuilder nothing(&runtime.budget);
  if (!value.truthy()) return make_generator(&nothing, value.origin());
  if (arguments.positional.empty()) return map_attribute(runtime, value, arguments);
  ASSIGN_OR_RETURN(const Text* name, text_argument("map", arguments.positional[0]));
  const Filter* filter = find_filter(name->bytes());
  if (filter == nullptr) return unsupported("there is no filter '" + std::string(name->bytes()) + "'");
  const NestingGuard nesting(&runtime);  // map may map with map
  if (nesting.too_deep()) return runtime.budget.too_deep();
  const Arguments rest = rest_of(arguments, 1);
  return generate(runtime, value, [&](const Value& item, SequenceBuilder* mapped) -> Result<void> {
    ASSIGN_OR_RETURN(Value result, filter->apply(runtime, item, rest));
    mapped->push(std::move(result));
    return {};
  });
}

constexpr Filter kSelectionFilters[] = {{"select", filter_select},
                                        {"reject", filter_reject},
                                        {"selectattr", filter_selectattr},
                                        {"rejectattr", filter_rejectattr},
                                        {"map", filter_map}};

}  // namespace

std::span<const Filter> selection_filters() { return kSelectionFilters; }

}  // namespace hussar::jinja
