// Scores of cells for machines: what `bench compare` and other readers of results.json look at.
#include <string>

#include "bench/article/conversation_run.h"
#include "bench/article/figures.h"
#include "bench/article/long_text.h"
#include "bench/article/sections.h"
#include "bench/article/structured_counts.h"
#include "bench/statistics.h"

namespace hussar {
namespace {

double share(int64_t part, int64_t all) { return static_cast<double>(part) / static_cast<double>(all); }

JsonObject with_interval(int64_t part, int64_t all) {
  if (all == 0) return {{"count", 0}};
  const Interval interval = wilson_interval(part, all);
  return {{"count", all},
          {"right", part},
          {"share", share(part, all)},
          {"low", interval.low},
          {"high", interval.high}};
}

JsonObject structured_scores(const CellResult& result) {
  const StructuredCounts counts = count_answers(result.records);
  JsonObject faults;
  for (int i = 0; i < kAnswerFaultCount; ++i) {
    faults.emplace_back(std::string(answer_fault_name(static_cast<AnswerFault>(i))),
                        counts.faults[static_cast<size_t>(i)]);
  }
  return {{"answers", counts.answers},
          {"legal", with_interval(counts.legal, counts.answers)},
          {"legal_inside", with_interval(counts.legal_inside, counts.answers)},
          {"complete", with_interval(counts.complete, counts.answers)},
          {"types_right", with_interval(counts.types_right, counts.answers)},
          {"values_right", with_interval(counts.values_right, counts.answers)},
          {"ok", with_interval(counts.ok, counts.answers)},
          {"renamed", counts.renamed},
          {"faults", std::move(faults)}};
}

JsonObject long_scores(const CellResult& result) {
  JsonArray answers;
  auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  for (const RequestRecord& record : result.records) {
    if (record.stage < 0 || record.text.empty()) continue;
    const LongTextScores scores = score_long_text(record.text, kArticleLongWanted);
    JsonArray distinct;
    for (const auto& one : scores.distinct) distinct.push_back(or_null(one));
    answers.emplace_back(JsonObject{{"length", scores.length()},
                                    {"length_score", scores.length_score},
                                    {"seq_rep_4", or_null(scores.seq_rep_4)},
                                    {"distinct", std::move(distinct)},
                                    {"garbled", scores.replacement_marks},
                                    {"repetition_begins", or_null(scores.repetition_begins)},
                                    {"finish_reason", record.finish_reason}});
  }
  return {{"answers", std::move(answers)}};
}

JsonObject retention_scores(const Cell& cell, const CellResult& result, const ArticleOptions& options) {
  JsonArray distances;
  for (const RetentionAt& at :
       score_retention(conversations_of(cell, options), turn_answers(result.records))) {
    distances.emplace_back(JsonObject{{"turns", at.distance},
                                      {"recall", with_interval(at.recall.right, at.recall.asked)},
                                      {"newest_wins", with_interval(at.changed.right, at.changed.asked)},
                                      {"pairs", at.consistency.pairs},
                                      {"contradictions", at.consistency.one_right}});
  }
  return {{"distances", std::move(distances)}};
}

}  // namespace

JsonObject cell_scores(const Cell& cell, const CellResult& result, const ArticleOptions& options) {
  switch (cell.kind) {
    case CellKind::kStructured:
      return structured_scores(result);
    case CellKind::kLongOutput:
      return long_scores(result);
    case CellKind::kMultiTurn:
      return retention_scores(cell, result, options);
    case CellKind::kLatency:
    case CellKind::kConcurrency:
    case CellKind::kConnections:
    case CellKind::kBurst:
      return result.extra;
  }
  return {};
}

}  // namespace hussar
