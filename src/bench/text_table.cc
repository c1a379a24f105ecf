#include "bench/text_table.h"

#include <algorithm>
#include <vector>

namespace hussar {
namespace {

constexpr std::string_view kGap = "  ";

size_t width_of(std::string_view text) {
  // All bytes but those that continue a character.
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string table_to_text(const Table& table, std::string_view indent) {
  const size_t columns = table.columns.size();
  std::vector<size_t> widths(columns);
  const auto cell = [](const std::vector<Text>& row, size_t column) -> std::string_view {
    return column < row.size() ? std::string_view(row[column].en) : std::string_view();
  };
  for (size_t column = 0; column < columns; ++column) {
    widths[column] = width_of(table.columns[column].en);
    for (const auto& row : table.rows) widths[column] = std::max(widths[column], width_of(cell(row, column)));
  }
  std::string out;
  const auto add_line = [&](const std::vector<Text>& row) {
    std::string line(indent);
    for (size_t column = 0; column < columns; ++column) {
      const std::string_view text = cell(row, column);
      const std::string padding(widths[column] - width_of(text), ' ');
      if (column > 0) line += kGap;
      line += is_figure_column(table, column) ? padding + std::string(text) : std::string(text) + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line(table.columns);
  for (const auto& row : table.rows) add_line(row);
  return out;
}

}  // namespace hussar
