#include "cli/vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>

namespace hussar {
namespace {

constexpr std::array<std::string_view, 3> kEndKeys = {
    "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
constexpr std::array<std::string_view, 5> kEndNames = {"<|im_end|>", "<|endoftext|>", "<|end_of_text|>",
                                                       "<|eot_id|>", "<|eom_id|>"};
// Pre-tokenizers of the Llama 3 family, whose files put a BOS in front unless they say otherwise.
constexpr std::array<std::string_view, 3> kBosByDefault = {"llama-bpe", "llama3", "llama-v3"};

Error key_error(std::string_view key, const std::string& message) {
  return Error{ErrorCode::kInvalid, std::string(key) + " " + message, std::string(key)};
}

template <typename T>
Result<T> get_list(const ModelFile& file, std::string_view key) {
  const MetaValue* value = file.find(key);
  if (value == nullptr) return key_error(key, "is missing: the file has no tokenizer");
  if (const T* list = std::get_if<T>(value)) return *list;
  return key_error(key, "has the wrong type");
}

// -1 when the file lacks the key.
Result<TokenId> get_token(const ModelFile& file, std::string_view key, size_t token_count) {
  if (file.find(key) == nullptr) return TokenId{-1};
  ASSIGN_OR_RETURN(const int64_t id, file.get_int(key));
  // Some converters write "none" as the largest 32-bit number.
  if (id == -1 || id == std::numeric_limits<uint32_t>::max()) return TokenId{-1};
  if (id < 0 || id >= static_cast<int64_t>(token_count)) {
    return key_error(key, "is " + std::to_string(id) + ", outside of the vocabulary of " +
                              std::to_string(token_count) + " tokens");
  }
  return static_cast<TokenId>(id);
}

}  // namespace

Result<Vocabulary> read_vocabulary(const ModelFile& file) {
  ASSIGN_OR_RETURN(const std::string model, file.get_string("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return Error{ErrorCode::kUnsupported,
                 "the tokenizer \"" + model + "\" is not supported, only byte-level BPE (gpt2) is",
                 "tokenizer.ggml.model"};
  }
  Vocabulary v;
  ASSIGN_OR_RETURN(v.pre, file.get_string("tokenizer.ggml.pre"));
  ASSIGN_OR_RETURN(v.tokens, get_list<std::vector<std::string>>(file, "tokenizer.ggml.tokens"));
  ASSIGN_OR_RETURN(v.merges, get_list<std::vector<std::string>>(file, "tokenizer.ggml.merges"));
  ASSIGN_OR_RETURN(const auto kinds, get_list<std::vector<int64_t>>(file, "tokenizer.ggml.token_type"));
  v.kinds.reserve(kinds.size());
  for (const int64_t kind : kinds) {
    // GGUF counts the kinds from 1, in the order of TokenKind.
    if (kind < 1 || kind > 6) return key_error("tokenizer.ggml.token_type", "has an unknown kind of token");
    v.kinds.push_back(static_cast<TokenKind>(kind - 1));
  }
  ASSIGN_OR_RETURN(v.bos, get_token(file, "tokenizer.ggml.bos_token_id", v.tokens.size()));
  v.add_bos =
      v.bos >= 0 && std::find(kBosByDefault.begin(), kBosByDefault.end(), v.pre) != kBosByDefault.end();
  if (const MetaValue* add_bos = file.find("tokenizer.ggml.add_bos_token")) {
    const bool* value = std::get_if<bool>(add_bos);
    if (value == nullptr) return key_error("tokenizer.ggml.add_bos_token", "is no boolean");
    v.add_bos = *value;
  }
  return v;
}

Result<void> fit_vocabulary(Vocabulary* vocabulary, int32_t rows) {
  const size_t row_count = static_cast<size_t>(rows);
  if (vocabulary->tokens.size() > row_count) {
    return Error{ErrorCode::kInvalid,
                 "the tokenizer has " + std::to_string(vocabulary->tokens.size()) +
                     " tokens, but the embedding has only " + std::to_string(rows) +
                     " rows: they belong to different models",
                 ""};
  }
  // Kinds of another count than the tokens are an error that the tokenizer reports.
  if (vocabulary->kinds.size() == vocabulary->tokens.size())
    vocabulary->kinds.resize(row_count, TokenKind::kUnused);
  while (vocabulary->tokens.size() < row_count) {
    vocabulary->tokens.push_back("[unused row " + std::to_string(vocabulary->tokens.size()) + "]");
  }
  return {};
}

Result<std::vector<TokenId>> find_stop_ids(const ModelFile& file, const Vocabulary& vocabulary) {
  std::vector<TokenId> ids;
  for (const std::string_view key : kEndKeys) {
    ASSIGN_OR_RETURN(const TokenId id, get_token(file, key, vocabulary.tokens.size()));
    if (id >= 0) ids.push_back(id);
  }
  add_usual_end_tokens(vocabulary, &ids);
  return ids;
}

void add_usual_end_tokens(const Vocabulary& vocabulary, std::vector<TokenId>* ids) {
  for (size_t id = 0; id < std::min(vocabulary.tokens.size(), vocabulary.kinds.size()); ++id) {
    if (vocabulary.kinds[id] != TokenKind::kControl) continue;
    if (std::find(kEndNames.begin(), kEndNames.end(), vocabulary.tokens[id]) == kEndNames.end()) continue;
    ids->push_back(static_cast<TokenId>(id));
  }
  std::sort(ids->begin(), ids->end());
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
}

Result<std::string> special_spelling(const ModelFile& file, const Vocabulary& vocabulary,
                                     std::string_view key) {
  ASSIGN_OR_RETURN(const TokenId id, get_token(file, key, vocabulary.tokens.size()));
  return id < 0 ? std::string() : vocabulary.tokens[static_cast<size_t>(id)];
}

}  // namespace hussar
