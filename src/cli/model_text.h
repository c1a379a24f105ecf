// What a model says about text: GGUF's keys, or the JSON documents of a folder, as the same plain values.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"
#include "weights/model_file.h"

namespace hussar {

struct ModelText {
  Vocabulary vocabulary;          // as many tokens as the embedding has rows
  std::vector<TokenId> stop_ids;  // every id that ends an answer, sorted
  std::string bos_token;          // spelt, for the chat template; empty: none
  std::string eos_token;
  std::string chat_template;     // its source; empty: none,
  std::string template_problem;  // for this reason
};

// The vocabulary alone. Errors: as read_vocabulary, read_tokenizer_json; kNotFound (a folder without
// tokenizer.json).
Result<Vocabulary> read_model_vocabulary(const ModelFile& file);

// `rows` is the embedding's. Errors: those above; kInvalid (more tokens than rows, ids or names of special
// tokens that the vocabulary lacks; names the file and the key).
Result<ModelText> read_model_text(const ModelFile& file, int32_t rows);

// A folder's documents; null where there is none.
struct FolderDocuments {
  const Json* config = nullptr;
  const Json* tokenizer = nullptr;
  const Json* tokenizer_config = nullptr;
  const Json* generation_config = nullptr;
  const std::string* chat_template = nullptr;
};
Result<ModelText> read_folder_text(const FolderDocuments& documents, int32_t rows);

}  // namespace hussar
