#include "bench/report_tables.h"

#include <algorithm>
#include <utility>

#include "bench/format.h"

namespace hussar {
namespace {

constexpr size_t kCurvePointsMax = 200;

struct Measure {
  Text name;
  const Distribution* distribution;
};

std::vector<Measure> measures(const Summary& summary) {
  return {{{"TTFT, ms", "首 token 延迟 TTFT，ms"}, &summary.ttft_ms},
          {{"TTFT from schedule, ms", "TTFT（按计划时刻），ms"}, &summary.ttft_scheduled_ms},
          {{"E2E, ms", "总延迟 E2E，ms"}, &summary.e2e_ms},
          {{"E2E from schedule, ms", "E2E（按计划时刻），ms"}, &summary.e2e_scheduled_ms},
          {{"TPOT, ms", "每 token 时间 TPOT，ms"}, &summary.tpot_ms},
          {{"ITL, ms", "token 间隔 ITL，ms"}, &summary.itl_ms},
          {{"E2E per token, ms", "每 token 总延迟，ms"}, &summary.normalised_ms_per_token},
          {{"connect, ms", "建立连接，ms"}, &summary.connect_ms},
          {{"TTFT as the server says, ms", "服务端自报 TTFT，ms"}, &summary.server_ttft_ms},
          {{"input tokens", "输入 token"}, &summary.prompt_tokens_each},
          {{"output tokens", "输出 token"}, &summary.output_tokens_each}};
}

Text outcome_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return {"ok", "成功"};
    case Outcome::kConnectFailed:
      return {"connect failed", "连接失败"};
    case Outcome::kConnectTimeout:
      return {"connect time-out", "连接超时"};
    case Outcome::kFirstTokenTimeout:
      return {"first-token time-out", "首 token 超时"};
    case Outcome::kStallTimeout:
      return {"stall between tokens", "输出停顿超时"};
    case Outcome::kTotalTimeout:
      return {"total time-out", "总时长超时"};
    case Outcome::kHttp4xx:
      return {"HTTP 4xx"};
    case Outcome::kHttp429:
      return {"HTTP 429"};
    case Outcome::kHttp5xx:
      return {"HTTP 5xx"};
    case Outcome::kInBandError:
      return {"error inside the answer", "应答中报错"};
    case Outcome::kTruncated:
      return {"truncated answer", "应答被截断"};
    case Outcome::kEmptyAnswer:
      return {"empty answer", "空应答"};
    case Outcome::kBadJson:
      return {"not what the API promises", "应答格式错误"};
    case Outcome::kUsageMismatch:
      return {"token counts contradict each other", "token 计数矛盾"};
    case Outcome::kCancelled:
      return {"cancelled by plan", "按计划取消"};
    case Outcome::kUnfinished:
      return {"unfinished at the end", "结束时未完成"};
  }
  return {};
}

Text cell(double value) { return {format_figure(value)}; }
Text cell(const std::optional<double>& value) {
  return {value ? format_figure(*value) : std::string(kNoFigure)};
}
Text cell(const Interval& interval) { return {format_interval(interval)}; }
Text cell(const Interval& interval, bool exact) { return {format_interval(interval) + (exact ? "" : " *")}; }

}  // namespace

Table distributions_table(std::string id, Text title, const Summary& summary) {
  Table table;
  table.id = std::move(id);
  table.title = std::move(title);
  table.columns = {{"measure", "指标"},
                   {"n"},
                   {"mean", "均值"},
                   {"p50"},
                   {"p90"},
                   {"p95"},
                   {"p99"},
                   {"p99.9"},
                   {"max", "最大"},
                   {"mean, 95 % interval", "均值 95 % 区间"},
                   {"p50, 95 % interval", "p50 95 % 区间"},
                   {"p99, 95 % interval", "p99 95 % 区间"}};
  bool inexact = false;
  for (const Measure& measure : measures(summary)) {
    const Distribution& d = *measure.distribution;
    if (d.count == 0) continue;
    inexact = inexact || !d.p50_exact || !d.p99_exact;
    table.rows.push_back({measure.name,
                          {format_count(d.count)},
                          cell(d.mean),
                          cell(d.p50),
                          cell(d.p90),
                          cell(d.p95),
                          cell(d.p99),
                          cell(d.p999),
                          cell(d.max),
                          cell(d.mean_interval),
                          cell(d.p50_interval, d.p50_exact),
                          cell(d.p99_interval, d.p99_exact)});
  }
  if (inexact) {
    table.notes.push_back(
        {"* Too few samples for an interval of 95 %: an end of it is the least or greatest sample.",
         "* 样本太少，达不到 95 %：区间的一端为最小或最大样本。"});
  }
  if (summary.coalesced_gaps > 0) {
    const std::string count = format_count(summary.coalesced_gaps);
    table.notes.push_back({count + " gaps between tokens are not known: their tokens came in one chunk.",
                           count + " 个 token 间隔未知：这些 token 在同一数据块中到达。"});
  }
  return table;
}

Table outcomes_table(std::string id, Text title, const Summary& summary) {
  Table table;
  table.id = std::move(id);
  table.title = std::move(title);
  table.columns = {{"outcome", "结果"}, {"requests", "请求数"}, {"share", "占比"}};
  int64_t all = 0;
  for (const int64_t count : summary.outcomes) all += count;
  for (size_t i = 0; i < summary.outcomes.size(); ++i) {
    const auto outcome = static_cast<Outcome>(i);
    const int64_t count = summary.outcomes[i];
    if (count == 0 && outcome != Outcome::kOk) continue;
    const double share = all > 0 ? static_cast<double>(count) / static_cast<double>(all) : 0;
    table.rows.push_back({outcome_text(outcome), {format_count(count)}, {format_percent(share)}});
  }
  if (summary.ok + summary.errors > 0) {
    const std::string interval = format_percent_interval(summary.error_rate_interval);
    table.notes.push_back({"Error rate, 95 % interval: " + interval, "错误率 95 % 区间：" + interval});
  }
  return table;
}

Table rates_table(std::string id, Text title, const Summary& summary) {
  Table table;
  table.id = std::move(id);
  table.title = std::move(title);
  table.columns = {{"rate", "速率"}, {"steady window", "稳态窗口"}, {"whole run", "全程"}};
  table.rows = {{{"requests/s (QPS)", "请求/s（QPS）"}, cell(summary.qps_steady), cell(summary.qps_whole)},
                {{"output tokens/s", "输出 token/s"},
                 cell(summary.output_tokens_per_s_steady),
                 cell(summary.output_tokens_per_s_whole)},
                {{"input + output tokens/s", "输入 + 输出 token/s"},
                 cell(summary.total_tokens_per_s_steady),
                 cell(summary.total_tokens_per_s_whole)},
                {{"seconds", "时长 s"}, cell(summary.steady_s), cell(summary.whole_s)}};
  if (summary.goodput_qps) {
    table.rows.push_back({{"goodput within the SLO, requests/s", "满足 SLO 的请求/s"},
                          cell(*summary.goodput_qps),
                          {std::string(kNoFigure)}});
  }
  const auto left_out = [&](int64_t answers, std::string_view en, std::string_view zh) {
    const std::string count = format_count(answers);
    if (answers > 0) table.notes.push_back({count + std::string(en), count + std::string(zh)});
  };
  left_out(summary.tokens_unknown, " answers have unknown output tokens: rates of tokens are left out.",
           " 个应答的输出 token 数未知：不给出 token 速率。");
  left_out(summary.prompts_unknown, " answers have unknown input tokens: rates of all tokens are left out.",
           " 个应答的输入 token 数未知：不给出总 token 速率。");
  return table;
}

Chart cumulative_chart(std::string id, Text title, Text x_label, std::span<const NamedSamples> named) {
  Chart chart;
  chart.id = std::move(id);
  chart.title = std::move(title);
  chart.x_label = std::move(x_label);
  chart.y_label = {"% of requests", "请求占比 %"};
  for (const NamedSamples& one : named) {
    if (one.samples.empty()) continue;
    std::vector<double> sorted(one.samples.begin(), one.samples.end());
    std::sort(sorted.begin(), sorted.end());
    Series series;
    series.name = one.name;
    const size_t points = std::min(sorted.size(), kCurvePointsMax);
    for (size_t i = 1; i <= points; ++i) {
      const size_t below = i * sorted.size() / points;  // samples up to and with this one
      series.x.push_back(sorted[below - 1]);
      series.y.push_back(100.0 * static_cast<double>(below) / static_cast<double>(sorted.size()));
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

}  // namespace hussar
