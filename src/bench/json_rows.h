// Takes a large text of JSON apart into its rows, without parsing it whole: the lines of JSONL, or the
// elements of one array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hussar {

struct TextRow {
  std::string_view text;  // never only white space
  int64_t line = 0;       // of its first byte, from 1
};

// "NAME:LINE: MESSAGE".
Error row_error(const std::string& name, int64_t line, const std::string& message,
                ErrorCode code = ErrorCode::kInvalid);

class RowReader {
 public:
  // A text whose first byte that is no white space is '[' is an array, any other is lines. A byte order mark
  // at the front is passed over. `text` must outlive the reader.
  RowReader(std::string_view text, std::string name, size_t row_bytes_max);

  // The next row that is not empty; nothing at the end. Errors: kTooLarge for a row above the limit, kInvalid
  // where an array is broken, each with its place.
  Result<std::optional<TextRow>> next();

 private:
  Result<std::optional<TextRow>> next_line();
  Result<std::optional<TextRow>> next_element();
  size_t element_end(size_t begin) const;  // npos: it never ends
  void skip_space();
  void move_to(size_t at);  // counts the lines on the way

  std::string_view text_;
  std::string name_;
  size_t row_bytes_max_;
  size_t at_ = 0;
  int64_t line_ = 1;
  bool array_ = false, array_began_ = false, array_ended_ = false;
};

}  // namespace hussar
