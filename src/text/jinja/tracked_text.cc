#include "text/jinja/tracked_text.h"

#include <algorithm>

namespace hussar::jinja {
namespace {

bool starts_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// The first range that ends behind `offset`.
std::vector<ByteRange>::const_iterator first_range_after(const std::vector<ByteRange>& ranges,
                                                         size_t offset) {
  return std::upper_bound(ranges.begin(), ranges.end(), offset,
                          [](size_t value, const ByteRange& range) { return value < range.end; });
}

}  // namespace

Text::Text(std::string bytes, std::vector<ByteRange> foreign, Charge charge)
    : bytes_(std::move(bytes)),
      foreign_(std::move(foreign)),
      code_points_(static_cast<size_t>(std::count_if(bytes_.begin(), bytes_.end(), starts_code_point))),
      charge_(std::move(charge)) {}

Origin Text::origin_at(size_t offset) const {
  const auto range = first_range_after(foreign_, offset);
  return range != foreign_.end() && range->begin <= offset ? Origin::kForeign : Origin::kTemplate;
}

size_t Text::offset_of(size_t code_point) const {
  if (code_point >= code_points_) return bytes_.size();
  if (is_ascii()) return code_point;
  size_t offset = 0;
  for (size_t seen = 0;; ++offset) {
    if (starts_code_point(bytes_[offset]) && seen++ == code_point) return offset;
  }
}

size_t Text::code_points_before(size_t offset) const {
  if (is_ascii()) return offset;
  return static_cast<size_t>(
      std::count_if(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(offset), starts_code_point));
}

TextBuilder::TextBuilder(Budget* budget, size_t bytes_max)
    : budget_(budget), charge_(budget), bytes_max_(bytes_max) {
  failed_ = !charge_.grow(sizeof(Text));
}

bool TextBuilder::make_room(size_t bytes) {
  if (failed_) return false;
  if (bytes > bytes_max_ - bytes_.size()) {
    output_exceeded_ = true;
  } else if (budget_ == nullptr || (budget_->touch(bytes) && charge_.grow(bytes))) {
    return true;
  }
  failed_ = true;
  return false;
}

void TextBuilder::expect(size_t bytes, int64_t count) {
  failed_ = failed_ || (count > 0 && budget_ != nullptr && !budget_->has(bytes, static_cast<size_t>(count)));
}

void TextBuilder::mark_foreign(size_t begin, size_t end) {
  if (begin == end) return;
  if (!foreign_.empty() && foreign_.back().end == begin) {
    foreign_.back().end = end;
  } else if (charge_.grow(sizeof(ByteRange))) {
    foreign_.push_back({begin, end});
  } else {
    failed_ = true;
  }
}

void TextBuilder::append(const Text& text, size_t begin, size_t end) {
  if (!make_room(end - begin)) return;
  const size_t base = bytes_.size();
  bytes_.append(text.bytes().substr(begin, end - begin));
  const auto& ranges = text.foreign();
  for (auto range = first_range_after(ranges, begin); range != ranges.end() && range->begin < end; ++range) {
    mark_foreign(base + std::max(range->begin, begin) - begin, base + std::min(range->end, end) - begin);
  }
}

void TextBuilder::append(std::string_view bytes, Origin origin) {
  if (!make_room(bytes.size())) return;
  const size_t base = bytes_.size();
  bytes_.append(bytes);
  if (origin == Origin::kForeign) mark_foreign(base, bytes_.size());
}

Error TextBuilder::error() const {
  if (output_exceeded_) return Error{ErrorCode::kTooLarge, "the template's output is too long", ""};
  return budget_->exceeded();
}

Result<TextRef> TextBuilder::finish() {
  if (failed_) return error();
  return TextRef(std::make_shared<const Text>(std::move(bytes_), std::move(foreign_), std::move(charge_)));
}

}  // namespace hussar::jinja
