// Runs one cell of the plan against a server.
#pragma once

#include <atomic>
#include <functional>

#include "bench/article/cell_result.h"
#include "bench/article/plan.h"
#include "bench/load.h"
#include "bench/prompts.h"
#include "bench/server_watch.h"
#include "bench/target.h"

namespace hussar {

// What all cells share. Whoever runs cells owns what the pointers point at.
struct ArticleBench {
  Target* target = nullptr;
  const PromptMaker* prompts = nullptr;
  const ServerWatch* watch = nullptr;  // null: the server is not watched
  ArticleOptions options;
  Speed speed;
  LoadTimeouts timeouts;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const RunProgress&)> on_progress;  // may be empty
};

// --quick: the cell ends after `share_s`, and what still runs is cut off; where nothing of its dimension has
// succeeded yet, it may wait `grace_s` more for a first answer. A full run: both 0, which is no limit.
struct CellTime {
  double share_s = 0, grace_s = 0;
};

// Blocks until the cell has ended. `number` is its place in the plan: prompts of different cells differ.
// What goes wrong is in the result's status.
CellResult run_cell(const ArticleBench& bench, const Cell& cell, uint64_t number, const CellTime& time);

// How fast the server is, from a few short requests. Errors: kIo when none of them succeeds, with what the
// server said; kCancelled when `stop` came first.
Result<Speed> measure_speed(const ArticleBench& bench);

}  // namespace hussar
