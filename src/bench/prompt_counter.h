// How the tokens of a text are counted by the server under test.
#pragma once

#include <cstdint>
#include <string>

#include "bench/prompts.h"
#include "bench/target.h"

namespace hussar {

struct PromptCounter {
  TokenCounter count;      // null: the server counts nothing
  std::string how;         // "/tokenize", "usage" or "unknown"
  int32_t counts_max = 0;  // how many counts are reasonable to ask for
};

// Through /tokenize; where there is none, through the `usage` of answers of one token. Asks once to see
// whether that works. `target` must outlive it.
PromptCounter find_prompt_counter(Target& target, Api api);

// `prompt_tokens` of an answer of one token to `text`. Errors: kUnsupported where the server does not say,
// kIo.
Result<int32_t> count_by_usage(Target& target, Api api, const std::string& text);

}  // namespace hussar
