#include "hub/journal.h"

#include <charconv>
#include <optional>

namespace hussar {
namespace {

// "BEGIN END", digits and one space only.
std::optional<ByteRange> parse_range(std::string_view line, int64_t size_bytes) {
  ByteRange range;
  const char* const end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, range.begin);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, range.end);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  if (range.begin < 0 || range.begin > range.end || range.end > size_bytes) return std::nullopt;
  return range;
}

}  // namespace

std::string journal_head(int64_t size_bytes, const Checksum& checksum) {
  return "hussar download 1\n" + std::to_string(size_bytes) + " " + checksum.text() + "\n";
}

RangeSet read_journal(std::string_view text, int64_t size_bytes, const Checksum& checksum) {
  RangeSet done;
  const std::string head = journal_head(size_bytes, checksum);
  // Without a checksum nothing says that the hub still has the same file.
  if (checksum.kind == Checksum::Kind::kNone || !text.starts_with(head)) return done;
  text.remove_prefix(head.size());
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    const auto range = parse_range(text.substr(0, end), size_bytes);
    if (!range) break;
    done.add(*range);
  }
  return done;
}

}  // namespace hussar
