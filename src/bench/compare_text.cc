// What compare.h says for people and programs.
#include <algorithm>
#include <cmath>

#include "bench/compare.h"
#include "bench/format.h"
#include "bench/text_table.h"

namespace hussar {
namespace {

Text verdict_text(FigureVerdict verdict) {
  switch (verdict) {
    case FigureVerdict::kBetter:
      return {"better", "更好"};
    case FigureVerdict::kWorse:
      return {"worse", "更差"};
    case FigureVerdict::kNoDifference:
      return {"no difference seen", "未见差别"};
    case FigureVerdict::kTooFew:
      return {"too few samples", "样本太少"};
    case FigureVerdict::kFigureOnly:
      break;
  }
  return {std::string(kNoFigure)};
}

bool is_fraction(const ComparedFigure& figure) { return figure.unit == "%"; }

std::string value_text(const ComparedFigure& figure, double value) {
  return is_fraction(figure) ? format_percent(value) : format_figure(value);
}

std::string signed_text(const ComparedFigure& figure, double value) {
  return (value > 0 ? "+" : "") + value_text(figure, value);
}

std::string interval_text(const ComparedFigure& figure) {
  if (!figure.difference) return std::string(kNoFigure);
  return signed_text(figure, figure.difference->low) + " to " + signed_text(figure, figure.difference->high);
}

std::string ratio_text(const ComparedFigure& figure) {
  if (is_fraction(figure) || !(figure.a > 0)) return std::string(kNoFigure);
  return format_figure(figure.b / figure.a);
}

// Scores without interval that are equal in both runs say nothing: they stand in the JSON alone.
bool says_something(const ComparedFigure& figure) {
  return figure.verdict != FigureVerdict::kFigureOnly || figure.a != figure.b || figure.unit != "";
}

std::string percent_of(double confidence) { return format_percent(confidence); }

Table row_table(const ComparedRow& row, double confidence) {
  Table table;
  table.id = row.id;
  table.title = {row.id};
  table.columns = {{"figure", "指标"},
                   {"unit", "单位"},
                   {"A"},
                   {"B"},
                   {"B - A"},
                   {percent_of(confidence) + " interval", percent_of(confidence) + " 区间"},
                   {"B / A"},
                   {"B is", "B 相比"}};
  for (const ComparedFigure& figure : row.figures) {
    if (!says_something(figure)) continue;
    table.rows.push_back({figure.title,
                          {figure.unit},
                          {value_text(figure, figure.a)},
                          {value_text(figure, figure.b)},
                          {signed_text(figure, figure.b - figure.a)},
                          {interval_text(figure)},
                          {ratio_text(figure)},
                          verdict_text(figure.verdict)});
  }
  if (row.status_a != "measured" || row.status_b != "measured") {
    table.notes.push_back({"A: " + row.status_a + ", B: " + row.status_b + ".",
                           "A：" + row.status_a + "，B：" + row.status_b + "。"});
  }
  table.notes.insert(table.notes.end(), row.notes.begin(), row.notes.end());
  return table;
}

std::string side_text(const RunResults& run) {
  std::string text;
  for (const std::string* part : {&run.server, &run.model, &run.hardware, &run.url, &run.started}) {
    if (!part->empty()) text += (text.empty() ? "" : ", ") + *part;
  }
  return text;
}

int64_t count_verdicts(const Comparison& comparison, FigureVerdict verdict) {
  int64_t count = 0;
  for (const ComparedRow& row : comparison.rows) {
    for (const ComparedFigure& figure : row.figures) count += figure.verdict == verdict ? 1 : 0;
  }
  return count;
}

Text sum_text(const Comparison& comparison) {
  const std::string better = std::to_string(count_verdicts(comparison, FigureVerdict::kBetter));
  const std::string worse = std::to_string(count_verdicts(comparison, FigureVerdict::kWorse));
  const std::string same = std::to_string(count_verdicts(comparison, FigureVerdict::kNoDifference));
  const std::string few = std::to_string(count_verdicts(comparison, FigureVerdict::kTooFew));
  return {"B against A: better in " + better + " figures, worse in " + worse + ", no difference seen in " +
              same + ", too few samples for " + few + ".",
          "B 相对 A：" + better + " 项更好，" + worse + " 项更差，" + same + " 项未见差别，" + few +
              " 项样本太少。"};
}

std::vector<Text> closing_notes(const Comparison& comparison) {
  const std::string confidence = percent_of(comparison.confidence);
  const double chance = static_cast<double>(comparison.intervals) * (1 - comparison.confidence);
  const std::string count = std::to_string(comparison.intervals), by_chance = format_figure(chance);
  return {{"Many comparisons: of " + count + " intervals at " + confidence + ", about " + by_chance +
               " would leave 0 out by chance alone, were both runs alike. A single verdict weighs little "
               "where the "
               "others say nothing.",
           "多重比较：共 " + count + " 个 " + confidence + " 区间，即使两次运行毫无差别，也约有 " +
               by_chance + " 个会偶然不含 0。其余指标都没有差别时，单独一个结论分量很轻。"},
          {"Intervals: bootstrap for percentiles (gaps between tokens by whole requests), Welch's t over "
           "slices of "
           "the steady window for rates, Newcombe's score interval for error rates and shares. Requests are "
           "taken as "
           "independent; what differs from day to day is not in them.",
           "区间：百分位数用自助法（token 间隔按整个请求抽取），速率用稳态窗口分段的 Welch t，错误率与比例用 "
           "Newcombe "
           "得分区间。请求视为相互独立；不同日子之间的差异不在其中。"}};
}

Json number_or_null(bool known, double value) { return known ? Json(value) : Json(); }

JsonObject figure_to_json(const ComparedFigure& figure) {
  const bool known = figure.difference.has_value();
  return {{"name", figure.name},
          {"unit", is_fraction(figure) ? "fraction" : figure.unit},
          {"a", figure.a},
          {"b", figure.b},
          {"difference", figure.b - figure.a},
          {"difference_low", number_or_null(known, known ? figure.difference->low : 0)},
          {"difference_high", number_or_null(known, known ? figure.difference->high : 0)},
          {"ratio", number_or_null(figure.a != 0, figure.a != 0 ? figure.b / figure.a : 0)},
          {"count_a", figure.count_a},
          {"count_b", figure.count_b},
          {"method", figure.method.empty() ? Json() : Json(figure.method)},
          {"verdict", figure_verdict_name(figure.verdict)}};
}

JsonObject side_to_json(const RunResults& run) {
  return {{"started", run.started},  {"url", run.url}, {"model", run.model},
          {"server", run.server},    {"api", run.api}, {"tokenizer", run.tokenizer},
          {"hardware", run.hardware}};
}

JsonArray english(const std::vector<Text>& texts) {
  JsonArray array;
  for (const Text& text : texts) array.push_back(text.en);
  return array;
}

}  // namespace

Json comparison_to_json(const Comparison& comparison) {
  JsonArray rows;
  for (const ComparedRow& row : comparison.rows) {
    JsonArray figures;
    for (const ComparedFigure& figure : row.figures) figures.push_back(figure_to_json(figure));
    rows.push_back(JsonObject{{"id", row.id},
                              {"status_a", row.status_a},
                              {"status_b", row.status_b},
                              {"figures", std::move(figures)},
                              {"notes", english(row.notes)}});
  }
  return JsonObject{{"schema", "hussar-bench-comparison"},
                    {"version", 1},
                    {"kind", comparison.a.kind},
                    {"a", side_to_json(comparison.a)},
                    {"b", side_to_json(comparison.b)},
                    {"confidence", comparison.confidence},
                    {"intervals", comparison.intervals},
                    {"warnings", english(comparison.warnings)},
                    {"rows", std::move(rows)}};
}

std::string comparison_to_text(const Comparison& comparison) {
  std::string out = "A  " + side_text(comparison.a) + "\nB  " + side_text(comparison.b) + "\n";
  for (const Text& warning : comparison.warnings) out += "! " + warning.en + "\n";
  for (const ComparedRow& row : comparison.rows) {
    const Table table = row_table(row, comparison.confidence);
    out += "\n" + row.id + "\n";
    if (!table.rows.empty()) out += table_to_text(table, "  ");
    for (const Text& note : table.notes) out += "  " + note.en + "\n";
  }
  out += "\n" + sum_text(comparison).en + "\n";
  for (const Text& note : closing_notes(comparison)) out += note.en + "\n";
  return out;
}

Section comparison_section(const Comparison& comparison) {
  Section section;
  section.id = "comparison";
  section.title = {"B against A", "B 相对 A"};
  section.paragraphs = {
      {"A: " + side_text(comparison.a)}, {"B: " + side_text(comparison.b)}, sum_text(comparison)};
  for (const ComparedRow& row : comparison.rows)
    section.tables.push_back(row_table(row, comparison.confidence));
  section.notes = closing_notes(comparison);
  return section;
}

}  // namespace hussar
