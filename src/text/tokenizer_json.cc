#include "text/tokenizer_json.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/error_text.h"
#include "text/spelling_table.h"
#include "text/tokenizer_json_parts.h"

namespace hussar {
namespace {

constexpr size_t kTokensMax = size_t{1} << 20;
constexpr size_t kMergesMax = size_t{1} << 21;
constexpr size_t kTokenBytesMax = size_t{64} << 10;

Error too_large(const std::string& message) { return Error{ErrorCode::kTooLarge, message, ""}; }

// The same error with the file that it is about.
Error in_file(const char* file, Error error) {
  error.message = std::string(file) + ": " + error.message;
  error.field = file;
  return error;
}

// Puts a token into its place among as many places as there are tokens; so an id behind the end leaves a hole
// somewhere. A place is empty as long as its kind is kUnused.
Result<void> put_token(std::string_view spelling, const Json& id_value, const char* place, Vocabulary* v) {
  const auto problem = [&](const std::string& what) {
    return json_invalid(std::string(place) + ": the token " + quoted(spelling) + what);
  };
  const int64_t* id = id_value.as_int();
  if (id == nullptr) return problem(" has no integer as its id");
  if (*id < 0 || *id >= static_cast<int64_t>(v->tokens.size())) {
    return problem(" has the id " + std::to_string(*id) + ", but there are only " +
                   std::to_string(v->tokens.size()) + " tokens: some id has none");
  }
  if (spelling.size() > kTokenBytesMax) {
    return too_large(std::string(place) + ": the token " + quoted(spelling) + " has more than " +
                     std::to_string(kTokenBytesMax) + " bytes");
  }
  const auto index = static_cast<size_t>(*id);
  if (v->kinds[index] != TokenKind::kUnused)
    return problem(" has the id " + std::to_string(*id) + " of the token " + quoted(v->tokens[index]));
  v->tokens[index] = spelling;
  v->kinds[index] = TokenKind::kNormal;
  return {};
}

struct AddedToken {
  const std::string* content;
  bool special;
  SpecialRule rule;
};

// `id` is checked by the callers.
Result<AddedToken> read_added_token(const Json& item, int64_t id, const std::string& place) {
  const Json* content = item.find("content");
  if (content == nullptr || content->as_string() == nullptr || content->as_string()->empty()) {
    return json_invalid(place + " has no content");
  }
  const std::string named = place + " " + quoted(*content->as_string());
  AddedToken token{content->as_string(), false, {.id = static_cast<TokenId>(id)}};
  bool single_word = false;
  const std::pair<const char*, bool*> members[] = {{"special", &token.special},
                                                   {"lstrip", &token.rule.takes_space_before},
                                                   {"rstrip", &token.rule.takes_space_behind},
                                                   {"normalized", &token.rule.in_normal_form},
                                                   {"single_word", &single_word}};
  for (const auto& [key, to] : members) {
    ASSIGN_OR_RETURN(*to, read_flag(item, key, false, named));
  }
  if (single_word) return json_unsupported(named + " has single_word: true");
  return token;
}

Result<void> apply_added_token(const AddedToken& token, Vocabulary* v) {
  const auto index = static_cast<size_t>(token.rule.id);
  const auto bytes = bytes_of_spelling(*token.content);
  if (v->kinds[index] == TokenKind::kNormal && bytes) {
    if (*bytes != *token.content) {
      return json_unsupported("the added token " + quoted(*token.content) +
                              " is one of the model's that stands for other bytes");
    }
    // Plain text never becomes a control token, so the byte could not be written any more.
    if (token.special && bytes->size() == 1)
      return json_unsupported("the added token " + quoted(*token.content) + " is special and a single byte");
  }
  v->kinds[index] = token.special ? TokenKind::kControl : TokenKind::kUserDefined;
  const SpecialRule& rule = token.rule;
  if (rule.takes_space_before || rule.takes_space_behind || rule.in_normal_form)
    v->special_rules.push_back(rule);
  return {};
}

Result<std::vector<AddedToken>> read_added_tokens(const Json& document, size_t count_max) {
  std::vector<AddedToken> tokens;
  const Json* list = document.find("added_tokens");
  if (list == nullptr || list->is_null()) return tokens;
  if (list->as_array() == nullptr) return json_invalid("added_tokens must be an array");
  if (list->as_array()->size() > count_max) return too_large("added_tokens has too many tokens");
  for (const Json& item : *list->as_array()) {
    const std::string place = "added_tokens[" + std::to_string(tokens.size()) + "]";
    const Json* id = item.find("id");
    if (id == nullptr || id->as_int() == nullptr || *id->as_int() < 0 ||
        *id->as_int() >= static_cast<int64_t>(kTokensMax)) {
      return json_invalid(place + ".id must be an integer from 0 to " + std::to_string(kTokensMax - 1));
    }
    ASSIGN_OR_RETURN(AddedToken token, read_added_token(item, *id->as_int(), place));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// The model's tokens and the added ones, which may be among them.
Result<void> read_tokens(const Json& document, const JsonObject& vocab, Vocabulary* v) {
  if (vocab.empty()) return json_invalid("model.vocab has no tokens");
  if (vocab.size() > kTokensMax)
    return too_large("model.vocab has more than " + std::to_string(kTokensMax) + " tokens");
  ASSIGN_OR_RETURN(const std::vector<AddedToken> added,
                   read_added_tokens(document, kTokensMax - vocab.size()));
  // Which of the added ones are the model's own, by their place in `added`.
  SpellingTable places(added.size(), [&](TokenId place) -> std::string_view {
    return *added[static_cast<size_t>(place)].content;
  });
  for (size_t i = 0; i < added.size(); ++i) {
    if (!places.insert(*added[i].content, static_cast<TokenId>(i)))
      return json_invalid("added_tokens names " + quoted(*added[i].content) + " twice");
  }
  std::vector<const Json*> ids_in_vocab(added.size());
  size_t shared = 0;
  for (const auto& [spelling, id] : vocab) {
    const TokenId place = places.find(spelling);
    if (place < 0) continue;
    ids_in_vocab[static_cast<size_t>(place)] = &id;
    ++shared;
  }
  v->tokens.resize(vocab.size() + added.size() - shared);
  v->kinds.assign(v->tokens.size(), TokenKind::kUnused);
  for (const auto& [spelling, id] : vocab) RETURN_IF_ERROR(put_token(spelling, id, "model.vocab", v));
  for (size_t i = 0; i < added.size(); ++i) {
    const AddedToken& token = added[i];
    if (ids_in_vocab[i] == nullptr) {
      RETURN_IF_ERROR(put_token(*token.content, Json(int64_t{token.rule.id}), "added_tokens", v));
    } else if (const int64_t id = *ids_in_vocab[i]->as_int(); id != token.rule.id) {
      return json_invalid("added_tokens gives " + quoted(*token.content) + " the id " +
                          std::to_string(token.rule.id) + ", but model.vocab has it as " +
                          std::to_string(id));
    }
  }
  for (const AddedToken& token : added) RETURN_IF_ERROR(apply_added_token(token, v));
  return {};
}

// Each as "left right", or as a pair.
Result<void> read_merges(const Json& model, Vocabulary* v) {
  const Json* list = model.find("merges");
  if (list == nullptr || list->as_array() == nullptr) return json_invalid("model.merges must be an array");
  if (list->as_array()->size() > kMergesMax)
    return too_large("model.merges has more than " + std::to_string(kMergesMax) + " merges");
  v->merges.reserve(list->as_array()->size());
  for (const Json& item : *list->as_array()) {
    const std::string place = "model.merges[" + std::to_string(v->merges.size()) + "]";
    if (const std::string* text = item.as_string()) {
      v->merges.push_back(*text);
      continue;
    }
    const JsonArray* pair = item.as_array();
    if (pair == nullptr || pair->size() != 2 || (*pair)[0].as_string() == nullptr ||
        (*pair)[1].as_string() == nullptr) {
      return json_invalid(place + " must be a string or a pair of strings");
    }
    v->merges.push_back(*(*pair)[0].as_string() + ' ' + *(*pair)[1].as_string());
  }
  // Two readers could take different ones of them.
  SpellingTable seen(v->merges.size(), [&](TokenId place) -> std::string_view {
    return v->merges[static_cast<size_t>(place)];
  });
  for (size_t i = 0; i < v->merges.size(); ++i) {
    const std::string& merge = v->merges[i];
    if (!seen.insert(merge, static_cast<TokenId>(i)))
      return json_invalid("model.merges has " + quoted(merge) + " twice");
  }
  return {};
}

// What is done with a byte that has no token: it is left out, unless unk_token stands for it.
Result<void> check_unknown_token(const Json& model, const Vocabulary& v) {
  const Json* unknown = model.find("unk_token");
  if (unknown == nullptr || unknown->is_null()) return {};
  if (unknown->as_string() == nullptr) return json_invalid("model.unk_token must be a string");
  std::vector<bool> seen(256);
  size_t count = 0;
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    const auto bytes = v.tokens[i].size() <= 2 ? bytes_of_spelling(v.tokens[i]) : std::nullopt;
    if (!bytes || bytes->size() != 1 || v.kinds[i] == TokenKind::kControl) continue;
    const auto byte = static_cast<unsigned char>((*bytes)[0]);
    count += !seen[byte];
    seen[byte] = true;
  }
  if (count == seen.size()) return {};
  return json_unsupported("model.unk_token is " + quoted(*unknown->as_string()) + " and " +
                          std::to_string(seen.size() - count) + " bytes have no token of their own");
}

Result<void> check_model_options(const Json& model) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* value = model.find(key);
    const bool off = value == nullptr || value->is_null() ||
                     (value->as_string() != nullptr && value->as_string()->empty());
    if (!off) return json_unsupported("model." + std::string(key) + " is " + shown(*value));
  }
  double dropout = 0;
  const Json* value = model.find("dropout");
  if (value != nullptr && !value->is_null() && (!value->as_number(&dropout) || dropout != 0)) {
    return json_unsupported("model.dropout is " + shown(*value));
  }
  ASSIGN_OR_RETURN(const bool byte_fallback, read_flag(model, "byte_fallback", false, "model"));
  if (byte_fallback) return json_unsupported("model.byte_fallback is true");
  return {};
}

Result<const Json*> find_bpe(const Json& document) {
  if (document.as_object() == nullptr)
    return json_invalid("it must hold an object, not " + std::string(document.type_name()));
  const Json* model = document.find("model");
  if (model == nullptr || model->as_object() == nullptr) return json_invalid("model is missing");
  const Json* type = model->find("type");
  // Old files have no type.
  const bool bpe = type == nullptr ? model->find("merges") != nullptr
                                   : type->as_string() != nullptr && *type->as_string() == "BPE";
  if (!bpe) {
    return json_unsupported("model.type is " + (type == nullptr ? std::string("missing") : shown(*type)) +
                            ", only byte-level BPE can be used");
  }
  return model;
}

Result<Vocabulary> read_document(const Json& document) {
  ASSIGN_OR_RETURN(const Json* model, find_bpe(document));
  RETURN_IF_ERROR(check_model_options(*model));
  const Json* vocab = model->find("vocab");
  if (vocab == nullptr || vocab->as_object() == nullptr) return json_invalid("model.vocab must be an object");
  Vocabulary v;
  RETURN_IF_ERROR(read_tokens(document, *vocab->as_object(), &v));
  RETURN_IF_ERROR(read_merges(*model, &v));
  RETURN_IF_ERROR(check_unknown_token(*model, v));
  ASSIGN_OR_RETURN(v.ignores_merges, read_flag(*model, "ignore_merges", false, "model"));
  ASSIGN_OR_RETURN(v.wants_nfc, read_normalizer(document.find("normalizer")));
  ASSIGN_OR_RETURN(v.pre, read_pre_tokenizer(document.find("pre_tokenizer")));
  RETURN_IF_ERROR(check_decoder(document.find("decoder")));
  ASSIGN_OR_RETURN(const auto bos, read_post_processor(document.find("post_processor")));
  if (!bos) return v;
  if (bos->id < 0 || static_cast<size_t>(bos->id) >= v.tokens.size() ||
      v.tokens[static_cast<size_t>(bos->id)] != bos->spelling) {
    return json_invalid("post_processor puts the token " + quoted(bos->spelling) + " with the id " +
                        std::to_string(bos->id) + " in front, which model.vocab and added_tokens don't have");
  }
  v.bos = static_cast<TokenId>(bos->id);
  v.add_bos = true;
  return v;
}

Result<void> add_decoder_tokens(const Json& added_tokens_decoder, Vocabulary* vocabulary) {
  const JsonObject* members = added_tokens_decoder.as_object();
  if (members == nullptr) return json_invalid("added_tokens_decoder must be an object");
  if (members->size() > kTokensMax) return too_large("added_tokens_decoder has too many tokens");
  std::vector<AddedToken> tokens;
  for (const auto& [key, item] : *members) {
    const std::string place = "added_tokens_decoder." + key.substr(0, 16);
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0 ||
        id >= static_cast<int64_t>(kTokensMax)) {
      return json_invalid(place + " is no token id");
    }
    ASSIGN_OR_RETURN(AddedToken token, read_added_token(item, id, place));
    tokens.push_back(std::move(token));
  }
  std::sort(tokens.begin(), tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.rule.id < b.rule.id; });
  for (const AddedToken& token : tokens) {
    const auto index = static_cast<size_t>(token.rule.id);
    if (index == vocabulary->tokens.size()) {
      vocabulary->tokens.push_back(*token.content);
      vocabulary->kinds.push_back(TokenKind::kUnused);
    }
    if (index > vocabulary->tokens.size() || vocabulary->tokens[index] != *token.content) {
      return json_invalid(
          "token " + std::to_string(index) + " is " +
          (index < vocabulary->tokens.size() ? quoted(vocabulary->tokens[index]) : "missing") +
          " in tokenizer.json, but " + quoted(*token.content) +
          " here: the two files belong to different models");
    }
    const TokenKind kind = vocabulary->kinds[index];
    if (kind == TokenKind::kControl || kind == TokenKind::kUserDefined) continue;
    RETURN_IF_ERROR(apply_added_token(token, vocabulary));
  }
  return {};
}

}  // namespace

Result<Vocabulary> read_tokenizer_json(const Json& document) {
  auto vocabulary = read_document(document);
  if (!vocabulary.ok()) return in_file("tokenizer.json", vocabulary.error());
  return vocabulary;
}

Result<void> add_config_tokens(const Json& added_tokens_decoder, Vocabulary* vocabulary) {
  const auto done = add_decoder_tokens(added_tokens_decoder, vocabulary);
  if (!done.ok()) return in_file("tokenizer_config.json", done.error());
  return {};
}

}  // namespace hussar
