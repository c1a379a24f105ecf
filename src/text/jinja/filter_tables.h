// The filters by subject, each table in the file of its name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "text/jinja/filters.h"

namespace hussar::jinja {

std::span<const Filter> text_filters();
std::span<const Filter> number_filters();
std::span<const Filter> list_filters();
std::span<const Filter> selection_filters();

// "a.b.0" of the filters that look at an attribute of each item.
class AttributePath {
 public:
  // `attribute`: a string or an integer. Error: another type.
  static Result<AttributePath> create(const Value& attribute);
  // `fallback` null: undefined stays undefined.
  Result<Value> get(Runtime& runtime, const Value& item, const Value* fallback) const;

 private:
  std::vector<Value> parts_;
};

// Strings in lower case unless `case_sensitive`; everything else as it is.
Result<Value> sort_key(Runtime& runtime, const Value& value, bool case_sensitive);

// The truth of an optional argument.
bool flag(const Value* argument);

// `failure`: what stopped it behind the items.
Result<Value> make_generator(SequenceBuilder* items, Origin origin, std::optional<Error> failure = {});

// Gives each item of `value` to `visit(item, kept)`, which returns Result<void>. An error of the budget ends
// the rendering, every other one waits in the generator.
template <typename Visit>
Result<Value> generate(Runtime& runtime, const Value& value, const Visit& visit) {
  SequenceBuilder kept(&runtime.budget);
  const Result<SequenceRef> items = iterate(&runtime.budget, value);
  std::optional<Error> failure;
  if (!items.ok()) failure = items.error();
  for (size_t i = 0; !failure && i < (*items)->items.size(); ++i) {
    if (!runtime.budget.step()) return runtime.budget.exceeded();
    const Result<void> visited = visit((*items)->items[i], &kept);
    if (!visited.ok()) failure = visited.error();
  }
  if (failure && failure->code == ErrorCode::kTooLarge) return *std::move(failure);
  return make_generator(&kept, value.origin(), std::move(failure));
}

}  // namespace hussar::jinja
