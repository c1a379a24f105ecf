#include <algorithm>
#include <limits>
#include <string>

#include "bench/article/figures.h"
#include "bench/article/section_parts.h"
#include "bench/format.h"

namespace hussar {
namespace {

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

std::string cell_id(int32_t input_tokens, PromptKind kind) {
  return "latency/" + std::to_string(input_tokens) + "/" + std::string(prompt_kind_name(kind));
}

// What stands where a cell was not measured: its status in place of its figure.
Text figure_or_status(const CellResult* cell, Text (*figure)(const Summary&)) {
  return has_figures(cell) ? figure(summary_of(*cell)) : no_figure();
}

Text ttft(const Summary& summary) { return median_s(summary.ttft_ms); }
Text total(const Summary& summary) { return median_s(summary.e2e_ms); }
Text prompt_tokens(const Summary& summary) { return median_count(summary.prompt_tokens_each); }
Text new_tokens(const Summary& summary) { return median_count(summary.output_tokens_each); }

std::string count_text(const CellResult* cell) {
  return cell ? std::to_string(count_ok(cell->records)) : std::string(kNoFigure);
}

Text row_status(const ArticleRun& run, int32_t input_tokens, std::initializer_list<PromptKind> kinds) {
  Text status;
  for (const PromptKind kind : kinds) {
    const std::string id = cell_id(input_tokens, kind);
    const bool planned =
        std::any_of(run.plan.begin(), run.plan.end(), [&](const Cell& cell) { return cell.id == id; });
    Text one = status_of(run.find(id));
    if (!planned) one = {"cut: --quick stops at 2048", "已截断：--quick 只测到 2048"};
    if (status.en == one.en) continue;
    status = status.en.empty() ? one : joined(status, one, "; ", "；");
  }
  return status;
}

Table length_table(const ArticleRun& run) {
  const Text& ours = run.owner;
  const Text article = run.article_owner;
  Table table{"latency",
              {"Prompts of a true length", "真实长度的提示词"},
              {{"Input tokens", "输入 token"},
               column({"n, cold + warm", "n，冷 + 热"}, ours),
               column({"prompt tokens", "提示词 token"}, ours),
               column({"new tokens", "新 token"}, ours),
               column({"TTFT s, cold", "TTFT 秒，冷"}, ours),
               column({"TTFT s, warm", "TTFT 秒，热"}, ours),
               column({"total s, cold", "总耗时 秒，冷"}, ours),
               column({"total s, warm", "总耗时 秒，热"}, ours),
               column({"TTFT s", "TTFT 秒"}, article),
               column({"total s", "总耗时 秒"}, article),
               column({"note", "备注"}, article),
               {"Status", "状态"}},
              {},
              {}};
  for (const ArticleLatency& row : article_latencies()) {
    const CellResult* cold = run.find(cell_id(row.input_tokens, PromptKind::kCold));
    const CellResult* warm = run.find(cell_id(row.input_tokens, PromptKind::kWarm));
    table.rows.push_back({plain(std::to_string(row.input_tokens)),
                          plain(count_text(cold) + " + " + count_text(warm)),
                          figure_or_status(has_figures(cold) ? cold : warm, prompt_tokens),
                          figure_or_status(has_figures(cold) ? cold : warm, new_tokens),
                          figure_or_status(cold, ttft),
                          figure_or_status(warm, ttft),
                          figure_or_status(cold, total),
                          figure_or_status(warm, total),
                          plain(format_given(row.ttft_s)),
                          plain(format_given(row.total_s)),
                          {std::string(row.note_en), std::string(row.note_zh)},
                          row_status(run, row.input_tokens, {PromptKind::kCold, PromptKind::kWarm})});
  }
  table.notes = {
      {"Figures are medians, with the least and the greatest in brackets. Cold: every prompt differs from "
       "all "
       "others from its first token on. Warm: the prompt that was sent just before, so that a server "
       "with a prefix cache has it.",
       "数字为中位数，括号内是最小值与最大值。冷：每个提示词从第一个 token "
       "起与其他所有提示词都不同。热：刚刚发送过的"
       "同一提示词，有前缀缓存的服务器已经存有它。"}};
  return table;
}

Table article_prompt_table(const ArticleRun& run) {
  const Text& ours = run.owner;
  const Text article = run.article_owner;
  Table table{"latency_article_prompts",
              {"The article's own prompts", "文章自己的提示词"},
              {{"Length as the article prints it", "文章所写的长度"},
               column({"n", "n"}, ours),
               column({"real prompt tokens", "实际提示词 token"}, ours),
               column({"new tokens", "新 token"}, ours),
               column({"TTFT s", "TTFT 秒"}, ours),
               column({"total s", "总耗时 秒"}, ours),
               column({"real prompt tokens", "实际提示词 token"}, article),
               column({"TTFT s", "TTFT 秒"}, article),
               column({"total s", "总耗时 秒"}, article),
               {"Status", "状态"}},
              {},
              {}};
  for (const ArticleLatency& row : article_latencies()) {
    if (row.real_input_tokens < 0) continue;
    const CellResult* cell = run.find(cell_id(row.input_tokens, PromptKind::kArticle));
    table.rows.push_back({plain(std::to_string(row.input_tokens)), plain(count_text(cell)),
                          figure_or_status(cell, prompt_tokens), figure_or_status(cell, new_tokens),
                          figure_or_status(cell, ttft), figure_or_status(cell, total),
                          plain(format_count(row.real_input_tokens)), plain(format_given(row.ttft_s)),
                          plain(format_given(row.total_s)),
                          row_status(run, row.input_tokens, {PromptKind::kArticle})});
  }
  table.notes = {
      {"\"" + std::string(article_latency_sentence()) +
           "\", repeated N // 10 times, as in the article: each prompt begins with the shorter one, and all "
           "repetitions of a row are the same.",
       "“" + std::string(article_latency_sentence()) +
           "”重复 N // 10 次，与文章相同：每个提示词都以较短的那个开头，同一行的各次重复完全一样。"}};
  return table;
}

double median_of(const CellResult* cell, Distribution Summary::*figure) {
  if (!has_figures(cell)) return kGap;
  const Summary summary = summary_of(*cell);
  const Distribution& distribution = summary.*figure;
  return distribution.count > 0 ? distribution.p50 / 1000 : kGap;
}

Chart chart_of(const ArticleRun& run, const std::string& id, const Text& title, Distribution Summary::*figure,
               double ArticleLatency::*theirs) {
  Chart chart;
  chart.id = id;
  chart.title = title;
  chart.x_label = {"input tokens", "输入 token"};
  chart.y_label = {"seconds, median", "秒，中位数"};
  chart.log_x = true;
  Series cold{{"cold", "冷"}, {}, {}}, warm{{"warm", "热"}, {}, {}}, article{{"article", "文章"}, {}, {}};
  article.role = Series::Role::kReference;
  for (const ArticleLatency& row : article_latencies()) {
    const double x = row.input_tokens;
    for (Series* series : {&cold, &warm, &article}) series->x.push_back(x);
    cold.y.push_back(median_of(run.find(cell_id(row.input_tokens, PromptKind::kCold)), figure));
    warm.y.push_back(median_of(run.find(cell_id(row.input_tokens, PromptKind::kWarm)), figure));
    article.y.push_back(row.*theirs);
  }
  chart.series = {cold, warm, article};
  return chart;
}

// Whether all answers have the length that was asked for, and why not.
Text output_length_note(const ArticleRun& run) {
  int64_t answers = 0, shorter = 0;
  int32_t asked = 0;
  bool forced = true;
  for (const Cell& cell : run.plan) {
    const CellResult* result = run.find(cell.id);
    if (cell.kind != CellKind::kLatency || result == nullptr) continue;
    asked = cell.output_tokens;
    const Json workload(result->workload);
    const Json* member = workload.find("force_length");
    forced = forced && member && member->as_bool() && *member->as_bool();
    for (const RequestRecord& record : result->records) {
      if (record.outcome != Outcome::kOk || record.stage < 0) continue;
      ++answers;
      shorter += record.output_tokens >= 0 && record.output_tokens < asked;
    }
  }
  const std::string counts = std::to_string(shorter), all = std::to_string(answers),
                    tokens = std::to_string(asked);
  Text note = {
      "Each request asked for " + tokens + " new tokens; " + counts + " of " + all + " answers have fewer. ",
      "每个请求要求 " + tokens + " 个新 token；" + all + " 个回答中有 " + counts + " 个不足此数。"};
  note.en += forced ? "The length was forced, since the server knows how (ignore_eos or min_tokens)."
                    : "The server is not known to understand ignore_eos or min_tokens, so that a model may "
                      "stop sooner.";
  note.zh += forced ? "服务器支持固定长度（ignore_eos 或 min_tokens），因此长度是强制的。"
                    : "无法确认服务器支持 ignore_eos 或 min_tokens，模型可能提前结束。";
  return note;
}

}  // namespace

Section latency_section(const ArticleRun& run) {
  Section section;
  section.id = std::string(dimension_id(Dimension::kLatency));
  section.title = dimension_title(Dimension::kLatency);
  section.paragraphs = {
      {"One user, one request after the other; temperature 0.7, top_p 0.9, as in the article. Lengths are "
       "in tokens of the model under test.",
       "一个用户，请求依次发送；temperature 0.7，top_p 0.9，与文章相同。长度以被测模型的 token 计。"},
      output_length_note(run)};
  section.tables = {length_table(run), article_prompt_table(run)};
  section.charts = {chart_of(run, "latency_ttft", {"Time to first token", "首 token 时间"}, &Summary::ttft_ms,
                             &ArticleLatency::ttft_s),
                    chart_of(run, "latency_total", {"Time to last token", "末 token 时间"}, &Summary::e2e_ms,
                             &ArticleLatency::total_s)};
  section.notes = latency_contradictions();
  return section;
}

}  // namespace hussar
