// Text that knows which of its bytes came from the caller's values.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/budget.h"

namespace hussar::jinja {

// Whether something is the template's own or the caller's. What was made from both is the caller's.
enum class Origin : uint8_t { kTemplate, kForeign };

inline Origin either(Origin a, Origin b) { return a == Origin::kForeign ? a : b; }

// Immutable valid UTF-8. Offsets are bytes unless a name says code points.
class Text {
 public:
  Text(std::string bytes, std::vector<ByteRange> foreign, Charge charge);

  std::string_view bytes() const { return bytes_; }
  const std::vector<ByteRange>& foreign() const { return foreign_; }  // sorted, disjoint, not empty each
  size_t size() const { return bytes_.size(); }
  size_t code_points() const { return code_points_; }
  bool is_ascii() const { return code_points_ == bytes_.size(); }

  // Foreign when any byte is.
  Origin origin() const { return foreign_.empty() ? Origin::kTemplate : Origin::kForeign; }
  Origin origin_at(size_t offset) const;

  // The byte offset of a code point; size() for code_points() and beyond.
  size_t offset_of(size_t code_point) const;
  // How many code points stand before a byte offset on a border.
  size_t code_points_before(size_t offset) const;

 private:
  std::string bytes_;
  std::vector<ByteRange> foreign_;
  size_t code_points_;
  Charge charge_;
};

using TextRef = std::shared_ptr<const Text>;

// The only way to make Text while rendering. Once an append would pass the budget or `bytes_max`, the builder
// drops it and all that follows, and finish() fails; long loops ask failed() to stop early.
class TextBuilder {
 public:
  explicit TextBuilder(Budget* budget, size_t bytes_max = SIZE_MAX);

  void append(const Text& text) { append(text, 0, text.size()); }
  void append(const Text& text, size_t begin, size_t end);
  void append(std::string_view bytes, Origin origin);

  // Fails at once when `count` pieces of `bytes` each can't be had.
  void expect(size_t bytes, int64_t count);

  bool failed() const { return failed_; }
  Error error() const;  // REQUIRES: failed()
  Result<TextRef> finish();

 private:
  bool make_room(size_t bytes);
  void mark_foreign(size_t begin, size_t end);

  Budget* budget_;
  Charge charge_;
  size_t bytes_max_;
  std::string bytes_;
  std::vector<ByteRange> foreign_;
  bool failed_ = false;
  bool output_exceeded_ = false;
};

}  // namespace hussar::jinja
