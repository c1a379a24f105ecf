// The five sections of the report, from the cells that were measured. Pure: every figure follows from the
// records, so that a run that goes on later, or is looked at again, says the same.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "bench/article/cell_result.h"
#include "bench/article/figures.h"
#include "bench/article/plan.h"
#include "bench/report.h"

namespace hussar {

struct ArticleRun {
  ArticleOptions options;
  std::vector<Cell> plan;
  std::vector<CellResult> cells;  // of the plan, as far as the run came
  // Whose the figures of a column are: "hussar 0.1.0: smollm2, AMD EPYC, 2 cores, its own tokenizer".
  Text owner, article_owner = article_column_owner();

  const CellResult* find(std::string_view id) const;  // null: not measured
};

Section latency_section(const ArticleRun& run);
Section long_output_section(const ArticleRun& run);
Section concurrency_section(const ArticleRun& run);
Section structured_section(const ArticleRun& run);
Section multi_turn_section(const ArticleRun& run);

// Scores of a cell for machines, which are no latencies: {"legal_fraction": 0.97, ...}.
JsonObject cell_scores(const Cell& cell, const CellResult& result, const ArticleOptions& options);

}  // namespace hussar
