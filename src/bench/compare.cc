#include "bench/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/compare_row.h"
#include "bench/format.h"

namespace hussar {
namespace {

constexpr size_t kShownBytesMax = 60;

using Members = std::map<std::string_view, const Json*>;
Members members_of(const JsonObject& object) {
  Members members;
  for (const auto& [name, value] : object) members.emplace(name, &value);
  return members;
}

// A value within a message: at most so many bytes, and on one line, as write_json writes it.
std::string shown(const Json& value) {
  const std::string text = write_json(value);
  return text.size() <= kShownBytesMax ? text : text.substr(0, kShownBytesMax) + "...";
}

// "MEMBER: ... in A, ... in B" of the first difference; nothing where both are equal. The order of an
// object's members does not count, nor whether a number is written with a point.
std::optional<std::string> first_difference(const Json& a, const Json& b, const std::string& path) {
  const auto differ = [&] { return path + ": " + shown(a) + " in A, " + shown(b) + " in B"; };
  const auto inside = [&](std::string_view name) {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
  };
  double number_a = 0, number_b = 0;
  if (a.as_number(&number_a) && b.as_number(&number_b))
    return number_a == number_b ? std::nullopt : std::optional(differ());
  if (a.value().index() != b.value().index()) return differ();
  if (a.as_object()) {
    const Members members = members_of(*a.as_object()), others = members_of(*b.as_object());
    for (const auto& [name, value] : *a.as_object()) {
      const auto other = others.find(name);
      if (other == others.end()) return inside(name) + ": " + shown(value) + " in A, absent in B";
      if (auto difference = first_difference(value, *other->second, inside(name))) return difference;
    }
    for (const auto& [name, value] : *b.as_object()) {
      if (!members.contains(name)) return inside(name) + ": absent in A, " + shown(value) + " in B";
    }
    return std::nullopt;
  }
  if (const JsonArray* items = a.as_array()) {
    const JsonArray& others = *b.as_array();
    for (size_t i = 0; i < std::min(items->size(), others.size()); ++i) {
      if (auto difference = first_difference((*items)[i], others[i], path + "[" + std::to_string(i) + "]"))
        return difference;
    }
    return items->size() == others.size() ? std::nullopt : std::optional(differ());
  }
  if (const bool* flag = a.as_bool()) return *flag == *b.as_bool() ? std::nullopt : std::optional(differ());
  if (const std::string* text = a.as_string())
    return *text == *b.as_string() ? std::nullopt : std::optional(differ());
  return std::nullopt;  // both null
}

using RowsById = std::map<std::string, const RunRow*>;
RowsById rows_by_id(const RunResults& results) {
  RowsById rows;
  for (const RunRow& row : results.rows) rows.emplace(row.id, &row);
  return rows;
}
const RunRow* find_row(const RowsById& rows, const std::string& id) {
  const auto found = rows.find(id);
  return found == rows.end() ? nullptr : found->second;
}

Result<void> check_same_workload(const RunResults& a, const RunResults& b, const RowsById& rows_b) {
  const auto different = [](const std::string& what) {
    return Error{ErrorCode::kInvalid, "the runs can't be compared: " + what, ""};
  };
  if (a.kind != b.kind) return different("A is of kind " + a.kind + ", B of kind " + b.kind);
  if (const auto difference = first_difference(a.workload, b.workload, "workload"))
    return different("their workloads differ in " + *difference);
  size_t common = 0;
  for (const RunRow& row : a.rows) {
    const RunRow* other = find_row(rows_b, row.id);
    if (other == nullptr) continue;
    ++common;
    if (row.status != "measured" || other->status != "measured") continue;
    if (const auto difference = first_difference(row.workload, other->workload, ""))
      return different("row " + row.id + " has different workloads, " + *difference);
  }
  if (common == 0) return different("they have no row in common");
  return {};
}

void add_warnings(const RunResults& a, const RunResults& b, std::vector<Text>* warnings) {
  const auto both = [](bool in_a, bool in_b) { return in_a && in_b ? "A and B" : in_a ? "A" : "B"; };
  if (a.client_limited || b.client_limited) {
    const std::string who = both(a.client_limited, b.client_limited);
    warnings->push_back({"CLIENT-LIMITED: in " + who + " the client was the bottleneck, not the server.",
                         "客户端受限：" + who + " 的瓶颈在客户端，而非服务器。"});
  }
  if (a.interrupted || b.interrupted) {
    const std::string who = both(a.interrupted, b.interrupted);
    warnings->push_back({who + ": interrupted before the plan ended.", who + "：在计划完成之前中断。"});
  }
  if (a.model != b.model) {
    warnings->push_back({"Models differ: " + a.model + " and " + b.model +
                             ". Tokens of one tokenizer are not those of "
                             "another.",
                         "模型不同：" + a.model + " 与 " + b.model + "。不同分词器的 token 不可等同。"});
  }
  if (a.api != b.api)
    warnings->push_back(
        {"APIs differ: " + a.api + " and " + b.api + ".", "API 不同：" + a.api + " 与 " + b.api + "。"});
}

}  // namespace

std::string_view figure_verdict_name(FigureVerdict verdict) {
  switch (verdict) {
    case FigureVerdict::kBetter:
      return "better";
    case FigureVerdict::kWorse:
      return "worse";
    case FigureVerdict::kNoDifference:
      return "no_difference";
    case FigureVerdict::kTooFew:
      return "too_few_samples";
    case FigureVerdict::kFigureOnly:
      return "figure_only";
  }
  return "";
}

Result<Comparison> compare_runs(RunResults a, RunResults b, const CompareOptions& options) {
  const RowsById rows_a = rows_by_id(a), rows_b = rows_by_id(b);
  RETURN_IF_ERROR(check_same_workload(a, b, rows_b));
  Comparison out;
  out.confidence = options.confidence;
  for (const RunRow& row : a.rows) {
    const RunRow* other = find_row(rows_b, row.id);
    ComparedRow& compared = out.rows.emplace_back();
    if (other != nullptr) compared = compare_rows(row, *other, options.confidence);
    compared.id = row.id;
    compared.status_a = row.status;
    compared.status_b = other ? other->status : "absent";
    for (const ComparedFigure& figure : compared.figures) out.intervals += figure.difference ? 1 : 0;
  }
  for (const RunRow& row : b.rows) {
    if (find_row(rows_a, row.id) == nullptr) out.rows.push_back({row.id, "absent", row.status, {}, {}});
  }
  add_warnings(a, b, &out.warnings);
  a.rows.clear();
  b.rows.clear();
  out.a = std::move(a);
  out.b = std::move(b);
  return out;
}

std::vector<std::string> regressions(const Comparison& comparison, double percent) {
  std::vector<std::string> lines;
  for (const ComparedRow& row : comparison.rows) {
    if (row.status_a == "measured" && row.status_b != "measured")
      lines.push_back(row.id + ": measured in A, " + row.status_b + " in B");
    for (const ComparedFigure& figure : row.figures) {
      if (figure.verdict != FigureVerdict::kWorse) continue;
      const double change = std::abs(figure.b - figure.a);
      const double relative = figure.unit == "%" || figure.a == 0 ? change : change / std::abs(figure.a);
      if (100 * relative > percent || (figure.a == 0 && figure.unit != "%"))
        lines.push_back(row.id + ": " + figure.title.en + " is worse by " + format_percent(relative) +
                        (figure.unit == "%" ? " points" : ""));
    }
  }
  return lines;
}

}  // namespace hussar
