// How much a grammar from elsewhere may cost.
#pragma once

#include <cstdint>

namespace hussar {

struct GrammarLimits {
  int64_t cpu_ms_max = 2000;               // of processor time, to compile one
  int64_t memory_bytes_max = 512LL << 20;  // above what the compiling process has to begin with
  int64_t text_bytes_max = 512LL << 10;    // of the grammar's text or choices
  int64_t result_bytes_max = 64LL << 20;   // of a compiled grammar on its way between the processes
  int64_t cache_bytes_max = 256LL << 20;   // of compiled grammars that are kept for the next request
};

}  // namespace hussar
