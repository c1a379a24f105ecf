// The grammar library's side of CompiledGrammar, for the files of this folder alone.
#pragma once

#include <xgrammar/xgrammar.h>

#include <bitset>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/compiled_grammar.h"
#include "grammar/internal/ending_table.h"
#include "grammar/internal/parse_work.h"
#include "grammar/json_schema_validator.h"

namespace hussar {

struct GrammarVocabulary::Impl {
  xgrammar::TokenizerInfo info;
  std::vector<TokenId> stop_ids;
  std::bitset<256> bytes;  // those that are a token by themselves

  // `text` as tokens, each the longest that fits. REQUIRES: each byte of it is in `bytes`.
  std::vector<TokenId> tokens_of(std::string_view text) const;
};

struct CompiledGrammar::Impl {
  std::shared_ptr<const GrammarVocabulary> vocabulary;
  xgrammar::CompiledGrammar grammar;
  std::vector<SchemaCheck> checks;
  std::optional<JsonSchema> validator;  // where there are checks
  size_t validator_bytes = 0;           // about
  EndingTable endings;
  std::vector<uint32_t> first_mask;
  int32_t tokens_min = 0;
};

// The library's message without the place in its sources, as one line of bounded length.
std::string library_message(std::string_view what);

// Runs `body`; what it throws becomes an Error.
template <typename Body>
auto without_throwing(const Body& body) -> Result<std::invoke_result_t<Body>> {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
      body();
      return {};
    } else {
      return body();
    }
  } catch (const ParseWork::Exceeded& error) {
    return Error{ErrorCode::kTooLarge, error.what(), ""};
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "the grammar needs too much memory", ""};
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInvalid, library_message(error.what()), ""};
  }
}

}  // namespace hussar
