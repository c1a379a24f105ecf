#include "bench/article/sections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/article/article_report.h"
#include "bench/article/conversation_run.h"
#include "bench/article/figures.h"
#include "bench/article/json_tasks.h"
#include "bench/article/testing_records.h"
#include "bench/format.h"

namespace hussar {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr const char* kOwner = "hussar: smollm2, EPYC, its own tokenizer";

ArticleRun empty_run(bool quick = false) {
  ArticleRun run;
  run.options.quick = quick;
  run.options.conversations = 4;
  run.plan = make_plan(run.options);
  run.owner = {kOwner, "hussar：smollm2"};
  return run;
}

RequestRecord answer(int64_t ttft_ms, int64_t total_ms, int32_t tokens, std::string text = "x") {
  std::vector<TextChunk> chunks = {{ttft_ms * kMs, 1}, {total_ms * kMs, tokens - 1}};
  RequestRecord record = ok_record(0, ttft_ms * kMs, total_ms * kMs, chunks);
  record.prompt_tokens = 128;
  record.finish_reason = "length";
  record.text = std::move(text);
  return record;
}

CellResult cell_of(const std::string& id, std::vector<RequestRecord> records,
                   const std::string& status = "measured") {
  CellResult cell;
  cell.id = id;
  cell.status = status;
  cell.records = std::move(records);
  cell.window = {0, 10'000 * kMs, 10'000 * kMs};
  cell.workload = {{"force_length", true}};
  return cell;
}

const Table& table_of(const Section& section, const std::string& id) {
  const auto found = std::find_if(section.tables.begin(), section.tables.end(),
                                  [&](const Table& table) { return table.id == id; });
  EXPECT_NE(found, section.tables.end()) << id;
  return *found;
}

const std::vector<Text>& row_of(const Table& table, const std::string& name) {
  const auto found =
      std::find_if(table.rows.begin(), table.rows.end(), [&](const auto& row) { return row[0].en == name; });
  EXPECT_NE(found, table.rows.end()) << name;
  return *found;
}

// A cell of a table by the beginnings of its row's and its column's names; the `nth` such column.
std::string at(const Table& table, const std::string& row, const std::string& column, int nth = 0) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].en.starts_with(column) && nth-- == 0) return row_of(table, row)[i].en;
  }
  ADD_FAILURE() << "no column " << column;
  return "";
}

// Text that says something in words must say it in both languages.
void check_text(const Text& text, const std::string& where) {
  EXPECT_FALSE(text.en.empty()) << where;
  EXPECT_FALSE(text.zh.empty()) << where << ": " << text.en;
}

void check_section(const Section& section) {
  check_text(section.title, section.id);
  for (const Text& paragraph : section.paragraphs) check_text(paragraph, section.id);
  for (const Text& note : section.notes) check_text(note, section.id);
  std::set<std::string> ids;
  for (const Table& table : section.tables) {
    EXPECT_TRUE(ids.insert(table.id).second) << table.id;
    check_text(table.title, table.id);
    for (const Text& note : table.notes) check_text(note, table.id);
    for (size_t i = 1; i < table.columns.size(); ++i) {
      const std::string& head = table.columns[i].en;
      const bool owned =
          head.find(kOwner) != std::string::npos || head.find(article_column_owner().en) != std::string::npos;
      EXPECT_TRUE(owned || head == "Status") << table.id << ": whose figures are these? " << head;
    }
    for (const auto& row : table.rows) {
      EXPECT_EQ(row.size(), table.columns.size()) << table.id;
      for (const Text& one : row) EXPECT_FALSE(one.en.empty()) << table.id;
    }
  }
  for (const Chart& chart : section.charts) {
    check_text(chart.title, chart.id);
    EXPECT_FALSE(chart.series.empty()) << chart.id;
    for (const Series& series : chart.series) {
      EXPECT_FALSE(series.y.empty()) << chart.id;
      EXPECT_EQ(series.y.size(), chart.kind == Chart::Kind::kBars ? chart.labels.size() : series.x.size())
          << chart.id;
    }
  }
}

void check_all(const ArticleRun& run) {
  for (const auto make :
       {latency_section, long_output_section, concurrency_section, structured_section, multi_turn_section}) {
    check_section(make(run));
  }
}

TEST(Sections, AreWholeWithNothingMeasured) {
  check_all(empty_run());
  check_all(empty_run(true));
  const Table table = table_of(latency_section(empty_run()), "latency");
  EXPECT_EQ(table.rows.size(), 6u);
  EXPECT_EQ(at(table, "8192", "Status"), "not measured");
  EXPECT_EQ(at(table, "8192", "TTFT s · article"), "0.75");
}

TEST(LatencySection, StandsBesideTheArticle) {
  ArticleRun run = empty_run(true);
  run.cells = {
      cell_of("latency/128/cold", {answer(400, 2000, 512), answer(380, 2100, 512), answer(500, 2500, 400)}),
      cell_of("latency/128/warm", {answer(100, 1500, 512)}), cell_of("latency/512/cold", {}, "does_not_fit"),
      cell_of("latency/128/article", {answer(300, 1900, 512)})};
  run.cells[2].note = {"context of 512 tokens", "上下文为 512 token"};
  check_all(run);
  const Section section = latency_section(run);
  const Table& table = table_of(section, "latency");
  EXPECT_EQ(at(table, "128", "n, cold"), "3 + 1");
  EXPECT_EQ(at(table, "128", "TTFT s, cold"), "0.400 (0.380 – 0.500)");
  EXPECT_EQ(at(table, "128", "TTFT s, warm"), "0.100");
  EXPECT_EQ(at(table, "128", "total s, cold"), "2.10 (2.00 – 2.50)");
  EXPECT_EQ(at(table, "128", "TTFT s · article"), "0.38");
  EXPECT_EQ(at(table, "128", "total s · article"), "2.14");
  EXPECT_EQ(at(table, "128", "new tokens"), "512 (400 – 512)");
  EXPECT_EQ(at(table, "512", "TTFT s, cold"), kNoFigure);
  EXPECT_EQ(at(table, "512", "Status"), "does not fit: context of 512 tokens; not measured");
  EXPECT_EQ(at(table, "4096", "Status"), "cut: --quick stops at 2048");
  const Table& own = table_of(section, "latency_article_prompts");
  EXPECT_EQ(at(own, "128", "real prompt tokens"), "128");
  EXPECT_EQ(at(own, "128", "real prompt tokens", 1), "96");
  EXPECT_NE(section.paragraphs[1].en.find("1 of 5 answers have fewer"), std::string::npos)
      << section.paragraphs[1].en;
  // Charts have the article's line and a gap where nothing was measured.
  const Chart& chart = section.charts[0];
  EXPECT_EQ(chart.series[2].role, Series::Role::kReference);
  EXPECT_DOUBLE_EQ(chart.series[0].y[0], 0.4);
  EXPECT_TRUE(std::isnan(chart.series[0].y[1]));
}

TEST(LongOutputSection, ScoresEachAnswer) {
  ArticleRun run = empty_run();
  std::string looped;
  for (int i = 0; i < 300; ++i) looped += "总而言之，量子很好。";
  RequestRecord stopped = answer(100, 12'400, 7600, looped + "\uFFFD");
  stopped.finish_reason = "stop";
  RequestRecord failed;
  failed.outcome = Outcome::kHttp5xx;
  failed.detail = "out of memory";
  run.cells = {cell_of("long_output", {stopped, answer(100, 1000, 90, "短。"), failed})};
  check_all(run);
  const Section section = long_output_section(run);
  const Table& table = table_of(section, "long_output");
  EXPECT_EQ(at(table, "new tokens", "answer 1"), "7600");
  EXPECT_EQ(at(table, "new tokens", "article"), "about 7600");
  EXPECT_EQ(at(table, "tokens/s, whole answer", "answer 1"), "613");
  EXPECT_EQ(at(table, "why it ended", "answer 1"), "by itself (stop)");
  EXPECT_EQ(at(table, "why it ended", "answer 2"), "token limit (length)");
  EXPECT_EQ(at(table, "garbled characters (U+FFFD)", "answer 1"), "1");
  EXPECT_EQ(at(table, "length, 5000 wanted", "answer 1"), "2400 (2400 characters, 0 words)");
  EXPECT_EQ(at(table, "length score, 0 to 100", "answer 1"), "45.8");  // 100 (1 - (5000 / 2400 - 1) / 2)
  EXPECT_EQ(at(table, "repetition to the end begins", "answer 1"), "from unit 0 (0 %)");
  EXPECT_EQ(at(table, "repetition to the end begins", "answer 2"), "nowhere");
  EXPECT_EQ(at(table, "seq-rep-4", "answer 2"), kNoFigure);
  const Table& phrases = table_of(section, "long_output_phrases");
  ASSERT_EQ(phrases.rows.size(), 1u);
  EXPECT_EQ(phrases.rows[0][1].en, "总而言之，量子很好");
  EXPECT_EQ(phrases.rows[0][2].en, "300");
  EXPECT_NE(section.paragraphs.back().en.find("out of memory"), std::string::npos);
}

TEST(ConcurrencySection, CountsAndComparesUsers) {
  ArticleRun run = empty_run();
  std::vector<RequestRecord> records;
  for (int i = 0; i < 100; ++i) {
    RequestRecord record = answer(200, 1000, 51);
    const int64_t begin = i * 90 * kMs;  // all end within the window of 10 s
    for (int64_t* time : {&record.scheduled_ns, &record.sent_ns, &record.connected_ns, &record.written_ns,
                          &record.head_ns, &record.first_token_ns, &record.last_token_ns, &record.end_ns}) {
      *time += begin;
    }
    for (TextChunk& chunk : record.chunks) chunk.at_ns += begin;
    records.push_back(record);
  }
  RequestRecord refused;
  refused.sent_ns = 0;
  refused.end_ns = 5;
  refused.outcome = Outcome::kHttp429;
  refused.detail = "too many";
  records.push_back(refused);
  run.cells = {cell_of("concurrency/short/no_think/10", records),
               cell_of("concurrency/short/think/25", records),
               cell_of("concurrency/1024/think/25", {records.begin(), records.begin() + 9})};
  run.cells[0].server_samples.resize(2);
  run.cells[0].server_samples[1].resident_bytes = 2e9;
  check_all(run);
  const Section section = concurrency_section(run);
  const Table& table = table_of(section, "concurrency_short_no_think");
  EXPECT_EQ(at(table, "10", "n"), "100");
  EXPECT_EQ(at(table, "10", "QPS"), "10.0");
  EXPECT_EQ(at(table, "10", "QPS · article"), "8.7");
  // Users who think need to have come back, or there is no rate.
  EXPECT_EQ(at(table_of(section, "concurrency_short_think"), "25", "QPS"), "10.0");
  EXPECT_EQ(at(table_of(section, "concurrency_1024_think"), "25", "n"), "9");
  EXPECT_EQ(at(table_of(section, "concurrency_1024_think"), "25", "QPS"), kNoFigure);
  EXPECT_EQ(at(table, "10", "mean latency s"), "1.00 (1.00 – 1.00)");
  EXPECT_EQ(at(table, "10", "errors"), format_percent(1.0 / 101) + " (http_429: 1)");
  EXPECT_EQ(at(table, "75", "errors", 1), "1.2 %");
  EXPECT_EQ(at(table, "10", "server's memory"), format_bytes(2e9));
  EXPECT_EQ(at(table, "100", "GPU memory"), "at risk of running out");
  EXPECT_EQ(at(table, "25", "Status"), "not measured");
}

CellResult burst_cell(std::initializer_list<std::pair<int, int>> sizes_and_errors) {
  std::vector<RequestRecord> records;
  int32_t step = 0;
  for (const auto& [size, errors] : sizes_and_errors) {
    for (int i = 0; i < size; ++i) {
      RequestRecord record = answer(10, 20, 8);
      record.stage = step;
      if (i < errors) {
        record.outcome = Outcome::kConnectFailed;
        record.detail = "connection refused";
      }
      records.push_back(record);
    }
    ++step;
  }
  return cell_of("connections/burst", records);
}

TEST(ConcurrencySection, SaysWhereErrorsBegin) {
  ArticleRun run = empty_run();
  run.cells = {burst_cell({{16, 0}, {32, 0}, {64, 3}}), cell_of("connections/idle", {})};
  run.cells[1].extra = {
      {"steps", JsonArray{JsonObject{{"wanted", 64}, {"standing", 64}, {"answered", true}},
                          JsonObject{{"wanted", 128}, {"standing", 100}, {"answered", false}}}}};
  check_all(run);
  const Section section = concurrency_section(run);
  const Table& table = table_of(section, "connections_burst");
  EXPECT_EQ(at(table, "64", "answered"), "61");
  EXPECT_EQ(at(table, "64", "first error"), "connect_failed: connection refused");
  EXPECT_EQ(at(table, "32", "first error"), kNoFigure);
  EXPECT_EQ(section.paragraphs[1].en, "Idle connections: at most 100 stood.");
  EXPECT_EQ(section.paragraphs[2].en,
            "Bursts: errors begin at 64 requests at once (32 went well). The first was: connect_failed: "
            "connection refused");
  run.cells[0] = burst_cell({{16, 0}, {32, 0}});
  EXPECT_EQ(concurrency_section(run).paragraphs[2].en,
            "Bursts: 32 requests at once, the most that were tried, went well.");
}

TEST(StructuredSection, CountsVerdicts) {
  ArticleRun run = empty_run();
  const std::string good =
      R"({"name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})";
  std::vector<RequestRecord> records;
  for (int i = 0; i < 8; ++i) records.push_back(answer(10, 20, 60, good));
  records.push_back(answer(10, 20, 60, "```json\n" + good + "\n```"));
  records.push_back(answer(10, 20, 60, "抱歉"));
  for (RequestRecord& record : records) record.label = "person-zh";
  RequestRecord empty = records.back(), failed = records.back(), unfinished = records.back();
  empty.outcome = Outcome::kEmptyAnswer;
  empty.text = "";
  failed.outcome = Outcome::kHttp5xx;
  unfinished.outcome = Outcome::kUnfinished;
  records.insert(records.end(), {empty, failed, unfinished});
  run.cells = {cell_of("structured/article/plain", records),
               cell_of("structured/article/schema", {failed}, "refused")};
  run.cells[1].note = {"response_format is not supported", ""};
  check_all(run);
  const Section section = structured_section(run);
  const Table& table = table_of(section, "structured");
  EXPECT_EQ(at(table, "article's task, plain", "legal JSON"), "8/11: 72.7 % (43.4 % – 90.3 %)");
  EXPECT_TRUE(at(table, "article's task, plain", "legal once unwrapped").starts_with("9/11"));
  EXPECT_TRUE(at(table, "article's task, plain", "nothing wrong").starts_with("8/11"));
  EXPECT_EQ(at(table, "article's task, plain", "legal JSON · article"), "97 %");
  EXPECT_EQ(at(table, "article's task, with response_format", "Status"),
            "refused: response_format is not supported");
  EXPECT_EQ(at(table, "article's task, with response_format", "legal JSON"), kNoFigure);
  const Table& faults = table_of(section, "structured_faults");
  EXPECT_TRUE(at(faults, "syntax: no JSON", "article's task, plain").starts_with("2/11"));
  EXPECT_TRUE(at(faults, "in a ``` fence", "article's task, plain").starts_with("1/11"));
  EXPECT_EQ(at(faults, "wrong name", "article's task, plain · article"), "2 %");
  EXPECT_EQ(table_of(section, "structured_examples").rows.size(), 2u);
}

TEST(MultiTurnSection, ScoresByDistance) {
  ArticleRun run = empty_run();
  const auto planned = std::find_if(run.plan.begin(), run.plan.end(),
                                    [](const Cell& cell) { return cell.id == "multi_turn/zh"; });
  ASSERT_NE(planned, run.plan.end());
  const auto conversations = conversations_of(*planned, run.options);
  ASSERT_EQ(conversations.size(), 4u);
  std::vector<RequestRecord> records;
  for (int32_t c = 0; c < 4; ++c) {
    for (int32_t t = 0; t < kConversationTurns; ++t) {
      const Turn& turn = conversations[c].turns[t];
      if (turn.distance == 32 && c > 0) continue;  // three conversations did not come that far
      std::string text = turn.expected.empty() ? "好的" : turn.expected.substr(0, turn.expected.find('|'));
      if (c == 3 && turn.kind == TurnKind::kAskChanged)
        text = turn.replaced.substr(0, turn.replaced.find('|'));
      RequestRecord record = answer(10, 20, 5, text);
      record.label = turn_label(c, t);
      record.user = c;
      records.push_back(record);
    }
  }
  run.cells = {cell_of("multi_turn/zh", records)};
  check_all(run);
  const Section section = multi_turn_section(run);
  const Table& table = table_of(section, "multi_turn_zh");
  EXPECT_EQ(at(table, "8", "facts recalled"), "4/4: 100 % (51 % – 100 %)");
  EXPECT_TRUE(at(table, "32", "facts recalled").starts_with("1/1"));
  EXPECT_EQ(at(table, "8", "asked twice"), "4 both right, 0 contradict, 0 both wrong");
  EXPECT_TRUE(at(table, "8", "the newest").starts_with("3/4"));
  EXPECT_EQ(at(table, "8", "said instead", 1), "1 the old value");
  EXPECT_EQ(at(table, "32", "the newest"), kNoFigure);
  EXPECT_EQ(table_of(section, "multi_turn_examples").rows.size(), 3u);
  EXPECT_EQ(at(table_of(section, "multi_turn_en"), "8", "facts recalled"), kNoFigure);
}

TEST(TurnLabel, IsReadAsItWasWritten) {
  const auto place = read_turn_label(turn_label(3, 17));
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->conversation, 3);
  EXPECT_EQ(place->turn, 17);
  for (const char* label : {"", "turn/", "turn/1", "turn/1/", "turn/1/x", "turn/-1/2", "turn/1/2/", "x/1/2",
                            "turn/1/99999999999"}) {
    EXPECT_FALSE(read_turn_label(label).has_value()) << label;
  }
}

TEST(ArticleReport, SaysWhichDimensionsFailed) {
  ArticleRun run = empty_run();
  RequestRecord failed;
  failed.outcome = Outcome::kConnectFailed;
  run.cells = {cell_of("latency/128/cold", {answer(1, 2, 3)}), cell_of("long_output", {failed}, "failed")};
  const auto without = dimensions_without_success(run);
  ASSERT_EQ(without.size(), 1u);
  EXPECT_EQ(without[0].en, dimension_title(Dimension::kLongOutput).en);

  Report report;
  report.model = "smollm2";
  report.server = "hussar 0.1.0";
  add_article(run, &report);
  EXPECT_EQ(report.rows.size(), run.plan.size());
  EXPECT_EQ(report.rows[0].status, "measured");
  EXPECT_TRUE(report.rows[0].summary.has_value());
  EXPECT_EQ(report.rows[1].status, "cut");
  EXPECT_EQ(report.sections.size(), 5u);
  EXPECT_EQ(report.warnings.size(), 1u);
  EXPECT_LE(report.key_figures.size(), 6u);
}

TEST(ArticleReport, AddsUpWhatTheClientDid) {
  ArticleRun run = empty_run();
  run.cells = {cell_of("latency/128/cold", {answer(1, 2, 3)}),
               cell_of("latency/128/warm", {answer(1, 2, 3)})};
  run.cells[0].seconds = 5;
  run.cells[0].proof.lateness_ns = {1, 2};
  run.cells[0].proof.cpu_share = 0.5;
  run.cells[0].proof.loop.timer_delay_counts = {1};
  run.cells[1].proof.lateness_ns = {3};
  run.cells[1].proof.cpu_share = 0.25;
  run.cells[1].proof.loop.timer_delay_counts = {1, 4};
  run.cells[1].proof.client_limited = true;
  run.cells[1].proof.reason = "too slow";
  run.cells[1].server_samples.resize(1);
  run.cells[1].server_samples[0].at_s = 1;
  Report report;
  add_article(run, &report);
  EXPECT_EQ(report.proof.lateness_ns, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(report.proof.cpu_share, 0.5);
  EXPECT_EQ(report.proof.loop.timer_delay_counts, (std::vector<uint64_t>{2, 4}));
  EXPECT_TRUE(report.proof.client_limited);
  EXPECT_EQ(report.proof.reason, "too slow");
  ASSERT_EQ(report.server_samples.size(), 1u);
  EXPECT_EQ(report.server_samples[0].at_s, 6);
  const auto records = records_of(run);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].label, "latency/128/warm");
  EXPECT_EQ(records[1].index, 1);
}

TEST(ColumnOwner, SaysWhatIsNotKnown) {
  Report report;
  report.model = "smollm2";
  report.server = "unknown";
  EXPECT_EQ(column_owner(report).en, "smollm2, hardware not known, its own tokenizer");
  report.server = "vllm 0.8.5";
  report.hardware = "1 x H100";
  EXPECT_EQ(column_owner(report).en, "vllm 0.8.5: smollm2, 1 x H100, its own tokenizer");
}

}  // namespace
}  // namespace hussar
