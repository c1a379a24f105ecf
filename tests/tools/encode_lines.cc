// Encodes the texts that a Python test sends, one answer a line, so that our tokenizer can be compared with
// others over many texts.
//
//   encode_lines MODEL.gguf [PRE]      PRE: a pre-tokenizer to use in place of the file's
//
// A record on standard input is little-endian: u32 count of foreign ranges, for each u32 begin and u32 end,
// u32 size, the text's bytes. An answer is the ids, separated by spaces, a tab, and the bytes that they stand
// for in hexadecimal.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "cli/vocabulary.h"
#include "text/tokenizer.h"
#include "weights/model_file.h"

namespace {

using hussar::ByteRange;
using hussar::TokenId;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "encode_lines: %s\n", message.c_str());
  std::exit(2);
}

std::optional<uint32_t> read_u32() {
  unsigned char bytes[4];
  if (std::fread(bytes, 1, 4, stdin) != 4) return std::nullopt;
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

uint32_t read_u32_inside() {
  const auto value = read_u32();
  if (!value) fail("a record ends early");
  return *value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) fail("usage: encode_lines MODEL.gguf [PRE]");
  const auto file = hussar::ModelFile::open(argv[1]);
  if (!file.ok()) fail(file.error().message);
  auto vocabulary = hussar::read_vocabulary(*file);
  if (!vocabulary.ok()) fail(vocabulary.error().message);
  if (argc == 3) vocabulary->pre = argv[2];
  const auto tokenizer = hussar::Tokenizer::create(std::move(*vocabulary));
  if (!tokenizer.ok()) fail(tokenizer.error().message);

  while (const auto range_count = read_u32()) {
    std::vector<ByteRange> foreign(*range_count);
    for (ByteRange& range : foreign) {
      range.begin = read_u32_inside();
      range.end = read_u32_inside();
    }
    std::string text(read_u32_inside(), '\0');
    if (std::fread(text.data(), 1, text.size(), stdin) != text.size()) fail("a record ends early");
    if (!hussar::is_valid_utf8(text)) fail("a text is not valid UTF-8");
    std::string line;
    std::string bytes;
    for (const TokenId id : tokenizer->encode(text, foreign, hussar::Tokenizer::Bos::kOmit)) {
      if (!line.empty()) line += ' ';
      line += std::to_string(id);
      bytes += tokenizer->token_bytes(id);
    }
    line += '\t';
    for (const unsigned char byte : bytes) {
      line += "0123456789abcdef"[byte >> 4];
      line += "0123456789abcdef"[byte & 15];
    }
    std::puts(line.c_str());
  }
  return 0;
}
