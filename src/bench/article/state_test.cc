#include "bench/article/state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bench/article/testing_records.h"

namespace hussar {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "hussar-state-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file() const { return path_ + "/article-state.jsonl"; }
  std::string content() const { return *read_small_file(file(), 1 << 20); }
  void write(std::string_view text) const { std::ofstream(file(), std::ios::binary) << text; }

 private:
  std::string path_;
};

CellResult cell(const std::string& id) {
  CellResult result;
  result.id = id;
  result.status = "measured";
  result.records = {ok_record(1, 2, 4, {{2, 1}, {4, 1}})};
  return result;
}

RunState three_cells() {
  RunState state;
  state.fingerprint = {{"url", "http://h"}, {"seconds", 60}};
  state.started_unix_s = 1.5e9;
  state.speed.tokens_per_s = 77;
  state.cells = {cell("a"), cell("b"), cell("量")};
  return state;
}

std::string text_of(const RunState& state) {
  std::string text = run_state_head(state);
  for (const CellResult& one : state.cells) text += run_state_line(one);
  return text;
}

TEST(RunState, ReadsWhatWasWritten) {
  const std::string text = text_of(three_cells());
  size_t whole_bytes = 0;
  const auto state = read_run_state(text, &whole_bytes);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(whole_bytes, text.size());
  EXPECT_EQ(text_of(*state), text);
  EXPECT_EQ(state->speed.tokens_per_s, 77);
}

TEST(RunState, GoesOnFromEveryCutPoint) {
  const std::string text = text_of(three_cells());
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const std::string_view left = std::string_view(text).substr(0, cut);
    const auto lines = static_cast<size_t>(std::count(left.begin(), left.end(), '\n'));
    size_t whole_bytes = 0;
    const auto state = read_run_state(left, &whole_bytes);
    ASSERT_TRUE(state.ok()) << cut;
    EXPECT_EQ(state->cells.size(), lines == 0 ? 0 : lines - 1) << cut;
    EXPECT_EQ(whole_bytes, lines == 0 ? 0 : left.rfind('\n') + 1) << cut;
    // And what is written next can be read again.
    if (lines == 0) continue;
    const std::string more = std::string(left.substr(0, whole_bytes)) + run_state_line(cell("next"));
    const auto again = read_run_state(more, &whole_bytes);
    ASSERT_TRUE(again.ok()) << cut;
    EXPECT_EQ(again->cells.back().id, "next");
    EXPECT_EQ(again->cells.size(), lines);
  }
}

TEST(RunState, StopsAtABrokenLine) {
  const RunState whole = three_cells();
  const std::string begin = run_state_head(whole) + run_state_line(whole.cells[0]);
  for (const char* broken : {"\n", "{}\n", "null\n", "{\"id\":\"b\"}\n", "\xFF\n"}) {
    size_t whole_bytes = 0;
    const auto state = read_run_state(begin + broken + run_state_line(whole.cells[2]), &whole_bytes);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->cells.size(), 1u);
    EXPECT_EQ(whole_bytes, begin.size());
  }
}

TEST(RunState, RefusesOtherFiles) {
  size_t whole_bytes = 0;
  for (const char* text :
       {"hello\n", "hello", "{}\n", "[]\n", "\n", "{\"hussar\":\"article run\",\"version\":2}\n",
        "{\"hussar\":\"other\",\"version\":1,\"fingerprint\":{},\"started_unix_s\":1,\"speed\":{}}\n",
        "{\"hussar\":\"article run\",\"version\":1,\"fingerprint\":{},\"started_unix_s\":1,"
        "\"speed\":{\"tokens_per_s\":0}}\n"}) {
    EXPECT_FALSE(read_run_state(text, &whole_bytes).ok()) << text;
  }
}

TEST(RunStateFile, GoesOnBehindTheLastWholeCell) {
  const TemporaryFolder folder;
  const RunState wanted = three_cells();
  RunState found;
  auto file = RunStateFile::open(folder.path(), wanted.fingerprint, RunStateFile::Start::kResume, &found);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(found.cells.empty());
  EXPECT_TRUE(found.fingerprint.empty());
  ASSERT_TRUE(file->begin(wanted).ok());
  ASSERT_TRUE(file->add(wanted.cells[0]).ok());
  ASSERT_TRUE(file->add(wanted.cells[1]).ok());
  folder.write(folder.content() + "{\"id\":\"torn");

  file = RunStateFile::open(folder.path(), wanted.fingerprint, RunStateFile::Start::kResume, &found);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(found.cells.size(), 2u);
  EXPECT_EQ(found.started_unix_s, 1.5e9);
  ASSERT_TRUE(file->add(wanted.cells[2]).ok());
  EXPECT_EQ(folder.content(), text_of(wanted));
}

TEST(RunStateFile, AnotherRunIsNotMixedIn) {
  const TemporaryFolder folder;
  folder.write(text_of(three_cells()));
  RunState found;
  JsonObject other = three_cells().fingerprint;
  other[1].second = Json(30);
  const auto refused = RunStateFile::open(folder.path(), other, RunStateFile::Start::kResume, &found);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            folder.path() +
                " holds another run: its seconds is 60, not 30; choose another --out, or "
                "--fresh to start over");
  EXPECT_TRUE(found.cells.empty());
  EXPECT_TRUE(RunStateFile::open(folder.path(), other, RunStateFile::Start::kFresh, &found).ok());
  EXPECT_TRUE(found.cells.empty());

  folder.write("something else\n");
  EXPECT_FALSE(RunStateFile::open(folder.path(), other, RunStateFile::Start::kResume, &found).ok());
  EXPECT_TRUE(RunStateFile::open(folder.path(), other, RunStateFile::Start::kFresh, &found).ok());
}

TEST(RunStateFile, AFirstLineThatWasCutIsNothing) {
  const TemporaryFolder folder;
  folder.write("{\"hussar\":\"article run\",\"ver");
  RunState found;
  auto file =
      RunStateFile::open(folder.path(), three_cells().fingerprint, RunStateFile::Start::kResume, &found);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->begin(three_cells()).ok());
  EXPECT_EQ(folder.content(), run_state_head(three_cells()));
}

TEST(Fingerprint, NamesWhatDiffers) {
  const JsonObject a = {{"x", 1}, {"y", "b"}};
  EXPECT_EQ(fingerprint_difference(a, a), "");
  EXPECT_EQ(fingerprint_difference(a, {{"x", 1}, {"y", "c"}}), "y is \"b\", not \"c\"");
  EXPECT_EQ(fingerprint_difference(a, {{"x", 1}}), "y is \"b\", not missing");
  EXPECT_EQ(fingerprint_difference({{"x", 1}}, a), "y is missing, not \"b\"");
}

}  // namespace
}  // namespace hussar
