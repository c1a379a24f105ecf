#include "bench/sse_parser.h"

#include <cstring>
#include <utility>

#include "base/check.h"

namespace hussar {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Of the first \n or \r; npos: none. Most lines end with \n, and what stands before it is short.
size_t find_line_end(std::string_view text) {
  const void* newline = std::memchr(text.data(), '\n', text.size());
  const size_t end = newline == nullptr ? text.size() : static_cast<const char*>(newline) - text.data();
  const void* carriage = std::memchr(text.data(), '\r', end);
  if (carriage != nullptr) return static_cast<const char*>(carriage) - text.data();
  return newline == nullptr ? std::string_view::npos : end;
}

}  // namespace

void SseParser::feed(std::string_view bytes) {
  DCHECK(input_.empty());
  if (!too_large_) input_ = bytes;
}

bool SseParser::fits(size_t more_bytes) {
  if (cut_line_.size() + data_.size() + one_line_.size() + name_.size() + more_bytes <= event_bytes_max_)
    return true;
  too_large_ = true;
  input_ = {};
  return false;
}

bool SseParser::take_line(std::string_view* line) {
  if (std::exchange(line_taken_, false)) cut_line_.clear();
  if (after_cr_ && !input_.empty()) {
    after_cr_ = false;
    if (input_.front() == '\n') input_.remove_prefix(1);
  }
  if (input_.empty()) return false;
  const size_t end = find_line_end(input_);
  const std::string_view part = input_.substr(0, end);
  if (!fits(part.size())) return false;
  if (end == std::string_view::npos) {
    cut_line_ += part;
    input_ = {};
    return false;
  }
  after_cr_ = input_[end] == '\r';
  input_.remove_prefix(end + 1);
  if (cut_line_.empty()) {
    *line = part;
  } else {
    cut_line_ += part;
    *line = cut_line_;
    line_taken_ = true;
  }
  drop_mark(line);
  return true;
}

void SseParser::drop_mark(std::string_view* line) {
  if (std::exchange(first_line_, false) && line->starts_with(kByteOrderMark)) {
    line->remove_prefix(kByteOrderMark.size());
  }
}

void SseParser::add_data(std::string_view value) {
  if (!has_data_ && !line_taken_) {
    one_line_ = value;
  } else {
    if (has_data_) {
      data_ += one_line_;
      data_ += '\n';
      one_line_ = {};
    }
    data_ += value;
  }
  has_data_ = true;
}

void SseParser::take_field(std::string_view line) {
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    add_data(value);
  } else if (name == "event") {
    name_ = value;
  } else if (name == "error") {
    name_ = name;
    add_data(value);
  }
}

bool SseParser::end_event(SseEvent* event) {
  if (!has_data_) return false;
  ended_ = true;
  event->name = name_;
  event->data = data_.empty() ? one_line_ : data_;
  return true;
}

// The piece's memory goes with the end of this turn.
void SseParser::keep_what_is_left() {
  if (one_line_.empty()) return;
  data_ = one_line_;
  one_line_ = {};
}

bool SseParser::next(SseEvent* event) {
  if (std::exchange(ended_, false)) {
    name_.clear();
    data_.clear();
    one_line_ = {};
    has_data_ = false;
  }
  std::string_view line;
  while (take_line(&line)) {
    if (!line.empty()) {
      take_field(line);
    } else if (end_event(event)) {
      return true;
    } else {
      name_.clear();
    }
  }
  keep_what_is_left();
  return false;
}

bool SseParser::finish(SseEvent* event) {
  if (too_large_) return false;
  std::string_view line = cut_line_;
  line_taken_ = true;
  drop_mark(&line);
  take_field(line);
  return end_event(event);
}

}  // namespace hussar
