#include "text/jinja/lexer.h"

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/literals.h"

namespace hussar::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// All line ends become "\n", and one at the very end goes.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
      continue;
    }
    out.push_back('\n');
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run();

 private:
  enum class Tag { kNone, kComment, kBlock, kVariable };
  struct TagEnd {
    size_t begin;  // where the closing tag starts
    size_t end;    // behind it and the whitespace that it eats
  };

  char at(size_t offset) const { return offset < source_.size() ? source_[offset] : '\0'; }
  bool looking_at(std::string_view text, size_t offset) const {
    return offset <= source_.size() && source_.substr(offset).starts_with(text);
  }

  // The next opening tag at or behind position_; its offset in `begin`.
  Tag find_tag(size_t* begin) const;
  void emit(TokenType type, std::string text);
  void emit_data(size_t begin, size_t end, char sign, Tag tag);
  void move_to(size_t offset);
  size_t skip_space_from(size_t offset) const { return skip_space(source_, offset); }
  // Behind "-%}" with its whitespace, "+%}", or "%}" with one newline; 0 when there is no closing tag at
  // `offset`.
  size_t block_end_at(size_t offset) const;
  // When "raw" stands in the block tag at `begin`: the offset behind the tag, else 0.
  size_t raw_begin_at(size_t begin) const;

  Result<void> lex_comment(size_t begin);
  Result<void> lex_raw(size_t begin);
  Result<void> lex_tag(Tag tag);
  Result<void> lex_token();
  Result<void> lex_number();
  Result<void> lex_text();
  Result<void> lex_operator();
  Error fail(const std::string& message) const { return error_at(line_, ErrorCode::kInvalid, message); }

  std::string_view source_;
  std::vector<Token> tokens_;
  size_t position_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // whether what was read last ended with a newline
  std::vector<char> open_brackets_;
};

Lexer::Tag Lexer::find_tag(size_t* begin) const {
  for (size_t offset = position_;; ++offset) {
    offset = source_.find('{', offset);
    if (offset == std::string_view::npos) return Tag::kNone;
    *begin = offset;
    if (at(offset + 1) == '%') return Tag::kBlock;
    if (at(offset + 1) == '{') return Tag::kVariable;
    if (at(offset + 1) == '#') return Tag::kComment;
  }
}

void Lexer::emit(TokenType type, std::string text) {
  tokens_.push_back({.type = type, .line = line_, .text = std::move(text), .integer = 0, .number = 0});
}

void Lexer::move_to(size_t offset) {
  const auto begin = source_.begin() + static_cast<ptrdiff_t>(position_);
  line_ += static_cast<int>(std::count(begin, source_.begin() + static_cast<ptrdiff_t>(offset), '\n'));
  if (offset > position_) line_starting_ = source_[offset - 1] == '\n';
  position_ = offset;
}

// Text in front of a tag. "-" takes all whitespace before the tag; without a sign, the indentation of a block
// or comment that stands first on its line goes.
void Lexer::emit_data(size_t begin, size_t end, char sign, Tag tag) {
  std::string_view data = source_.substr(begin, end - begin);
  if (sign == '-') {
    data = data.substr(0, skip_space_back(data, data.size()));
  } else if (sign != '+' && tag != Tag::kVariable) {
    const size_t newline = data.rfind('\n');
    const size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    const bool indentation = skip_space(data, line_begin) == data.size();
    if ((line_begin > 0 || line_starting_) && indentation) data = data.substr(0, line_begin);
  }
  if (!data.empty()) emit(TokenType::kData, std::string(data));
}

size_t Lexer::block_end_at(size_t offset) const {
  if (looking_at("-%}", offset)) return skip_space_from(offset + 3);
  if (looking_at("+%}", offset)) return offset + 3;
  if (!looking_at("%}", offset)) return 0;
  return at(offset + 2) == '\n' ? offset + 3 : offset + 2;
}

size_t Lexer::raw_begin_at(size_t begin) const {
  size_t offset = begin + 2;
  if (at(offset) == '-' || at(offset) == '+') ++offset;
  offset = skip_space_from(offset);
  if (!looking_at("raw", offset)) return 0;
  offset = skip_space_from(offset + 3);
  if (looking_at("-%}", offset)) return skip_space_from(offset + 3);
  return looking_at("%}", offset) ? offset + 2 : 0;
}

Result<void> Lexer::lex_comment(size_t begin) {
  const size_t end = source_.find("#}", begin);
  if (end == std::string_view::npos) return fail("a comment is not closed");
  const char sign = end > begin ? source_[end - 1] : '\0';
  size_t after = end + 2;
  if (sign == '-') {
    after = skip_space_from(after);
  } else if (sign != '+' && at(after) == '\n') {
    ++after;
  }
  move_to(after);
  return {};
}

Result<void> Lexer::lex_raw(size_t begin) {
  move_to(begin);
  for (size_t tag = begin;; tag += 2) {
    tag = source_.find("{%", tag);
    if (tag == std::string_view::npos) return fail("a raw block is not closed");
    size_t offset = tag + 2;
    const char sign = at(offset);
    if (sign == '-' || sign == '+') ++offset;
    offset = skip_space_from(offset);
    if (!looking_at("endraw", offset)) continue;
    const size_t end = block_end_at(skip_space_from(offset + 6));
    if (end == 0) continue;
    emit_data(begin, tag, sign, Tag::kBlock);
    move_to(end);
    return {};
  }
}

Result<void> Lexer::lex_tag(Tag tag) {
  open_brackets_.clear();
  while (position_ < source_.size()) {
    size_t end = 0;
    if (open_brackets_.empty()) {
      if (tag == Tag::kBlock) {
        end = block_end_at(position_);
      } else if (looking_at("-}}", position_)) {
        end = skip_space_from(position_ + 3);
      } else if (looking_at("}}", position_)) {
        end = position_ + 2;
      }
    }
    if (end != 0) {
      emit(tag == Tag::kBlock ? TokenType::kBlockEnd : TokenType::kVariableEnd, "");
      move_to(end);
      return {};
    }
    const size_t token = skip_space_from(position_);
    if (token != position_) {
      move_to(token);
      continue;
    }
    RETURN_IF_ERROR(lex_token());
  }
  return {};  // the parser misses the end and says so
}

Result<void> Lexer::lex_token() {
  const char c = source_[position_];
  if (is_digit(c)) return lex_number();
  if (c == '"' || c == '\'') return lex_text();
  if (!is_name_character(c)) return lex_operator();
  size_t end = position_;
  while (is_name_character(at(end))) ++end;
  emit(TokenType::kName, std::string(source_.substr(position_, end - position_)));
  move_to(end);
  return {};
}

Result<void> Lexer::lex_number() {
  const bool after_dot = position_ > 0 && source_[position_ - 1] == '.';
  ASSIGN_OR_RETURN(const NumberLiteral number, read_number(source_.substr(position_), after_dot, line_));
  emit(number.is_float ? TokenType::kFloat : TokenType::kInteger, "");
  tokens_.back().integer = number.integer;
  tokens_.back().number = number.real;
  move_to(position_ + number.size);
  return {};
}

Result<void> Lexer::lex_text() {
  const char quote = source_[position_];
  size_t end = position_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) return fail("a string is not closed");
  ASSIGN_OR_RETURN(std::string text, unescape(source_.substr(position_ + 1, end - position_ - 1), line_));
  emit(TokenType::kText, std::move(text));
  move_to(end + 1);
  return {};
}

Result<void> Lexer::lex_operator() {
  constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                             "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                             ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
  for (const std::string_view op : kOperators) {
    if (!looking_at(op, position_)) continue;
    if (op == "(") open_brackets_.push_back(')');
    if (op == "[") open_brackets_.push_back(']');
    if (op == "{") open_brackets_.push_back('}');
    if (op == ")" || op == "]" || op == "}") {
      if (open_brackets_.empty() || open_brackets_.back() != op[0])
        return fail("unexpected '" + std::string(op) + "'");
      open_brackets_.pop_back();
    }
    emit(TokenType::kOperator, std::string(op));
    move_to(position_ + op.size());
    return {};
  }
  if (static_cast<unsigned char>(source_[position_]) >= 0x80) {
    return error_at(line_, ErrorCode::kUnsupported, "names outside of ASCII are not supported");
  }
  return fail("unexpected character in a tag");
}

Result<std::vector<Token>> Lexer::run() {
  while (position_ < source_.size()) {
    size_t begin = 0;
    const Tag tag = find_tag(&begin);
    if (tag == Tag::kNone) {
      emit(TokenType::kData, std::string(source_.substr(position_)));
      move_to(source_.size());
      break;
    }
    const char sign = at(begin + 2);
    const bool has_sign = sign == '-' || sign == '+';
    emit_data(position_, begin, sign, tag);
    const size_t raw = tag == Tag::kBlock ? raw_begin_at(begin) : 0;
    if (raw != 0) {
      RETURN_IF_ERROR(lex_raw(raw));
      continue;
    }
    move_to(begin + (has_sign ? 3 : 2));
    if (tag == Tag::kComment) {
      RETURN_IF_ERROR(lex_comment(position_));
      continue;
    }
    emit(tag == Tag::kBlock ? TokenType::kBlockBegin : TokenType::kVariableBegin, "");
    RETURN_IF_ERROR(lex_tag(tag));
  }
  emit(TokenType::kEnd, "");
  return std::move(tokens_);
}

}  // namespace

Error error_at(int line, ErrorCode code, const std::string& message) {
  return Error{code, "line " + std::to_string(line) + ": " + message, ""};
}

Result<std::vector<Token>> tokenize(std::string_view source) {
  const std::string normalized = normalize_newlines(source);
  return Lexer(normalized).run();
}

}  // namespace hussar::jinja
