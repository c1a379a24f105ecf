// The charts over the time of a run.
#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/load_report.h"
#include "bench/statistics.h"

namespace hussar {
namespace {

constexpr double kBinsMin = 12, kBinsMax = 120;
constexpr double kRequestsABin = 10;  // about, so that a bin's quantiles mean something
constexpr double kBinSecondsMin = 0.25;
constexpr double kNsPerSecond = 1e9;
constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

struct Bin {
  int64_t sent = 0, answers = 0, errors = 0, tokens = 0;
  int64_t running_change = 0;           // begun less ended
  std::vector<double> ttft_ms, e2e_ms;  // of those sent in it
};

class Timeline {
 public:
  explicit Timeline(const RunLog& log) {
    const double run_s = std::max(kBinSecondsMin, static_cast<double>(log.end_ns) / kNsPerSecond);
    const double by_requests = static_cast<double>(log.records.size()) / kRequestsABin;
    const double by_time = std::min(kBinsMax, std::floor(run_s / kBinSecondsMin));
    // Equal parts of the whole run: a last bin that is cut short would show a peak that is none.
    const double count = std::clamp(std::floor(by_requests), std::min(kBinsMin, by_time), by_time);
    bins_.resize(static_cast<size_t>(count));
    bin_s_ = run_s / count;
    for (const RequestRecord& record : log.records) add(record);
  }

  const std::vector<Bin>& bins() const { return bins_; }
  double bin_s() const { return bin_s_; }
  bool tokens_known() const { return tokens_known_; }

  template <typename Value>
  Series series(Text name, Value value) const {
    Series series;
    series.name = std::move(name);
    for (size_t i = 0; i < bins_.size(); ++i) {
      series.x.push_back((static_cast<double>(i) + 0.5) * bin_s_);
      series.y.push_back(value(bins_[i]));
    }
    return series;
  }

 private:
  Bin& at(int64_t ns) {
    const double index = static_cast<double>(ns) / kNsPerSecond / bin_s_;
    return bins_[static_cast<size_t>(std::clamp<double>(index, 0, static_cast<double>(bins_.size() - 1)))];
  }

  void add(const RequestRecord& record) {
    if (record.sent_ns < 0) return;
    Bin& begin = at(record.sent_ns);
    ++begin.sent;
    ++begin.running_change;
    if (record.end_ns >= 0) {
      Bin& end = at(record.end_ns);
      --end.running_change;
      end.answers += record.outcome == Outcome::kOk;
      end.errors += is_error(record.outcome);
    }
    if (record.outcome != Outcome::kOk) return;
    if (record.streamed) {
      begin.ttft_ms.push_back(static_cast<double>(record.first_token_ns - record.scheduled_ns) / 1e6);
    }
    begin.e2e_ms.push_back(static_cast<double>(record.last_token_ns - record.scheduled_ns) / 1e6);
    for (const TextChunk& chunk : record.chunks) {
      tokens_known_ = tokens_known_ && chunk.tokens > 0;
      at(chunk.at_ns).tokens += chunk.tokens;
    }
  }

  double bin_s_ = 1;
  bool tokens_known_ = true;  // of every chunk
  std::vector<Bin> bins_;
};

double quantile_of(std::vector<double> samples, double q) {
  if (samples.empty()) return kGap;
  std::sort(samples.begin(), samples.end());
  return quantile(samples, q);
}

Chart over_time(std::string id, Text title, Text y_label) {
  Chart chart;
  chart.id = std::move(id);
  chart.title = std::move(title);
  chart.x_label = {"seconds", "秒"};
  chart.y_label = std::move(y_label);
  return chart;
}

}  // namespace

std::vector<Chart> timeline_charts(const RunLog& log) {
  if (log.records.empty()) return {};
  const Timeline timeline(log);
  const double bin_s = timeline.bin_s();
  const auto per_second = [bin_s](int64_t count) { return static_cast<double>(count) / bin_s; };
  std::vector<Chart> charts;

  Chart rates =
      over_time("rates_over_time", {"Requests over time", "请求速率随时间变化"}, {"per second", "每秒"});
  rates.series = {
      timeline.series({"sent", "已发送"}, [&](const Bin& bin) { return per_second(bin.sent); }),
      timeline.series({"answered", "已完成"}, [&](const Bin& bin) { return per_second(bin.answers); }),
      timeline.series({"failed", "失败"}, [&](const Bin& bin) { return per_second(bin.errors); })};
  charts.push_back(std::move(rates));

  Chart running =
      over_time("running_over_time", {"Requests under way", "进行中的请求"}, {"requests", "请求数"});
  int64_t under_way = 0;
  running.series = {timeline.series({"under way", "进行中"}, [&](const Bin& bin) {
    return static_cast<double>(under_way += bin.running_change);
  })};
  charts.push_back(std::move(running));

  if (timeline.tokens_known()) {
    Chart tokens = over_time("tokens_over_time", {"Output tokens over time", "输出 token 速率随时间变化"},
                             {"tokens per second", "token/秒"});
    tokens.series = {timeline.series({"output tokens", "输出 token"},
                                     [&](const Bin& bin) { return per_second(bin.tokens); })};
    charts.push_back(std::move(tokens));
  }

  Chart latency = over_time(
      "latency_over_time",
      {"Latency by the time of sending, from schedule", "延迟随发送时刻变化（按计划时刻）"}, {"ms"});
  latency.log_y = true;
  const bool streamed = std::any_of(log.records.begin(), log.records.end(),
                                    [](const RequestRecord& record) { return record.streamed; });
  if (streamed) {
    latency.series.push_back(
        timeline.series({"TTFT p50"}, [](const Bin& bin) { return quantile_of(bin.ttft_ms, 0.5); }));
    latency.series.push_back(
        timeline.series({"TTFT p99"}, [](const Bin& bin) { return quantile_of(bin.ttft_ms, 0.99); }));
  }
  latency.series.push_back(
      timeline.series({"E2E p50"}, [](const Bin& bin) { return quantile_of(bin.e2e_ms, 0.5); }));
  latency.series.push_back(
      timeline.series({"E2E p99"}, [](const Bin& bin) { return quantile_of(bin.e2e_ms, 0.99); }));
  charts.push_back(std::move(latency));
  return charts;
}

}  // namespace hussar
