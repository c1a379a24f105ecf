#include <string>

#include "bench/article/figures.h"
#include "bench/article/long_text.h"
#include "bench/article/section_parts.h"
#include "bench/format.h"

namespace hussar {
namespace {

constexpr int32_t kSpeedSpans = 40;
constexpr size_t kPhraseBytesMax = 90;

struct LongAnswer {
  const RequestRecord* record;
  LongTextScores scores;
};

std::vector<LongAnswer> long_answers(const ArticleRun& run) {
  std::vector<LongAnswer> answers;
  const CellResult* cell = run.find("long_output");
  if (cell == nullptr) return answers;
  for (const RequestRecord& record : cell->records) {
    if (record.stage < 0 || record.text.empty()) continue;
    answers.push_back({&record, score_long_text(record.text, kArticleLongWanted)});
  }
  return answers;
}

Text share_or_none(const std::optional<double>& share) {
  return share ? plain(format_figure(*share)) : no_figure();
}

double seconds_of(const RequestRecord& record) {
  return static_cast<double>(record.last_token_ns - record.sent_ns) / 1e9;
}

Text why_it_stopped(const RequestRecord& record) {
  if (record.outcome != Outcome::kOk) return plain(std::string(outcome_name(record.outcome)));
  if (record.finish_reason == "stop") return {"by itself (stop)", "自行结束（stop）"};
  if (record.finish_reason == "length") return {"token limit (length)", "达到 token 上限（length）"};
  return record.finish_reason.empty() ? Text{"the server does not say", "服务器未说明"}
                                      : plain(record.finish_reason);
}

Text where_repetition_begins(const LongTextScores& scores) {
  if (!scores.repetition_begins) return {"nowhere", "没有"};
  const double share = static_cast<double>(*scores.repetition_begins) / static_cast<double>(scores.length());
  const std::string place = std::to_string(*scores.repetition_begins) + " (" + format_percent(share) + ")";
  return {"from unit " + place, "从第 " + place + " 单位起"};
}

Text closing_words(const LongTextScores& scores) {
  std::string text;
  for (const ClosingPhrase& phrase : scores.closings) {
    text += (text.empty() ? "" : ", ") + std::string(phrase.text) + " ×" + std::to_string(phrase.count);
  }
  return text.empty() ? Text{"none", "无"} : plain(text);
}

Text length_text(const LongTextScores& scores) {
  const std::string all = std::to_string(scores.length()), characters = std::to_string(scores.characters),
                    words = std::to_string(scores.words);
  return {all + " (" + characters + " characters, " + words + " words)",
          all + "（" + characters + " 字，" + words + " 词）"};
}

struct Measure {
  Text name;
  Text (*figure)(const LongAnswer&);
  Text article;
};

std::vector<Measure> measures() {
  const Text none = no_figure();
  return {
      {{"new tokens", "新 token"},
       [](const LongAnswer& a) { return plain(format_count(a.record->output_tokens)); },
       {"about 7600", "约 7600"}},
      {{"TTFT, s", "TTFT，秒"},
       [](const LongAnswer& a) {
         return plain(format_figure(static_cast<double>(a.record->first_token_ns - a.record->sent_ns) / 1e9));
       },
       none},
      {{"total, s", "总耗时，秒"},
       [](const LongAnswer& a) { return plain(format_figure(seconds_of(*a.record))); },
       plain(format_given(kArticleLongSeconds))},
      {{"tokens/s, whole answer", "每秒 token，整个回答"},
       [](const LongAnswer& a) {
         const double seconds = seconds_of(*a.record);
         return a.record->output_tokens > 0 && seconds > 0
                    ? plain(format_figure(a.record->output_tokens / seconds))
                    : no_figure();
       },
       {"about 610", "约 610"}},
      {{"why it ended", "结束原因"},
       [](const LongAnswer& a) { return why_it_stopped(*a.record); },
       {"by itself (\"an internal safety mechanism\")", "自行结束（“内部安全机制”）"}},
      {{"length, 5000 wanted", "长度，要求 5000"},
       [](const LongAnswer& a) { return length_text(a.scores); },
       none},
      {{"length score, 0 to 100", "长度得分，0 至 100"},
       [](const LongAnswer& a) { return plain(format_figure(a.scores.length_score)); },
       none},
      {{"seq-rep-4", "seq-rep-4"},
       [](const LongAnswer& a) { return share_or_none(a.scores.seq_rep_4); },
       none},
      {{"distinct-1", "distinct-1"},
       [](const LongAnswer& a) { return share_or_none(a.scores.distinct[0]); },
       none},
      {{"distinct-2", "distinct-2"},
       [](const LongAnswer& a) { return share_or_none(a.scores.distinct[1]); },
       none},
      {{"distinct-3", "distinct-3"},
       [](const LongAnswer& a) { return share_or_none(a.scores.distinct[2]); },
       none},
      {{"distinct-4", "distinct-4"},
       [](const LongAnswer& a) { return share_or_none(a.scores.distinct[3]); },
       none},
      {{"repetition to the end begins", "一直持续到结尾的重复始于"},
       [](const LongAnswer& a) { return where_repetition_begins(a.scores); },
       {"in the second half", "后半部分"}},
      {{"closing phrases", "总结套话"},
       [](const LongAnswer& a) { return closing_words(a.scores); },
       {"总而言之 and the like, repeated", "“总而言之”等重复出现"}},
      {{"garbled characters (U+FFFD)", "乱码字符（U+FFFD）"},
       [](const LongAnswer& a) { return plain(std::to_string(a.scores.replacement_marks)); },
       {"none", "无"}},
  };
}

Table measure_table(const ArticleRun& run, const std::vector<LongAnswer>& answers) {
  Table table{"long_output", {"The article's task", "文章的任务"}, {{"Measure", "指标"}}, {}, {}};
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    table.columns.push_back(column({"answer " + number, "回答 " + number}, run.owner));
  }
  if (answers.empty()) table.columns.push_back(column({"no answer", "没有回答"}, run.owner));
  table.columns.push_back(run.article_owner);
  for (const Measure& measure : measures()) {
    std::vector<Text> row = {measure.name};
    for (const LongAnswer& answer : answers) row.push_back(measure.figure(answer));
    if (answers.empty()) row.push_back(no_figure());
    row.push_back(measure.article);
    table.rows.push_back(std::move(row));
  }
  table.notes = {{"Length and repetition are counted in units: a Chinese character is one, a word of a "
                  "script with spaces is one, "
                  "punctuation is none. Length score (LongWriter), wanted l = 5000, got l': 100 max(0, 1 - "
                  "(l'/l - 1)/3) where longer, "
                  "100 max(0, 1 - (l/l' - 1)/2) where shorter.",
                  "长度与重复按单位计：一个汉字算一个，用空格分词的文字每个词算一个，标点不算。长度得分（Long"
                  "Writer），要求 l = 5000，得到 "
                  "l'：较长时 100 max(0, 1 - (l'/l - 1)/3)，较短时 100 max(0, 1 - (l/l' - 1)/2)。"},
                 {"seq-rep-4 = 1 - different 4-grams / all 4-grams: 0 is no repetition. distinct-n = "
                  "different n-grams / all n-grams. "
                  "Long Chinese texts repeat short runs of characters even when they are good: compare with "
                  "another text of that length.",
                  "seq-rep-4 = 1 - 不同的 4-gram / 全部 4-gram：0 表示没有重复。distinct-n = 不同的 n-gram / "
                  "全部 n-gram。较长的中文即使写得好也会"
                  "重复一些短字串：应与同样长度的文本比较。"},
                 {"Repetition begins at the first stretch of 200 units from which on, to the end, at least "
                  "half of the 4-grams of every "
                  "stretch stood in the text before.",
                  "重复的起点：从某个 200 单位的片段起直到结尾，每个片段中至少一半的 4-gram "
                  "在前文出现过；取最早的这样的片段。"}};
  return table;
}

Table phrase_table(const ArticleRun& run, const std::vector<LongAnswer>& answers) {
  Table table{"long_output_phrases",
              {"Phrases that come again and again", "反复出现的短语"},
              {{"Answer", "回答"},
               column({"phrase", "短语"}, run.owner),
               column({"times", "次数"}, run.owner),
               column({"units", "单位"}, run.owner),
               column({"first at unit", "首次出现于单位"}, run.owner)},
              {},
              {{"At least 4 units, at least twice, by how much of the text they fill.",
                "至少 4 个单位、至少两次，按占全文的多少排列。"}}};
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const RepeatedPhrase& phrase : answers[i].scores.phrases) {
      table.rows.push_back({plain(std::to_string(i + 1)), plain(excerpt(phrase.text, kPhraseBytesMax)),
                            plain(std::to_string(phrase.count)), plain(std::to_string(phrase.units)),
                            plain(std::to_string(phrase.first))});
    }
  }
  return table;
}

Chart speed_chart(const std::vector<LongAnswer>& answers) {
  Chart chart;
  chart.id = "long_output_speed";
  chart.title = {"Tokens a second over the answer", "回答过程中的每秒 token 数"};
  chart.x_label = {"seconds since sending", "发送后的秒数"};
  chart.y_label = {"tokens/s", "token/秒"};
  double end_s = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    Series series{{"answer " + number, "回答 " + number}, {}, {}};
    for (const SpeedPoint& point : speed_over_time(*answers[i].record, kSpeedSpans)) {
      series.x.push_back(point.at_s);
      series.y.push_back(point.tokens_per_s);
      end_s = std::max(end_s, point.at_s);
    }
    if (!series.x.empty()) chart.series.push_back(std::move(series));
  }
  if (!chart.series.empty()) {
    chart.series.push_back({{"article, 610 on average", "文章，平均 610"},
                            {0, end_s},
                            {kArticleLongTokensPerS, kArticleLongTokensPerS},
                            Series::Role::kReference});
  }
  return chart;
}

Chart repetition_chart(const std::vector<LongAnswer>& answers) {
  Chart chart;
  chart.id = "long_output_repetition";
  chart.title = {"Repetition over the answer", "回答过程中的重复程度"};
  chart.x_label = {"unit of the text", "文本单位"};
  chart.y_label = {"share of 4-grams seen before", "此前出现过的 4-gram 比例"};
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    Series series{{"answer " + number, "回答 " + number}, {}, {}};
    const std::vector<double> shares =
        repetition_by_window(split_units(answers[i].record->text), kRepetitionWindow);
    for (size_t w = 0; w < shares.size(); ++w) {
      series.x.push_back((static_cast<double>(w) + 0.5) * static_cast<double>(kRepetitionWindow));
      series.y.push_back(shares[w]);
    }
    if (!series.x.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

}  // namespace

Section long_output_section(const ArticleRun& run) {
  const std::vector<LongAnswer> answers = long_answers(run);
  Section section;
  section.id = std::string(dimension_id(Dimension::kLongOutput));
  section.title = dimension_title(Dimension::kLongOutput);
  const CellResult* cell = run.find("long_output");
  section.paragraphs = {
      {"\"" + std::string(article_long_prompt()) +
           "\" (a popular article on quantum computing of at least 5000 characters), word for word as in "
           "the article; temperature 0.8, repetition_penalty 1.1. ",
       "提示词与文章逐字相同：“" + std::string(article_long_prompt()) +
           "”；temperature 0.8，repetition_penalty 1.1。"},
      joined({"Status", "状态"}, status_of(cell), ": ", "：")};
  if (cell != nullptr && !first_error(cell->records).empty()) {
    const std::string error = first_error(cell->records);
    section.paragraphs.push_back({"First error: " + error, "首个错误：" + error});
  }
  section.tables = {measure_table(run, answers), phrase_table(run, answers)};
  for (Chart& chart : std::vector<Chart>{speed_chart(answers), repetition_chart(answers)}) {
    if (!chart.series.empty()) section.charts.push_back(std::move(chart));
  }
  section.notes = long_output_contradictions();
  return section;
}

}  // namespace hussar
