// A template's source to tokens. Whitespace control, trim_blocks and lstrip_blocks are done here, so that the
// parser only sees what counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hussar::jinja {

enum class TokenType : uint8_t {
  kData,        // text outside of tags
  kBlockBegin,  // {%
  kBlockEnd,
  kVariableBegin,  // {{
  kVariableEnd,
  kName,
  kText,  // a string literal, unescaped
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type;
  int line;
  std::string text;  // data, name, unescaped literal, or the operator's characters
  int64_t integer = 0;
  double number = 0;
};

// Errors: kInvalid, kUnsupported; the message begins with the line.
// REQUIRES: valid UTF-8.
Result<std::vector<Token>> tokenize(std::string_view source);

Error error_at(int line, ErrorCode code, const std::string& message);

}  // namespace hussar::jinja
