#include "bench/load_report.h"

#include <algorithm>
#include <map>
#include <utility>

#include "bench/format.h"
#include "bench/limit_judge.h"
#include "bench/report_tables.h"
#include "bench/trouble.h"

namespace hussar {
namespace {

constexpr size_t kSamplesMax = 20'000;  // of each metric, kept for comparisons
constexpr size_t kDetailsShownMax = 12;
constexpr double kNsPerSecond = 1e9;

std::optional<Slo> each_request(const LoadFacts& facts) {
  if (!facts.slo) return std::nullopt;
  return facts.slo->each_request();
}

Text figure(double value, std::string_view unit = "") {
  return {unit.empty() ? format_figure(value) : format_figure(value, unit)};
}
Text figure_where(bool known, double value, std::string_view unit = "") {
  return known ? figure(value, unit) : Text{std::string(kNoFigure)};
}

void add_key_figures(const Summary& summary, Report* report) {
  const auto add = [report](Text name, Text value, Text note = {}) {
    report->key_figures.push_back({std::move(name), std::move(value), std::move(note)});
  };
  add({"answers per second", "每秒完成请求"}, figure(summary.qps_steady), {"steady window", "稳定阶段"});
  add({"output tokens per second", "每秒输出 token"},
      figure_where(summary.output_tokens_per_s_steady.has_value(),
                   summary.output_tokens_per_s_steady.value_or(0)),
      {"steady window", "稳定阶段"});
  add({"TTFT p50"}, figure_where(summary.ttft_ms.count > 0, summary.ttft_ms.p50, "ms"));
  add({"TTFT p99"}, figure_where(summary.ttft_ms.count > 0, summary.ttft_ms.p99, "ms"));
  add({"TPOT p50"}, figure_where(summary.tpot_ms.count > 0, summary.tpot_ms.p50, "ms"));
  const int64_t judged = summary.ok + summary.errors;
  add({"errors", "错误"},
      {judged > 0 ? format_percent(static_cast<double>(summary.errors) / static_cast<double>(judged))
                  : std::string(kNoFigure)},
      {std::to_string(summary.errors) + " of " + std::to_string(judged) + " requests",
       std::to_string(judged) + " 个请求中 " + std::to_string(summary.errors) + " 个"});
}

std::vector<RequestRecord> of_stage(const std::vector<RequestRecord>& records, int32_t stage) {
  std::vector<RequestRecord> chosen;
  std::copy_if(records.begin(), records.end(), std::back_inserter(chosen),
               [stage](const RequestRecord& record) { return record.stage == stage; });
  return chosen;
}

Window window_of(const StageSpan& stage, const RunLog& log) {
  Window window;
  window.steady_begin_ns = std::max(log.steady_begin_ns, static_cast<int64_t>(stage.begin_s * kNsPerSecond));
  window.steady_end_ns = std::max(
      window.steady_begin_ns, std::min(log.steady_end_ns, static_cast<int64_t>(stage.end_s * kNsPerSecond)));
  window.end_ns = log.end_ns;
  return window;
}

// A row a stage, and each as a measured row.
Table stages_table(const RunLog& log, const LoadFacts& facts, Report* report) {
  Table table;
  table.id = "stages";
  table.title = {"Stages", "分阶段结果"};
  table.columns = {{"stage", "阶段"},        {"requests", "请求数"}, {"errors", "错误"},
                   {"answers/s", "完成/秒"}, {"output tok/s"},       {"TTFT p50, ms"},
                   {"TTFT p99, ms"},         {"E2E p50, ms"},        {"E2E p99, ms"}};
  for (size_t i = 0; i < facts.stages.size(); ++i) {
    const auto records = of_stage(log.records, static_cast<int32_t>(i));
    MeasuredRow row =
        measured_row("load/stage-" + std::to_string(i + 1), records, window_of(facts.stages[i], log), facts);
    row.workload.emplace_back("stage", facts.stages[i].name.en);
    const Summary& summary = *row.summary;
    const int64_t judged = summary.ok + summary.errors;
    const double error_share =
        judged > 0 ? static_cast<double>(summary.errors) / static_cast<double>(judged) : 0;
    table.rows.push_back({facts.stages[i].name,
                          {format_count(summary.requests)},
                          {judged > 0 ? format_percent(error_share) : std::string(kNoFigure)},
                          figure(summary.qps_steady),
                          figure_where(summary.output_tokens_per_s_steady.has_value(),
                                       summary.output_tokens_per_s_steady.value_or(0)),
                          figure_where(summary.ttft_ms.count > 0, summary.ttft_ms.p50),
                          figure_where(summary.ttft_ms.count > 0, summary.ttft_ms.p99),
                          figure_where(summary.e2e_ms.count > 0, summary.e2e_ms.p50),
                          figure_where(summary.e2e_ms.count > 0, summary.e2e_ms.p99)});
    report->rows.push_back(std::move(row));
  }
  table.notes.push_back(
      {"Requests belong to the stage in which they were due, answers per second to the one in which they "
       "ended.",
       "请求按计划发出的阶段统计，每秒完成数按结束的阶段统计。"});
  return table;
}

void add_distribution_charts(const Summary& summary, const MeasuredRow& row, Section* section) {
  const auto samples_of = [&row](const char* metric) -> std::span<const double> {
    const auto found = row.samples.find(metric);
    if (found == row.samples.end()) return {};
    return found->second;
  };
  std::vector<NamedSamples> whole;
  if (summary.ttft_scheduled_ms.count > 0) whole.push_back({{"TTFT"}, samples_of("ttft_scheduled_ms")});
  if (summary.e2e_scheduled_ms.count > 0) whole.push_back({{"E2E"}, samples_of("e2e_scheduled_ms")});
  if (!whole.empty()) {
    Chart chart = cumulative_chart(
        "latency_distribution",
        {"Latency from schedule: share of requests below", "延迟累积分布（按计划时刻）"}, {"ms"}, whole);
    chart.log_x = true;
    section->charts.push_back(std::move(chart));
  }
  std::vector<NamedSamples> gaps;
  if (summary.itl_ms.count > 0) gaps.push_back({{"ITL"}, samples_of("itl_ms")});
  if (summary.tpot_ms.count > 0) gaps.push_back({{"TPOT"}, samples_of("tpot_ms")});
  if (gaps.empty()) return;
  Chart chart = cumulative_chart("token_distribution",
                                 {"Time between tokens: share below", "token 间隔累积分布"}, {"ms"}, gaps);
  chart.log_x = true;
  section->charts.push_back(std::move(chart));
}

void add_warnings(const RunLog& log, const Summary& summary, const Table& details, const LoadFacts& facts,
                  Report* report) {
  if (summary.ok == 0 && summary.requests > 0) {
    std::string what;
    if (!details.rows.empty()) what = ": " + details.rows[0].back().en;
    report->warnings.push_back({"No request succeeded" + what, "没有一个请求成功" + what});
  }
  if (facts.slo && summary.requests > 0 && !keeps_slo(log.records, *facts.slo)) {
    report->warnings.push_back(
        {"The objective " + facts.slo->text() + " was missed", "未达到目标 " + facts.slo->text()});
  }
  const Trouble trouble = find_trouble(log.records, report->server_samples, facts.watch_start_s);
  if (trouble.sign != Trouble::Sign::kNone) report->warnings.push_back(trouble.sentence);
}

}  // namespace

MeasuredRow measured_row(std::string id, std::span<const RequestRecord> records, const Window& window,
                         const LoadFacts& facts) {
  MeasuredRow row;
  row.id = std::move(id);
  row.workload = facts.workload;
  row.summary = summarize(records, window, each_request(facts));
  row.samples = metric_samples(records, kSamplesMax);
  row.status = row.summary->ok > 0 ? "measured" : "failed";
  return row;
}

void add_load_run(const RunLog& log, const LoadFacts& facts, Report* report) {
  report->seconds = static_cast<double>(log.end_ns) / kNsPerSecond;
  report->interrupted = log.interrupted;
  report->proof = log.proof;
  MeasuredRow whole =
      measured_row("load", log.records, {log.steady_begin_ns, log.steady_end_ns, log.end_ns}, facts);
  const Summary& summary = *whole.summary;
  add_key_figures(summary, report);

  Section section;
  section.id = "load";
  section.title = {"Load", "负载"};
  section.tables.push_back(rates_table("rates", {"Rates", "速率"}, summary));
  section.tables.push_back(distributions_table("latency", {"Latencies and lengths", "延迟与长度"}, summary));
  section.tables.push_back(outcomes_table("outcomes", {"Outcomes", "请求结果"}, summary));
  Table details = error_details_table(log.records);
  if (facts.slo) section.tables.push_back(slo_table(log.records, *facts.slo, facts.confidence));
  add_warnings(log, summary, details, facts, report);
  if (!details.rows.empty()) section.tables.push_back(std::move(details));
  section.charts = timeline_charts(log);
  add_distribution_charts(summary, whole, &section);
  for (const std::string& note : facts.notes) section.notes.push_back({note});
  report->rows.push_back(std::move(whole));
  if (facts.stages.size() > 1) {
    section.tables.insert(section.tables.begin(), stages_table(log, facts, report));
  }
  report->sections.push_back(std::move(section));
}

Table slo_table(std::span<const RequestRecord> records, const SloSpec& slo, double confidence) {
  Table table;
  table.id = "slo";
  table.title = {"Objective", "服务目标"};
  table.columns = {{"limit", "限值"},   {"n"},
                   {"above", "超限"},   {"share above", "超限占比"},
                   {"allowed", "允许"}, {"share above, 95 % interval", "超限占比 95 % 区间"},
                   {"verdict", "结论"}};
  for (const TermState& state : judge_records(records, slo, confidence)) {
    const bool any = state.samples > 0;
    const double share = any ? static_cast<double>(state.over) / static_cast<double>(state.samples) : 0;
    table.rows.push_back(
        {{state.term.text()},
         {format_count(state.samples)},
         {format_count(state.over)},
         {any ? format_percent(share) : std::string(kNoFigure)},
         {format_percent(state.term.over_fraction)},
         {any ? format_percent_interval(clopper_pearson(state.over, state.samples)) : std::string(kNoFigure)},
         {std::string(verdict_name(state.verdict))}});
  }
  const std::string level = format_percent(confidence);
  table.notes.push_back({"Met and missed are shown with a confidence of " + level +
                             " by the binomial distribution; undecided: too few samples for either. "
                             "Latencies count from schedule.",
                         "“met”（达到）与“missed”（未达到）由二项分布以 " + level +
                             " 置信度判定；“undecided”表示样本不足。延迟按计划时刻计。"});
  return table;
}

bool keeps_slo(std::span<const RequestRecord> records, const SloSpec& slo) {
  return std::all_of(slo.terms.begin(), slo.terms.end(), [&](const SloTerm& term) {
    TermTally tally;
    for (const RequestRecord& record : records) {
      if (counts_as_sample(record)) tally.add(measure_term(record, term));
    }
    return tally.keeps(term.over_fraction);
  });
}

Table error_details_table(std::span<const RequestRecord> records) {
  struct Said {
    int64_t count = 0;
    double first_s = 0;
  };
  std::map<std::pair<Outcome, std::string>, Said> said;
  for (const RequestRecord& record : records) {
    if (!is_error(record.outcome)) continue;
    Said& entry = said[{record.outcome, record.detail}];
    if (entry.count++ == 0) entry.first_s = static_cast<double>(record.end_ns) / kNsPerSecond;
  }
  using Entry = std::pair<std::pair<Outcome, std::string>, Said>;
  std::vector<Entry> entries(said.begin(), said.end());
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.second.count > b.second.count; });
  Table table;
  table.id = "error_details";
  table.title = {"What was said of failures", "失败原因"};
  table.columns = {
      {"outcome", "结果"}, {"requests", "请求数"}, {"first at, s", "首次出现，秒"}, {"what", "内容"}};
  for (size_t i = 0; i < entries.size() && i < kDetailsShownMax; ++i) {
    const auto& [key, entry] = entries[i];
    table.rows.push_back({{std::string(outcome_name(key.first))},
                          {format_count(entry.count)},
                          figure(entry.first_s),
                          {key.second.empty() ? std::string(kNoFigure) : key.second}});
  }
  if (entries.size() > kDetailsShownMax) {
    const std::string more = std::to_string(entries.size() - kDetailsShownMax);
    table.notes.push_back({"And " + more + " other texts; all stand in requests.jsonl.",
                           "另有 " + more + " 种内容，见 requests.jsonl。"});
  }
  return table;
}

}  // namespace hussar
