// Where one answer stands in its grammar: which tokens may come next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/types.h"
#include "grammar/compiled_grammar.h"

namespace hussar {

// One per sequence; one thread at a time.
class Matcher {
 public:
  // What fill_mask() or accept() may look at: states of the answer's parse. Some tens of millions take a
  // second.
  static constexpr int64_t kStatesMax = 50'000'000;

  // At the beginning of an answer.
  static Result<Matcher> create(std::shared_ptr<const CompiledGrammar> grammar,
                                int64_t states_max = kStatesMax);
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) noexcept;
  ~Matcher();

  // 32-bit words of a mask for so many tokens.
  static size_t mask_words(int32_t vocab_size) { return (static_cast<size_t>(vocab_size) + 31) / 32; }

  // Sets the bits of the tokens that may come next and clears all others. `mask` may be longer than the
  // grammar's vocabulary needs: ids beyond it are not allowed. Stop ids are allowed exactly where the
  // document may end. Errors: kInvalid (no token is allowed, or the answer has ended), kTooLarge (it takes
  // more than states_max; the matcher can't go on).
  Result<void> fill_mask(std::span<uint32_t> mask);

  // Errors: kInvalid (the token is not allowed; the matcher stands where it stood), kTooLarge (as above).
  Result<void> accept(TokenId token);

  // Takes back the last `count` tokens. REQUIRES: so many were accepted.
  void rollback(int32_t count);
  void reset();

  int32_t accepted() const { return accepted_; }
  bool may_end() const;        // the document is whole; it may still be one that can go on
  bool is_terminated() const;  // a stop id was accepted

 private:
  struct Impl;
  explicit Matcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  int32_t accepted_ = 0;
};

}  // namespace hussar
