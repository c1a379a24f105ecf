#include <algorithm>
#include <limits>
#include <string>

#include "bench/article/conversation_run.h"
#include "bench/article/figures.h"
#include "bench/article/section_parts.h"
#include "bench/article/text_units.h"

namespace hussar {
namespace {

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kExampleBytesMax = 120;
constexpr size_t kExamplesMax = 6;  // of each language

struct LanguageSet {
  std::string id;
  Text name;
};
std::vector<LanguageSet> language_sets() {
  return {{"en", {"English", "英文"}}, {"zh", {"Chinese", "中文"}}};
}

const Cell* planned(const ArticleRun& run, const std::string& id) {
  const auto found =
      std::find_if(run.plan.begin(), run.plan.end(), [&](const Cell& cell) { return cell.id == id; });
  return found == run.plan.end() ? nullptr : &*found;
}

std::vector<RetentionAt> retention_of(const ArticleRun& run, const LanguageSet& set) {
  const std::string id = "multi_turn/" + set.id;
  const Cell* cell = planned(run, id);
  const CellResult* result = run.find(id);
  if (cell == nullptr || result == nullptr) return score_retention({}, {});
  return score_retention(conversations_of(*cell, run.options), turn_answers(result->records));
}

Text what_else(const RecallCount& count) {
  if (count.asked == 0) return no_figure();
  const std::string old = std::to_string(count.old), mixed = std::to_string(count.mixed),
                    other = std::to_string(count.other), none = std::to_string(count.none);
  if (count.asked == count.right) return {"nothing", "无"};
  Text text;
  auto add = [&](int64_t number, const Text& what) {
    if (number == 0) return;
    const Text one = {std::to_string(number) + " " + what.en, std::to_string(number) + " " + what.zh};
    text = text.en.empty() ? one : joined(text, one, ", ", "，");
  };
  add(count.old, {"the old value", "旧值"});
  add(count.mixed, {"right and wrong together", "对错并存"});
  add(count.other, {"a wrong value", "错误的值"});
  add(count.none, {"no value", "没有说出值"});
  return text;
}

Text pairs_text(const ConsistencyCount& count) {
  if (count.pairs == 0) return no_figure();
  const std::string both = std::to_string(count.both_right), one = std::to_string(count.one_right),
                    none = std::to_string(count.both_wrong);
  return {both + " both right, " + one + " contradict, " + none + " both wrong",
          both + " 对都正确，" + one + " 对自相矛盾，" + none + " 对都错误"};
}

Table retention_table(const ArticleRun& run, const LanguageSet& set) {
  const Text& ours = run.owner;
  const CellResult* cell = run.find("multi_turn/" + set.id);
  Table table{"multi_turn_" + set.id,
              joined(set.name, {"conversations", "对话"}, " ", ""),
              {{"Turns since it was told", "告知之后的轮数"},
               column({"facts recalled", "记住的事实"}, ours),
               column({"said instead", "否则说了什么"}, ours),
               column({"asked twice", "问两次"}, ours),
               column({"the newest of two facts wins", "以最新的事实为准"}, ours),
               column({"said instead", "否则说了什么"}, ours),
               column({"retention", "记忆保持"}, run.article_owner)},
              {},
              {}};
  for (const RetentionAt& at : retention_of(run, set)) {
    table.rows.push_back({plain(std::to_string(at.distance)),
                          share_of(at.recall.right, at.recall.asked),
                          what_else(at.recall),
                          pairs_text(at.consistency),
                          share_of(at.changed.right, at.changed.asked),
                          what_else(at.changed),
                          {"asked, never measured", "提出了问题，未测量"}});
  }
  table.notes.push_back(joined({"Status", "状态"}, status_of(cell), ": ", "："));
  if (cell != nullptr && !first_error(cell->records).empty()) {
    const std::string error = first_error(cell->records);
    table.notes.push_back({"First error: " + error, "首个错误：" + error});
  }
  return table;
}

Table example_table(const ArticleRun& run) {
  Table table{"multi_turn_examples",
              {"Answers that were wrong", "错误的回答"},
              {{"Question", "问题"},
               column({"turns since it was told", "告知之后的轮数"}, run.owner),
               column({"expected", "应答"}, run.owner),
               column({"answer", "回答"}, run.owner)},
              {},
              {}};
  for (const LanguageSet& set : language_sets()) {
    const Cell* cell = planned(run, "multi_turn/" + set.id);
    const CellResult* result = run.find("multi_turn/" + set.id);
    if (cell == nullptr || result == nullptr) continue;
    const std::vector<Conversation> conversations = conversations_of(*cell, run.options);
    size_t shown = 0;
    for (const TurnAnswer& answer : turn_answers(result->records)) {
      if (answer.conversation >= static_cast<int32_t>(conversations.size()) ||
          answer.turn >= kConversationTurns)
        continue;
      const Turn& turn =
          conversations[static_cast<size_t>(answer.conversation)].turns[static_cast<size_t>(answer.turn)];
      if (turn.expected.empty() || check_recall(turn, answer.text) == RecallCheck::kRight ||
          shown >= kExamplesMax)
        continue;
      ++shown;
      table.rows.push_back({plain(turn.text), plain(std::to_string(turn.distance)),
                            plain(turn.expected.substr(0, turn.expected.find('|'))),
                            plain(excerpt(answer.text, kExampleBytesMax))});
    }
  }
  return table;
}

Chart recall_chart(const ArticleRun& run) {
  Chart chart;
  chart.id = "multi_turn_recall";
  chart.title = {"Facts recalled by distance", "按轮数记住的事实"};
  chart.x_label = {"turns since it was told", "告知之后的轮数"};
  chart.y_label = {"share right", "正确比例"};
  for (const LanguageSet& set : language_sets()) {
    Series told{joined(set.name, {"told once", "只说过一次"}, ", ", "，"), {}, {}};
    Series changed{joined(set.name, {"changed later", "后来改变"}, ", ", "，"), {}, {}};
    bool any = false;
    for (const RetentionAt& at : retention_of(run, set)) {
      const auto share = [](const RecallCount& count) {
        return count.asked > 0 ? static_cast<double>(count.right) / static_cast<double>(count.asked) : kGap;
      };
      for (Series* series : {&told, &changed}) series->x.push_back(at.distance);
      told.y.push_back(share(at.recall));
      changed.y.push_back(share(at.changed));
      any = any || at.recall.asked > 0;
    }
    if (!any) continue;
    chart.series.push_back(std::move(told));
    chart.series.push_back(std::move(changed));
  }
  return chart;
}

}  // namespace

Section multi_turn_section(const ArticleRun& run) {
  Section section;
  section.id = std::string(dimension_id(Dimension::kMultiTurn));
  section.title = dimension_title(Dimension::kMultiTurn);
  section.paragraphs = {
      {"Seeded conversations through the chat API: facts are told in early turns, then the talk turns to "
       "other things, and each fact is "
       "asked for 2, 8, 16 or 32 turns after it was told, then once more in other words. Three facts are "
       "changed later: the "
       "newest must win. All answers in the history are the model's own.",
       "用固定随机种子生成的对话，经由 chat 接口：前几轮告知事实，然后谈别的话题，在告知后的第 2、8、16 或 "
       "32 轮询问，下一轮再换一种"
       "说法问一次。其中三个事实后来会改变：必须以最新的为准。历史中的回答都是模型自己的。"},
      {"An answer is right when it holds the value and no other value of its kind. Two answers to one "
       "question contradict each "
       "other when just one of them is right. Shares: k/n with a 95 % interval (Wilson).",
       "回答中出现该值，且没有同类的其他值，才算正确。同一问题的两次回答若只有一次正确，就是自相矛盾。比例：k"
       "/n，附 95 % 区间（Wilson）。"}};
  for (const LanguageSet& set : language_sets()) section.tables.push_back(retention_table(run, set));
  if (Table examples = example_table(run); !examples.rows.empty())
    section.tables.push_back(std::move(examples));
  if (Chart chart = recall_chart(run); !chart.series.empty()) section.charts.push_back(std::move(chart));
  section.notes = multi_turn_remarks();
  return section;
}

}  // namespace hussar
