// How an answer can still come to its end: the shortest way there, so that an answer whose tokens run out is
// led to a whole document instead of being cut.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/types.h"
#include "grammar/compiled_grammar.h"

namespace hussar {

// One per sequence; one thread at a time. Follows the answer beside its Matcher: it says nothing about what
// is allowed, only how far the end is. Depends on the answer's tokens alone.
class Ending {
 public:
  explicit Ending(std::shared_ptr<const CompiledGrammar> grammar);
  Ending(Ending&&) noexcept;
  Ending& operator=(Ending&&) noexcept;
  ~Ending();

  // The answer's next token, not a stop id. Errors: kInvalid (not allowed; nothing has changed), kTooLarge
  // (too many ways to read the answer: this object can't go on).
  Result<void> accept(TokenId token);
  // Undoes the last accept(); once.
  void take_back();

  // Tokens that suffice to end the answer, the end token included. REQUIRES: fits() of some number.
  int64_t tokens_to_end();
  // Whether the answer can surely end within so many tokens, the end token included.
  bool fits(int64_t tokens_left);
  // Whether of all tokens only next() is known to keep it so. REQUIRES: fits(tokens_left).
  bool is_pressed(int64_t tokens_left);
  // The next token of a shortest way; a stop id where the answer may end. REQUIRES: fits() was true since the
  // last accept().
  TokenId next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hussar
