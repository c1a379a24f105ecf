#include "bench/json_rows.h"

#include <algorithm>

namespace hussar {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Error row_error(const std::string& name, int64_t line, const std::string& message, ErrorCode code) {
  return {code, name + ":" + std::to_string(line) + ": " + message, ""};
}

RowReader::RowReader(std::string_view text, std::string name, size_t row_bytes_max)
    : text_(text), name_(std::move(name)), row_bytes_max_(row_bytes_max) {
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  skip_space();
  array_ = at_ < text_.size() && text_[at_] == '[';
}

void RowReader::move_to(size_t at) {
  line_ += std::count(text_.begin() + static_cast<ptrdiff_t>(at_), text_.begin() + static_cast<ptrdiff_t>(at),
                      '\n');
  at_ = at;
}

void RowReader::skip_space() { move_to(std::min(text_.find_first_not_of(kSpace, at_), text_.size())); }

Result<std::optional<TextRow>> RowReader::next() { return array_ ? next_element() : next_line(); }

Result<std::optional<TextRow>> RowReader::next_line() {
  skip_space();
  if (at_ == text_.size()) return std::optional<TextRow>();
  const size_t end = std::min(text_.find('\n', at_), text_.size());
  const TextRow row{text_.substr(at_, end - at_), line_};
  if (row.text.size() > row_bytes_max_) {
    return row_error(name_, line_, "the line is longer than " + std::to_string(row_bytes_max_) + " bytes",
                     ErrorCode::kTooLarge);
  }
  move_to(end);
  return std::optional<TextRow>(row);
}

// Where the value that begins at `begin` ends: at the comma or bracket of the array behind it. What is
// between is checked by whoever parses it.
size_t RowReader::element_end(size_t begin) const {
  int64_t depth = 0;
  for (size_t at = begin; at < text_.size(); ++at) {
    const char c = text_[at];
    if (c == '"') {
      for (++at; at < text_.size() && text_[at] != '"'; ++at) {
        if (text_[at] == '\\') ++at;
      }
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == ']')) {
      return at;
    } else if (c == '}' || c == ']') {
      --depth;
    }
    if (at - begin > row_bytes_max_) return at;
  }
  return std::string_view::npos;
}

Result<std::optional<TextRow>> RowReader::next_element() {
  if (!array_began_) {
    move_to(at_ + 1);  // the array's own bracket
    array_began_ = true;
    skip_space();
    if (at_ < text_.size() && text_[at_] == ']') array_ended_ = true, move_to(at_ + 1);
  }
  skip_space();
  if (array_ended_) {
    if (at_ == text_.size()) return std::optional<TextRow>();
    return row_error(name_, line_, "there is something behind the end of the array");
  }
  const size_t begin = at_;
  const int64_t line = line_;
  const size_t end = element_end(begin);
  if (end == std::string_view::npos) {
    return row_error(name_, line, "the array never ends: what begins here is cut off or broken");
  }
  if (end - begin > row_bytes_max_) {
    return row_error(name_, line, "the element is longer than " + std::to_string(row_bytes_max_) + " bytes",
                     ErrorCode::kTooLarge);
  }
  const std::string_view element = text_.substr(begin, end - begin);
  const size_t last = element.find_last_not_of(kSpace);
  if (last == std::string_view::npos) return row_error(name_, line, "an element of the array is missing");
  array_ended_ = text_[end] == ']';
  move_to(end + 1);
  return std::optional<TextRow>(TextRow{element.substr(0, last + 1), line});
}

}  // namespace hussar
