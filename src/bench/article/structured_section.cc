#include <array>
#include <string>

#include "bench/article/figures.h"
#include "bench/article/json_tasks.h"
#include "bench/article/section_parts.h"
#include "bench/article/structured_counts.h"
#include "bench/article/text_units.h"
#include "bench/format.h"

namespace hussar {
namespace {

constexpr size_t kAnswerBytesMax = 220;
constexpr size_t kExamplesMax = 14;

struct Group {
  const char* cell;
  const char* task;  // null: all of the cell
  Text name;
};

std::vector<Group> groups() {
  std::vector<Group> all = {
      {"structured/article/plain", nullptr, {"article's task, plain", "文章的任务，普通"}},
      {"structured/article/schema",
       nullptr,
       {"article's task, with response_format", "文章的任务，response_format"}},
      {"structured/keyed/plain", nullptr, {"tasks that name their keys, plain", "写明键名的任务，普通"}},
      {"structured/keyed/schema",
       nullptr,
       {"tasks that name their keys, with response_format", "写明键名的任务，response_format"}}};
  for (const JsonTask& task : keyed_json_tasks()) {
    all.push_back({"structured/keyed/plain", task.id.c_str(), {task.id + ", plain", task.id + "，普通"}});
    all.push_back({"structured/keyed/schema",
                   task.id.c_str(),
                   {task.id + ", with response_format", task.id + "，response_format"}});
  }
  return all;
}

StructuredCounts counts_of(const ArticleRun& run, const Group& group) {
  const CellResult* cell = run.find(group.cell);
  return cell ? count_answers(cell->records, group.task ? group.task : "") : StructuredCounts{};
}

Table summary_table(const ArticleRun& run) {
  const Text& ours = run.owner;
  const Text article = run.article_owner;
  Table table{"structured",
              {"How much of it is right", "正确的比例"},
              {{"Task", "任务"},
               column({"legal JSON", "合法 JSON"}, ours),
               column({"legal once unwrapped", "去掉外壳后合法"}, ours),
               column({"complete", "字段完整"}, ours),
               column({"types right", "类型正确"}, ours),
               column({"values right", "值正确"}, ours),
               column({"nothing wrong", "全部正确"}, ours),
               column({"legal JSON", "合法 JSON"}, article),
               {"Status", "状态"}},
              {},
              {}};
  for (const Group& group : groups()) {
    const StructuredCounts counts = counts_of(run, group);
    const bool article_task = std::string_view(group.cell) == "structured/article/plain";
    table.rows.push_back(
        {group.name, share_of(counts.legal, counts.answers), share_of(counts.legal_inside, counts.answers),
         share_of(counts.complete, counts.answers), share_of(counts.types_right, counts.answers),
         share_of(counts.values_right, counts.answers), share_of(counts.ok, counts.answers),
         article_task ? plain(format_percent(kArticleLegalShare)) : no_figure(),
         status_of(run.find(group.cell))});
  }
  table.notes = {
      {"k/n: share (95 % interval, Wilson). Legal: the answer as it stands, but for spaces, is one JSON "
       "document. "
       "Unwrapped: a ``` fence or words around it are taken away first; the next three columns look at what "
       "is inside. "
       "Nothing wrong: as it stands.",
       "k/n：比例（Wilson 95 % 区间）。合法：除首尾空白外，整个回答就是一个 JSON 文档。去掉外壳：先去掉 ``` "
       "围栏或前后的文字；随后三列看里面的内容。全部正确：按原样评判。"}};
  return table;
}

std::string article_share(AnswerFault fault) {
  if (fault == AnswerFault::kWrongName) return format_percent(kArticleWrongNameShare);
  if (fault == AnswerFault::kArrayAsString) return format_percent(kArticleArrayAsStringShare);
  if (fault == AnswerFault::kNumberInQuotes) return "<1 %";
  return std::string(kNoFigure);
}

Text fault_text(AnswerFault fault) {
  static const std::array<Text, kAnswerFaultCount> kTexts = {{{"syntax: no JSON", "语法错误：没有 JSON"},
                                                              {"extra text around it", "前后有多余文字"},
                                                              {"in a ``` fence", "放在 ``` 围栏里"},
                                                              {"missing field", "缺少字段"},
                                                              {"wrong name", "字段名错误"},
                                                              {"extra field", "多余字段"},
                                                              {"wrong type", "类型错误"},
                                                              {"array as a string", "数组写成字符串"},
                                                              {"number in quotes", "数字加了引号"},
                                                              {"wrong value", "值错误"}}};
  return kTexts[static_cast<size_t>(fault)];
}

Table fault_table(const ArticleRun& run) {
  Table table{"structured_faults", {"What is wrong", "错在哪里"}, {{"Class", "类别"}}, {}, {}};
  std::vector<StructuredCounts> counts;
  for (const Group& group : groups()) {
    if (group.task != nullptr) continue;
    table.columns.push_back(column(group.name, run.owner));
    counts.push_back(counts_of(run, group));
  }
  table.columns.push_back(column({"article's task, plain", "文章的任务，普通"}, run.article_owner));
  for (int i = 0; i < kAnswerFaultCount; ++i) {
    const auto fault = static_cast<AnswerFault>(i);
    std::vector<Text> row = {fault_text(fault)};
    for (const StructuredCounts& one : counts)
      row.push_back(share_of(one.faults[static_cast<size_t>(i)], one.answers));
    row.push_back(plain(article_share(fault)));
    table.rows.push_back(std::move(row));
  }
  const auto add = [&](Text name, int64_t StructuredCounts::*count) {
    std::vector<Text> row = {std::move(name)};
    for (const StructuredCounts& one : counts) row.push_back(share_of(one.*count, one.answers));
    row.push_back(no_figure());
    table.rows.push_back(std::move(row));
  };
  add({"other names chosen, no error", "自选字段名，不算错误"}, &StructuredCounts::renamed);
  add({"cut by the token limit", "被 token 上限截断"}, &StructuredCounts::cut_by_limit);
  table.notes = {
      {"An answer counts in every class that it belongs to. A value is wrong where it is of the right type "
       "and not what "
       "the task says.",
       "一个回答计入它所属的每一类。类型正确但内容与任务不符的，记为值错误。"}};
  return table;
}

Table example_table(const ArticleRun& run) {
  Table table{"structured_examples",
              {"Answers with faults, the first of each class", "有问题的回答，每类取第一个"},
              {{"Class", "类别"},
               column({"task", "任务"}, run.owner),
               column({"what was found", "发现"}, run.owner),
               column({"answer", "回答"}, run.owner)},
              {},
              {}};
  std::array<bool, kAnswerFaultCount> shown{};
  for (const Group& group : groups()) {
    const CellResult* cell = run.find(group.cell);
    if (group.task != nullptr || cell == nullptr) continue;
    for (const RequestRecord& record : cell->records) {
      const JsonTask* task = find_json_task(record.label);
      if (task == nullptr || !is_judged(record)) continue;
      const AnswerVerdict verdict = judge_answer(*task, record.text);
      for (int i = 0; i < kAnswerFaultCount; ++i) {
        const auto index = static_cast<size_t>(i);
        if (!verdict.has(static_cast<AnswerFault>(i)) || shown[index] || table.rows.size() >= kExamplesMax)
          continue;
        shown[index] = true;
        table.rows.push_back({fault_text(static_cast<AnswerFault>(i)),
                              joined(plain(task->id), group.name, ": ", "："), plain(verdict.detail),
                              plain(excerpt(record.text, kAnswerBytesMax))});
      }
    }
  }
  return table;
}

Chart share_chart(const ArticleRun& run) {
  Chart chart;
  chart.id = "structured_shares";
  chart.kind = Chart::Kind::kBars;
  chart.title = {"Shares of all answers", "占全部回答的比例"};
  chart.y_label = {"share", "比例"};
  Series legal{{"legal JSON", "合法 JSON"}, {}, {}},
      inside{{"legal once unwrapped", "去掉外壳后合法"}, {}, {}},
      right{{"nothing wrong", "全部正确"}, {}, {}};
  for (const Group& group : groups()) {
    const StructuredCounts counts = counts_of(run, group);
    if (group.task != nullptr || counts.answers == 0) continue;
    const auto all = static_cast<double>(counts.answers);
    chart.labels.push_back(group.name);
    legal.y.push_back(static_cast<double>(counts.legal) / all);
    inside.y.push_back(static_cast<double>(counts.legal_inside) / all);
    right.y.push_back(static_cast<double>(counts.ok) / all);
  }
  chart.series = {legal, inside, right};
  return chart;
}

}  // namespace

Section structured_section(const ArticleRun& run) {
  Section section;
  section.id = std::string(dimension_id(Dimension::kStructured));
  section.title = dimension_title(Dimension::kStructured);
  section.paragraphs = {
      {"The article's task gives a person's name, age, job, skills and city in Chinese and asks for JSON "
       "with "
       "lower-case English names, skills as an array, no explanation. The further tasks name their keys. "
       "Each is asked plain, and with response_format (a JSON Schema), which a server may refuse.",
       "文章的任务用中文给出一个人的姓名、年龄、职业、技能和城市，要求输出小写英文字段名的 "
       "JSON，技能为数组，不要解释。"
       "其余任务写明了键名。每个任务都先普通地问，再带上 response_format（JSON "
       "Schema）问，服务器可能拒绝后者。"}};
  for (const Group& group : groups()) {
    const CellResult* cell = run.find(group.cell);
    if (group.task != nullptr || cell == nullptr || first_error(cell->records).empty()) continue;
    const std::string error = first_error(cell->records);
    section.paragraphs.push_back(
        joined(group.name, {"first error: " + error, "首个错误：" + error}, ", ", "，"));
  }
  section.tables = {summary_table(run), fault_table(run)};
  if (Table examples = example_table(run); !examples.rows.empty())
    section.tables.push_back(std::move(examples));
  if (Chart chart = share_chart(run); !chart.labels.empty()) section.charts.push_back(std::move(chart));
  section.notes = structured_contradictions();
  return section;
}

}  // namespace hussar
