// What follows an operand: attributes, subscripts, calls, filters and tests.
#include "text/jinja/parser_state.h"

namespace hussar::jinja {

Result<void> ExpressionParser::parse_postfix(std::vector<Suffix>* suffixes) {
  for (;;) {
    const int line = current().line;
    if (at_operator(".")) {
      ASSIGN_OR_RETURN(Suffix attribute, parse_attribute());
      suffixes->push_back(std::move(attribute));
    } else if (at_operator("[")) {
      ASSIGN_OR_RETURN(Suffix subscript, parse_subscript());
      suffixes->push_back(std::move(subscript));
    } else if (at_operator("(")) {
      ASSIGN_OR_RETURN(CallArguments arguments, parse_call_arguments());
      suffixes->push_back({line, CallSuffix{std::move(arguments)}});
    } else {
      return {};
    }
  }
}

Result<Suffix> ExpressionParser::parse_attribute() {
  const int line = current().line;
  advance();
  if (current().type == TokenType::kInteger) {
    const Value index(Value::Payload(current().integer));
    advance();
    return Suffix{line, IndexSuffix{std::make_unique<const Expr>(Expr{line, ConstantExpr{index}})}};
  }
  ASSIGN_OR_RETURN(const std::string name, read_name());
  return Suffix{line, AttributeSuffix{intern(name)}};
}

Result<ExprPtr> ExpressionParser::parse_slice_part() {
  if (at_operator(":") || at_operator("]") || at_operator(",")) return ExprPtr();
  return parse_expression();
}

Result<Suffix> ExpressionParser::parse_subscript() {
  const int line = current().line;
  advance();
  if (at_operator("]")) return refuse("an empty subscript is not supported");
  ASSIGN_OR_RETURN(ExprPtr first, parse_slice_part());
  if (at_operator(",")) return refuse("several subscripts in one are not supported");
  if (!at_operator(":")) {
    RETURN_IF_ERROR(expect_operator("]"));
    return Suffix{line, IndexSuffix{std::move(first)}};
  }
  advance();
  SliceSuffix slice{std::move(first), nullptr, nullptr};
  ASSIGN_OR_RETURN(slice.stop, parse_slice_part());
  if (skip_operator(":")) {
    ASSIGN_OR_RETURN(slice.step, parse_slice_part());
  }
  if (at_operator(",")) return refuse("several subscripts in one are not supported");
  RETURN_IF_ERROR(expect_operator("]"));
  return Suffix{line, std::move(slice)};
}

Result<CallArguments> ExpressionParser::parse_call_arguments() {
  RETURN_IF_ERROR(expect_operator("("));
  CallArguments arguments;
  bool first = true;
  while (!at_operator(")")) {
    if (!first) {
      RETURN_IF_ERROR(expect_operator(","));
      if (at_operator(")")) break;
    }
    first = false;
    RETURN_IF_ERROR(parse_call_argument(&arguments));
  }
  advance();
  return arguments;
}

Result<void> ExpressionParser::parse_call_argument(CallArguments* arguments) {
  const bool had_rest = arguments->rest_positional != nullptr;
  if (arguments->rest_named != nullptr) return fail("an argument follows **");
  if (at_operator("*") || at_operator("**")) {
    const bool positional = at_operator("*");
    if (positional && had_rest) return fail("a second * argument");
    advance();
    ASSIGN_OR_RETURN(ExprPtr rest, parse_expression());
    (positional ? arguments->rest_positional : arguments->rest_named) = std::move(rest);
    return {};
  }
  if (current().type == TokenType::kName && ahead().type == TokenType::kOperator && ahead().text == "=") {
    std::string name = current().text;
    for (const auto& entry : arguments->named) {
      if (entry.first == name) return fail("the argument '" + name + "' is given twice");
    }
    advance();
    advance();
    ASSIGN_OR_RETURN(ExprPtr value, parse_expression());
    arguments->named.emplace_back(std::move(name), std::move(value));
    return {};
  }
  if (had_rest || !arguments->named.empty()) return fail("a positional argument follows named ones");
  ASSIGN_OR_RETURN(ExprPtr value, parse_expression());
  arguments->positional.push_back(std::move(value));
  return {};
}

Result<Suffix> ExpressionParser::parse_filter() {
  const int line = current().line;
  ASSIGN_OR_RETURN(const std::string name, read_name());
  const Filter* filter = find_filter(name);
  if (filter == nullptr) return error_at(line, ErrorCode::kUnsupported, "there is no filter '" + name + "'");
  CallArguments arguments;
  if (at_operator("(")) {
    ASSIGN_OR_RETURN(arguments, parse_call_arguments());
  }
  return Suffix{line, FilterSuffix{filter, std::move(arguments)}};
}

Result<std::vector<Suffix>> ExpressionParser::parse_filters() {
  std::vector<Suffix> filters;
  do {
    ASSIGN_OR_RETURN(Suffix filter, parse_filter());
    filters.push_back(std::move(filter));
  } while (skip_operator("|"));
  return filters;
}

Result<Suffix> ExpressionParser::parse_test() {
  const int line = current().line;
  advance();
  const bool negated = skip_name("not");
  ASSIGN_OR_RETURN(const std::string name, read_name());
  const Predicate* predicate = find_predicate(name);
  if (predicate == nullptr) return error_at(line, ErrorCode::kUnsupported, "there is no test '" + name + "'");
  CallArguments arguments;
  const TokenType next = current().type;
  const bool ends = at_name("else") || at_name("or") || at_name("and");
  if (at_operator("(")) {
    ASSIGN_OR_RETURN(arguments, parse_call_arguments());
  } else if ((next == TokenType::kName && !ends) || next == TokenType::kText || next == TokenType::kInteger ||
             next == TokenType::kFloat || at_operator("[") || at_operator("{")) {
    if (at_name("is")) return fail("tests can't be chained");
    const Depth nested(&depth_);
    if (too_deep()) return too_deep_error();
    const int argument_line = current().line;
    ASSIGN_OR_RETURN(ExprPtr argument, parse_primary());
    std::vector<Suffix> suffixes;
    RETURN_IF_ERROR(parse_postfix(&suffixes));
    if (!suffixes.empty()) {
      argument = std::make_unique<const Expr>(
          Expr{argument_line, PostfixExpr{std::move(argument), std::move(suffixes)}});
    }
    arguments.positional.push_back(std::move(argument));
  }
  return Suffix{line, TestSuffix{predicate, negated, std::move(arguments)}};
}

}  // namespace hussar::jinja
