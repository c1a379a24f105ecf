#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <optional>
#include <utility>

#include "base/byte_table.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/byte_alphabet.h"
#include "text/error_text.h"
#include "text/nfc.h"
#include "text/pretokenizer.h"
#include "text/special_tokens.h"
#include "text/spelling_table.h"

namespace hussar {
namespace {

// Whether merging the bytes of a token gives the token back; found out when it is first met, because it takes
// a while for all.
enum class Reachable : uint8_t { kUnknown, kYes, kNo };

Error invalid_vocabulary(const std::string& message, const char* key) {
  return Error{ErrorCode::kInvalid, message, std::string("tokenizer.ggml.") + key};
}

Result<void> check_sizes(const Vocabulary& v) {
  if (v.tokens.empty()) return invalid_vocabulary("the vocabulary has no tokens", "tokens");
  if (v.tokens.size() > static_cast<size_t>(std::numeric_limits<TokenId>::max())) {
    return invalid_vocabulary("the vocabulary has too many tokens", "tokens");
  }
  constexpr size_t kTextBytesMax = size_t{1} << 30;
  size_t text_bytes = 0;
  for (const std::string& token : v.tokens) text_bytes += token.size();
  if (text_bytes > kTextBytesMax)
    return invalid_vocabulary("the vocabulary's tokens are longer than 1 GiB together", "tokens");
  if (v.kinds.size() != v.tokens.size()) {
    return invalid_vocabulary("the vocabulary has " + std::to_string(v.tokens.size()) +
                                  " tokens, but kinds for " + std::to_string(v.kinds.size()),
                              "token_type");
  }
  if (v.merges.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()) / 2) {
    return invalid_vocabulary("the vocabulary has too many merges", "merges");
  }
  if (v.bos < -1 || v.bos >= static_cast<TokenId>(v.tokens.size())) {
    return invalid_vocabulary("the BOS token's id is outside the vocabulary", "bos_token_id");
  }
  for (const SpecialRule& rule : v.special_rules) {
    if (rule.id >= 0 && static_cast<size_t>(rule.id) < v.tokens.size()) continue;
    return invalid_vocabulary("a special token's id is outside the vocabulary", "tokens");
  }
  if (v.bos < 0 && v.add_bos)
    return invalid_vocabulary("a BOS token is to be added, but there is none", "add_bos_token");
  return {};
}

Result<std::vector<Bpe::Merge>> parse_merges(const Vocabulary& v, const SpellingTable& ids_by_spelling) {
  std::vector<Bpe::Merge> merges;
  merges.reserve(v.merges.size());
  std::string joined;
  for (size_t i = 0; i < v.merges.size(); ++i) {
    const std::string_view text = v.merges[i];
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      return invalid_vocabulary(
          "merge " + std::to_string(i) + ", " + quoted(text) + ", is not two tokens with a space between",
          "merges");
    }
    joined.assign(text.substr(0, space)).append(text.substr(space + 1));
    const TokenId left = ids_by_spelling.find(text.substr(0, space));
    const TokenId right = ids_by_spelling.find(text.substr(space + 1));
    const TokenId result = ids_by_spelling.find(joined);
    if (left < 0 || right < 0 || result < 0) {
      return invalid_vocabulary("merge " + std::to_string(i) + ", " + quoted(text) +
                                    ", joins or forms something that is not in the vocabulary",
                                "merges");
    }
    if (v.kinds[static_cast<size_t>(result)] == TokenKind::kControl) continue;
    merges.push_back({left, right, result});
  }
  return merges;
}

// What is looked for in normalised text has to be in its form, and is shown in it.
void normalise_specials(Vocabulary* v) {
  std::string storage;
  for (const SpecialRule& rule : v->special_rules) {
    std::string& spelling = v->tokens[static_cast<size_t>(rule.id)];
    if (rule.in_normal_form && is_valid_utf8(spelling)) spelling = std::string(to_nfc(spelling, &storage));
  }
}

// The parts of the `foreign` ranges that lie in [begin, end) of a text, as ranges of that part's normal form.
// A range that ends inside a changed part covers all of it.
void move_ranges(std::span<const ByteRange> foreign, size_t begin, size_t end,
                 const std::vector<NfcEdit>& edits, std::vector<ByteRange>* moved) {
  auto edit = edits.begin();
  size_t edit_end = 0, new_edit_end = 0;  // of the last edit that lies before `edit`
  // Where the byte at `at`, not before those of earlier calls, went; inside an edit, to its begin or end.
  const auto move = [&](size_t at, size_t NfcEdit::*inside) {
    for (; edit != edits.end() && edit->end <= at; ++edit) {
      edit_end = edit->end;
      new_edit_end = edit->new_end;
    }
    if (edit != edits.end() && edit->begin < at) return (*edit).*inside;
    return new_edit_end + (at - edit_end);
  };
  for (const ByteRange& range : foreign) {
    if (range.end <= begin || range.end <= range.begin) continue;
    if (range.begin >= end) break;
    const size_t new_begin = move(std::max(range.begin, begin) - begin, &NfcEdit::new_begin);
    moved->push_back({new_begin, move(std::min(range.end, end) - begin, &NfcEdit::new_end)});
    // Two that share a changed part would overlap.
    if (moved->size() > 1) {
      ByteRange& last = moved->back();
      last.begin = std::max(last.begin, (*moved)[moved->size() - 2].end);
      last.end = std::max(last.end, last.begin);
    }
  }
}

}  // namespace

struct Tokenizer::Impl {
  Impl(Vocabulary v, Pretokenizer p)
      : vocabulary(std::move(v)),
        pretokenizer(std::move(p)),
        spellings(vocabulary.tokens),
        ids_by_spelling(spellings.size(), [this](TokenId id) { return spellings[static_cast<size_t>(id)]; }),
        ids_by_word(spellings.size(), [this](TokenId id) { return bytes_of(id); }) {
    vocabulary.tokens = std::vector<std::string>();  // = {} would keep the room
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // What encode() needs from segment to segment.
  struct Work {
    std::vector<std::string_view> words;
    std::string normalised;
    std::vector<NfcEdit> edits;
    std::vector<ByteRange> foreign;
    std::vector<SpecialTokens::Piece> pieces, normal_pieces;
    Bpe::Scratch scratch;
  };
  void read_tokens();
  Result<void> read_merges();
  void read_specials();
  std::string_view bytes_of(TokenId id) const { return bytes[static_cast<size_t>(id)]; }
  void encode_word(std::string_view word, Bpe::Scratch* scratch, std::vector<TokenId>* out) const;
  void encode_normal(std::string_view text, Work* work, std::vector<TokenId>* out) const;
  void encode_segment(std::string_view text, size_t begin, std::span<const ByteRange> foreign, Work* work,
                      std::vector<TokenId>* out) const;

  Vocabulary vocabulary;  // without tokens, and without merges once those are read
  const Pretokenizer pretokenizer;
  const ByteTable spellings;  // [tokens]
  ByteTable bytes;            // [tokens]
  SpellingTable ids_by_spelling;
  SpellingTable ids_by_word;        // normal tokens that are spelt in the byte alphabet, by their bytes
  size_t word_token_bytes_max = 0;  // the longest of them
  std::array<TokenId, 256> byte_tokens;
  std::unique_ptr<std::atomic<Reachable>[]>
      reachable;  // [tokens]; relaxed: every thread finds the same answer
  std::optional<SpecialTokens> special_tokens;
  std::optional<SpecialTokens> normal_specials;
  bool wants_nfc = false;
  bool ignores_merges = false;
  std::optional<Bpe> bpe;
};

// Fills the tables that follow from the tokens alone.
void Tokenizer::Impl::read_tokens() {
  const size_t count = spellings.size();
  reachable = std::make_unique<std::atomic<Reachable>[]>(count);
  byte_tokens.fill(-1);
  std::vector<TokenId> spelt_tokens;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view spelling = spellings[i];
    const auto id = static_cast<TokenId>(i);
    const TokenKind kind = vocabulary.kinds[i];
    ids_by_spelling.insert(spelling, id);
    const auto spelt = kind == TokenKind::kNormal ? bytes_of_spelling(spelling) : std::nullopt;
    bytes.add(spelt ? *spelt : spelling);
    if (spelt && !spelt->empty()) spelt_tokens.push_back(id);
    // A byte's own token may be one that is looked for as well; text in which it is not still has the byte.
    if (kind == TokenKind::kUserDefined && spelling.size() == 1)
      byte_tokens[static_cast<unsigned char>(spelling[0])] = id;
  }
  for (const TokenId id : spelt_tokens) {
    const std::string_view word = bytes_of(id);
    if (!ids_by_word.insert(word, id)) continue;
    word_token_bytes_max = std::max(word_token_bytes_max, word.size());
    if (word.size() == 1) byte_tokens[static_cast<unsigned char>(word[0])] = id;
  }
}

// The merges' text is needed no more then: it takes as much memory as the tokens'.
Result<void> Tokenizer::Impl::read_merges() {
  ASSIGN_OR_RETURN(const auto merges, parse_merges(vocabulary, ids_by_spelling));
  bpe.emplace(byte_tokens, merges);
  vocabulary.merges = std::vector<std::string>();
  return {};
}

// REQUIRES: the ids of the rules are tokens.
void Tokenizer::Impl::read_specials() {
  std::vector<const SpecialRule*> rules(spellings.size());
  for (const SpecialRule& rule : vocabulary.special_rules) rules[static_cast<size_t>(rule.id)] = &rule;
  std::vector<SpecialTokens::Entry> plain, normal;
  for (size_t i = 0; i < spellings.size(); ++i) {
    const TokenKind kind = vocabulary.kinds[i];
    if (kind != TokenKind::kControl && kind != TokenKind::kUserDefined) continue;
    SpecialTokens::Entry entry{.spelling = spellings[i], .id = static_cast<TokenId>(i)};
    const SpecialRule* rule = rules[i];
    if (rule != nullptr) {
      entry.takes_space_before = rule->takes_space_before;
      entry.takes_space_behind = rule->takes_space_behind;
    }
    (rule != nullptr && rule->in_normal_form ? normal : plain).push_back(entry);
  }
  special_tokens.emplace(std::move(plain));
  normal_specials.emplace(std::move(normal));
}

Result<Tokenizer> Tokenizer::create(Vocabulary vocabulary) {
  RETURN_IF_ERROR(check_sizes(vocabulary));
  ASSIGN_OR_RETURN(auto pretokenizer, Pretokenizer::create(vocabulary.pre));
  const bool wants_nfc = vocabulary.wants_nfc.value_or(pretokenizer.wants_nfc());
  if (wants_nfc) normalise_specials(&vocabulary);
  auto impl = std::make_unique<Impl>(std::move(vocabulary), std::move(pretokenizer));
  impl->wants_nfc = wants_nfc;
  impl->ignores_merges = impl->vocabulary.ignores_merges.value_or(impl->pretokenizer.ignores_merges());
  impl->read_tokens();
  impl->read_specials();
  RETURN_IF_ERROR(impl->read_merges());
  return Tokenizer(std::move(impl));
}

void Tokenizer::Impl::encode_word(std::string_view word, Bpe::Scratch* scratch,
                                  std::vector<TokenId>* out) const {
  const TokenId id = word.size() <= word_token_bytes_max ? ids_by_word.find(word) : -1;
  if (id < 0) return bpe->encode(word, scratch, out);
  const Reachable known = reachable[id].load(std::memory_order_relaxed);
  if (ignores_merges || known == Reachable::kYes) return out->push_back(id);
  const size_t before = out->size();
  bpe->encode(word, scratch, out);
  if (known != Reachable::kUnknown) return;
  const bool yes = out->size() == before + 1 && out->back() == id;
  reachable[id].store(yes ? Reachable::kYes : Reachable::kNo, std::memory_order_relaxed);
}

// Text that is in the form that the vocabulary wants, without special tokens.
void Tokenizer::Impl::encode_normal(std::string_view text, Work* work, std::vector<TokenId>* out) const {
  work->words.clear();
  pretokenizer.split(text, &work->words);
  for (const std::string_view word : work->words) encode_word(word, &work->scratch, out);
}

// What stands behind `begin`, in which no special token is left but for those of the normal form.
void Tokenizer::Impl::encode_segment(std::string_view text, size_t begin, std::span<const ByteRange> foreign,
                                     Work* work, std::vector<TokenId>* out) const {
  std::string_view segment = text.substr(begin);
  if (segment.empty()) return;
  if (normal_specials->empty()) {
    return encode_normal(wants_nfc ? to_nfc(segment, &work->normalised) : segment, work, out);
  }
  work->edits.clear();
  work->foreign.clear();
  if (wants_nfc) segment = to_nfc(segment, &work->normalised, &work->edits);
  move_ranges(foreign, begin, text.size(), work->edits, &work->foreign);
  work->normal_pieces.clear();
  normal_specials->split(segment, 0, work->foreign, &work->normal_pieces);
  for (const SpecialTokens::Piece& piece : work->normal_pieces) {
    if (piece.id >= 0) {
      out->push_back(piece.id);
    } else {
      encode_normal(segment.substr(piece.begin, piece.end - piece.begin), work, out);
    }
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, std::span<const ByteRange> foreign,
                                       Bos bos) const {
  CHECK_NOTE(is_valid_utf8(text), "the tokenizer was given text that is not UTF-8");
  std::vector<TokenId> ids;
  Impl::Work work;
  impl_->special_tokens->split(text, 0, foreign, &work.pieces);
  for (const SpecialTokens::Piece& piece : work.pieces) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
    } else {
      impl_->encode_segment(text.substr(0, piece.end), piece.begin, foreign, &work, &ids);
    }
  }
  const Vocabulary& v = impl_->vocabulary;
  if (bos == Bos::kAdd && v.add_bos && (ids.empty() || ids.front() != v.bos)) ids.insert(ids.begin(), v.bos);
  return ids;
}

std::vector<TokenId> Tokenizer::encode_plain(std::string_view text, Bos bos) const {
  const ByteRange all{0, text.size()};
  return encode(text, {&all, 1}, bos);
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->spellings.size()); }

std::string_view Tokenizer::token_bytes(TokenId id) const {
  CHECK(id >= 0 && id < vocab_size());
  return impl_->bytes_of(id);
}

TokenKind Tokenizer::kind(TokenId id) const {
  CHECK(id >= 0 && id < vocab_size());
  return impl_->vocabulary.kinds[id];
}

TokenId Tokenizer::find(std::string_view token) const { return impl_->ids_by_spelling.find(token); }

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

}  // namespace hussar
