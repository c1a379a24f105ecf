// Made-up prompts of a wanted number of tokens of the model under test, each different from its first word
// on, so that no prefix cache makes a server look fast.
//
// A prompt is a row of short everyday words, with a last sentence that asks for a long answer. Byte-level and
// SentencePiece vocabularies cut at the space (or comma) before each word, so the tokens of a prompt are the
// sum of its words' tokens. calibrate() finds out what each word takes with a few counts, groups of words at
// once, and then counts some whole prompts: where they have just the tokens that were planned, lengths are
// exact. Every word of a language is equally long in bytes, so the head of a finished request, the four
// words that make it unique, can be overwritten in place.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/random.h"

namespace hussar {

// Tokens of a text as the model under test counts them, perhaps with a constant more (a chat template).
using TokenCounter = std::function<Result<int32_t>(std::string_view text)>;

enum class PromptLanguage : uint8_t { kEnglish, kChinese };

struct PromptOptions {
  PromptLanguage language = PromptLanguage::kEnglish;
  uint64_t seed = 0;                 // the same seed makes the same prompts
  int32_t shared_prefix_tokens = 0;  // every prompt begins with the same so many
  int32_t counts_max = 200;          // calls of the counter
};

struct MadePrompt {
  std::string text;
  size_t head_at = 0;     // bytes; where the head stands in `text`
  size_t head_bytes = 0;  // 0: too short for one
  int32_t tokens = 0;     // as calibrated, without what a chat template adds
};

class PromptMaker {
 public:
  enum class Accuracy : uint8_t {
    kExact,        // checked: the prompts that were counted had just the tokens planned
    kApproximate,  // words take a varying number of tokens; note() says how far off the checked ones were
    kUnknown,      // nothing could be counted
  };

  // A null counter, or one that fails at once, gives a maker of kUnknown accuracy.
  static PromptMaker calibrate(const PromptOptions& options, const TokenCounter& counter);

  // Depends on (seed, tokens, index) alone. Prompts of different indexes below heads() have different heads.
  // REQUIRES: tokens > 0.
  MadePrompt make(int32_t tokens, uint64_t index) const;
  // For traces: block i of 512 tokens depends on (seed, ids[i]) alone, what is beyond the ids on `index`.
  MadePrompt make_from_blocks(std::span<const int64_t> ids, int32_t block_tokens, int32_t tokens,
                              uint64_t index) const;

  // The head of make()'s prompt `index`: as many bytes and tokens as any other's.
  std::string head(uint64_t index) const;
  uint64_t heads() const;  // how many there are

  Accuracy accuracy() const { return accuracy_; }
  const std::string& note() const { return note_; }  // one line for people on how lengths were found

 private:
  struct Unit {
    std::string_view separator, word;
    int32_t tokens = 1;       // behind another word, with its separator
    int32_t bare_tokens = 1;  // at the front of a prompt, without; 0: not known
    bool filler = false;      // of another language: where nothing else is short enough
  };
  class Calibration;

  explicit PromptMaker(const PromptOptions& options) : options_(options) {}
  void list_units();
  void find_closing(Calibration* calibration);
  void index_units();
  void choose_heads();
  void check(Calibration* calibration);
  void append_unit(const Unit& unit, MadePrompt* prompt) const;
  void append_words(int32_t tokens, Random& random, MadePrompt* prompt) const;
  void append_head(uint64_t index, int32_t tokens_max, MadePrompt* prompt) const;
  void append_rest(int32_t tokens, uint64_t index, MadePrompt* prompt) const;
  const Unit& head_unit(size_t position, uint64_t index) const;

  static constexpr size_t kHeadWords = 4;
  static constexpr size_t kUnitTokensMax = 16;  // words that take more are not used

  PromptOptions options_;
  Accuracy accuracy_ = Accuracy::kUnknown;
  std::string note_;
  std::vector<Unit> units_;
  std::array<std::vector<uint32_t>, kUnitTokensMax + 1> units_up_to_;  // [n]: those of at most n tokens
  std::array<std::vector<uint32_t>, kHeadWords> head_units_;  // the same units, each position shuffled anew
  int32_t closing_tokens_ = 0;                                // 0: there is no last sentence
};

}  // namespace hussar
