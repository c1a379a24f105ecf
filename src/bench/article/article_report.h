// The whole report of a run.
#pragma once

#include <vector>

#include "bench/article/sections.h"
#include "bench/report.h"

namespace hussar {

// Fills in sections, rows, key figures, self-proof, server samples and warnings; who was measured, when and
// with which command is for the caller. `run.owner` is made from `report` where it is empty.
void add_article(ArticleRun run, Report* report);

// All records of the cells, in the order of the plan.
std::vector<RequestRecord> records_of(const ArticleRun& run);

// Dimensions without a single success, by their titles; those that the run did not come to are left out.
std::vector<Text> dimensions_without_success(const ArticleRun& run);

// Whose figures a column holds: server, model, tokenizer, hardware, as far as they are known.
Text column_owner(const Report& report);

}  // namespace hussar
