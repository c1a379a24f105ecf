// The filters by subject, each table in the file of its name.
#pragma once

#include <functional>
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

Result<Value> make_generator(SequenceBuilder* items, Origin origin);

}  // namespace hussar::jinja
