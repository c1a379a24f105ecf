// A table as aligned text for a terminal.
#pragma once

#include <string>
#include <string_view>

#include "bench/report.h"

namespace hussar {

// Heads and rows in English, one line each, every line behind `indent`; columns of figures are set to the
// right. Title and notes are left to the caller. Widths count code points: wide characters stand a little out
// of line.
std::string table_to_text(const Table& table, std::string_view indent);

}  // namespace hussar
