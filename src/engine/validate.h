// What a request may ask for, checked before it is accepted, so that nothing behind this point meets a bad
// value.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "engine/request.h"

namespace hussar {

struct RequestLimits {
  int32_t vocab_size = 0;
  int32_t context_max = 0;  // positions of one sequence
  int32_t kv_blocks = 0;
  int32_t kv_block_tokens = 0;
  int32_t bias_max = 4096;  // entries of logit_bias
  int32_t stop_ids_max = 1024;
  int32_t bad_words_max = 1024;      // sequences
  int32_t bad_word_tokens_max = 64;  // of one
  int32_t logprobs_top_max = 20;
  int32_t cache_salt_bytes_max = 1024;
  int32_t priority_max = 1000;  // and as far below 0
};

// Errors: kInvalid and kTooLarge; `field` names the culprit as the API spells it.
Result<void> validate_request(const Request& request, const RequestLimits& limits);

}  // namespace hussar
