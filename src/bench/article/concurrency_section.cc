#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "bench/article/figures.h"
#include "bench/article/section_parts.h"
#include "bench/format.h"
#include "bench/trouble.h"

namespace hussar {
namespace {

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

struct Variant {
  const char* prompt;  // as in a cell's id
  bool thinks;
  Text title;
};

std::vector<Variant> variants() {
  return {
      {"short", true, {"The article's prompt, with 1 to 3 s of think time", "文章的提示词，思考 1 至 3 秒"}},
      {"short", false, {"The article's prompt, without think time", "文章的提示词，不思考"}},
      {"1024", true, {"1,024 tokens in, with 1 to 3 s of think time", "输入 1,024 token，思考 1 至 3 秒"}},
      {"1024", false, {"1,024 tokens in, without think time", "输入 1,024 token，不思考"}}};
}

std::string cell_id(const Variant& variant, int32_t users) {
  return std::string("concurrency/") + variant.prompt + (variant.thinks ? "/think/" : "/no_think/") +
         std::to_string(users);
}

// Where hardly an answer ends inside the steady window, the rate of the whole run is the better figure,
// though its end, when no more requests come, counts against it. Not so with think time: a run that ended
// before all users came back shows the rush of its beginning, and no rate.
double qps_of(const Variant& variant, const Summary& summary, int32_t users) {
  if (summary.qps_steady * summary.steady_s >= users) return summary.qps_steady;
  return variant.thinks ? kGap : summary.qps_whole;
}

Text memory_of(const std::vector<ServerSample>& samples) {
  double gpu = -1, resident = -1;
  for (const ServerSample& sample : samples) {
    gpu = std::max(gpu, sample.gpu_memory_bytes);
    resident = std::max(resident, sample.resident_bytes);
  }
  if (gpu >= 0) return plain(format_bytes(gpu) + " GPU");
  return resident >= 0 ? plain(format_bytes(resident)) : no_figure();
}

Text error_share_of(const ArticleConcurrency& row) { return plain(format_percent(row.error_share)); }

Text article_memory(const ArticleConcurrency& row) {
  if (row.gpu_memory_gb < 0) return {"at risk of running out", "有耗尽风险"};
  return plain(format_given(row.gpu_memory_gb) + " GB");
}

std::vector<Text> measured_cells(const Variant& variant, const CellResult* cell, int32_t users) {
  if (cell == nullptr) return std::vector<Text>(7, no_figure());
  const Summary summary = summary_of(*cell);
  const bool any = summary.ok > 0;
  const auto& rate = summary.output_tokens_per_s_steady ? summary.output_tokens_per_s_steady
                                                        : summary.output_tokens_per_s_whole;
  return {plain(std::to_string(summary.ok)),
          any ? plain(format_figure(qps_of(variant, summary, users))) : no_figure(),
          mean_with_interval_s(summary.e2e_ms),
          median_s(summary.ttft_ms),
          any && rate ? plain(format_figure(*rate)) : no_figure(),
          median_count(summary.output_tokens_each),
          errors_of(cell->records)};
}

bool is_planned(const ArticleRun& run, const std::string& id) {
  return std::any_of(run.plan.begin(), run.plan.end(), [&](const Cell& cell) { return cell.id == id; });
}

Table users_table(const ArticleRun& run, const Variant& variant) {
  const Text& ours = run.owner;
  const Text article = run.article_owner;
  Table table;
  table.id = std::string("concurrency_") + variant.prompt + (variant.thinks ? "_think" : "_no_think");
  table.title = variant.title;
  table.columns = {{"Users", "用户数"},
                   column({"n", "n"}, ours),
                   column({"QPS", "QPS"}, ours),
                   column({"mean latency s", "平均延迟 秒"}, ours),
                   column({"TTFT s", "TTFT 秒"}, ours),
                   column({"new tokens/s, all users", "全部用户每秒新 token"}, ours),
                   column({"new tokens", "新 token"}, ours),
                   column({"errors", "错误"}, ours),
                   column({"server's memory", "服务器内存"}, ours),
                   column({"QPS", "QPS"}, article),
                   column({"mean latency s", "平均延迟 秒"}, article),
                   column({"errors", "错误"}, article),
                   column({"GPU memory", "显存"}, article),
                   {"Status", "状态"}};
  for (const ArticleConcurrency& row : article_concurrency()) {
    const std::string id = cell_id(variant, row.users);
    const CellResult* cell = run.find(id);
    std::vector<Text> cells = {plain(std::to_string(row.users))};
    for (Text& one : measured_cells(variant, cell, row.users)) cells.push_back(std::move(one));
    cells.push_back(cell ? memory_of(cell->server_samples) : no_figure());
    cells.push_back(plain(format_given(row.qps)));
    cells.push_back(plain(format_given(row.latency_s)));
    cells.push_back(error_share_of(row));
    cells.push_back(article_memory(row));
    cells.push_back(is_planned(run, id)
                        ? status_of(cell)
                        : Text{"cut: --quick stops at 25 users", "已截断：--quick 只测到 25 个用户"});
    table.rows.push_back(std::move(cells));
  }
  if (variant.thinks) {
    table.notes.push_back(
        {"With 2 s of think time on average, QPS can't exceed users / 2. No QPS stands where fewer than one "
         "answer a user "
         "ended in the steady window.",
         "平均思考 2 秒时，QPS 不可能超过用户数 / 2。稳定时段内每个用户结束的回答不足一个时，不给出 QPS。"});
  }
  return table;
}

Chart chart_of(const ArticleRun& run, const std::string& id, const Text& title, const Text& y_label,
               double (*figure)(const Variant&, const Summary&, int32_t),
               double ArticleConcurrency::*theirs) {
  Chart chart;
  chart.id = id;
  chart.title = title;
  chart.x_label = {"users", "用户数"};
  chart.y_label = y_label;
  for (const Variant& variant : variants()) {
    Series series{variant.title, {}, {}};
    for (const ArticleConcurrency& row : article_concurrency()) {
      const CellResult* cell = run.find(cell_id(variant, row.users));
      series.x.push_back(row.users);
      series.y.push_back(has_figures(cell) ? figure(variant, summary_of(*cell), row.users) : kGap);
    }
    chart.series.push_back(std::move(series));
  }
  Series article{{"article", "文章"}, {}, {}, Series::Role::kReference};
  for (const ArticleConcurrency& row : article_concurrency()) {
    article.x.push_back(row.users);
    article.y.push_back(row.*theirs);
  }
  chart.series.push_back(std::move(article));
  return chart;
}

// The steps of a burst, in their order: each has a stage of its own.
std::map<int32_t, std::vector<RequestRecord>> bursts_of(const CellResult& cell) {
  std::map<int32_t, std::vector<RequestRecord>> bursts;
  for (const RequestRecord& record : cell.records) bursts[record.stage].push_back(record);
  return bursts;
}

Table burst_table(const ArticleRun& run) {
  const Text& ours = run.owner;
  Table table{"connections_burst",
              {"A burst of N requests at once, doubled until errors begin",
               "同时发出 N 个请求，逐次加倍直到出现错误"},
              {{"Requests at once", "同时请求数"},
               column({"answered", "得到回答"}, ours),
               column({"errors", "错误"}, ours),
               column({"slowest answer s", "最慢回答 秒"}, ours),
               column({"first error", "首个错误"}, ours)},
              {},
              {}};
  const CellResult* cell = run.find("connections/burst");
  if (cell == nullptr) return table;
  for (const auto& [step, records] : bursts_of(*cell)) {
    double slowest_ns = -1;
    for (const RequestRecord& record : records) {
      if (record.outcome == Outcome::kOk) {
        slowest_ns = std::max(slowest_ns, static_cast<double>(record.end_ns - record.sent_ns));
      }
    }
    const std::string error = first_error(records);
    table.rows.push_back({plain(std::to_string(records.size())), plain(std::to_string(count_ok(records))),
                          errors_of(records),
                          slowest_ns < 0 ? no_figure() : plain(format_figure(slowest_ns / 1e9)),
                          error.empty() ? no_figure() : plain(error)});
  }
  table.notes.push_back(joined({"Status", "状态"}, status_of(cell), ": ", "："));
  return table;
}

int64_t step_count(const Json& step, std::string_view name) {
  const Json* member = step.find(name);
  const int64_t* count = member ? member->as_int() : nullptr;
  return count ? *count : -1;
}

const JsonArray* steps_of(const CellResult* cell) {
  if (cell == nullptr) return nullptr;
  for (const auto& [name, value] : cell->extra) {
    if (name == "steps") return value.as_array();
  }
  return nullptr;
}

Table connection_table(const ArticleRun& run) {
  const Text& ours = run.owner;
  Table table{"connections_idle",
              {"A ramp of idle connections", "逐步增加的空闲连接"},
              {{"Connections wanted", "请求的连接数"},
               column({"stand", "已建立"}, ours),
               column({"a request beside them is answered", "此时另一请求得到回答"}, ours)},
              {},
              {}};
  const CellResult* cell = run.find("connections/idle");
  if (const JsonArray* steps = steps_of(cell)) {
    for (const Json& step : *steps) {
      const Json* answered = step.find("answered");
      table.rows.push_back({plain(format_count(step_count(step, "wanted"))),
                            plain(format_count(step_count(step, "standing"))),
                            yes_or_no(answered && answered->as_bool() && *answered->as_bool())});
    }
  }
  table.notes.push_back(joined({"Status", "状态"}, status_of(cell), ": ", "："));
  return table;
}

// One sentence each: how many connections stood, and at which burst errors began.
std::vector<Text> maximum_connections(const ArticleRun& run) {
  std::vector<Text> sentences;
  if (const JsonArray* steps = steps_of(run.find("connections/idle")); steps && !steps->empty()) {
    int64_t most = 0;
    bool all_stood = true;
    for (const Json& step : *steps) {
      most = std::max(most, step_count(step, "standing"));
      all_stood = all_stood && step_count(step, "standing") == step_count(step, "wanted");
    }
    const std::string count = std::to_string(most);
    sentences.push_back(
        all_stood ? Text{"Idle connections: all " + count + " that were opened stood; the limit lies higher.",
                         "空闲连接：打开的 " + count + " 个全部建立，上限更高。"}
                  : Text{"Idle connections: at most " + count + " stood.",
                         "空闲连接：最多建立 " + count + " 个。"});
  }
  const CellResult* burst = run.find("connections/burst");
  if (burst == nullptr) return sentences;
  size_t largest_good = 0;
  for (const auto& [step, records] : bursts_of(*burst)) {
    const std::string error = first_error(records), size = std::to_string(records.size());
    if (error.empty()) {
      largest_good = std::max(largest_good, records.size());
      continue;
    }
    const std::string good = std::to_string(largest_good);
    sentences.push_back(
        {"Bursts: errors begin at " + size + " requests at once (" + good +
             " went well). The first was: " + error,
         "突发请求：同时 " + size + " 个时开始出错（" + good + " 个时正常）。首个错误：" + error});
    return sentences;
  }
  const std::string good = std::to_string(largest_good);
  sentences.push_back({"Bursts: " + good + " requests at once, the most that were tried, went well.",
                       "突发请求：试过的最大值 " + good + " 个同时请求全部正常。"});
  return sentences;
}

// The first row in which requests began to fail or to be pushed out of memory: the article's "out of memory"
// point, with what was seen of the server then.
std::vector<Text> trouble_point(const ArticleRun& run) {
  for (const Variant& variant : variants()) {
    for (const ArticleConcurrency& row : article_concurrency()) {
      const CellResult* cell = run.find(cell_id(variant, row.users));
      if (cell == nullptr) continue;
      const Trouble trouble = find_trouble(cell->records, cell->server_samples, 0);
      if (trouble.sign == Trouble::Sign::kNone) continue;
      const std::string users = std::to_string(row.users);
      return {joined({"Trouble begins at " + users + " users (" + variant.title.en + ")",
                      users + " 个用户时开始出问题（" + variant.title.zh + "）"},
                     trouble.sentence, ": ", "：")};
    }
  }
  const bool any = std::any_of(run.plan.begin(), run.plan.end(), [&](const Cell& cell) {
    return cell.kind == CellKind::kConcurrency && has_figures(run.find(cell.id));
  });
  if (!any) return {};
  return {
      {"No request failed, and none was pushed out of memory, with any number of users that was measured.",
       "在测过的所有用户数下，没有请求失败，也没有请求被挤出内存。"}};
}

}  // namespace

Section concurrency_section(const ArticleRun& run) {
  Section section;
  section.id = std::string(dimension_id(Dimension::kConcurrency));
  section.title = dimension_title(Dimension::kConcurrency);
  section.paragraphs = {
      {"Each user sends its next request when it has the answer to the last one, and perhaps thought; "
       "up to 512 new tokens, as in the article. QPS counts answers that ended in the steady window; where "
       "fewer "
       "than one a user did, those of the whole run, or, with think time, none. In brackets: 95 % intervals "
       "of a mean, the least and "
       "the "
       "greatest of a median.",
       "每个用户收到上一个回答（也许再思考片刻）之后才发下一个请求；与文章相同，最多 512 个新 token。QPS "
       "统计稳定时段内结束的回答；若平均每个用户不足一个，则统计整个过程；有思考时间时不给出。括号内为均值的 "
       "95 % "
       "区间，或中位数的最小与最大值。"}};
  for (const Text& sentence : trouble_point(run)) section.paragraphs.push_back(sentence);
  for (const Text& sentence : maximum_connections(run)) section.paragraphs.push_back(sentence);
  for (const Variant& variant : variants()) section.tables.push_back(users_table(run, variant));
  section.tables.push_back(connection_table(run));
  section.tables.push_back(burst_table(run));
  section.charts = {
      chart_of(run, "concurrency_qps", {"Answers a second", "每秒回答数"}, {"QPS", "QPS"}, qps_of,
               &ArticleConcurrency::qps),
      chart_of(
          run, "concurrency_latency", {"Mean latency", "平均延迟"}, {"seconds", "秒"},
          [](const Variant&, const Summary& summary, int32_t) { return summary.e2e_ms.mean / 1000; },
          &ArticleConcurrency::latency_s)};
  section.notes = concurrency_contradictions();
  return section;
}

}  // namespace hussar
