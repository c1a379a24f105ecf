#include "bench/article/structured_counts.h"

#include "bench/article/json_tasks.h"

namespace hussar {

bool is_judged(const RequestRecord& record) {
  return record.stage >= 0 && (record.outcome == Outcome::kOk || record.outcome == Outcome::kEmptyAnswer);
}

StructuredCounts count_answers(const std::vector<RequestRecord>& records, std::string_view task) {
  StructuredCounts counts;
  for (const RequestRecord& record : records) {
    const JsonTask* of = find_json_task(record.label);
    if (of == nullptr || !is_judged(record) || (!task.empty() && record.label != task)) continue;
    const AnswerVerdict verdict = judge_answer(*of, record.text);
    ++counts.answers;
    counts.legal += verdict.legal;
    counts.legal_inside += verdict.legal_inside;
    counts.complete += verdict.complete;
    counts.types_right += verdict.types_right;
    counts.values_right += verdict.values_right;
    counts.ok += verdict.ok();
    counts.renamed += verdict.renamed;
    counts.cut_by_limit += record.finish_reason == "length";
    for (int i = 0; i < kAnswerFaultCount; ++i) {
      counts.faults[static_cast<size_t>(i)] += verdict.has(static_cast<AnswerFault>(i));
    }
  }
  return counts;
}

}  // namespace hussar
