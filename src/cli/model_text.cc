#include "cli/model_text.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "cli/vocabulary.h"
#include "text/error_text.h"
#include "text/tokenizer_json.h"

namespace hussar {
namespace {

constexpr size_t kStopIdsMax = 64;    // of one document
constexpr size_t kTemplatesMax = 64;  // of one list
constexpr const char* kTokenizerConfig = "tokenizer_config.json";

Error in_document(const char* file, ErrorCode code, const std::string& message) {
  return Error{code, std::string(file) + ": " + message, file};
}

const Json* find_value(const Json* document, std::string_view key) {
  const Json* value = document == nullptr ? nullptr : document->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// How tokenizer_config.json spells a special token: a string, or an object with its content. Empty when it
// names none.
Result<std::string> token_spelling(const Json* config, const char* key) {
  const Json* value = find_value(config, key);
  if (value == nullptr) return std::string();
  const Json* content = value->as_object() == nullptr ? value : value->find("content");
  if (content != nullptr && content->as_string() != nullptr) return *content->as_string();
  return in_document(
      kTokenizerConfig, ErrorCode::kInvalid,
      std::string(key) + " must be a string or an object with a content, not " + shown(*value));
}

// The id of a special token; -1 for an empty spelling.
Result<TokenId> token_id(const Vocabulary& vocabulary, const std::string& spelling, const char* key) {
  if (spelling.empty()) return TokenId{-1};
  const auto found = std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), spelling);
  if (found != vocabulary.tokens.end()) return static_cast<TokenId>(found - vocabulary.tokens.begin());
  return in_document(
      kTokenizerConfig, ErrorCode::kInvalid,
      std::string(key) + " is " + hussar::quoted(spelling) + ", which tokenizer.json does not have");
}

Result<bool> flag_is_set(const Json* config, const char* key) {
  const Json* value = find_value(config, key);
  if (value == nullptr) return false;
  if (value->as_bool() != nullptr) return *value->as_bool();
  return in_document(kTokenizerConfig, ErrorCode::kInvalid,
                     std::string(key) + " must be true or false, not " + shown(*value));
}

// tokenizer_config.json has the last word on what is put in front of a text.
Result<void> apply_first_token(const Json* config, Vocabulary* vocabulary) {
  ASSIGN_OR_RETURN(const bool add_eos, flag_is_set(config, "add_eos_token"));
  if (add_eos) {
    return in_document(kTokenizerConfig, ErrorCode::kUnsupported,
                       "add_eos_token is true, which would end a prompt before its answer");
  }
  if (find_value(config, "add_bos_token") == nullptr) return {};
  ASSIGN_OR_RETURN(const bool add_bos, flag_is_set(config, "add_bos_token"));
  vocabulary->add_bos = false;
  if (!add_bos) return {};
  ASSIGN_OR_RETURN(const std::string spelling, token_spelling(config, "bos_token"));
  ASSIGN_OR_RETURN(vocabulary->bos, token_id(*vocabulary, spelling, "bos_token"));
  if (vocabulary->bos < 0)
    return in_document(kTokenizerConfig, ErrorCode::kInvalid,
                       "add_bos_token is true, but there is no bos_token");
  vocabulary->add_bos = true;
  return {};
}

Result<Vocabulary> read_folder_vocabulary(const FolderDocuments& documents) {
  if (documents.tokenizer == nullptr) {
    return Error{ErrorCode::kNotFound,
                 "the model's folder has no tokenizer.json; other forms of a tokenizer are not read", ""};
  }
  ASSIGN_OR_RETURN(Vocabulary vocabulary, read_tokenizer_json(*documents.tokenizer));
  if (const Json* tokens = find_value(documents.tokenizer_config, "added_tokens_decoder"))
    RETURN_IF_ERROR(add_config_tokens(*tokens, &vocabulary));
  RETURN_IF_ERROR(apply_first_token(documents.tokenizer_config, &vocabulary));
  return vocabulary;
}

// One id, or a list of them.
Result<void> add_end_ids(const char* file, const Json* document, size_t token_count,
                         std::vector<TokenId>* ids) {
  const Json* value = find_value(document, "eos_token_id");
  if (value == nullptr) return {};
  const JsonArray one{value->as_array() == nullptr ? *value : Json()};
  const JsonArray& items = value->as_array() == nullptr ? one : *value->as_array();
  if (items.size() > kStopIdsMax)
    return in_document(file, ErrorCode::kTooLarge,
                       "eos_token_id has more than " + std::to_string(kStopIdsMax) + " ids");
  for (const Json& item : items) {
    const int64_t* id = item.as_int();
    if (id == nullptr)
      return in_document(file, ErrorCode::kInvalid, "eos_token_id must be one integer or a list of them");
    if (*id < 0 || *id >= static_cast<int64_t>(token_count)) {
      return in_document(file, ErrorCode::kInvalid,
                         "eos_token_id is " + std::to_string(*id) + ", but tokenizer.json has " +
                             std::to_string(token_count) + " tokens");
    }
    ids->push_back(static_cast<TokenId>(*id));
  }
  return {};
}

Result<std::vector<TokenId>> folder_stop_ids(const FolderDocuments& documents, const Vocabulary& vocabulary,
                                             const std::string& eos) {
  std::vector<TokenId> ids;
  const size_t count = vocabulary.tokens.size();
  RETURN_IF_ERROR(add_end_ids("generation_config.json", documents.generation_config, count, &ids));
  RETURN_IF_ERROR(add_end_ids("config.json", documents.config, count, &ids));
  ASSIGN_OR_RETURN(const TokenId id, token_id(vocabulary, eos, "eos_token"));
  if (id >= 0) ids.push_back(id);
  add_usual_end_tokens(vocabulary, &ids);
  return ids;
}

// chat_template.jinja, else tokenizer_config.json's, which may be a list with names.
void find_template(const FolderDocuments& documents, ModelText* text) {
  const Json* value = find_value(documents.tokenizer_config, "chat_template");
  if (documents.chat_template != nullptr) {
    text->chat_template = *documents.chat_template;
  } else if (value != nullptr && value->as_string() != nullptr) {
    text->chat_template = *value->as_string();
  } else if (value != nullptr && value->as_array() != nullptr && value->as_array()->size() <= kTemplatesMax) {
    for (const Json& item : *value->as_array()) {
      const Json* name = item.find("name");
      const Json* source = item.find("template");
      if (name != nullptr && name->as_string() != nullptr && *name->as_string() == "default" &&
          source != nullptr && source->as_string() != nullptr) {
        text->chat_template = *source->as_string();
      }
    }
    text->template_problem = "tokenizer_config.json has several chat templates and none named default";
  } else {
    text->template_problem = value == nullptr ? "the folder has no chat template"
                                              : "tokenizer_config.json's chat_template has a wrong type";
  }
}

// The documents of a folder, and views of them.
struct ReadDocuments {
  std::optional<Json> config, tokenizer, tokenizer_config, generation_config;
  std::optional<std::string> chat_template;

  FolderDocuments view() const {
    const auto at = [](const auto& value) { return value ? &*value : nullptr; };
    return {.config = at(config),
            .tokenizer = at(tokenizer),
            .tokenizer_config = at(tokenizer_config),
            .generation_config = at(generation_config),
            .chat_template = at(chat_template)};
  }
};

Result<ReadDocuments> read_documents(const ModelFile& file) {
  ReadDocuments documents;
  ASSIGN_OR_RETURN(documents.config, file.read_document("config.json"));
  ASSIGN_OR_RETURN(documents.tokenizer, file.read_document("tokenizer.json"));
  ASSIGN_OR_RETURN(documents.tokenizer_config, file.read_document(kTokenizerConfig));
  ASSIGN_OR_RETURN(documents.generation_config, file.read_document("generation_config.json"));
  ASSIGN_OR_RETURN(documents.chat_template, file.read_chat_template());
  return documents;
}

Result<ModelText> read_gguf_text(const ModelFile& file, int32_t rows) {
  ModelText text;
  ASSIGN_OR_RETURN(text.vocabulary, read_vocabulary(file));
  RETURN_IF_ERROR(fit_vocabulary(&text.vocabulary, rows));
  ASSIGN_OR_RETURN(text.stop_ids, find_stop_ids(file, text.vocabulary));
  ASSIGN_OR_RETURN(text.bos_token, special_spelling(file, text.vocabulary, "tokenizer.ggml.bos_token_id"));
  ASSIGN_OR_RETURN(text.eos_token, special_spelling(file, text.vocabulary, "tokenizer.ggml.eos_token_id"));
  if (file.find("tokenizer.chat_template") == nullptr) {
    text.template_problem = "the file has no chat template";
    return text;
  }
  auto source = file.get_string("tokenizer.chat_template");
  (source.ok() ? text.chat_template : text.template_problem) =
      source.ok() ? *std::move(source) : source.error().message;
  return text;
}

}  // namespace

Result<Vocabulary> read_model_vocabulary(const ModelFile& file) {
  if (file.format() == ModelFormat::kGguf) return read_vocabulary(file);
  ASSIGN_OR_RETURN(const ReadDocuments documents, read_documents(file));
  return read_folder_vocabulary(documents.view());
}

Result<ModelText> read_model_text(const ModelFile& file, int32_t rows) {
  if (file.format() == ModelFormat::kGguf) return read_gguf_text(file, rows);
  ASSIGN_OR_RETURN(const ReadDocuments documents, read_documents(file));
  return read_folder_text(documents.view(), rows);
}

Result<ModelText> read_folder_text(const FolderDocuments& documents, int32_t rows) {
  ModelText text;
  ASSIGN_OR_RETURN(text.vocabulary, read_folder_vocabulary(documents));
  const Json* config = documents.tokenizer_config;
  ASSIGN_OR_RETURN(text.bos_token, token_spelling(config, "bos_token"));
  ASSIGN_OR_RETURN(text.eos_token, token_spelling(config, "eos_token"));
  ASSIGN_OR_RETURN(text.stop_ids, folder_stop_ids(documents, text.vocabulary, text.eos_token));
  RETURN_IF_ERROR(fit_vocabulary(&text.vocabulary, rows));
  find_template(documents, &text);
  return text;
}

}  // namespace hussar
