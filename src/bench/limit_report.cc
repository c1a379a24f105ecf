#include "bench/limit_report.h"

#include <algorithm>
#include <cmath>

#include "bench/format.h"

namespace hussar {
namespace {

std::string_view kind_name(ProbeKind kind) { return kind == ProbeKind::kScout ? "scout" : "full"; }

// A scout is no proof: what its samples say is all.
Text server_verdict(const ProbeResult& probe) {
  if (probe.plan.kind == ProbeKind::kFull || probe.verdict == Verdict::kMissed) {
    switch (probe.verdict) {
      case Verdict::kMet:
        return {"met", "达到"};
      case Verdict::kMissed:
        return {"missed", "未达到"};
      case Verdict::kUndecided:
        return {"undecided, counts as missed", "未定，按未达到计"};
    }
  }
  return probe.keeps ? Text{"keeps it so far", "目前符合"} : Text{"does not keep it", "不符合"};
}

Text verdict_text(const ProbeResult& probe) {
  Text text = server_verdict(probe);
  if (probe.client_limited) {
    text.en += "; the client was late";
    text.zh += "；压测端滞后";
  }
  return text;
}

std::string counts_text(const ProbeResult& probe) {
  std::string text;
  for (const TermState& state : probe.terms) {
    text += (text.empty() ? "" : "; ") + state.term.text() + ": " + std::to_string(state.over) + " of " +
            std::to_string(state.samples) + " above";
    if (state.over_max >= 0) text += ", at most " + std::to_string(state.over_max);
  }
  return text;
}

Text figure_or_none(const Distribution& distribution, double value) {
  return {distribution.count > 0 ? format_figure(value) : std::string(kNoFigure)};
}

Table probes_table(const std::vector<ProbeResult>& probes, const LimitFacts& facts) {
  Table table;
  table.id = "probes";
  table.title = {"Probes, in their order", "探测过程"};
  table.columns = {
      {"probe", "探测"},        {"level", "负载"}, {"kind", "类型"}, {"verdict", "结论"}, {"n"},
      {"answers/s", "完成/秒"}, {"TTFT p99, ms"},  {"E2E p99, ms"},  {"errors", "错误"},  {"seconds", "秒"},
      {"counts", "计数"}};
  for (size_t i = 0; i < probes.size(); ++i) {
    const ProbeResult& probe = probes[i];
    const Summary& summary = probe.summary;
    table.rows.push_back({{std::to_string(i + 1)},
                          level_text(probe.plan.level, facts.users),
                          {std::string(kind_name(probe.plan.kind))},
                          verdict_text(probe),
                          {format_count(summary.ok + summary.errors)},
                          {format_figure(summary.qps_steady)},
                          figure_or_none(summary.ttft_scheduled_ms, summary.ttft_scheduled_ms.p99),
                          figure_or_none(summary.e2e_scheduled_ms, summary.e2e_scheduled_ms.p99),
                          {format_count(summary.errors)},
                          {format_figure(probe.seconds)},
                          {counts_text(probe)}});
  }
  table.notes.push_back(
      {"A scout is short and only finds the range; what the search ends with was shown by a full probe.",
       "scout 为短探测，只用来确定范围；最终结果由完整探测（full）证明。"});
  return table;
}

// p99 by level, with the objective's own limits for reference.
void add_chart(const std::vector<ProbeResult>& probes, const LimitFacts& facts, Section* section) {
  std::vector<const ProbeResult*> sorted;
  for (const ProbeResult& probe : probes) sorted.push_back(&probe);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ProbeResult* a, const ProbeResult* b) { return a->plan.level < b->plan.level; });
  Chart chart;
  chart.id = "latency_by_level";
  chart.kind = Chart::Kind::kPoints;
  chart.title = {"Latency by load, from schedule", "延迟与负载（按计划时刻）"};
  chart.x_label = facts.users ? Text{"users", "用户数"} : Text{"requests per second", "每秒请求"};
  chart.y_label = {"ms"};
  chart.log_y = true;
  Series ttft{{"TTFT p99"}, {}, {}}, e2e{{"E2E p99"}, {}, {}};
  for (const ProbeResult* probe : sorted) {
    const auto add = [probe](const Distribution& distribution, Series* to) {
      if (distribution.count == 0) return;
      to->x.push_back(probe->plan.level);
      to->y.push_back(distribution.p99);
    };
    add(probe->summary.ttft_scheduled_ms, &ttft);
    add(probe->summary.e2e_scheduled_ms, &e2e);
  }
  for (Series& series : {std::ref(ttft), std::ref(e2e)}) {
    if (!series.x.empty()) chart.series.push_back(std::move(series));
  }
  if (chart.series.empty()) return;
  for (const SloTerm& term : facts.slo.terms) {
    if (term.metric != SloMetric::kTtft && term.metric != SloMetric::kE2e) continue;
    Series limit{{term.text()},
                 {sorted.front()->plan.level, sorted.back()->plan.level},
                 {term.limit_ms, term.limit_ms},
                 Series::Role::kReference};
    chart.series.push_back(std::move(limit));
  }
  section->charts.push_back(std::move(chart));
}

Text result_text(const LimitFacts& facts) {
  const std::string slo = facts.slo.text();
  if (!facts.met) {
    if (!facts.not_met) return {"Nothing was shown.", "没有得出结论。"};
    const Text least = level_text(*facts.not_met, facts.users);
    return {"No level was shown to meet " + slo + "; " + least.en + " did not.",
            "没有负载被证明达到 " + slo + "；" + least.zh + " 未达到。"};
  }
  const Text met = level_text(*facts.met, facts.users);
  Text text{met.en + " met " + slo, met.zh + " 达到 " + slo};
  if (facts.not_met) {
    const Text not_met = level_text(*facts.not_met, facts.users);
    text.en += "; " + not_met.en + " did not";
    text.zh += "；" + not_met.zh + " 未达到";
  } else if (facts.at_most_probed) {
    text.en += "; more was not tried";
    text.zh += "；未尝试更高负载";
  }
  text.en += ".";
  text.zh += "。";
  return text;
}

MeasuredRow probe_row(size_t number, const ProbeResult& probe, const LimitFacts& facts) {
  MeasuredRow row;
  row.id = "limit/probe-" + std::to_string(number);
  row.workload = facts.workload;
  row.workload.emplace_back(facts.users ? "users" : "requests_per_s", probe.plan.level);
  row.status = probe.summary.ok > 0 ? "measured" : "failed";
  row.note = probe.reason;
  row.summary = probe.summary;
  row.extra = {{"kind", kind_name(probe.plan.kind)},
               {"verdict", verdict_name(probe.verdict)},
               {"keeps", probe.keeps},
               {"level", probe.plan.level}};
  return row;
}

}  // namespace

Text level_text(double level, bool users) {
  const std::string figure = format_figure(level);
  if (users) return {figure + (level == 1 ? " user" : " users"), figure + " 用户"};
  return {figure + " requests/s", figure + " 请求/秒"};
}

std::string probe_line(size_t number, const ProbeResult& probe, bool users) {
  return "probe " + std::to_string(number) + ", " + std::string(kind_name(probe.plan.kind)) + ", " +
         level_text(probe.plan.level, users).en + ": " + verdict_text(probe).en + " (" + counts_text(probe) +
         ") in " + format_duration(probe.seconds);
}

std::string least_answers_text(const SloSpec& slo, double confidence) {
  std::string text;
  for (const SloTerm& term : slo.terms) {
    text += (text.empty() ? "" : ", ") + term.text() + ": " +
            std::to_string(samples_min(term.over_fraction, (1 - confidence) / 2));
  }
  return text;
}

Text early_stopping_text(const SloSpec& slo, double confidence) {
  const std::string level = format_percent(confidence);
  const double alpha = 1 - confidence;
  const std::string least = least_answers_text(slo, confidence);
  return {
      "A probe goes on until its samples show with " + level +
          " confidence that the objective is met or missed (MLPerf's early stopping): met, when so few "
          "above the limit would come with probability at most alpha = " +
          format_figure(alpha) +
          " from a server that just misses it, F(t; n, q) <= alpha with the binomial F; missed, when so many "
          "would from one that just meets it. It looks each time that the samples have doubled, and look k "
          "spends alpha / 2^k. Fewest answers to show that it is met: " +
          least + ".",
      "每次探测持续到样本以 " + level +
          " 置信度证明达到或未达到目标为止（MLPerf "
          "提前停止法）：若服务恰好不达标时出现这么少超限样本的概率不超过 "
          "alpha = " +
          format_figure(alpha) +
          "，即二项分布 F(t; n, q) <= alpha，则判为达到；若恰好达标时出现这么多超限样本的概率不超过 alpha，"
          "则判为未达到。样本数每翻一番检验一次，第 k 次检验使用 alpha / 2^k。判为达到所需的最少应答数：" +
          least + "。"};
}

void add_limit(const std::vector<ProbeResult>& probes, const LimitFacts& facts, Report* report) {
  const auto text_or_none = [&](const std::optional<double>& level) {
    return level ? level_text(*level, facts.users) : Text{std::string(kNoFigure)};
  };
  report->key_figures.push_back({{"met up to", "达标上限"}, text_or_none(facts.met), {facts.slo.text()}});
  report->key_figures.push_back({{"not met at", "未达标"}, text_or_none(facts.not_met)});
  report->key_figures.push_back({{"probes", "探测次数"}, {std::to_string(probes.size())}});

  Section section;
  section.id = "limit";
  section.title = {"Limit", "极限"};
  section.paragraphs = {result_text(facts), early_stopping_text(facts.slo, facts.confidence)};
  if (!probes.empty()) {
    section.tables.push_back(probes_table(probes, facts));
    add_chart(probes, facts, &section);
  }
  for (const std::string& note : facts.notes) section.notes.push_back({note});
  report->sections.push_back(std::move(section));

  MeasuredRow limit;
  limit.id = "limit";
  limit.workload = facts.workload;
  limit.status = facts.met ? "measured" : "failed";
  if (facts.met) limit.extra.emplace_back("met", *facts.met);
  if (facts.not_met) limit.extra.emplace_back("not_met", *facts.not_met);
  for (const ProbeResult& probe : probes) {
    if (facts.met && probe.plan.level == *facts.met && probe.verdict == Verdict::kMet &&
        probe.plan.kind == ProbeKind::kFull) {
      limit.summary = probe.summary;
    }
  }
  report->rows.push_back(std::move(limit));
  for (size_t i = 0; i < probes.size(); ++i) report->rows.push_back(probe_row(i + 1, probes[i], facts));
}

}  // namespace hussar
