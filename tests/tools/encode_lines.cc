// Encodes the texts that a Python test sends, one answer a line, so that our tokenizer can be compared with
// others over many texts.
//
//   encode_lines MODEL.gguf [PRE]      PRE: a pre-tokenizer to use in place of the file's
//   encode_lines tokenizer.json [add]  add: with the tokens that it puts in front
//
// A record on standard input is little-endian: u32 count of foreign ranges, for each u32 begin and u32 end,
// u32 size, the text's bytes. An answer is the ids, separated by spaces, a tab, and the bytes that they stand
// for in hexadecimal.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/utf8.h"
#include "cli/vocabulary.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"
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

hussar::Result<hussar::Vocabulary> read_gguf(const char* path) {
  const auto file = hussar::ModelFile::open(path);
  if (!file.ok()) return file.error();
  return hussar::read_vocabulary(*file);
}

hussar::Result<hussar::Vocabulary> read_json(const char* path) {
  const auto file = hussar::MappedFile::open(path);
  if (!file.ok()) return file.error();
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  const auto document = hussar::parse_json(text, {.bytes_max = size_t{64} << 20, .depth_max = 64});
  if (!document.ok()) return document.error();
  return hussar::read_tokenizer_json(*document);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) fail("usage: encode_lines MODEL.gguf [PRE] | tokenizer.json [add]");
  const bool json = std::string_view(argv[1]).ends_with(".json");
  auto vocabulary = json ? read_json(argv[1]) : read_gguf(argv[1]);
  if (!vocabulary.ok()) fail(vocabulary.error().message);
  if (!json && argc == 3) vocabulary->pre = argv[2];
  const auto bos = json && argc == 3 ? hussar::Tokenizer::Bos::kAdd : hussar::Tokenizer::Bos::kOmit;
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
    for (const TokenId id : tokenizer->encode(text, foreign, bos)) {
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
