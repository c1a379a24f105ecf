#include "bench/article/section_parts.h"

#include <algorithm>
#include <array>

#include "bench/article/text_units.h"
#include "bench/format.h"
#include "bench/statistics.h"

namespace hussar {
namespace {

constexpr double kMsPerS = 1000;
constexpr size_t kErrorBytesMax = 200;

std::string range_s(double middle_ms, double low_ms, double high_ms) {
  return format_figure(middle_ms / kMsPerS) + " (" + format_interval({low_ms / kMsPerS, high_ms / kMsPerS}) +
         ")";
}

}  // namespace

const CellResult* ArticleRun::find(std::string_view id) const {
  const auto found =
      std::find_if(cells.begin(), cells.end(), [&](const CellResult& cell) { return cell.id == id; });
  return found == cells.end() ? nullptr : &*found;
}

Text plain(std::string text) { return {std::move(text), ""}; }

Text joined(const Text& a, const Text& b, std::string_view separator_en, std::string_view separator_zh) {
  return {
      a.en + std::string(separator_en) + b.en,
      in_language(a, Language::kChinese) + std::string(separator_zh) + in_language(b, Language::kChinese)};
}

Text column(const Text& name, const Text& owner) { return joined(name, owner, " · ", " · "); }

Summary summary_of(const CellResult& cell) { return summarize(cell.records, cell.window, std::nullopt); }

bool has_figures(const CellResult* cell) { return cell != nullptr && count_ok(cell->records) > 0; }

Text median_s(const Distribution& d) {
  if (d.count == 0) return no_figure();
  return d.count == 1 ? plain(format_figure(d.p50 / kMsPerS)) : plain(range_s(d.p50, d.min, d.max));
}

Text mean_with_interval_s(const Distribution& d) {
  if (d.count == 0) return no_figure();
  if (d.count == 1) return plain(format_figure(d.mean / kMsPerS));
  return plain(range_s(d.mean, d.mean_interval.low, d.mean_interval.high));
}

Text median_count(const Distribution& d) {
  if (d.count == 0) return no_figure();
  const std::string middle = format_figure(d.p50);
  return d.min == d.max ? plain(middle) : plain(middle + " (" + format_interval({d.min, d.max}) + ")");
}

Text share_of(int64_t part, int64_t all) {
  if (all <= 0) return no_figure();
  const std::string counted = std::to_string(part) + "/" + std::to_string(all);
  const std::string share = format_percent(static_cast<double>(part) / static_cast<double>(all)) + " (" +
                            format_percent_interval(wilson_interval(part, all)) + ")";
  return plain(counted + ": " + share);
}

Text status_of(const CellResult* cell) {
  if (cell == nullptr) return {"not measured", "未测量"};
  static const std::array<std::pair<std::string_view, Text>, 6> kWords = {
      {{"measured", {"measured", "已测量"}},
       {"does_not_fit", {"does not fit", "放不下"}},
       {"refused", {"refused", "被拒绝"}},
       {"cut", {"cut", "已截断"}},
       {"failed", {"failed", "失败"}},
       {"unsupported", {"unsupported", "不支持"}}}};
  Text word = plain(cell->status);
  for (const auto& [status, text] : kWords) {
    if (status == cell->status) word = text;
  }
  return cell->note.en.empty() ? word : joined(word, cell->note, ": ", "：");
}

Text errors_of(const std::vector<RequestRecord>& records) {
  std::array<int64_t, kOutcomeCount> counts{};
  int64_t errors = 0, ended = 0;
  for (const RequestRecord& record : records) {
    if (record.stage < 0) continue;
    ++counts[static_cast<size_t>(record.outcome)];
    errors += is_error(record.outcome);
    ended += is_error(record.outcome) || record.outcome == Outcome::kOk;
  }
  if (ended == 0) return no_figure();
  std::string text = format_percent(static_cast<double>(errors) / static_cast<double>(ended));
  std::string classes;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (!is_error(outcome) || counts[i] == 0) continue;
    classes +=
        (classes.empty() ? "" : ", ") + std::string(outcome_name(outcome)) + ": " + std::to_string(counts[i]);
  }
  return plain(classes.empty() ? text : text + " (" + classes + ")");
}

std::string first_error(const std::vector<RequestRecord>& records) {
  for (const RequestRecord& record : records) {
    if (!is_error(record.outcome)) continue;
    const std::string name(outcome_name(record.outcome));
    return record.detail.empty() ? name : name + ": " + excerpt(record.detail, kErrorBytesMax);
  }
  return "";
}

Text yes_or_no(bool yes) { return yes ? Text{"yes", "是"} : Text{"no", "否"}; }

Text no_figure() { return plain(std::string(kNoFigure)); }

}  // namespace hussar
