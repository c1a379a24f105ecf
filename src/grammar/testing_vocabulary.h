// Test support: a small vocabulary, and random answers that a grammar allows.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "grammar/compiled_grammar.h"
#include "grammar/matcher.h"

namespace hussar {

// Ids 0 to 255 are bytes; then come tokens of several bytes, as a trained vocabulary has them, across the
// borders of JSON's parts; a control token without bytes, and the end token.
inline std::vector<std::string> testing_token_bytes() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* token : {"{\"", "\":", "\": ", "\",",          "\", \"",   "\"}",   "}}",   "[[",
                            "]]",  "], ", "name", "age",          "true",     "false", "null", "12",
                            "000", " \"", "ab",   "\xe4\xbd\xa0", "\xe4\xbd", "\\u00", ", "}) {
    tokens.emplace_back(token);
  }
  tokens.emplace_back();
  tokens.emplace_back();
  return tokens;
}
inline constexpr TokenId kTestControl = 279, kTestEnd = 280;

inline std::shared_ptr<const GrammarVocabulary> testing_vocabulary() {
  auto vocabulary = GrammarVocabulary::create(testing_token_bytes(), {kTestEnd});
  CHECK(vocabulary.ok());
  return *vocabulary;
}

inline bool mask_allows(std::span<const uint32_t> mask, TokenId token) {
  return (mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
}

inline std::vector<TokenId> allowed_tokens(std::span<const uint32_t> mask) {
  std::vector<TokenId> tokens;
  for (size_t id = 0; id < mask.size() * 32; ++id) {
    if (mask_allows(mask, static_cast<TokenId>(id))) tokens.push_back(static_cast<TokenId>(id));
  }
  return tokens;
}

struct RandomAnswer {
  std::string text;
  bool ended = false;  // by the end token, within the token limit
};

// Draws among the allowed tokens, the end token first where it is one of them and a coin says so.
inline RandomAnswer random_answer(const std::shared_ptr<const CompiledGrammar>& grammar, int tokens_max,
                                  std::mt19937* random) {
  const std::vector<std::string> bytes = testing_token_bytes();
  auto matcher = Matcher::create(grammar);
  CHECK(matcher.ok());
  std::vector<uint32_t> mask(Matcher::mask_words(grammar->vocab_size()));
  RandomAnswer answer;
  for (int i = 0; i < tokens_max; ++i) {
    CHECK(matcher->fill_mask(mask).ok());
    const std::vector<TokenId> allowed = allowed_tokens(mask);
    TokenId token = allowed[(*random)() % allowed.size()];
    // A document ends now and then although few of its tokens are ends of something.
    for (const char close : {'"', ']', '}'}) {
      if (mask_allows(mask, close) && (*random)() % 3 == 0) token = close;
    }
    if (mask_allows(mask, kTestEnd) && (*random)() % 2 == 0) token = kTestEnd;
    CHECK(matcher->accept(token).ok());
    if (token == kTestEnd) {
      answer.ended = true;
      return answer;
    }
    answer.text += bytes[static_cast<size_t>(token)];
  }
  return answer;
}

}  // namespace hussar
