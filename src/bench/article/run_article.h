// Runs the cells of a plan one after the other: what is done already is left out, --quick's boxes are kept,
// and each cell is handed on as soon as it has ended.
#pragma once

#include <functional>
#include <vector>

#include "bench/article/cell_runner.h"
#include "bench/article/plan.h"

namespace hussar {

struct ArticleProgress {
  const Cell* cell = nullptr;
  size_t number = 0, count = 0;  // of the plan, from 1
  double left_s = 0;             // of the whole run, estimated
};

struct ArticleHooks {
  std::function<void(const ArticleProgress&)> on_cell;  // before each
  // After each that was not interrupted. An error ends the run.
  std::function<Result<void>(const CellResult&)> on_result;
};

// How long what is not done yet will take.
double estimated_rest_s(const std::vector<Cell>& plan, const std::vector<CellResult>& done,
                        const ArticleOptions& options, const Speed& speed);

// Adds to `cells`, which holds what is done. A cell that was interrupted is added too, but not handed to
// on_result. Errors: those of on_result. True: it was interrupted.
Result<bool> run_plan(const ArticleBench& bench, const std::vector<Cell>& plan, const ArticleHooks& hooks,
                      std::vector<CellResult>* cells);

}  // namespace hussar
