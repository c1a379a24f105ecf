#include "text/jinja/filters.h"

#include <algorithm>
#include <iterator>

#include "text/jinja/filter_tables.h"

namespace hussar::jinja {

const Filter* find_filter(std::string_view name) {
  for (const std::span<const Filter> table :
       {text_filters(), number_filters(), list_filters(), selection_filters()}) {
    const auto filter =
        std::find_if(table.begin(), table.end(), [name](const Filter& entry) { return entry.name == name; });
    if (filter != table.end()) return &*filter;
  }
  return nullptr;
}

}  // namespace hussar::jinja
