#include "text/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"

namespace hussar {
namespace {

constexpr auto kCompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr auto kDecompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);

// True only if nothing that stands before the code point can change it or join it: text may be cut in front
// of it and the parts normalised one by one. False is always safe.
bool starts_anew(char32_t c) {
  if (c < 0x300) return true;                    // the first combining mark is U+0300
  if (c >= 0x4E00 && c <= 0x9FFF) return true;   // Chinese characters
  if (c >= 0x1100 && c <= 0x11FF) return false;  // Hangul letters join by arithmetic, not by table
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  return property->decomp_seqindex == UINT16_MAX && property->combining_class == 0 &&
         property->comb_index == UINT16_MAX;
}

bool is_continuation_byte(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

int combining_class(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

// Sorts each run of combining marks by class. utf8proc's own loop does it by swapping neighbours, which is
// quadratic: one megabyte of marks would take minutes.
void order_marks(std::vector<utf8proc_int32_t>* points) {
  auto it = points->begin();
  while (it != points->end()) {
    if (combining_class(*it) == 0) {
      ++it;
      continue;
    }
    const auto run = it;
    while (it != points->end() && combining_class(*it) != 0) ++it;
    std::stable_sort(run, it, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
  }
}

// Appends the normal form of `text`. `points` is scratch space.
void append_nfc(std::string_view text, std::vector<utf8proc_int32_t>* points, std::string* out) {
  points->clear();
  for (size_t offset = 0; offset < text.size();) {
    utf8proc_int32_t parts[32];  // the longest canonical decomposition has 4 code points
    const auto c = static_cast<utf8proc_int32_t>(next_code_point(text, &offset));
    const utf8proc_ssize_t count = utf8proc_decompose_char(c, parts, std::size(parts), kDecompose, nullptr);
    CHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(std::size(parts)));
    points->insert(points->end(), parts, parts + count);
  }
  order_marks(points);
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(points->data(), static_cast<utf8proc_ssize_t>(points->size()), kCompose);
  CHECK(count >= 0);
  for (utf8proc_ssize_t i = 0; i < count; ++i) append_utf8(static_cast<char32_t>((*points)[i]), out);
}

// What is left of a changed part when the code points that it begins with in both forms are taken off.
void add_edit(std::string_view text, size_t begin, size_t end, std::string_view normal, size_t new_begin,
              std::vector<NfcEdit>* edits) {
  const std::string_view before = text.substr(begin, end - begin);
  const std::string_view after = normal.substr(new_begin);
  if (before == after) return;
  size_t same = static_cast<size_t>(
      std::mismatch(before.begin(), before.end(), after.begin(), after.end()).first - before.begin());
  // To a border of both; the bytes before it are the same.
  while (same > 0 && ((same < before.size() && is_continuation_byte(before[same])) ||
                      (same < after.size() && is_continuation_byte(after[same])))) {
    --same;
  }
  edits->push_back({begin + same, end, new_begin + same, normal.size()});
}

}  // namespace

std::string_view to_nfc(std::string_view text, std::string* storage) {
  return to_nfc(text, storage, nullptr);
}

std::string_view to_nfc(std::string_view text, std::string* storage, std::vector<NfcEdit>* edits) {
  storage->clear();
  std::vector<utf8proc_int32_t> points;
  size_t copied = 0;  // what is before it stands in *storage, if anything does
  size_t anew = 0;    // the last code point that starts anew
  size_t offset = 0;
  while (offset < text.size()) {
    const size_t begin = offset;
    if (static_cast<unsigned char>(text[offset]) < 0x80) {
      ++offset;
      anew = begin;
      continue;
    }
    if (starts_anew(next_code_point(text, &offset))) {
      anew = begin;
      continue;
    }
    // From the last fresh start to the next one stands what has to be looked at.
    size_t end = text.size();
    while (offset < text.size()) {
      const size_t next = offset;
      if (starts_anew(next_code_point(text, &offset))) {
        end = offset = next;
        break;
      }
    }
    storage->append(text, copied, anew - copied);
    const size_t new_begin = storage->size();
    append_nfc(text.substr(anew, end - anew), &points, storage);
    if (edits != nullptr) add_edit(text, anew, end, *storage, new_begin, edits);
    copied = anew = end;
  }
  if (copied == 0) return text;
  storage->append(text, copied);
  return *storage;
}

}  // namespace hussar
