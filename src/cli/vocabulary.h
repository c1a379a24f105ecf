// What a GGUF file says about its tokens: its keys to the plain values of text/.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"
#include "weights/model_file.h"

namespace hussar {

// Errors: kUnsupported (a tokenizer that is no byte-level BPE; names it), kInvalid (a key that is missing or
// wrong; names it).
Result<Vocabulary> read_vocabulary(const ModelFile& file);

// Brings the vocabulary to the embedding's `rows`: the rows behind the last token get unused tokens, so that
// every id that a model can pick has a meaning. Errors: kInvalid (more tokens than rows; names both numbers).
Result<void> fit_vocabulary(Vocabulary* vocabulary, int32_t rows);

// Every id that ends an answer, sorted: the file's eos, eot and eom, and control tokens that go by the usual
// names. Errors: kInvalid (an id outside of the vocabulary; names the key).
Result<std::vector<TokenId>> find_stop_ids(const ModelFile& file, const Vocabulary& vocabulary);

// Adds the control tokens that end an answer by the usual names; `ids` are sorted and unique then.
void add_usual_end_tokens(const Vocabulary& vocabulary, std::vector<TokenId>* ids);

// How the token that `key` names is spelt; empty when the file has no such key. Errors: as find_stop_ids.
Result<std::string> special_spelling(const ModelFile& file, const Vocabulary& vocabulary,
                                     std::string_view key);

}  // namespace hussar
