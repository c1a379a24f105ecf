// Names that come from model files.
#pragma once

#include <string_view>

namespace hussar {

// A name that may stand in a message: text, and no control characters that could forge a line.
bool is_printable_name(std::string_view name);

// The name of a file that stands in a folder: printable, at most 255 bytes, no separators, no "." or "..".
bool is_plain_file_name(std::string_view name);

}  // namespace hussar
