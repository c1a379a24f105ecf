// A report's tables for the terminal: plain text in columns, English.
#pragma once

#include <string>

#include "bench/report.h"

namespace hussar {

// Title, column heads, rows, notes. Figures are set to the right.
std::string table_text(const Table& table);
// Its title, paragraphs, tables and notes; charts are left to the page.
std::string section_text(const Section& section);

}  // namespace hussar
