#include <algorithm>

#include "base/utf8.h"
#include "bench/report_sections.h"

namespace hussar {
namespace {

bool is_number_start(std::string_view text) {
  return text.size() > 1 && (text[0] == '-' || text[0] == '+') && text[1] >= '0' && text[1] <= '9';
}

// A field, quoted where it must be. A spreadsheet runs what begins with one of these characters as a formula;
// since cells quote models and servers, such a field begins with an apostrophe.
std::string field(const std::string& text) {
  std::string value = replace_invalid_utf8(text);
  if (!value.empty() && std::string_view("=+-@\t\r").find(value[0]) != std::string_view::npos &&
      !is_number_start(value)) {
    value.insert(0, 1, '\'');
  }
  if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

class Writer {
 public:
  explicit Writer(size_t columns) : columns_(columns) {}

  void line(const std::string& id, const std::string& row, const std::vector<Text>& cells) {
    out_ += field(id) + "," + row;
    for (size_t i = 0; i < columns_; ++i) out_ += "," + (i < cells.size() ? field(cells[i].en) : "");
    out_ += "\r\n";
  }
  std::string take() { return std::move(out_); }

 private:
  size_t columns_;
  std::string out_;
};

}  // namespace

std::string report_to_csv(const Report& report) {
  const std::vector<Section> sections = all_sections(report);
  size_t columns = 0;
  for (const Section& section : sections) {
    for (const Table& table : section.tables) {
      columns = std::max(columns, table.columns.size());
    }
  }
  std::vector<Text> names;
  for (size_t i = 1; i <= columns; ++i) names.push_back({"column_" + std::to_string(i)});
  Writer writer(columns);
  writer.line("table", "row", names);
  for (const Section& section : sections) {
    for (const Table& table : section.tables) {
      writer.line(table.id, "0", table.columns);
      for (size_t i = 0; i < table.rows.size(); ++i)
        writer.line(table.id, std::to_string(i + 1), table.rows[i]);
    }
  }
  return writer.take();
}

}  // namespace hussar
