// The section of the server's own figures.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "bench/format.h"
#include "bench/report_sections.h"

namespace hussar {
namespace {

constexpr size_t kPointsMax = 1200;  // more than a screen has columns
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kBytesPerGb = 1e9;

using Samples = std::span<const ServerSample>;
using Reading = std::function<double(Samples, size_t)>;  // of sample i; NaN where it is not known

// A member of ServerSample, in the unit that is shown.
Reading gauge(double ServerSample::*member, double divisor = 1) {
  return [=](Samples samples, size_t i) {
    const double value = samples[i].*member;
    return value < 0 ? kNaN : value / divisor;
  };
}

// How fast a counter rose since the sample before; nothing where the server started anew.
Reading rate(double ServerSample::*member) {
  return [=](Samples samples, size_t i) {
    if (i == 0) return kNaN;
    const double before = samples[i - 1].*member, now = samples[i].*member;
    const double seconds = samples[i].at_s - samples[i - 1].at_s;
    return before < 0 || now < before || seconds <= 0 ? kNaN : (now - before) / seconds;
  };
}

// Peaks are what a pressure test is after: each span of samples keeps its highest.
Series thinned(Text name, Samples samples, const Reading& reading) {
  Series series;
  series.name = std::move(name);
  const size_t span = (samples.size() + kPointsMax - 1) / kPointsMax;
  for (size_t begin = 0; begin < samples.size(); begin += span) {
    double highest = kNaN;
    for (size_t i = begin; i < std::min(begin + span, samples.size()); ++i) {
      highest = std::fmax(highest, reading(samples, i));
    }
    series.x.push_back(samples[begin].at_s);
    series.y.push_back(highest);
  }
  return series;
}

bool says_something(const Series& series) {
  return std::any_of(series.y.begin(), series.y.end(), [](double y) { return std::isfinite(y); });
}

struct Line {
  Text name;
  Reading reading;
};
struct Plan {
  std::string id;
  Text title, y_label;
  std::vector<Line> lines;
};

std::vector<Plan> plans() {
  return {
      {"server_requests",
       {"Requests in the server", "服务端内的请求"},
       {"requests", "请求数"},
       {{{"running", "运行中"}, gauge(&ServerSample::running)},
        {{"waiting", "排队"}, gauge(&ServerSample::waiting)}}},
      {"server_kv",
       {"KV cache in use", "KV 缓存占用"},
       {"%"},
       {{{"KV cache", "KV 缓存"}, gauge(&ServerSample::kv_use, 0.01)}}},
      {"server_tokens",
       {"Tokens by the server's own count", "服务端自己统计的 token"},
       {"tokens/s", "token/s"},
       {{{"prompt", "输入"}, rate(&ServerSample::prompt_tokens)},
        {{"generated", "生成"}, rate(&ServerSample::generation_tokens)}}},
      {"server_preemptions",
       {"Preemptions so far", "累计抢占次数"},
       {"requests", "请求数"},
       {{{"preemptions", "抢占"}, gauge(&ServerSample::preemptions)}}},
      {"server_memory",
       {"Memory", "内存"},
       {"GB"},
       {{{"process, resident", "进程常驻内存"}, gauge(&ServerSample::resident_bytes, kBytesPerGb)},
        {{"GPU", "显存"}, gauge(&ServerSample::gpu_memory_bytes, kBytesPerGb)}}},
      {"server_cpu",
       {"CPU of the server's process", "服务端进程 CPU"},
       {"cores", "核"},
       {{{"cores in use", "占用核数"}, gauge(&ServerSample::cpu_cores)}}},
      {"server_gpu",
       {"GPU utilisation", "GPU 利用率"},
       {"%"},
       {{{"utilisation", "利用率"}, gauge(&ServerSample::gpu_utilisation, 0.01)}}},
      {"server_power",
       {"GPU power", "GPU 功耗"},
       {"W"},
       {{{"power", "功耗"}, gauge(&ServerSample::gpu_power_w)}}},
  };
}

std::string peak_text(double value) {
  return value == std::floor(value) ? format_count(static_cast<int64_t>(value)) : format_figure(value);
}

// One line of a chart with a single one is called as the chart is.
Text peak_name(const Chart& chart, const Series& series) {
  if (chart.series.size() == 1) return chart.title;
  return {chart.title.en + ": " + series.name.en,
          in_language(chart.title, Language::kChinese) + "：" + in_language(series.name, Language::kChinese)};
}

// The highest that was seen of each, which is what a short look wants.
Table peaks_table(const std::vector<Chart>& charts) {
  Table table;
  table.id = "server_peaks";
  table.title = {"Highest values seen", "观测到的最高值"};
  table.columns = {{"figure", "项目"}, {"highest", "最高值"}, {"unit", "单位"}, {"at s", "时刻 s"}};
  for (const Chart& chart : charts) {
    for (const Series& series : chart.series) {
      size_t peak = 0;
      for (size_t i = 1; i < series.y.size(); ++i) {
        if (std::isfinite(series.y[i]) && !(series.y[i] <= series.y[peak])) peak = i;
      }
      table.rows.push_back({peak_name(chart, series),
                            {peak_text(series.y[peak])},
                            chart.y_label,
                            {format_figure(series.x[peak])}});
    }
  }
  return table;
}

}  // namespace

Section server_section(std::span<const ServerSample> samples, const std::vector<std::string>& missing) {
  Section section;
  section.id = "server";
  section.title = {"The server while it was pressed", "压测期间的服务端"};
  for (const Plan& plan : plans()) {
    Chart chart;
    chart.id = plan.id;
    chart.title = plan.title;
    chart.x_label = {"seconds since the start", "开始后的秒数"};
    chart.y_label = plan.y_label;
    for (const Line& line : plan.lines) {
      Series series = thinned(line.name, samples, line.reading);
      if (says_something(series)) chart.series.push_back(std::move(series));
    }
    if (!chart.series.empty()) section.charts.push_back(std::move(chart));
  }
  if (!section.charts.empty()) section.tables.push_back(peaks_table(section.charts));
  if (samples.size() > kPointsMax) {
    section.notes.push_back(
        {"Each point is the highest of several samples.", "每个点是若干采样中的最高值。"});
  }
  for (const std::string& line : missing) section.notes.push_back({"Not seen: " + line, "未能观测：" + line});
  return section;
}

}  // namespace hussar
