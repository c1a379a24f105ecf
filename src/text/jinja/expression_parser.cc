#include <algorithm>

#include "text/jinja/parser_state.h"

namespace hussar::jinja {
namespace {

template <typename Kind>
ExprPtr make(int line, Kind kind) {
  return std::make_unique<const Expr>(Expr{line, std::move(kind)});
}

ExprPtr constant(int line, Value::Payload payload) {
  return make(line, ConstantExpr{Value(std::move(payload))});
}

ExprPtr with_suffixes(int line, ExprPtr base, std::vector<Suffix> suffixes) {
  if (suffixes.empty()) return base;
  return make(line, PostfixExpr{std::move(base), std::move(suffixes)});
}

}  // namespace

bool ExpressionParser::skip_operator(std::string_view text) {
  if (!at_operator(text)) return false;
  advance();
  return true;
}

bool ExpressionParser::skip_name(std::string_view text) {
  if (!at_name(text)) return false;
  advance();
  return true;
}

Result<void> ExpressionParser::expect_operator(std::string_view text) {
  if (skip_operator(text)) return {};
  return fail("expected '" + std::string(text) + "'");
}

Result<void> ExpressionParser::expect_name(std::string_view text) {
  if (skip_name(text)) return {};
  return fail("expected '" + std::string(text) + "'");
}

Result<void> ExpressionParser::expect(TokenType type, std::string_view what) {
  if (current().type != type) return fail("expected " + std::string(what));
  advance();
  return {};
}

Result<std::string> ExpressionParser::read_name() {
  if (current().type != TokenType::kName) return fail("expected a name");
  std::string name = current().text;
  advance();
  return name;
}

Error ExpressionParser::unexpected() const {
  switch (current().type) {
    case TokenType::kName:
    case TokenType::kOperator:
      return fail("unexpected '" + current().text + "'");
    case TokenType::kEnd:
      return fail("unexpected end of the template");
    case TokenType::kBlockEnd:
    case TokenType::kVariableEnd:
      return fail("unexpected end of the tag");
    default:
      return fail("unexpected literal");
  }
}

NameId ExpressionParser::intern(const std::string& name) {
  const auto [entry, added] = name_ids_.emplace(name, static_cast<NameId>(template_->names.size()));
  if (added) template_->names.push_back(name);
  return entry->second;
}

Result<ExprPtr> ExpressionParser::parse_expression(Conditional conditional) {
  const Depth nested(&depth_);
  if (too_deep()) return too_deep_error();
  return conditional == Conditional::kAllowed ? parse_conditional() : parse_junction(Junction::kOr);
}

Result<ExprPtr> ExpressionParser::parse_conditional() {
  const int line = current().line;
  ASSIGN_OR_RETURN(ExprPtr value, parse_junction(Junction::kOr));
  for (int32_t nested = 1; skip_name("if"); ++nested) {
    if (depth_ + nested > depth_max_) return too_deep_error();
    ASSIGN_OR_RETURN(ExprPtr condition, parse_junction(Junction::kOr));
    ExprPtr otherwise;
    if (skip_name("else")) {
      ASSIGN_OR_RETURN(otherwise, parse_expression());
    }
    value = make(line, ConditionalExpr{std::move(condition), std::move(value), std::move(otherwise)});
  }
  return value;
}

Result<ExprPtr> ExpressionParser::parse_junction(Junction junction) {
  const int line = current().line;
  const bool is_or = junction == Junction::kOr;
  std::vector<ExprPtr> operands;
  do {
    ASSIGN_OR_RETURN(ExprPtr operand, is_or ? parse_junction(Junction::kAnd) : parse_not());
    operands.push_back(std::move(operand));
  } while (skip_name(is_or ? "or" : "and"));
  if (operands.size() == 1) return std::move(operands[0]);
  return make(line, JunctionExpr{junction, std::move(operands)});
}

Result<ExprPtr> ExpressionParser::parse_not() {
  const int line = current().line;
  if (!skip_name("not")) return parse_compare();
  const Depth nested(&depth_);
  if (too_deep()) return too_deep_error();
  ASSIGN_OR_RETURN(ExprPtr operand, parse_not());
  return make(line, NotExpr{std::move(operand)});
}

bool ExpressionParser::read_compare_operator(CompareOp* op) {
  constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEqual},     {"!=", CompareOp::kNotEqual}, {"<", CompareOp::kLess},
      {"<=", CompareOp::kLessEqual}, {">", CompareOp::kGreater},   {">=", CompareOp::kGreaterEqual}};
  for (const auto& [text, value] : kOperators) {
    if (skip_operator(text)) return *op = value, true;
  }
  if (skip_name("in")) return *op = CompareOp::kIn, true;
  if (at_name("not") && ahead().type == TokenType::kName && ahead().text == "in") {
    advance();
    advance();
    return *op = CompareOp::kNotIn, true;
  }
  return false;
}

Result<ExprPtr> ExpressionParser::parse_compare() {
  const int line = current().line;
  ASSIGN_OR_RETURN(ExprPtr first, parse_sum());
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
  for (CompareOp op; read_compare_operator(&op);) {
    ASSIGN_OR_RETURN(ExprPtr operand, parse_sum());
    rest.emplace_back(op, std::move(operand));
  }
  if (rest.empty()) return first;
  return make(line, CompareExpr{std::move(first), std::move(rest)});
}

Result<ExprPtr> ExpressionParser::parse_sum() {
  const int line = current().line;
  ASSIGN_OR_RETURN(ExprPtr first, parse_concat());
  std::vector<std::pair<ArithmeticOp, ExprPtr>> rest;
  while (at_operator("+") || at_operator("-")) {
    const auto op = at_operator("+") ? ArithmeticOp::kAdd : ArithmeticOp::kSubtract;
    advance();
    ASSIGN_OR_RETURN(ExprPtr operand, parse_concat());
    rest.emplace_back(op, std::move(operand));
  }
  if (rest.empty()) return first;
  return make(line, ArithmeticExpr{std::move(first), std::move(rest)});
}

Result<ExprPtr> ExpressionParser::parse_concat() {
  const int line = current().line;
  std::vector<ExprPtr> operands;
  do {
    ASSIGN_OR_RETURN(ExprPtr operand, parse_product());
    operands.push_back(std::move(operand));
  } while (skip_operator("~"));
  if (operands.size() == 1) return std::move(operands[0]);
  return make(line, ConcatExpr{std::move(operands)});
}

Result<ExprPtr> ExpressionParser::parse_product() {
  constexpr std::pair<std::string_view, ArithmeticOp> kOperators[] = {{"*", ArithmeticOp::kMultiply},
                                                                      {"/", ArithmeticOp::kDivide},
                                                                      {"//", ArithmeticOp::kFloorDivide},
                                                                      {"%", ArithmeticOp::kModulo}};
  const int line = current().line;
  ASSIGN_OR_RETURN(ExprPtr first, parse_power());
  std::vector<std::pair<ArithmeticOp, ExprPtr>> rest;
  for (;;) {
    const auto op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                 [this](const auto& entry) { return at_operator(entry.first); });
    if (op == std::end(kOperators)) break;
    advance();
    ASSIGN_OR_RETURN(ExprPtr operand, parse_power());
    rest.emplace_back(op->second, std::move(operand));
  }
  if (rest.empty()) return first;
  return make(line, ArithmeticExpr{std::move(first), std::move(rest)});
}

Result<ExprPtr> ExpressionParser::parse_power() {
  const int line = current().line;
  ASSIGN_OR_RETURN(ExprPtr first, parse_unary(Filters::kAllowed));
  std::vector<std::pair<ArithmeticOp, ExprPtr>> rest;
  while (skip_operator("**")) {
    ASSIGN_OR_RETURN(ExprPtr operand, parse_unary(Filters::kAllowed));
    rest.emplace_back(ArithmeticOp::kPower, std::move(operand));
  }
  if (rest.empty()) return first;
  return make(line, ArithmeticExpr{std::move(first), std::move(rest)});
}

Result<ExprPtr> ExpressionParser::parse_unary(Filters filters) {
  const Depth nested(&depth_);
  if (too_deep()) return too_deep_error();
  const int line = current().line;
  ExprPtr value;
  if (at_operator("-") || at_operator("+")) {
    const Sign sign = at_operator("-") ? Sign::kMinus : Sign::kPlus;
    advance();
    ASSIGN_OR_RETURN(ExprPtr operand, parse_unary(Filters::kNotAllowed));
    value = make(line, SignExpr{sign, std::move(operand)});
  } else {
    ASSIGN_OR_RETURN(value, parse_primary());
  }
  std::vector<Suffix> suffixes;
  RETURN_IF_ERROR(parse_postfix(&suffixes));
  while (filters == Filters::kAllowed) {
    if (skip_operator("|")) {
      ASSIGN_OR_RETURN(Suffix filter, parse_filter());
      suffixes.push_back(std::move(filter));
    } else if (at_name("is")) {
      ASSIGN_OR_RETURN(Suffix predicate, parse_test());
      suffixes.push_back(std::move(predicate));
    } else if (at_operator("(")) {
      const int call_line = current().line;
      ASSIGN_OR_RETURN(CallArguments arguments, parse_call_arguments());
      suffixes.push_back({call_line, CallSuffix{std::move(arguments)}});
    } else {
      break;
    }
  }
  return with_suffixes(line, std::move(value), std::move(suffixes));
}

Result<ExprPtr> ExpressionParser::parse_primary() {
  const Token& token = current();
  const int line = token.line;
  switch (token.type) {
    case TokenType::kName:
      return parse_name();
    case TokenType::kText: {
      std::string text;
      while (current().type == TokenType::kText) {
        text += current().text;
        advance();
      }
      return make(line, ConstantExpr{constant_text(std::move(text))});
    }
    case TokenType::kInteger:
      advance();
      return constant(line, tokens_[position_ - 1].integer);
    case TokenType::kFloat:
      advance();
      return constant(line, tokens_[position_ - 1].number);
    default:
      break;
  }
  if (at_operator("(")) return parse_parentheses();
  if (at_operator("[")) return parse_list();
  if (at_operator("{")) return parse_dict();
  return unexpected();
}

Result<ExprPtr> ExpressionParser::parse_name() {
  const int line = current().line;
  const std::string name = current().text;
  advance();
  if (name == "true" || name == "True") return constant(line, true);
  if (name == "false" || name == "False") return constant(line, false);
  if (name == "none" || name == "None") return constant(line, None{});
  for (Mentions& mentions : mentions_) {
    mentions.caller |= name == "caller";
    mentions.varargs |= name == "varargs";
    mentions.kwargs |= name == "kwargs";
  }
  return make(line, NameExpr{intern(name)});
}

Result<ExprPtr> ExpressionParser::parse_parentheses() {
  const int line = current().line;
  advance();
  if (skip_operator(")")) return make(line, SequenceExpr{SequenceKind::kTuple, {}});
  ASSIGN_OR_RETURN(ExprPtr value, parse_tuple());
  RETURN_IF_ERROR(expect_operator(")"));
  return value;
}

bool ExpressionParser::at_tuple_end() const {
  return current().type == TokenType::kVariableEnd || current().type == TokenType::kBlockEnd ||
         at_operator(")");
}

Result<ExprPtr> ExpressionParser::parse_tuple(Conditional conditional) {
  const int line = current().line;
  ASSIGN_OR_RETURN(ExprPtr first, parse_expression(conditional));
  if (!at_operator(",")) return first;
  std::vector<ExprPtr> items;
  items.push_back(std::move(first));
  while (skip_operator(",") && !at_tuple_end()) {
    ASSIGN_OR_RETURN(ExprPtr item, parse_expression(conditional));
    items.push_back(std::move(item));
  }
  return make(line, SequenceExpr{SequenceKind::kTuple, std::move(items)});
}

Result<ExprPtr> ExpressionParser::parse_list() {
  const int line = current().line;
  advance();
  std::vector<ExprPtr> items;
  while (!at_operator("]")) {
    if (!items.empty()) RETURN_IF_ERROR(expect_operator(","));
    if (at_operator("]")) break;
    ASSIGN_OR_RETURN(ExprPtr item, parse_expression());
    items.push_back(std::move(item));
  }
  advance();
  return make(line, SequenceExpr{SequenceKind::kList, std::move(items)});
}

Result<ExprPtr> ExpressionParser::parse_dict() {
  const int line = current().line;
  advance();
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
  while (!at_operator("}")) {
    if (!entries.empty()) RETURN_IF_ERROR(expect_operator(","));
    if (at_operator("}")) break;
    ASSIGN_OR_RETURN(ExprPtr key, parse_expression());
    RETURN_IF_ERROR(expect_operator(":"));
    ASSIGN_OR_RETURN(ExprPtr value, parse_expression());
    entries.emplace_back(std::move(key), std::move(value));
  }
  advance();
  return make(line, DictExpr{std::move(entries)});
}

}  // namespace hussar::jinja
