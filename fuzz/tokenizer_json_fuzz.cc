// Any tokenizer.json, and text for it: what is accepted makes a tokenizer or a clear refusal, and the
// tokenizer keeps its promises.
//
// Input: the document up to a NUL byte; a second one, of tokenizer_config.json's added tokens, up to the
// next; then the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace {

std::string_view take_until_nul(std::string_view* input) {
  const size_t end = std::min(input->find('\0'), input->size());
  const std::string_view part = input->substr(0, end);
  input->remove_prefix(std::min(end + 1, input->size()));
  return part;
}

void check_error(const hussar::Error& error) {
  CHECK(!error.message.empty() && hussar::is_valid_utf8(error.message));
  CHECK(error.message.find('\n') == std::string::npos && error.message.size() < 4096);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto document = hussar::parse_json(take_until_nul(&input), {});
  if (!document.ok()) return 0;
  auto vocabulary = hussar::read_tokenizer_json(*document);
  if (!vocabulary.ok()) return check_error(vocabulary.error()), 0;
  const auto added = hussar::parse_json(take_until_nul(&input), {});
  if (added.ok()) {
    const auto done = hussar::add_config_tokens(*added, &*vocabulary);
    if (!done.ok()) return check_error(done.error()), 0;
  }
  CHECK(vocabulary->tokens.size() == vocabulary->kinds.size());
  const auto tokenizer = hussar::Tokenizer::create(*std::move(vocabulary));
  if (!tokenizer.ok()) return check_error(tokenizer.error()), 0;
  const std::string text = hussar::replace_invalid_utf8(input);
  for (const hussar::TokenId id : tokenizer->encode(text, {}, hussar::Tokenizer::Bos::kAdd))
    CHECK(id >= 0 && id < tokenizer->vocab_size());
  for (const hussar::TokenId id : tokenizer->encode_plain(text, hussar::Tokenizer::Bos::kOmit)) {
    CHECK(id >= 0 && id < tokenizer->vocab_size());
    CHECK(tokenizer->kind(id) != hussar::TokenKind::kControl);
  }
  // A part in the middle, which need not end on a character's border, is foreign.
  const hussar::ByteRange foreign[] = {{text.size() / 3, text.size() / 3 * 2}};
  for (const hussar::TokenId id : tokenizer->encode(text, foreign, hussar::Tokenizer::Bos::kOmit))
    CHECK(id >= 0 && id < tokenizer->vocab_size());
  return 0;
}
