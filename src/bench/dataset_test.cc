#include "bench/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "bench/json_rows.h"

namespace hussar {
namespace {

Result<Dataset> parse(std::string_view text, const DatasetLimits& limits = {}) {
  return parse_dataset(text, "chats.jsonl", limits);
}

TEST(DatasetTest, ReadsLinesOfPromptsAndMessages) {
  const auto dataset = parse(
      "\xEF\xBB\xBF{\"prompt\": \"Why is the sky blue?\", \"id\": 3, \"output_length\": 40}\r\n"
      "\n"
      "  {\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", "
      "\"content\": \"天"
      "为什么是蓝的？\"}], \"max_tokens\": 7}\n"
      "{\"prompt\": \"last\", \"max_tokens\": null}");
  ASSERT_TRUE(dataset.ok()) << dataset.error().message;
  ASSERT_EQ(dataset->rows.size(), 3u);
  EXPECT_EQ(dataset->rows[0].prompt, "Why is the sky blue?");
  EXPECT_EQ(dataset->rows[0].output_tokens, 40);
  ASSERT_EQ(dataset->rows[1].messages.size(), 2u);
  EXPECT_EQ(dataset->rows[1].messages[1].content, "天为什么是蓝的？");
  EXPECT_EQ(dataset->rows[1].output_tokens, 7);
  EXPECT_EQ(dataset->rows[2].output_tokens, -1);
}

TEST(DatasetTest, ReadsShareGpt) {
  const auto dataset = parse(R"([
    {"id": "a", "conversations": [{"from": "human", "value": "Hi, {\"[ you"}, {"from": "gpt", "value": "Hello"},
                                  {"from": "human", "value": "And?"}]},
    {"conversations": []},
    {"conversations": [{"from": "gpt", "value": "I speak first"}]},
    {"conversations": [{"from": "system", "value": "Be brief."}, {"from": "user", "value": "Why?"}]}
  ])");
  ASSERT_TRUE(dataset.ok()) << dataset.error().message;
  ASSERT_EQ(dataset->rows.size(), 2u);
  EXPECT_EQ(dataset->without_person, 2);
  EXPECT_EQ(dataset->rows[0].prompt, "Hi, {\"[ you");
  EXPECT_EQ(dataset->rows[0].reply, "Hello");
  EXPECT_EQ(dataset->rows[1].system, "Be brief.");
  EXPECT_EQ(dataset->rows[1].prompt, "Why?");
}

struct BadCase {
  const char* text;
  const char* place;
};

TEST(DatasetTest, NamesTheBadLine) {
  const BadCase cases[] = {
      {"{\"prompt\": \"a\"}\n{\"prompt\": 3}\n", "chats.jsonl:2: \"prompt\" must be a string, not integer"},
      {"{\"prompt\": \"a\"}\n\n{\"prompt\": \"b\"\n", "chats.jsonl:3: "},
      {"{\"prompt\": \"\"}", "chats.jsonl:1: \"prompt\" is empty"},
      {"{\"question\": \"a\"}", "chats.jsonl:1: neither"},
      {"{\"messages\": []}", "chats.jsonl:1: \"messages\""},
      {"{\"messages\": [{\"role\": \"user\"}]}", "chats.jsonl:1: \"content\" is missing"},
      {"{\"messages\": [3]}", "chats.jsonl:1: \"role\" is missing"},
      {"{\"prompt\": \"a\", \"messages\": []}", "chats.jsonl:1: both"},
      {"{\"prompt\": \"a\", \"max_tokens\": 0}", "chats.jsonl:1: \"max_tokens\""},
      {"{\"prompt\": \"a\", \"max_tokens\": 2.5}", "chats.jsonl:1: \"max_tokens\""},
      {"{\"prompt\": \"a\", \"output_tokens\": 99999999999}", "chats.jsonl:1: \"output_tokens\""},
      {"\"text\"", "chats.jsonl:1: a JSON object is wanted, not string"},
      {"prompt,answer\n", "chats.jsonl:1: "},
      {"{\"prompt\": \"\xFF\"}", "chats.jsonl:1: "},
      {"[{\"prompt\": \"a\"},\n\n{\"prompt\": 3}]", "chats.jsonl:3: "},
      {"[{\"prompt\": \"a\"},\n{\"prompt\": \"b\"", "chats.jsonl:2: the array never ends"},
      {"[{\"prompt\": \"a\"}", "chats.jsonl:1: the array never ends"},
      {"[", "chats.jsonl:1: the array never ends"},
      {"[{\"prompt\": \"a\"},]", "chats.jsonl:1: an element of the array is missing"},
      {"[{\"prompt\": \"a\"}]\n{\"prompt\": \"b\"}", "chats.jsonl:2: there is something behind"},
      {"[{\"prompt\": \"a\\", "chats.jsonl:1: the array never ends"},
      {"[}]", "chats.jsonl:1: "},
      {"[{\"conversations\": 3}]", "chats.jsonl:1: \"conversations\" must be an array"},
      {"[{\"conversations\": [{\"from\": \"human\"}]}]", "chats.jsonl:1: \"value\" is missing"},
      {"[]", "chats.jsonl: there is no prompt in it"},
      {"\n \n", "chats.jsonl: there is no prompt in it"},
  };
  for (const BadCase& bad : cases) {
    const auto dataset = parse(bad.text);
    ASSERT_FALSE(dataset.ok()) << bad.text;
    EXPECT_TRUE(dataset.error().message.starts_with(bad.place)) << dataset.error().message;
    EXPECT_EQ(dataset.error().message.find('\n'), std::string::npos);
  }
}

TEST(DatasetTest, RowsAreBounded) {
  DatasetLimits limits;
  limits.row_bytes_max = 100;
  const std::string wide = "{\"prompt\": \"" + std::string(200, 'a') + "\"}";
  EXPECT_EQ(parse(wide, limits).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse("[" + wide + "]", limits).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse("[" + std::string(1 << 20, '['), limits).error().code, ErrorCode::kTooLarge);
  std::string many;
  for (int i = 0; i < 20; ++i) many += "{\"prompt\": \"some text\"}\n";
  limits.rows_max = 5;
  auto dataset = parse(many, limits);
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->rows.size(), 5u);
  EXPECT_TRUE(dataset->cut);
  limits = {};
  limits.text_bytes_max = 60;
  dataset = parse(many, limits);
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->rows.size(), 2u);
  EXPECT_TRUE(dataset->cut);
}

TEST(DatasetTest, MissingAndEmptyFilesAreNamed) {
  EXPECT_EQ(read_dataset("/nonexistent/chats.jsonl", {}).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_dataset("/tmp", {}).ok());
}

}  // namespace
}  // namespace hussar
