#include "bench/report.h"

#include <algorithm>

#include "bench/format.h"

namespace hussar {
namespace {

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

// A digit, perhaps behind one sign or comparison.
bool is_figure(std::string_view text) {
  for (const std::string_view sign :
       {"<", ">", "+", "-", "~", "\u00b1", "\u2212", "\u2248", "\u2264", "\u2265"}) {
    if (!text.starts_with(sign)) continue;
    text.remove_prefix(sign.size());
    if (text.starts_with('-')) text.remove_prefix(1);
    break;
  }
  return !text.empty() && is_ascii_digit(text[0]);
}

}  // namespace

const std::string& in_language(const Text& text, Language language) {
  return language == Language::kChinese && !text.zh.empty() ? text.zh : text.en;
}

bool is_figure_column(const Table& table, size_t column) {
  if (table.kind == Table::Kind::kFacts) return false;
  int64_t figures = 0, words = 0;
  for (const std::vector<Text>& row : table.rows) {
    if (column >= row.size() || row[column].en.empty() || row[column].en == kNoFigure) continue;
    ++(is_figure(row[column].en) ? figures : words);
  }
  return figures > 0 && figures >= words;
}

}  // namespace hussar
