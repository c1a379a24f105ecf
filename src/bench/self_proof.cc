#include "bench/self_proof.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/format.h"
#include "bench/measures.h"

namespace hussar {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNsPerMs = 1e6;
constexpr double kPunctualMs = 0.5;  // what a fast client keeps for 99 % of its sends

std::vector<double> in_ms(std::span<const int64_t> lateness_ns) {
  std::vector<double> lateness_ms(lateness_ns.begin(), lateness_ns.end());
  for (double& value : lateness_ms) value /= kNsPerMs;
  return lateness_ms;
}

double share_within(std::span<const int64_t> lateness_ns, double limit_ms) {
  const auto punctual = std::count_if(lateness_ns.begin(), lateness_ns.end(), [&](int64_t ns) {
    return static_cast<double>(ns) <= limit_ms * kNsPerMs;
  });
  return static_cast<double>(punctual) / static_cast<double>(lateness_ns.size());
}

std::string bin_label(const HistogramBin& bin) {
  const auto number = [](double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%g", value);
    return std::string(buffer);
  };
  if (bin.from == -kInfinity) return "<" + number(bin.below);
  if (bin.below == kInfinity) return "\u2265" + number(bin.from);
  return number(bin.from) + "\u2013" + number(bin.below);
}

// Bars for the bins up to the last one that counted anything, and at least for `bins_min` of them.
Chart histogram_chart(std::string id, const Histogram& histogram, size_t bins_min) {
  Chart chart;
  chart.id = std::move(id);
  chart.kind = Chart::Kind::kBars;
  chart.log_y = true;
  size_t shown = std::min(bins_min, histogram.size());
  for (size_t i = shown; i < histogram.size(); ++i) {
    if (histogram[i].count > 0) shown = i + 1;
  }
  chart.series.push_back({{"count", "次数"}, {}, {}});
  for (const HistogramBin& bin : std::span(histogram).first(shown)) {
    chart.labels.push_back({bin_label(bin)});
    chart.series[0].y.push_back(static_cast<double>(bin.count));
  }
  return chart;
}

// The upper bound of the bin that holds the q-quantile: all that a histogram still knows.
double quantile_bound(const Histogram& histogram, double q) {
  int64_t all = 0, seen = 0;
  for (const HistogramBin& bin : histogram) all += bin.count;
  for (const HistogramBin& bin : histogram) {
    seen += bin.count;
    if (all > 0 && static_cast<double>(seen) >= q * static_cast<double>(all)) return bin.below;
  }
  return std::nan("");
}

Table figures_table(const SelfProof& proof, const Histogram& delays) {
  Table table;
  table.id = "self_proof";
  table.title = {"The client's own figures", "压测端自身的数据"};
  table.columns = {{"figure", "项目"}, {"value", "数值"}};
  const auto add = [&](Text name, std::string value) {
    table.rows.push_back({std::move(name), {std::move(value)}});
  };
  if (!proof.lateness_ns.empty()) {
    const Distribution lateness = describe(in_ms(proof.lateness_ns));
    add({"requests sent", "已发送请求"}, format_count(lateness.count));
    add({"send lateness, p50", "发送延误 p50"}, format_figure(lateness.p50, "ms"));
    add({"send lateness, p99", "发送延误 p99"}, format_figure(lateness.p99, "ms"));
    add({"send lateness, p99.9", "发送延误 p99.9"}, format_figure(lateness.p999, "ms"));
    add({"send lateness, max", "发送延误最大值"}, format_figure(lateness.max, "ms"));
    add({"sent within 0.5 ms of its time", "在 0.5 ms 内按时发出"},
        format_percent(share_within(proof.lateness_ns, kPunctualMs)));
  }
  add({"CPU of the client's thread", "压测线程 CPU"}, format_percent(proof.cpu_share));
  if (proof.loop.run_ns > 0) {
    add({"event-loop delay, p99 below", "事件循环延迟 p99 上界"},
        format_figure(quantile_bound(delays, 0.99) / 1e3, "ms"));
    add({"event-loop delay, max", "事件循环延迟最大值"},
        format_figure(static_cast<double>(proof.loop.timer_delay_max_ns) / kNsPerMs, "ms"));
  }
  table.notes = {{"CPU is a share of one core. The event loop's delay is how late its timers ran.",
                  "CPU 以单核为 100 %。事件循环延迟指其定时器的触发延误。"}};
  return table;
}

}  // namespace

Histogram lateness_histogram_ms(std::span<const int64_t> lateness_ns) {
  static constexpr double kBoundsMs[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1,   2,
                                         5,    10,   20,   50,  100, 200, 500, 1000};
  Histogram histogram;
  double from = -kInfinity;
  for (const double bound : kBoundsMs) {
    histogram.push_back({from, bound, 0});
    from = bound;
  }
  histogram.push_back({from, kInfinity, 0});
  for (const int64_t ns : lateness_ns) {
    const auto bound =
        std::upper_bound(std::begin(kBoundsMs), std::end(kBoundsMs), static_cast<double>(ns) / kNsPerMs);
    ++histogram[static_cast<size_t>(bound - std::begin(kBoundsMs))].count;
  }
  return histogram;
}

Histogram loop_delay_histogram_us(const LoopStats& stats) {
  Histogram histogram;
  double from = -kInfinity, below = 1;
  for (const uint64_t count : stats.timer_delay_counts) {
    histogram.push_back({from, below, static_cast<int64_t>(count)});
    from = below;
    below *= 2;
  }
  if (!histogram.empty()) histogram.back().below = kInfinity;
  return histogram;
}

Text self_proof_line(const SelfProof& proof) {
  if (proof.client_limited) {
    return {"CLIENT-LIMITED: " + proof.reason, "受压测端限制（CLIENT-LIMITED）：" + proof.reason};
  }
  const std::string cpu = format_percent(proof.cpu_share);
  if (proof.lateness_ns.empty()) {
    return {"The client used " + cpu + " of one core.", "压测端占用单核的 " + cpu + "。"};
  }
  const Distribution lateness = describe(in_ms(proof.lateness_ns));
  const std::string count = format_count(lateness.count), p99 = format_figure(lateness.p99, "ms");
  return {
      "The client kept up: 99 % of " + count + " requests went out within " + p99 + " of their time, with " +
          cpu + " of one core.",
      "压测端不是瓶颈：" + count + " 个请求中 99 % 的发送延误在 " + p99 + " 以内，占用单核的 " + cpu + "。"};
}

Section self_proof_section(const SelfProof& proof, const std::string& prove_line) {
  Section section;
  section.id = "self-proof";
  section.title = {"Self-proof", "自证"};
  section.paragraphs = {
      self_proof_line(proof),
      {"Whether these figures are the server's or the client's: how late each request left, what the "
       "client's one "
       "thread used of its core, and how late its event loop ran.",
       "这些数字反映的是服务端还是压测端？看每个请求的发送延误、压测线程的 CPU 占用和事件循环的延迟。"}};
  const Histogram delays = loop_delay_histogram_us(proof.loop);
  section.tables = {figures_table(proof, delays)};
  if (!proof.lateness_ns.empty()) {
    Chart chart = histogram_chart("send_lateness", lateness_histogram_ms(proof.lateness_ns), 7);
    chart.title = {"Lateness of sends", "发送延误"};
    chart.x_label = {"sent \u2212 scheduled, ms", "实际发送 \u2212 计划发送，ms"};
    chart.y_label = {"requests", "请求数"};
    section.charts.push_back(std::move(chart));
  }
  if (proof.loop.run_ns > 0) {
    Chart chart = histogram_chart("loop_delay", delays, 10);
    chart.title = {"Delay of the event loop", "事件循环延迟"};
    chart.x_label = {"lateness of timers, \u00b5s", "定时器延误，\u00b5s"};
    chart.y_label = {"timers", "定时器数"};
    section.charts.push_back(std::move(chart));
  }
  if (!prove_line.empty()) section.notes.push_back({prove_line});
  return section;
}

}  // namespace hussar
