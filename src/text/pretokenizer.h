// Cuts text into words, the pieces inside which byte-pair merging happens. Which cut is right is a property
// of the vocabulary.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hussar {

// Immutable and thread-safe.
class Pretokenizer {
 public:
  // `name` as GGUF spells it. Errors: kUnsupported, naming it and what there is.
  static Result<Pretokenizer> create(std::string_view name);

  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;
  ~Pretokenizer();

  // Appends the words of `text`, views into it, in order and without gaps: joined they are the text. Time is
  // linear in the text; should the regular expression engine ever give up (its limits are fixed), the rest of
  // the text is one word. REQUIRES: valid UTF-8.
  void split(std::string_view text, std::vector<std::string_view>* words) const;

  // Text is brought to Unicode's normal form C before it is cut.
  bool wants_nfc() const;
  // A word that is a token as a whole is that token, whatever the merges say.
  bool ignores_merges() const;

 private:
  struct Impl;
  explicit Pretokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hussar
