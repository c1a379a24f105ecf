#include "bench/article/cell_status.h"

#include <gtest/gtest.h>

#include "bench/article/testing_records.h"

namespace hussar {
namespace {

Cell cell_with(int32_t output_tokens) {
  Cell cell;
  cell.output_tokens = output_tokens;
  return cell;
}

RequestRecord with(Outcome outcome, const std::string& detail = "") {
  RequestRecord record = ok_record(0, 1, 2, {});
  record.outcome = outcome;
  record.detail = detail;
  return record;
}

CellResult judged(const Cell& cell, const CellTarget& wanted, std::vector<RequestRecord> records) {
  CellResult result;
  result.records = std::move(records);
  set_status(cell, wanted, &result);
  return result;
}

TEST(SetStatus, WhatIsWholeIsMeasured) {
  const CellResult result =
      judged(cell_with(512), {2, 512, 0, false}, {with(Outcome::kOk), with(Outcome::kOk)});
  EXPECT_EQ(result.status, "measured");
  EXPECT_EQ(result.note.en, "");
}

TEST(SetStatus, ACutSaysWhatIsMissing) {
  const CellResult result =
      judged(cell_with(64), {5, 512, 3.5, false}, {with(Outcome::kOk), with(Outcome::kUnfinished)});
  EXPECT_EQ(result.status, "cut");
  EXPECT_EQ(result.note.en, "1 of 5 requests; 64 instead of 512 new tokens; ended after 3.50 s");
  EXPECT_EQ(result.note.zh, "5 个请求中的 1 个；新 token 64 个，而非 512 个；在 3.50 s 后结束");
  // In time, but shorter.
  EXPECT_EQ(judged(cell_with(64), {1, 512, 3.5, false}, {with(Outcome::kOk)}).note.en,
            "64 instead of 512 new tokens");
  // A closed loop that its box ended.
  EXPECT_EQ(judged(cell_with(512), {-1, 512, 3.5, false}, {with(Outcome::kOk)}).note.en,
            "ended after 3.50 s");
  // Nothing came in time: no figure, but no failure either.
  EXPECT_EQ(judged(cell_with(512), {2, 512, 3.5, false}, {with(Outcome::kUnfinished)}).status, "cut");
  EXPECT_EQ(judged(cell_with(512), {2, 512, 0, true}, {with(Outcome::kOk)}).note.en,
            "interrupted; 1 of 2 requests");
}

TEST(SetStatus, SaysWhyNothingSucceeded) {
  const CellResult failed = judged(cell_with(512), {2, 512, 0, false},
                                   {with(Outcome::kHttp5xx, "500: out of memory"), with(Outcome::kHttp5xx)});
  EXPECT_EQ(failed.status, "failed");
  EXPECT_EQ(failed.note.en, "http_5xx: 500: out of memory");
  const CellResult too_long =
      judged(cell_with(512), {2, 512, 0, false}, {with(Outcome::kHttp4xx, "maximum context length is 1024")});
  EXPECT_EQ(too_long.status, "does_not_fit");
  EXPECT_EQ(too_long.note.en, "maximum context length is 1024");
  // Some successes beside errors are a measurement; the errors stand in their own column.
  EXPECT_EQ(judged(cell_with(512), {-1, 512, 0, false}, {with(Outcome::kOk), with(Outcome::kHttp429)}).status,
            "measured");
}

TEST(SetStatus, LeavesWhatIsKnownAlready) {
  CellResult result;
  result.status = "refused";
  set_status(cell_with(1), {}, &result);
  EXPECT_EQ(result.status, "refused");
}

TEST(DoesNotFitNote, CountsBothSides) {
  EXPECT_EQ(does_not_fit_note(8192, 512, 8192).en, "8192 + 512 tokens exceed the context of 8192");
}

}  // namespace
}  // namespace hussar
