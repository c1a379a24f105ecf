#include "bench/article/json_answer.h"

#include <gtest/gtest.h>

#include <set>

#include "base/utf8.h"
#include "bench/article/json_tasks.h"

namespace hussar {
namespace {

using Faults = std::set<std::string>;

struct Case {
  const char* answer;
  bool legal, legal_inside;
  Faults faults;
};

Faults faults_of(const AnswerVerdict& verdict) {
  Faults names;
  for (int i = 0; i < kAnswerFaultCount; ++i) {
    const auto fault = static_cast<AnswerFault>(i);
    if (verdict.has(fault)) names.emplace(answer_fault_name(fault));
  }
  return names;
}

void check(const JsonTask& task, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const AnswerVerdict verdict = judge_answer(task, one.answer);
    EXPECT_EQ(verdict.legal, one.legal) << one.answer;
    EXPECT_EQ(verdict.legal_inside, one.legal_inside) << one.answer;
    EXPECT_EQ(faults_of(verdict), one.faults) << one.answer;
    EXPECT_EQ(verdict.ok(), one.faults.empty()) << one.answer;
    EXPECT_EQ(verdict.detail.empty(), one.faults.empty()) << one.answer;
    EXPECT_TRUE(is_valid_utf8(verdict.detail)) << one.answer;
  }
}

constexpr char kPerson[] =
    R"({"name": "张伟", "age": 32, "job": "软件工程师", "skills": ["Python", "Java", "SQL"], "city": "杭州"})";

TEST(JudgeAnswer, TheArticlesTask) {
  check(
      article_json_task(),
      {
          {kPerson, true, true, {}},
          {"\n  "
           "{\"city\":\"杭州市\",\"age\":32.0,\"skills\":[\"SQL\",\"Java\",\"Python\"],\"job\":"
           "\"软件工程师\","
           "\"name\":\" 张伟 \"}\n\n",
           true,
           true,
           {}},
          // A fitting English name is the model's choice: the prompt names none.
          {R"({"name":"张伟","age":32,"occupation":"软件工程师","skills":["Python","Java","SQL"],"location":"杭州"})",
           true,
           true,
           {}},
          {R"({"full_name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {}},
          {R"({"name":"张伟","age":32,"what_he_does":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {}},
          // But it must be lower-case English, as the prompt says.
          {R"({"Name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_name"}},
          {R"({"姓名":"张伟","年龄":32,"职业":"软件工程师","技能":["Python","Java","SQL"],"城市":"杭州"})",
           true,
           true,
           {"wrong_name"}},
          {R"({"fullName":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_name"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","skills":"Python, Java, SQL","city":"杭州"})",
           true,
           true,
           {"array_as_string"}},
          {R"({"name":"张伟","age":"32","job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"number_in_quotes"}},
          {R"({"name":"张伟","age":"32岁","job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_type"}},
          {R"({"name":"张伟","age":33,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_value"}},
          {R"({"name":"张伟","age":32.5,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_type"}},
          {R"({"name":"张伟","age":32,"job":"Software Engineer","skills":["Python","Java","SQL"],"city":"Hangzhou"})",
           true,
           true,
           {"wrong_value"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java"],"city":"杭州"})",
           true,
           true,
           {"wrong_value"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","Java"],"city":"杭州"})",
           true,
           true,
           {"wrong_value"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","skills":[["Python"],"Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_type"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","skills":{"a":"Python"},"city":"杭州"})",
           true,
           true,
           {"wrong_type"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","city":"杭州"})", true, true, {"missing_field"}},
          {R"({"name":"张伟","age":32,"job":null,"skills":["Python","Java","SQL"],"city":"杭州"})",
           true,
           true,
           {"wrong_type"}},
          {R"({"name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州","country":"中国"})",
           true,
           true,
           {"extra_field"}},
          {R"({"person":{"name":"张伟","age":32,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"}})",
           true,
           true,
           {"missing_field", "extra_field"}},
          {R"({"name":"张伟","age":"32","job":"工程师","skills":"Python","note":""})",
           true,
           true,
           {"number_in_quotes", "wrong_value", "array_as_string", "missing_field", "extra_field"}},
          {"{}", true, true, {"missing_field"}},
      });
}

TEST(JudgeAnswer, NoJsonAtAll) {
  check(article_json_task(),
        {
            {"", false, false, {"syntax"}},
            {"   \n ", false, false, {"syntax"}},
            {"好的，我无法完成。", false, false, {"syntax"}},
            {"Sorry, I can't.", false, false, {"syntax"}},
            {R"({"name":"张伟","age":32,)", false, false, {"syntax"}},
            {R"({'name':'张伟','age':32})", false, false, {"syntax"}},
            {R"({name:"张伟"})", false, false, {"syntax"}},
            {R"({"name":"张伟","age":32,})", false, false, {"syntax"}},
            {R"({"name":"张伟" "age":32})", false, false, {"syntax"}},
            {R"({"name":"张伟","age":NaN})", false, false, {"syntax"}},
            {R"({"name":"张伟","age":032})", false, false, {"syntax"}},
            {R"({"name":"张伟","age":True})", false, false, {"syntax"}},
            {"{\"name\":\"张\n伟\"}", false, false, {"syntax"}},
            {R"({"name":"张伟","name":"李娜"})", false, false, {"syntax"}},
            {"{{\"name\":1}", false, true, {"extra_text", "missing_field", "wrong_type"}},
            {"```json\n{\"name\":\n```", false, false, {"syntax"}},
            {"}{", false, false, {"syntax"}},
            {"{\"name\":\"\xFF\"}", false, false, {"syntax"}},
        });
}

TEST(JudgeAnswer, JsonThatIsNoObject) {
  check(article_json_task(), {
                                 {"32", true, true, {"wrong_type"}},
                                 {"\"张伟\"", true, true, {"wrong_type"}},
                                 {"null", true, true, {"wrong_type"}},
                                 {"[]", true, true, {"wrong_type"}},
                                 {"[{\"name\":\"张伟\"}]", true, true, {"wrong_type"}},
                             });
}

TEST(JudgeAnswer, WordsAroundTheJson) {
  const std::string person = kPerson;
  const auto with = [&](const std::string& before, const std::string& behind) {
    return before + person + behind;
  };
  const std::string fenced = with("```json\n", "\n```"), plain_fence = with("```\n", "\n```\n"),
                    polite = with("当然可以：\n", ""), chatty = with("", "\n希望对你有帮助！"),
                    both = with("Here you are:\n```json\n", "\n```\nAnything else?"),
                    twice = person + "\n" + person, open = with("```json\n", ""),
                    second_fence = "```python\nprint(1)\n```\n" + fenced, bom = "\uFEFF" + person,
                    after_brace = "用 {花括号} 表示：" + person;
  check(article_json_task(), {
                                 {fenced.c_str(), false, true, {"fence"}},
                                 {plain_fence.c_str(), false, true, {"fence"}},
                                 {open.c_str(), false, true, {"fence"}},
                                 {polite.c_str(), false, true, {"extra_text"}},
                                 {chatty.c_str(), false, true, {"extra_text"}},
                                 {both.c_str(), false, true, {"extra_text", "fence"}},
                                 {twice.c_str(), false, true, {"extra_text"}},
                                 {second_fence.c_str(), false, true, {"extra_text", "fence"}},
                                 {bom.c_str(), false, true, {"extra_text"}},
                                 {after_brace.c_str(), false, true, {"extra_text"}},
                             });
  EXPECT_FALSE(judge_answer(article_json_task(), both).ok());
  EXPECT_TRUE(judge_answer(article_json_task(), both).values_right);  // what stands inside is right
}

TEST(JudgeAnswer, TasksThatNameTheirKeys) {
  const JsonTask& order = *find_json_task("order-zh");
  check(
      order,
      {
          {R"({"order_id":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":86.5,"paid":true})",
           true,
           true,
           {}},
          {R"({"order_number":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":86.5,"paid":true})",
           true,
           true,
           {"wrong_name"}},
          {R"({"orderId":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":86.5,"paid":true})",
           true,
           true,
           {"wrong_name"}},
          {R"({"number":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":86.5,"paid":true})",
           true,
           true,
           {"wrong_name"}},  // known by its value
          {R"({"order_id":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":"86.5","paid":"true"})",
           true,
           true,
           {"number_in_quotes", "wrong_type"}},
          {R"({"order_id":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":"86.5元","paid":false})",
           true,
           true,
           {"wrong_type", "wrong_value"}},
          {R"({"order_id":2045,"customer":"李娜","items":"笔记本、钢笔、书签","total":8.65e1,"paid":true})",
           true,
           true,
           {"wrong_type", "array_as_string"}},
          // That something is true says nothing of what it is.
          {R"({"order_id":"A2045","customer":"李娜","items":["笔记本","钢笔","书签"],"total":86.5,"vip":true})",
           true,
           true,
           {"missing_field", "extra_field"}},
      });
  const JsonTask& contact = *find_json_task("contact-en");
  check(
      contact,
      {
          {R"({"name":"Maria Keller","company":"Nordwind Logistics","email":"maria.keller@nordwind.example",)"
           R"("extension":417,"languages":["German","English","Polish"]})",
           true,
           true,
           {}},
          {R"({"name":"Maria Keller","company":"Nordwind Logistics","email":"maria.keller@nordwind.example",)"
           R"("extension":"417","languages":["German","English","Polish"],"phone":null})",
           true,
           true,
           {"number_in_quotes", "extra_field"}},
          {R"({"name":"Maria","company":"nordwind logistics","email":"maria.keller@nordwind.example",)"
           R"("extension":417,"languages":["German","English","Polish"]})",
           true,
           true,
           {"wrong_value"}},
      });
}

TEST(JudgeAnswer, SaysHowFarItIsRight) {
  const JsonTask& task = article_json_task();
  const AnswerVerdict right = judge_answer(task, kPerson);
  EXPECT_TRUE(right.complete && right.types_right && right.values_right);
  EXPECT_FALSE(right.renamed);
  const AnswerVerdict renamed = judge_answer(
      task,
      R"({"name":"张伟","age":32,"occupation":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})");
  EXPECT_TRUE(renamed.renamed && renamed.complete && renamed.values_right);
  const AnswerVerdict quoted = judge_answer(
      task,
      R"({"name":"张伟","age":"32","job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})");
  EXPECT_TRUE(quoted.complete);
  EXPECT_FALSE(quoted.types_right || quoted.values_right);
  const AnswerVerdict wrong = judge_answer(
      task, R"({"name":"张伟","age":31,"job":"软件工程师","skills":["Python","Java","SQL"],"city":"杭州"})");
  EXPECT_TRUE(wrong.complete && wrong.types_right);
  EXPECT_FALSE(wrong.values_right);
  EXPECT_EQ(wrong.detail, "\"age\" is 31");
  const AnswerVerdict none = judge_answer(task, "no");
  EXPECT_FALSE(none.complete || none.types_right || none.values_right);
}

TEST(JudgeAnswer, HostileAnswersAreBounded) {
  const JsonTask& task = article_json_task();
  EXPECT_TRUE(judge_answer(task, std::string(200'000, '{')).has(AnswerFault::kSyntax));
  EXPECT_TRUE(judge_answer(task, std::string(200'000, '[')).has(AnswerFault::kSyntax));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  EXPECT_TRUE(judge_answer(task, deep + "1" + std::string(100, '}')).has(AnswerFault::kSyntax) ||
              judge_answer(task, deep + "1" + std::string(100, '}')).has(AnswerFault::kExtraText));
  std::string fences;
  for (int i = 0; i < 20'000; ++i) fences += "```\n";
  EXPECT_TRUE(judge_answer(task, fences).has(AnswerFault::kSyntax));
  EXPECT_TRUE(judge_answer(task, std::string(2 << 20, 'x')).has(AnswerFault::kSyntax));
}

TEST(JsonTasks, TheExpectedAnswersAreRight) {
  std::vector<const JsonTask*> tasks = {&article_json_task()};
  for (const JsonTask& task : keyed_json_tasks()) tasks.push_back(&task);
  for (const JsonTask* task : tasks) {
    JsonObject expected;
    for (const JsonField& field : task->fields) {
      ASSERT_FALSE(field.accepted.empty());
      expected.emplace_back(field.name, field.accepted[0]);
      // What a task asks for stands in it; and where it names its keys, those do.
      EXPECT_EQ(task->names_keys, task->prompt.find('"' + field.name + '"') != std::string::npos)
          << field.name;
      const std::string* value = field.accepted[0].as_string();
      EXPECT_TRUE(value == nullptr || task->prompt.find(*value) != std::string::npos) << *value;
    }
    EXPECT_TRUE(judge_answer(*task, write_json(Json(expected))).ok()) << task->id;
    EXPECT_EQ(find_json_task(task->id), task);
  }
  EXPECT_EQ(find_json_task("none"), nullptr);
}

TEST(JsonTasks, SchemasNameEveryField) {
  EXPECT_EQ(write_json(Json(schema_of(article_json_task()))),
            R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},)"
            R"("job":{"type":"string"},"skills":{"type":"array","items":{"type":"string"}},)"
            R"("city":{"type":"string"}},"required":["name","age","job","skills","city"],)"
            R"("additionalProperties":false})");
}

}  // namespace
}  // namespace hussar
