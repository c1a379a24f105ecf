// Reads a tokenizer.json as Hugging Face's tokenizers write it: byte-level BPE in the shapes that the
// supported models have. What could change a token and is not understood is refused by name.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace hussar {

// Every id from 0 to the last one has exactly one token; merges are checked by Tokenizer::create. Errors:
// kUnsupported (a model, normaliser, pre-tokenizer, post-processor or option that we don't have; names it),
// kInvalid (a missing member or a wrong value; names it), kTooLarge (more than 2^20 tokens, 2^21 merges or 64
// KB a token).
Result<Vocabulary> read_tokenizer_json(const Json& document);

// Adds what tokenizer_config.json's "added_tokens_decoder" says beyond tokenizer.json. Errors: those above;
// kInvalid where the two files disagree on an id.
Result<void> add_config_tokens(const Json& added_tokens_decoder, Vocabulary* vocabulary);

}  // namespace hussar
