// Judges and scores for the Python tests: a JSON array a line on standard input, its answer a line on
// standard output.
//   ["tasks"]              every task with its prompt and fields
//   ["judge", task, answer]  what judge_answer says
//   ["long", text, wanted]   what score_long_text says
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/json.h"
#include "bench/article/json_tasks.h"
#include "bench/article/long_text.h"

namespace {

using namespace hussar;

Json describe(const JsonTask& task) {
  static constexpr const char* kTypes[] = {"string", "integer", "number", "boolean", "list"};
  JsonArray fields;
  for (const JsonField& field : task.fields) {
    JsonArray others;
    for (const std::string& name : field.other_names) others.emplace_back(name);
    fields.emplace_back(JsonObject{{"name", field.name},
                                   {"type", kTypes[static_cast<int>(field.type)]},
                                   {"accepted", field.accepted},
                                   {"other_names", std::move(others)}});
  }
  return JsonObject{{"id", task.id},
                    {"prompt", task.prompt},
                    {"names_keys", task.names_keys},
                    {"fields", std::move(fields)},
                    {"schema", schema_of(task)}};
}

Json tasks() {
  JsonArray all = {describe(article_json_task())};
  for (const JsonTask& task : keyed_json_tasks()) all.push_back(describe(task));
  return all;
}

Json judge(const std::string& task_id, const std::string& answer) {
  const JsonTask* task = find_json_task(task_id);
  CHECK(task != nullptr);
  const AnswerVerdict verdict = judge_answer(*task, answer);
  JsonArray faults;
  for (int i = 0; i < kAnswerFaultCount; ++i) {
    const auto fault = static_cast<AnswerFault>(i);
    if (verdict.has(fault)) faults.emplace_back(answer_fault_name(fault));
  }
  return JsonObject{{"legal", verdict.legal},
                    {"legal_inside", verdict.legal_inside},
                    {"complete", verdict.complete},
                    {"types_right", verdict.types_right},
                    {"values_right", verdict.values_right},
                    {"renamed", verdict.renamed},
                    {"faults", std::move(faults)}};
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json long_text(const std::string& text, int64_t wanted) {
  const LongTextScores scores = score_long_text(text, wanted);
  JsonArray distinct, phrases;
  for (const auto& share : scores.distinct) distinct.push_back(or_null(share));
  for (const RepeatedPhrase& phrase : scores.phrases) {
    phrases.emplace_back(JsonArray{phrase.text, phrase.count, phrase.units, phrase.first});
  }
  return JsonObject{{"length", scores.length()},
                    {"characters", scores.characters},
                    {"score", scores.length_score},
                    {"seq_rep_4", or_null(scores.seq_rep_4)},
                    {"distinct", std::move(distinct)},
                    {"marks", scores.replacement_marks},
                    {"phrases", std::move(phrases)},
                    {"begins", scores.repetition_begins ? Json(*scores.repetition_begins) : Json(nullptr)}};
}

Json evaluate(const JsonArray& line) {
  auto text = [&](size_t index) {
    CHECK(index < line.size() && line[index].as_string());
    return *line[index].as_string();
  };
  const std::string name = text(0);
  if (name == "tasks") return tasks();
  if (name == "judge") return judge(text(1), text(2));
  CHECK_NOTE(name == "long" && line.size() == 3 && line[2].as_int(), name.c_str());
  return long_text(text(1), *line[2].as_int());
}

}  // namespace

int main() {
  std::string text;
  while (std::getline(std::cin, text)) {
    const auto line = hussar::parse_json(text, hussar::JsonLimits{.bytes_max = 64 << 20});
    CHECK(line.ok() && line->as_array());
    std::printf("%s\n", hussar::write_json(evaluate(*line->as_array())).c_str());
  }
  return 0;
}
