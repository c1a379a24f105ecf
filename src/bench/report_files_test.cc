// The files of a report: tables as CSV and Markdown, the page, the folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bench/report.h"

namespace hussar {
namespace {

constexpr char kHostile[] = "</script><!--<b>|`*[x](y)*`|{{script}}\r\n\"=1+1";

Report hostile_report() {
  Report report;
  report.kind = "load";
  report.model = kHostile;
  Table table;
  table.id = "t";
  table.title = {"Title", "标题"};
  table.columns = {{"name", "名称"}, {"figure", "数字"}};
  table.rows = {{{kHostile}, {"1.5"}}, {{"=1+1"}, {"-2"}}, {{"\xff"}, {"+3"}}, {{"-x"}}};
  report.sections.resize(1);
  report.sections[0].title = {"Section", "一节"};
  report.sections[0].tables = {table};
  return report;
}

// RFC 4180's grammar, strictly: fails on a bare quote or an end of line that is not CRLF.
std::vector<std::vector<std::string>> read_csv(const std::string& text) {
  std::vector<std::vector<std::string>> lines;
  size_t at = 0;
  while (at < text.size()) {
    std::vector<std::string> line;
    for (bool more = true; more;) {
      std::string field;
      if (text[at] == '"') {
        for (++at; text[at] != '"' || text[at + 1] == '"'; ++at) {
          if (text[at] == '"') ++at;
          field += text[at];
        }
        ++at;
      } else {
        for (; text.find_first_of(",\r\n\"", at) != at; ++at) field += text[at];
      }
      line.push_back(field);
      more = text[at] == ',';
      if (more) {
        ++at;
      } else {
        EXPECT_EQ(text.substr(at, 2), "\r\n");
        at += 2;
      }
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(ReportCsv, IsRectangularAndQuotesWhatItMust) {
  const auto lines = read_csv(report_to_csv(hostile_report()));
  for (const auto& line : lines) EXPECT_EQ(line.size(), lines[0].size());
  EXPECT_EQ(lines[0][0], "table");
  EXPECT_EQ(lines[1], (std::vector<std::string>{"t", "0", "name", "figure"}));
  EXPECT_EQ(lines[2][2], kHostile);
  EXPECT_EQ(lines[2][1], "1");
}

TEST(ReportCsv, NothingForeignBecomesAFormula) {
  const auto lines = read_csv(report_to_csv(hostile_report()));
  EXPECT_EQ(lines[3][2], "'=1+1");
  EXPECT_EQ(lines[3][3], "-2");
  EXPECT_EQ(lines[4][2], "\uFFFD");
  EXPECT_EQ(lines[4][3], "+3");
  EXPECT_EQ(lines[5][2], "'-x");
  EXPECT_EQ(lines[5][3], "");
}

TEST(ReportMarkdown, ForeignTextStaysText) {
  const std::string text = report_to_markdown(hostile_report(), Language::kEnglish);
  EXPECT_NE(text.find("| \\</script\\>\\<!--\\<b\\>\\|\\`\\*\\[x\\](y)\\*\\`\\|{{script}}  \"=1+1 | 1.5 |\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| --- | ---: |\n"), std::string::npos);
}

TEST(ReportMarkdown, SpeaksBothLanguages) {
  const std::string text = report_to_markdown(hostile_report(), Language::kChinese);
  EXPECT_NE(text.find("## 一节\n"), std::string::npos);
  EXPECT_NE(text.find("| 名称 | 数字 |\n"), std::string::npos);
  EXPECT_EQ(text.find("Section"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\n"));
  EXPECT_FALSE(text.ends_with("\n\n"));
}

TEST(ReportHtml, DataCanNotEndItsScript) {
  const std::string page = report_to_html(hostile_report());
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const size_t begin = page.find(open) + open.size();
  const std::string data = page.substr(begin, page.find("</script>", begin) - begin);
  EXPECT_EQ(data.find('<'), std::string::npos);
  const Result<Json> parsed = parse_json(data, {});
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  // What looks like a place of the template is not filled.
  EXPECT_EQ(*parsed->find("target")->find("model")->as_string(), kHostile);
  EXPECT_NE(page.find("Chart.js v"), std::string::npos);
  EXPECT_EQ(page.find("{{style}}"), std::string::npos);
}

class ReportFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "report-folder-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string read(const std::string& name) const {
    std::ifstream file(root_ / name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::filesystem::path root_;
};

TEST_F(ReportFolder, HoldsEachFileWhole) {
  std::vector<RequestRecord> records(3);
  records[2].index = 2;
  ASSERT_TRUE(write_report(hostile_report(), records, (root_ / "a/b").string()).ok());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "a/b"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"index.html", "requests.jsonl", "results.json", "tables.csv",
                                             "tables.md", "tables.zh.md"}));
  std::istringstream lines(read("a/b/requests.jsonl"));
  int64_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Result<Json> record = parse_json(line, {});
    ASSERT_TRUE(record.ok());
    EXPECT_EQ(record->find("outcome")->type_name(), "string");
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(read("a/b/results.json"), write_json(report_to_json(hostile_report())) + "\n");
}

TEST_F(ReportFolder, AWrittenReportIsReplaced) {
  ASSERT_TRUE(write_report(hostile_report(), {}, root_.string()).ok());
  Report other = hostile_report();
  other.model = "other";
  ASSERT_TRUE(write_report(other, {}, root_.string()).ok());
  EXPECT_EQ(read("tables.csv"), report_to_csv(other));
}

TEST_F(ReportFolder, AFolderThatCanNotBeSaysWhatToDo) {
  std::ofstream(root_ / "file") << "x";
  for (const char* name : {"file", "file/below"}) {
    const Result<void> made = prepare_report_folder((root_ / name).string());
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, ErrorCode::kIo);
    EXPECT_NE(made.error().message.find("--out"), std::string::npos) << made.error().message;
    EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
  }
}

TEST_F(ReportFolder, TryingLeavesNothingBehind) {
  ASSERT_TRUE(prepare_report_folder((root_ / "new").string()).ok());
  EXPECT_TRUE(std::filesystem::is_empty(root_ / "new"));
}

}  // namespace
}  // namespace hussar
