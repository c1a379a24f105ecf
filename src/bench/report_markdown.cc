// tables.md: the report's words and tables, without charts. CommonMark with GitHub's tables.
#include "base/utf8.h"
#include "bench/report_json.h"
#include "bench/report_sections.h"

namespace hussar {
namespace {

// What a model or a server said must stay text: no markup, no line breaks that would end a table.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : replace_invalid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += ' ';
      continue;
    }
    if (std::string_view("\\|<>`*[]&~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

class Writer {
 public:
  explicit Writer(Language language) : language_(language) {}

  std::string text(const Text& text) const { return escaped(in_language(text, language_)); }

  void heading(std::string_view level, const Text& title) {
    out_ += std::string(level) + " " + text(title) + "\n\n";
  }
  void paragraph(const Text& paragraph) { out_ += text(paragraph) + "\n\n"; }
  void quote(const Text& warning) { out_ += "> **" + text(warning) + "**\n\n"; }
  void items(const std::vector<Text>& list) {
    for (const Text& item : list) out_ += "- " + text(item) + "\n";
    if (!list.empty()) out_ += "\n";
  }

  void table(const Table& table) {
    heading("###", table.title);
    if (!table.columns.empty()) {
      cells(table.columns, table.columns.size());
      out_ += "|";
      for (size_t i = 0; i < table.columns.size(); ++i)
        out_ += is_figure_column(table, i) ? " ---: |" : " --- |";
      out_ += "\n";
      for (const auto& row : table.rows) cells(row, table.columns.size());
      out_ += "\n";
    }
    items(table.notes);
  }

  std::string take() {
    out_.pop_back();  // the empty line at the end
    return std::move(out_);
  }

 private:
  void cells(const std::vector<Text>& row, size_t count) {
    out_ += "|";
    for (size_t i = 0; i < count; ++i) out_ += " " + (i < row.size() ? text(row[i]) : "") + " |";
    out_ += "\n";
  }

  Language language_;
  std::string out_;
};

}  // namespace

std::string report_to_markdown(const Report& report, Language language) {
  Writer writer(language);
  const Text title = report_title(report);
  writer.heading("#", report.model.empty()
                          ? title
                          : Text{title.en + ": " + report.model,
                                 in_language(title, Language::kChinese) + "：" + report.model});
  for (const Text& warning : all_warnings(report)) writer.quote(warning);
  std::vector<Text> figures;
  for (const KeyFigure& figure : report.key_figures) {
    const auto line = [&](Language of, std::string_view colon) {
      const std::string& note = in_language(figure.note, of);
      return in_language(figure.name, of) + std::string(colon) + in_language(figure.value, of) +
             (note.empty() ? "" : " (" + note + ")");
    };
    figures.push_back({line(Language::kEnglish, ": "), line(Language::kChinese, "：")});
  }
  writer.items(figures);
  for (const Section& section : all_sections(report)) {
    writer.heading("##", section.title);
    for (const Text& paragraph : section.paragraphs) writer.paragraph(paragraph);
    for (const Table& table : section.tables) writer.table(table);
    writer.items(section.notes);
  }
  return writer.take();
}

}  // namespace hussar
