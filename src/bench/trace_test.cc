#include "bench/trace.h"

#include <gtest/gtest.h>

#include <string>

namespace hussar {
namespace {

Result<Trace> parse(std::string_view text, const TraceOptions& options = {}, const TraceLimits& limits = {}) {
  return parse_trace(text, "trace", options, limits);
}

TEST(TraceTest, ReadsAzuresTables) {
  const auto trace = parse(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2023-11-16 18:15:46.6805900,374,44\r\n"
      "2023-11-16 18:15:50.9951690,396,109\r\n"
      "2023-11-16 18:15:51.2224670,0,0\r\n");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  EXPECT_EQ(trace->format, "azure");
  ASSERT_EQ(trace->rows.size(), 3u);
  EXPECT_EQ(trace->rows[0].at_ns, 0);
  EXPECT_EQ(trace->rows[0].input_tokens, 374);
  EXPECT_EQ(trace->rows[0].output_tokens, 44);
  EXPECT_EQ(trace->rows[1].at_ns, 4'314'579'000);
  EXPECT_EQ(trace->rows[2].input_tokens, 1);
  EXPECT_EQ(trace->rows[2].output_tokens, 1);
  EXPECT_EQ(trace->raised, 1);
}

TEST(TraceTest, ReadsTheOtherNamesOfColumns) {
  const auto trace = parse(
      "id,arrival_timestamp,num_prefill_tokens,num_decode_tokens,x\n0,10.25,100,5,a\n1,8.25,200.0,6,b\n");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  ASSERT_EQ(trace->rows.size(), 2u);
  EXPECT_EQ(trace->rows[0].input_tokens, 200);  // sorted
  EXPECT_EQ(trace->rows[0].at_ns, 0);
  EXPECT_EQ(trace->rows[1].at_ns, 2'000'000'000);
}

TEST(TraceTest, ReadsMooncakesLines) {
  const auto trace = parse(
      R"({"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2354]}
{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47]}
)");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  EXPECT_EQ(trace->format, "mooncake");
  ASSERT_EQ(trace->rows.size(), 2u);
  EXPECT_EQ(trace->rows[0].hash_ids, (std::vector<int64_t>{46, 47, 2354}));
  EXPECT_EQ(trace->rows[1].at_ns, 3'053'000'000);
}

TEST(TraceTest, ReadsLinesWithTextsAndDates) {
  const auto trace = parse(
      R"({"timestamp": "2024-05-10T00:00:01.5Z", "prompt": "Why?", "max_tokens": 9}
{"timestamp": "2024-05-10 02:00:00+02:00", "messages": [{"role": "user", "content": "Hi"}]}
)");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  EXPECT_EQ(trace->format, "jsonl");
  ASSERT_EQ(trace->rows.size(), 2u);
  EXPECT_EQ(trace->rows[0].messages.size(), 1u);
  EXPECT_EQ(trace->rows[0].output_tokens, -1);
  EXPECT_EQ(trace->rows[1].prompt, "Why?");
  EXPECT_EQ(trace->rows[1].at_ns, 1'500'000'000);
  EXPECT_EQ(trace->rows[1].output_tokens, 9);
  const auto seconds = parse(R"({"timestamp_s": 1.5, "input_length": 3}
{"timestamp_s": 2, "input_length": 3})");
  ASSERT_TRUE(seconds.ok()) << seconds.error().message;
  EXPECT_EQ(seconds->rows[1].at_ns, 500'000'000);
}

TEST(TraceTest, SpeedAndSecondsChangeTheRhythm) {
  const std::string text =
      "timestamp,contexttokens,generatedtokens\n100,1,1\n101,2,2\n109,4,4\n102,3,3\n110,5,5\n111,6,6\n";
  const auto fast = parse(text, {.speed = 4});
  ASSERT_TRUE(fast.ok());
  EXPECT_EQ(fast->rows.size(), 6u);
  EXPECT_EQ(fast->rows.back().at_ns, 2'750'000'000);
  const auto cut = parse(text, {.speed = 0.5, .seconds = 10});
  ASSERT_TRUE(cut.ok());
  ASSERT_EQ(cut->rows.size(), 4u);  // the one at exactly 10 s is left out
  EXPECT_EQ(cut->rows.back().at_ns, 18'000'000'000);
  EXPECT_EQ(cut->rows.back().input_tokens, 4);
  // What is held is bounded, what is cut is not.
  EXPECT_TRUE(parse(text, {.seconds = 3}, {.rows_max = 3}).ok());
  EXPECT_EQ(parse(text, {.seconds = 3}, {.rows_max = 2}).error().code, ErrorCode::kTooLarge);
  const auto slow = parse(text, {.speed = 1e-6});
  ASSERT_FALSE(slow.ok());
  EXPECT_NE(slow.error().message.find("a week"), std::string::npos);
}

struct BadCase {
  const char* text;
  const char* place;
};

TEST(TraceTest, NamesTheBadLine) {
  const BadCase cases[] = {
      {"a,b,c\n1,2,3\n", "trace:1: the head"},
      {"TIMESTAMP,ContextTokens\n1,2\n", "trace:1: the head"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n", "trace: there is no request"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n\n1,2\n", "trace:4: the line has 2 fields"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,2,3\n", "trace:2: 'soon' is neither"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,-2,3\n", "trace:2: '-2' is no number"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,2.5,3\n", "trace:2: '2.5' is no number"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,1e12\n", "trace:2: '1e12' is no number"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n1e300,2,3\n", "trace:2: the timestamp is out of range"},
      {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-02-29 00:00:00,2,3\n", "trace:2: '2023-02-29"},
      {"{\"timestamp\": 1, \"input_length\": 5}\n{\"timestamp\": 1}\n",
       "trace:2: \"input_length\", \"prompt\""},
      {"{\"input_length\": 5}\n", "trace:1: \"timestamp\" is missing"},
      {"{\"timestamp\": -1, \"input_length\": 5}\n", "trace:1: the timestamp is out of range"},
      {"{\"timestamp\": true, \"input_length\": 5}\n", "trace:1: \"timestamp\" must be"},
      {"{\"timestamp\": 1, \"input_length\": 5, \"hash_ids\": 3}\n", "trace:1: \"hash_ids\""},
      {"{\"timestamp\": 1, \"input_length\": 5, \"hash_ids\": [1, \"2\"]}\n", "trace:1: \"hash_ids\""},
      {"{\"timestamp\": 1, \"input_length\": 5, \"prompt\": \"a\"}\n", "trace:1: it has a text and"},
      {"{\"timestamp\": 1, \"input_length\": \"5\"}\n", "trace:1: \"input_length\" must be"},
      {"{\"timestamp\": 1, \"input_length\": 5, \"output_length\": -5}\n",
       "trace:1: \"output_length\" must be"},
      {"{\"timestamp\": 1, \"input_length\": 5\n", "trace:1: "},
      {"{\"timestamp\": 1, \"input_length\": 5}\n1,2,3\n", "trace:2: "},
      {"", "trace: there is no request"},
  };
  for (const BadCase& bad : cases) {
    const auto trace = parse(bad.text);
    ASSERT_FALSE(trace.ok()) << bad.text;
    EXPECT_TRUE(trace.error().message.starts_with(bad.place)) << trace.error().message << " for " << bad.text;
  }
}

TEST(TraceTest, ReadsDates) {
  EXPECT_EQ(read_date_ns("1970-01-01 00:00:00"), 0);
  EXPECT_EQ(read_date_ns("2000-02-29 12:00:00"), 951'825'600'000'000'000);
  EXPECT_EQ(read_date_ns("2023-11-16 18:15:46.6805900"), 1'700'158'546'680'590'000);
  EXPECT_EQ(read_date_ns("2024-05-10 00:00:00.009930+00:00"), 1'715'299'200'009'930'000);
  EXPECT_EQ(read_date_ns("2024-05-10T02:00:00+0200"), 1'715'299'200'000'000'000);
  EXPECT_EQ(read_date_ns("2024-05-09T19:00:00-05"), 1'715'299'200'000'000'000);
  for (const char* bad : {"", "2024", "2024-13-01 00:00:00", "2024-02-30 00:00:00", "1900-01-01 00:00:00",
                          "2024-05-10 24:00:00", "2024-05-10 00:00:00.", "2024-05-10 00:00:00 ",
                          "2024-05-10 00:00:00+", "2024-05-10 00:00:00+99:00", "2024/05/10 00:00:00",
                          "9999-01-01 00:00:00", "2024-05-10 00:00:00.1234567890123456789"}) {
    EXPECT_EQ(read_date_ns(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace hussar
