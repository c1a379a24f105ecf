// Any valid UTF-8 and any foreign ranges: the tokens spell the text, and none of the special ones lies on a
// foreign byte.
//
// Input: a byte that chooses the pre-tokenizer, a count of ranges (modulo 8), for each range the gap before
// it and its length, the text.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "text/detokenizer.h"
#include "text/nfc.h"
#include "text/tokenizer.h"
#include "text/tokenizer_test_vocabulary.h"

namespace {

using hussar::ByteRange;
using hussar::TokenId;
using hussar::Tokenizer;
using hussar::TokenKind;

constexpr std::array<const char*, 4> kPres = {"gpt-2", "smollm", "llama-bpe", "qwen2"};

Tokenizer make_tokenizer(const char* pre) {
  const std::vector<std::string> merges = {"a b", "ab ab", "Ġ Ġ",  "ĠĠ ĠĠ", "Ã ©", "e r",
                                           "b e", "ä ½",   "ä½ ł", "Ċ Ċ",   "1 2"};
  auto tokenizer = Tokenizer::create(hussar::test_vocabulary(pre, merges,
                                                             {{"<|a|>", TokenKind::kControl},
                                                              {"<|a|>b", TokenKind::kControl},
                                                              {"ab", TokenKind::kUserDefined},
                                                              {"é", TokenKind::kUserDefined},
                                                              {"<spare>", TokenKind::kUnused}}));
  CHECK(tokenizer.ok());
  return std::move(tokenizer).value();
}

bool is_special(TokenKind kind) { return kind == TokenKind::kControl || kind == TokenKind::kUserDefined; }

std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.token_bytes(id);
  return bytes;
}

// The range [begin, end) that each token covers is known, because here the tokens spell the text as it is.
void check_special_places(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                          const std::vector<ByteRange>& foreign) {
  size_t begin = 0;
  for (const TokenId id : ids) {
    const size_t end = begin + tokenizer.token_bytes(id).size();
    if (is_special(tokenizer.kind(id))) {
      CHECK(std::none_of(foreign.begin(), foreign.end(), [&](const ByteRange& r) {
        return r.begin < r.end && r.begin < end && begin < r.end;
      }));
    }
    begin = end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::array<Tokenizer, 4> tokenizers = {make_tokenizer(kPres[0]), make_tokenizer(kPres[1]),
                                                      make_tokenizer(kPres[2]), make_tokenizer(kPres[3])};
  size_t at = 0;
  const auto next_byte = [&]() -> size_t { return at < size ? data[at++] : 0; };
  const size_t choice = next_byte() % kPres.size();
  const Tokenizer& tokenizer = tokenizers[choice];
  const bool normalises = choice == 3;
  std::vector<ByteRange> foreign;
  size_t end = 0;
  for (size_t i = next_byte() % 8; i > 0; --i) {
    const size_t begin = end + next_byte();
    end = begin + next_byte();
    foreign.push_back({begin, end});
  }
  const std::string text =
      hussar::replace_invalid_utf8({reinterpret_cast<const char*>(data) + at, size - at});
  for (ByteRange& range : foreign)
    range = {std::min(range.begin, text.size()), std::min(range.end, text.size())};

  std::string storage;
  const std::vector<TokenId> plain = tokenizer.encode_plain(text, Tokenizer::Bos::kOmit);
  CHECK(std::none_of(plain.begin(), plain.end(), [&](TokenId id) { return is_special(tokenizer.kind(id)); }));
  CHECK(decode(tokenizer, plain) == (normalises ? hussar::to_nfc(text, &storage) : std::string_view(text)));

  const std::vector<TokenId> ids = tokenizer.encode(text, foreign, Tokenizer::Bos::kOmit);
  if (!normalises) {
    CHECK(decode(tokenizer, ids) == text);
    check_special_places(tokenizer, ids, foreign);
  }
  hussar::Detokenizer detokenizer;
  std::string shown;
  for (const TokenId id : ids) shown += detokenizer.append(tokenizer.token_bytes(id));
  shown += detokenizer.finish();
  CHECK(shown == decode(tokenizer, ids));
  return 0;
}
