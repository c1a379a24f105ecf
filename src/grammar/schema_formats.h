// What becomes of the keyword `format`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hussar {

struct SchemaFormat {
  enum class Treatment {
    kPattern,  // strings are written in the common spelling that `pattern` (a whole match) describes: valid
               // all of them
    kCheck,    // the finished instance is checked
    kRange,    // integers from `min` to `max`
    kAnnotation,  // says nothing about the text
  };
  Treatment treatment = Treatment::kAnnotation;
  std::string_view pattern = {};
  int64_t min = 0, max = 0;
};

// Nothing for a format that is not known.
std::optional<SchemaFormat> find_format(std::string_view name);

}  // namespace hussar
