#include "cli/table_text.h"

#include <algorithm>
#include <vector>

#include "base/utf8.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

std::string cell_text(const Text& text) {
  std::string line = safe_for_terminal(replace_invalid_utf8(text.en));
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

// In code points: what our tables hold is one column wide each.
size_t width_of(const std::string& text) {
  size_t width = 0;
  for (size_t offset = 0; offset < text.size(); ++width) next_code_point(text, &offset);
  return width;
}

void append_padded(const std::string& text, size_t width, bool right, std::string* out) {
  const size_t own = width_of(text);
  const std::string padding(width > own ? width - own : 0, ' ');
  *out += right ? padding + text : text + padding;
}

void append_line(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                 const std::vector<bool>& right, std::string* out) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += i == 0 ? "  " : "   ";
    append_padded(cells[i], widths[i], right[i], &line);
  }
  line.resize(line.find_last_not_of(' ') + 1);
  *out += line + "\n";
}

}  // namespace

std::string table_text(const Table& table) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Text& column : table.columns) lines[0].push_back(cell_text(column));
  for (const auto& row : table.rows) {
    lines.emplace_back();
    for (const Text& cell : row) lines.back().push_back(cell_text(cell));
  }
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (i == widths.size()) {
        widths.push_back(0);
        right.push_back(is_figure_column(table, i));
      }
      widths[i] = std::max(widths[i], width_of(line[i]));
    }
  }
  std::string text = cell_text(table.title) + "\n";
  for (const auto& line : lines) append_line(line, widths, right, &text);
  for (const Text& note : table.notes) text += "  " + cell_text(note) + "\n";
  return text;
}

std::string section_text(const Section& section) {
  std::string text;
  for (const Text& paragraph : section.paragraphs) text += cell_text(paragraph) + "\n";
  for (const Table& table : section.tables) text += (text.empty() ? "" : "\n") + table_text(table);
  if (!section.notes.empty()) text += "\n";
  for (const Text& note : section.notes) text += cell_text(note) + "\n";
  return text;
}

}  // namespace hussar
