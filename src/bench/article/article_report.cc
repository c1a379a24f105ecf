#include "bench/article/article_report.h"

#include <algorithm>

#include "bench/article/conversation_run.h"
#include "bench/article/section_parts.h"
#include "bench/article/structured_counts.h"
#include "bench/format.h"

namespace hussar {
namespace {

constexpr size_t kSamplesMax = 2000;

MeasuredRow row_of(const Cell& cell, const CellResult* result, const ArticleOptions& options) {
  MeasuredRow row;
  row.id = cell.id;
  row.status = result ? result->status : "cut";
  row.note = result ? result->note.en : "the run ended before it";
  if (result == nullptr) return row;
  row.workload = result->workload;
  row.extra = cell_scores(cell, *result, options);
  if (count_ok(result->records) > 0) {
    row.summary = summary_of(*result);
    row.samples = metric_samples(result->records, result->window, kSamplesMax);
  }
  return row;
}

// A cell of this kind that has figures, the last of them: the hardest.
const CellResult* last_with_figures(const ArticleRun& run, std::string_view prefix) {
  const CellResult* found = nullptr;
  for (const Cell& cell : run.plan) {
    const CellResult* result = cell.id.starts_with(prefix) ? run.find(cell.id) : nullptr;
    if (has_figures(result)) found = result;
  }
  return found;
}

void add_key_figures(const ArticleRun& run, Report* report) {
  if (const CellResult* cell = run.find("latency/512/cold"); has_figures(cell)) {
    report->key_figures.push_back({{"TTFT, 512 tokens in", "TTFT，输入 512 token"},
                                   plain(format_figure(summary_of(*cell).ttft_ms.p50, "ms")),
                                   {"article: 410 ms", "文章：410 ms"}});
  }
  if (const CellResult* cell = run.find("long_output"); has_figures(cell)) {
    const Summary summary = summary_of(*cell);
    if (summary.tpot_ms.count > 0) {
      report->key_figures.push_back({{"Long output", "长文本输出"},
                                     plain(format_figure(1000 / summary.tpot_ms.p50, "tok/s")),
                                     {"article: about 610", "文章：约 610"}});
    }
  }
  if (const CellResult* cell = last_with_figures(run, "concurrency/short/no_think/")) {
    const std::string users = cell->id.substr(cell->id.rfind('/') + 1);
    const Summary summary = summary_of(*cell);
    const auto& rate = summary.output_tokens_per_s_steady ? summary.output_tokens_per_s_steady
                                                          : summary.output_tokens_per_s_whole;
    if (rate) {
      report->key_figures.push_back({{users + " users", users + " 个用户"},
                                     plain(format_figure(*rate, "tok/s")),
                                     {"no think time", "不思考"}});
    }
  }
  for (const auto& [id, name] :
       {std::pair<const char*, Text>{"structured/article/plain", {"Legal JSON", "合法 JSON"}},
        {"structured/article/schema", {"With a schema", "使用 schema"}}}) {
    const CellResult* cell = run.find(id);
    if (cell == nullptr) continue;
    const StructuredCounts counts = count_answers(cell->records);
    if (counts.answers == 0) continue;
    const double share = static_cast<double>(counts.legal) / static_cast<double>(counts.answers);
    report->key_figures.push_back({name, plain(format_percent(share)), {"article: 97 %", "文章：97 %"}});
  }
  for (const Cell& cell : run.plan) {
    const CellResult* result = cell.kind == CellKind::kMultiTurn ? run.find(cell.id) : nullptr;
    if (result == nullptr || report->key_figures.size() >= 6) continue;
    RecallCount all;
    for (const RetentionAt& at :
         score_retention(conversations_of(cell, run.options), turn_answers(result->records))) {
      all.asked += at.recall.asked;
      all.right += at.recall.right;
    }
    if (all.asked == 0) continue;
    report->key_figures.push_back(
        {{"Facts recalled", "记住的事实"},
         plain(format_percent(static_cast<double>(all.right) / static_cast<double>(all.asked))),
         {std::to_string(all.right) + " of " + std::to_string(all.asked) + ", " + cell.language,
          std::to_string(all.asked) + " 中 " + std::to_string(all.right) + "，" + cell.language}});
    break;
  }
}

}  // namespace

Text column_owner(const Report& report) {
  const std::string server = report.server.empty() || report.server == "unknown" ? "" : report.server + ": ";
  const std::string hardware = report.hardware.empty() ? "hardware not known" : report.hardware;
  const std::string hardware_zh = report.hardware.empty() ? "硬件未知" : report.hardware;
  const std::string tokenizer = report.tokenizer.empty() ? "its own tokenizer" : report.tokenizer;
  const std::string tokenizer_zh = report.tokenizer.empty() ? "模型自己的分词器" : report.tokenizer;
  return {server + report.model + ", " + hardware + ", " + tokenizer,
          server + report.model + "，" + hardware_zh + "，" + tokenizer_zh};
}

void add_article(ArticleRun run, Report* report) {
  if (run.owner.en.empty()) run.owner = column_owner(*report);
  add_key_figures(run, report);
  for (const auto make :
       {latency_section, long_output_section, concurrency_section, structured_section, multi_turn_section}) {
    report->sections.push_back(make(run));
  }
  double before_s = 0;
  for (const Cell& cell : run.plan) {
    const CellResult* result = run.find(cell.id);
    report->rows.push_back(row_of(cell, result, run.options));
    if (result == nullptr) continue;
    add_proof(result->proof, &report->proof);
    for (ServerSample sample : result->server_samples) {
      sample.at_s += before_s;
      report->server_samples.push_back(sample);
    }
    before_s += result->seconds;
  }
  for (const Text& title : dimensions_without_success(run)) {
    report->warnings.push_back(
        joined({"No request of this dimension succeeded", "这一维度没有任何请求成功"}, title, ": ", "："));
  }
}

std::vector<RequestRecord> records_of(const ArticleRun& run) {
  std::vector<RequestRecord> records;
  for (const Cell& cell : run.plan) {
    const CellResult* result = run.find(cell.id);
    if (result == nullptr) continue;
    for (RequestRecord record : result->records) {
      record.label = record.label.empty() ? cell.id : cell.id + " " + record.label;
      record.index = static_cast<int64_t>(records.size());
      records.push_back(std::move(record));
    }
  }
  return records;
}

std::vector<Text> dimensions_without_success(const ArticleRun& run) {
  std::vector<Text> titles;
  for (int i = 0; i < kDimensionCount; ++i) {
    const auto dimension = static_cast<Dimension>(i);
    bool reached = false, any = false;
    for (const Cell& cell : run.plan) {
      const CellResult* result = cell.dimension == dimension ? run.find(cell.id) : nullptr;
      reached = reached || result != nullptr;
      any = any || has_figures(result);
    }
    if (reached && !any) titles.push_back(dimension_title(dimension));
  }
  return titles;
}

}  // namespace hussar
