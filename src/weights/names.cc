#include "weights/names.h"

#include <algorithm>

#include "base/utf8.h"

namespace hussar {

bool is_printable_name(std::string_view name) {
  if (name.empty() || !is_valid_utf8(name)) return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_plain_file_name(std::string_view name) {
  constexpr size_t kBytesMax = 255;  // what file systems take
  return is_printable_name(name) && name.size() <= kBytesMax && name != "." && name != ".." &&
         name.find_first_of("/\\") == std::string_view::npos;
}

}  // namespace hussar
