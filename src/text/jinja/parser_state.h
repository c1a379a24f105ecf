// The parser's two halves: expressions (expression_parser.cc) and statements (parser.cc).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace hussar::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, int32_t depth_max, Template* tree)
      : tokens_(std::move(tokens)), depth_max_(depth_max), template_(tree) {}

 protected:
  enum class Conditional { kAllowed, kNotAllowed };  // whether "a if b else c" may follow

  // Counts nesting for as long as it lives.
  class Depth {
   public:
    explicit Depth(int32_t* depth) : depth_(depth) { ++*depth_; }
    ~Depth() { --*depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    int32_t* depth_;
  };

  const Token& current() const { return tokens_[position_]; }
  const Token& ahead() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  void advance() { position_ += position_ + 1 < tokens_.size() ? 1 : 0; }
  bool at_operator(std::string_view text) const {
    return current().type == TokenType::kOperator && current().text == text;
  }
  bool at_name(std::string_view text) const {
    return current().type == TokenType::kName && current().text == text;
  }
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  Result<void> expect_operator(std::string_view text);
  Result<void> expect_name(std::string_view text);
  Result<void> expect(TokenType type, std::string_view what);
  Result<std::string> read_name();
  Error fail(const std::string& message) const {
    return error_at(current().line, ErrorCode::kInvalid, message);
  }
  Error refuse(const std::string& message) const {
    return error_at(current().line, ErrorCode::kUnsupported, message);
  }
  Error unexpected() const;
  bool too_deep() const { return depth_ > depth_max_; }
  Error too_deep_error() const {
    return error_at(current().line, ErrorCode::kTooLarge, "the template is nested too deeply");
  }
  NameId intern(const std::string& name);
  Template& tree() { return *template_; }

  Result<ExprPtr> parse_expression(Conditional conditional = Conditional::kAllowed);
  // Expressions with commas between them are a tuple. Ends before a closing tag or parenthesis.
  Result<ExprPtr> parse_tuple(Conditional conditional = Conditional::kAllowed);
  bool at_tuple_end() const;
  // A chain of filters, the first one's name being current.
  Result<std::vector<Suffix>> parse_filters();
  Result<Suffix> parse_filter();

  // What the body of the macro that is being parsed speaks of; one entry for each macro around.
  struct Mentions {
    bool caller = false;
    bool varargs = false;
    bool kwargs = false;
  };
  std::vector<Mentions>& mentions() { return mentions_; }
  int32_t* depth() { return &depth_; }

 private:
  Result<ExprPtr> parse_conditional();
  Result<ExprPtr> parse_junction(Junction junction);
  Result<ExprPtr> parse_not();
  Result<ExprPtr> parse_compare();
  bool read_compare_operator(CompareOp* op);
  Result<ExprPtr> parse_sum();
  Result<ExprPtr> parse_concat();
  Result<ExprPtr> parse_product();
  Result<ExprPtr> parse_power();
  enum class Filters { kAllowed, kNotAllowed };
  Result<ExprPtr> parse_unary(Filters filters);
  Result<ExprPtr> parse_primary();
  Result<ExprPtr> parse_name();
  Result<ExprPtr> parse_parentheses();
  Result<ExprPtr> parse_list();
  Result<ExprPtr> parse_dict();
  Result<void> parse_postfix(std::vector<Suffix>* suffixes);
  Result<Suffix> parse_attribute();
  Result<Suffix> parse_subscript();
  Result<Suffix> parse_test();
  Result<ExprPtr> parse_slice_part();
  Result<CallArguments> parse_call_arguments();
  Result<void> parse_call_argument(CallArguments* arguments);

  std::vector<Token> tokens_;
  size_t position_ = 0;
  std::vector<Mentions> mentions_;
  int32_t depth_ = 0;
  int32_t depth_max_;
  Template* template_;
  std::unordered_map<std::string, NameId> name_ids_;
};

}  // namespace hussar::jinja
