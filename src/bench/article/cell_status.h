// What a cell's result is called, and why: pure, from its records.
#pragma once

#include <cstdint>

#include "bench/article/cell_result.h"
#include "bench/article/plan.h"

namespace hussar {

struct CellTarget {
  int64_t requests = -1;      // that should succeed; -1: as many as there is time for
  int32_t output_tokens = 0;  // that the full test asks for
  double box_s = 0;           // the time that the cell had; 0: as long as it takes
  bool interrupted = false;
};

// Sets status and note: "measured"; "does_not_fit" and "failed" with the server's words; "cut" with what is
// missing. A status that stands already ("refused", "unsupported") stays.
void set_status(const Cell& cell, const CellTarget& wanted, CellResult* result);

// "1024 + 512 tokens exceed the context of 1024"
Text does_not_fit_note(int64_t prompt_tokens, int64_t output_tokens, int64_t context_tokens);

}  // namespace hussar
