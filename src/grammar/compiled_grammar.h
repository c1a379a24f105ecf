// A grammar made ready for a vocabulary: which tokens each of its states allows. Made once, shared by any
// number of sequences and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "grammar/grammar_spec.h"
#include "grammar/schema_gate.h"

namespace hussar {

// The tokens that grammars are compiled for. Making one sorts all of them: once per model.
class GrammarVocabulary {
 public:
  struct Impl;

  // `token_bytes[id]` are what a token adds to an answer; one without bytes is never allowed. `stop_ids` end
  // an answer and are allowed only where the document is whole. Errors: kInvalid (no token, no or a wrong
  // stop id).
  static Result<std::shared_ptr<const GrammarVocabulary>> create(const std::vector<std::string>& token_bytes,
                                                                 std::vector<TokenId> stop_ids);
  explicit GrammarVocabulary(std::unique_ptr<const Impl> impl);
  ~GrammarVocabulary();

  int32_t vocab_size() const;
  const std::vector<TokenId>& stop_ids() const;
  const Impl& impl() const { return *impl_; }

 private:
  const std::unique_ptr<const Impl> impl_;
};

class CompiledGrammar {
 public:
  struct Impl;
  static constexpr int64_t kShortestBytesMax = 64
                                               << 10;  // a grammar whose shortest answer is longer is refused

  // A schema goes through plan_schema() first, so that what is compiled never lets through more than the
  // schema and its checks() do.
  //
  // Takes as long and as much memory as the grammar library likes: what comes from elsewhere goes through
  // GrammarCompiler. Errors: kInvalid (malformed, or no answer can fit it), kUnsupported (a keyword that
  // can't be enforced), kTooLarge, kOutOfMemory.
  static Result<std::shared_ptr<const CompiledGrammar>> compile(
      const GrammarSpec& spec, std::shared_ptr<const GrammarVocabulary> vocabulary);

  // The result as bytes, for another process with the same vocabulary, and back. Errors: kInvalid.
  Result<std::string> serialise() const;
  // `spec` and `checks` are those of the grammar that was serialised.
  static Result<std::shared_ptr<const CompiledGrammar>> deserialise(
      const std::string& bytes, const GrammarSpec& spec, std::vector<SchemaCheck> checks,
      std::shared_ptr<const GrammarVocabulary> vocabulary);

  explicit CompiledGrammar(std::unique_ptr<const Impl> impl);
  ~CompiledGrammar();

  int32_t vocab_size() const;
  const std::vector<TokenId>& stop_ids() const;
  // What a schema asks for beyond the grammar: a finished answer has to pass check().
  const std::vector<SchemaCheck>& checks() const;
  // Validates a finished answer against the whole schema; any thread, bounded in time. Without checks() every
  // answer passes. Errors: kInvalid, saying which keyword fails where; kTooLarge (a limit was reached first).
  Result<void> check(std::string_view answer) const;
  // Tokens that suffice for the shortest answer, the end token included.
  int32_t tokens_min() const;
  // The tokens that an answer may begin with: [ceil(vocab_size / 32)], bit set = allowed.
  std::span<const uint32_t> first_mask() const;
  size_t memory_bytes() const;  // about
  const Impl& impl() const { return *impl_; }

 private:
  const std::unique_ptr<const Impl> impl_;
};

}  // namespace hussar
