#include "base/utf8.h"

#include <cstring>

#include "base/check.h"

namespace hussar {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

enum class Sequence { kValid, kIncomplete, kInvalid };

struct Scan {
  Sequence sequence;
  size_t bytes;  // of the code point, or of the maximal part that could have begun one; at least 1
};

// What stands at the front of `text` (not empty), by table 3-7 of the Unicode standard: only the second byte
// has a range of its own.
Scan scan_sequence(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {Sequence::kValid, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Sequence::kInvalid, 1};
  const size_t bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (size_t i = 1; i < bytes; ++i) {
    if (i == text.size()) return {Sequence::kIncomplete, i};
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < low || byte > high) return {Sequence::kInvalid, i};
    low = 0x80, high = 0xBF;
  }
  return {Sequence::kValid, bytes};
}

// The first offset from `offset` on with a byte outside of ASCII, or the size; eight bytes at a time, because
// most text is ASCII.
size_t skip_ascii(std::string_view text, size_t offset) {
  while (text.size() - offset >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + offset, 8);
    if ((word & 0x8080808080808080u) != 0) break;
    offset += 8;
  }
  while (offset < text.size() && static_cast<unsigned char>(text[offset]) < 0x80) ++offset;
  return offset;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (size_t offset = skip_ascii(text, 0); offset < text.size(); offset = skip_ascii(text, offset)) {
    const Scan scan = scan_sequence(text.substr(offset));
    if (scan.sequence != Sequence::kValid) return false;
    offset += scan.bytes;
  }
  return true;
}

size_t complete_utf8_prefix_bytes(std::string_view text) {
  // A lead byte always begins a sequence, whatever stood before it, so that only the last three bytes matter.
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::string_view tail = text.substr(text.size() - back);
    if ((static_cast<unsigned char>(tail[0]) & 0xC0) == 0x80) continue;
    const Scan scan = scan_sequence(tail);
    return scan.sequence == Sequence::kIncomplete ? text.size() - back : text.size();
  }
  return text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    const Scan scan = scan_sequence(text.substr(offset));
    out += scan.sequence == Sequence::kValid ? text.substr(offset, scan.bytes) : kReplacement;
    offset += scan.bytes;
  }
  return out;
}

char32_t next_code_point(std::string_view text, size_t* offset) {
  DCHECK(*offset < text.size());
  const Scan scan = scan_sequence(text.substr(*offset));
  DCHECK(scan.sequence == Sequence::kValid);
  const auto lead = static_cast<unsigned char>(text[*offset]);
  char32_t code_point = scan.bytes == 1 ? lead : lead & (0x7Fu >> scan.bytes);
  for (size_t i = 1; i < scan.bytes; ++i) {
    code_point = code_point << 6 | (static_cast<unsigned char>(text[*offset + i]) & 0x3Fu);
  }
  *offset += scan.bytes;
  return code_point;
}

void append_utf8(char32_t code_point, std::string* out) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

}  // namespace hussar
