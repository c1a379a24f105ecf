#include "bench/prove_match.h"

#include <gtest/gtest.h>

#include "bench/mock_text.h"

namespace hussar {
namespace {

constexpr int64_t kMs = 1'000'000;

// A whole answer of three tokens, received at 100 ms of the mock's clock, and its record on another clock.
MockTruth make_truth(uint64_t index) {
  MockTruth truth;
  truth.index = index;
  truth.request_id = "r" + std::to_string(index);
  truth.streamed = true;
  truth.status = 200;
  truth.received_ns = 100 * kMs;
  truth.whole = true;
  truth.prompt_tokens = 5;
  truth.planned_tokens = truth.sent_tokens = 3;
  truth.chunks = {{50 * kMs, 151 * kMs, 152 * kMs, 1},
                  {70 * kMs, 170 * kMs, 171 * kMs, 1},
                  {90 * kMs, 195 * kMs, 196 * kMs, 1}};
  return truth;
}

std::string text_of(uint64_t index) {
  std::string text;
  for (int64_t i = 0; i < 3; ++i) text += mock_token(mix_seeds(MockOptions{}.seed, index), i);
  return text;
}

RequestRecord make_record(uint64_t index) {
  RequestRecord record;
  record.label = "r" + std::to_string(index);
  record.outcome = Outcome::kOk;
  record.connection_reused = true;
  record.sent_ns = 1000 * kMs;
  record.chunks = {{1052 * kMs, 1}, {1071 * kMs, 1}, {1097 * kMs, 1}};
  record.first_token_ns = record.chunks.front().at_ns;
  record.prompt_tokens = 5;
  record.output_tokens = 3;
  record.text = text_of(index);
  record.text_bytes = static_cast<int64_t>(record.text.size());
  return record;
}

TruthTable table_of(std::vector<MockTruth> truths) {
  TruthTable table;
  for (MockTruth& truth : truths) table[truth.request_id] = truth;
  return table;
}

std::string only_line(const RequestRecord& record, const MockTruth& truth) {
  const auto lines = compare_counts(std::vector{record}, table_of({truth}), MockOptions{}, 5);
  if (lines.empty()) return "";
  EXPECT_EQ(lines.size(), 1u);
  return lines[0];
}

TEST(ProveMatch, PairsTimesWhateverTheClocks) {
  const TimePairs pairs = pair_times(std::vector{make_record(0)}, table_of({make_truth(0)}));
  EXPECT_EQ(pairs.ttft_measured_ms, std::vector<double>({52}));
  EXPECT_EQ(pairs.ttft_true_ms, std::vector<double>({51}));
  EXPECT_EQ(pairs.ttft_due_ms, std::vector<double>({50}));
  EXPECT_EQ(pairs.itl_measured_ms, std::vector<double>({19, 26}));
  EXPECT_EQ(pairs.itl_true_ms, std::vector<double>({19, 25}));
  EXPECT_EQ(pairs.itl_due_ms, std::vector<double>({20, 20}));
  EXPECT_EQ(absolute_differences(pairs.itl_measured_ms, pairs.itl_due_ms), std::vector<double>({1, 6}));
}

TEST(ProveMatch, LeavesTimesOutThatCanNotBePaired) {
  RequestRecord fresh = make_record(0);
  fresh.connection_reused = false;
  EXPECT_TRUE(pair_times(std::vector{fresh}, table_of({make_truth(0)})).ttft_measured_ms.empty());
  EXPECT_EQ(pair_times(std::vector{fresh}, table_of({make_truth(0)})).itl_measured_ms.size(), 2u);
  RequestRecord failed = make_record(0);
  failed.outcome = Outcome::kTruncated;
  EXPECT_TRUE(pair_times(std::vector{failed}, table_of({make_truth(0)})).itl_measured_ms.empty());
  RequestRecord short_one = make_record(0);
  short_one.chunks.pop_back();
  EXPECT_TRUE(pair_times(std::vector{short_one}, table_of({make_truth(0)})).itl_measured_ms.empty());
  EXPECT_TRUE(pair_times(std::vector{make_record(1)}, table_of({make_truth(0)})).itl_measured_ms.empty());
}

TEST(ProveMatch, TellsEveryDifference) {
  const MockTruth truth = make_truth(0);
  EXPECT_EQ(only_line(make_record(0), truth), "");
  RequestRecord record = make_record(0);
  record.output_tokens = 4;
  EXPECT_EQ(only_line(record, truth), "r0: output tokens 4 instead of 3");
  record = make_record(0);
  record.output_tokens = -1;
  EXPECT_EQ(only_line(record, truth), "r0: output tokens -1 instead of 3") << "an unknown count is no count";
  record = make_record(0);
  record.prompt_tokens = 6;
  EXPECT_EQ(only_line(record, truth), "r0: prompt tokens 6 instead of 5");
  record = make_record(0);
  record.chunks.pop_back();
  EXPECT_EQ(only_line(record, truth), "r0: chunks with text 2 instead of 3");
  record = make_record(0);
  record.text_bytes += 1;
  EXPECT_NE(only_line(record, truth).find("bytes of text"), std::string::npos);
  record = make_record(0);
  record.text[0] = '?';
  EXPECT_EQ(only_line(record, truth), "r0: another text than was sent");
  record = make_record(0);
  record.outcome = Outcome::kTruncated;
  record.detail = "why";
  EXPECT_EQ(only_line(record, truth), "r0: truncated instead of ok: why");
  MockTruth spoiled = truth;
  spoiled.fault = MockFault::kNoDone;
  EXPECT_EQ(only_line(make_record(0), spoiled), "r0: ok instead of truncated: ");
  EXPECT_EQ(only_line(record, spoiled), "");
}

TEST(ProveMatch, MissesNoRequest) {
  const auto lines =
      compare_counts(std::vector{make_record(0), make_record(7)},
                     table_of({make_truth(0), make_truth(1), make_truth(2)}), MockOptions{}, 5);
  EXPECT_EQ(lines, std::vector<std::string>({"2 requests instead of 3", "r7: the mock never saw it"}));
}

TEST(ProveMatch, TalliesFaults) {
  MockTruth refused = make_truth(1), stalled = make_truth(2), stalled_too = make_truth(3);
  refused.fault = MockFault::kRefuse429;
  stalled.fault = stalled_too.fault = MockFault::kStall;
  RequestRecord counted = make_record(1), missed = make_record(2), found = make_record(3);
  counted.outcome = Outcome::kHttp429;
  missed.outcome = Outcome::kTruncated;
  found.outcome = Outcome::kStallTimeout;
  const auto tallies = tally_faults(std::vector{make_record(0), counted, missed, found},
                                    table_of({make_truth(0), refused, stalled, stalled_too}));
  ASSERT_EQ(tallies.size(), 3u);
  EXPECT_EQ(tallies.at(MockFault::kNone).counted, 1);
  EXPECT_EQ(tallies.at(MockFault::kRefuse429).counted, 1);
  EXPECT_EQ(tallies.at(MockFault::kStall).injected, 2);
  EXPECT_EQ(tallies.at(MockFault::kStall).counted, 1);
}

}  // namespace
}  // namespace hussar
