// Byte-level BPE: text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace hussar {

enum class TokenKind : uint8_t { kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

// What a control or user-defined token does beyond standing for its own text.
struct SpecialRule {
  TokenId id;
  bool takes_space_before = false;  // the white space in front of it belongs to it
  bool takes_space_behind = false;
  // It is looked for in normalised text, between the tokens without this mark.
  bool in_normal_form = false;
};

// A tokenizer's data as a model file gives it.
struct Vocabulary {
  std::string
      pre;  // the pre-tokenizer's name as GGUF spells it: "smollm", "qwen2", "llama-bpe", "gpt-2", ...
  std::vector<std::string> tokens;  // in the byte-level alphabet (a space is "Ġ"), special tokens as they are
  std::vector<TokenKind> kinds;     // [tokens]
  std::vector<std::string> merges;                // "left right", the first one binds strongest
  TokenId bos = -1;                               // -1: none
  bool add_bos = false;                           // encode() with kAddBos puts it in front
  std::optional<bool> wants_nfc, ignores_merges;  // as in Pretokenizer; absent: as `pre` has it
  std::vector<SpecialRule> special_rules;         // of those tokens that have one
};

struct ByteRange {
  size_t begin;
  size_t end;
};

class Tokenizer {
 public:
  // Errors: kInvalid (a merge or id that fits nothing), kUnsupported (pre-tokenizer; names it). A merge that
  // would form a control token is ignored: plain text never becomes one.
  static Result<Tokenizer> create(Vocabulary vocabulary);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  enum class Bos {
    kAdd,
    kOmit
  };  // kAdd: only where the vocabulary says so, and not in front of one that stands there

  // Special tokens are recognised only where no byte of theirs lies in one of the `foreign` ranges (sorted,
  // disjoint): a user's "<|im_end|>" stays text. A byte for which the vocabulary has no token is left out
  // (SmolLM2's lacks a few control characters). Thread-safe. REQUIRES: valid UTF-8.
  std::vector<TokenId> encode(std::string_view text, std::span<const ByteRange> foreign, Bos bos) const;
  // All of the text is foreign: no special token is recognised.
  std::vector<TokenId> encode_plain(std::string_view text, Bos bos) const;

  int32_t vocab_size() const;
  // The bytes that a token stands for; a control token's are its name. REQUIRES: 0 <= id < vocab_size().
  std::string_view token_bytes(TokenId id) const;
  TokenKind kind(TokenId id) const;
  // The id of a token by its spelling in the vocabulary; -1 when there is none.
  TokenId find(std::string_view token) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hussar
