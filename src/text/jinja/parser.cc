#include "text/jinja/parser.h"

#include <algorithm>

#include "text/jinja/parser_state.h"

namespace hussar::jinja {
namespace {

using Names = std::initializer_list<std::string_view>;

// Where a statement stands: a macro's body is not part of the loop around the macro.
enum class LoopBody { kInside, kOutside };

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Result<Block> parse_template();

 private:
  // Statements up to a tag that begins with one of `end_names`, which is current then. Without names: up to
  // the end of the source.
  Result<Block> parse_block(Names end_names);
  // The end of the tag at hand, then the block, then the name of the tag that ends it.
  Result<Block> parse_body(Names end_names);
  // The same with one possible end, which is skipped.
  Result<Block> parse_body_to(std::string_view end_name);

  Result<void> parse_statement(Block* block);
  Result<Statement> parse_tag(const std::string& name, int line);
  Result<Statement> parse_print(int line);
  Result<Statement> parse_if(int line);
  Result<Statement> parse_for(int line);
  Result<Statement> parse_set(int line);
  Result<Statement> parse_macro(int line);
  Result<Statement> parse_call(int line);
  Result<Statement> parse_generation(int line);
  Result<Statement> parse_filter_block(int line);
  Result<Statement> parse_with(int line);
  Result<Statement> parse_loop_control(const std::string& name, int line);

  enum class Members { kAllowed, kNotAllowed };  // whether a namespace's member can be a target
  Result<Target> parse_target(Members members);
  Result<Target> parse_target_item(Members members);
  Result<void> parse_parameters(MacroStatement* macro);
  Result<void> parse_macro_body(MacroStatement* macro, std::string_view end_name);

  LoopBody loop_ = LoopBody::kOutside;
  int32_t loops_around_ = 0;  // also across macros: `loop` can't be assigned in any of them
};

bool is_constant_name(const std::string& name) {
  return name == "true" || name == "false" || name == "none" || name == "True" || name == "False" ||
         name == "None";
}

bool contains_loop(const Target& target, NameId loop) {
  return (target.kind == Target::Kind::kName && target.name == loop) ||
         std::any_of(target.items.begin(), target.items.end(),
                     [loop](const Target& item) { return contains_loop(item, loop); });
}

Result<Block> Parser::parse_template() {
  tree().loop = intern("loop");
  tree().caller = intern("caller");
  tree().varargs = intern("varargs");
  tree().kwargs = intern("kwargs");
  return parse_block({});
}

Result<Block> Parser::parse_block(Names end_names) {
  const Depth nested(depth());
  if (too_deep()) return too_deep_error();
  Block block;
  for (;;) {
    const int line = current().line;
    switch (current().type) {
      case TokenType::kData: {
        const Value text = constant_text(current().text);
        block.push_back({line, DataStatement{*text.get<TextRef>()}});
        advance();
        break;
      }
      case TokenType::kVariableBegin: {
        advance();
        ASSIGN_OR_RETURN(ExprPtr value, parse_tuple());
        RETURN_IF_ERROR(expect(TokenType::kVariableEnd, "the end of the print tag"));
        block.push_back({line, PrintStatement{std::move(value)}});
        break;
      }
      case TokenType::kBlockBegin: {
        advance();
        const bool ends = std::any_of(end_names.begin(), end_names.end(),
                                      [this](std::string_view name) { return at_name(name); });
        if (ends) return block;
        RETURN_IF_ERROR(parse_statement(&block));
        RETURN_IF_ERROR(expect(TokenType::kBlockEnd, "the end of the tag"));
        break;
      }
      default:
        if (current().type != TokenType::kEnd) return unexpected();
        if (end_names.size() != 0) return fail(std::string(*(end_names.end() - 1)) + " is missing");
        return block;
    }
  }
}

Result<Block> Parser::parse_body(Names end_names) {
  skip_operator(":");
  RETURN_IF_ERROR(expect(TokenType::kBlockEnd, "the end of the tag"));
  return parse_block(end_names);
}

Result<Block> Parser::parse_body_to(std::string_view end_name) {
  ASSIGN_OR_RETURN(Block body, parse_body({end_name}));
  advance();
  return body;
}

Result<void> Parser::parse_statement(Block* block) {
  const int line = current().line;
  if (current().type != TokenType::kName) return fail("a tag must begin with a name");
  const std::string name = current().text;
  if (name == "print") {
    advance();
    for (bool first = true; current().type != TokenType::kBlockEnd; first = false) {
      if (!first) RETURN_IF_ERROR(expect_operator(","));
      ASSIGN_OR_RETURN(ExprPtr value, parse_expression());
      block->push_back({line, PrintStatement{std::move(value)}});
    }
    return {};
  }
  ASSIGN_OR_RETURN(Statement statement, parse_tag(name, line));
  block->push_back(std::move(statement));
  return {};
}

Result<Statement> Parser::parse_tag(const std::string& name, int line) {
  if (name.starts_with("end") || name == "else" || name == "elif")
    return fail("unexpected tag '" + name + "'");
  advance();
  if (name == "if") return parse_if(line);
  if (name == "for") return parse_for(line);
  if (name == "set") return parse_set(line);
  if (name == "macro") return parse_macro(line);
  if (name == "call") return parse_call(line);
  if (name == "generation") return parse_generation(line);
  if (name == "filter") return parse_filter_block(line);
  if (name == "with") return parse_with(line);
  if (name == "break" || name == "continue") return parse_loop_control(name, line);
  return error_at(line, ErrorCode::kUnsupported, "the tag '" + name + "' is not supported");
}

Result<Statement> Parser::parse_if(int line) {
  IfStatement statement;
  for (;;) {
    ASSIGN_OR_RETURN(ExprPtr condition, parse_tuple(Conditional::kNotAllowed));
    ASSIGN_OR_RETURN(Block body, parse_body({"elif", "else", "endif"}));
    statement.branches.emplace_back(std::move(condition), std::move(body));
    if (skip_name("elif")) continue;
    if (skip_name("else")) {
      ASSIGN_OR_RETURN(statement.otherwise, parse_body_to("endif"));
    } else {
      advance();
    }
    return Statement{line, std::move(statement)};
  }
}

Result<Statement> Parser::parse_for(int line) {
  ForStatement statement;
  ASSIGN_OR_RETURN(statement.target, parse_target(Members::kNotAllowed));
  RETURN_IF_ERROR(expect_name("in"));
  ASSIGN_OR_RETURN(statement.items, parse_tuple(Conditional::kNotAllowed));
  if (skip_name("if")) {
    ASSIGN_OR_RETURN(statement.filter, parse_expression());
  }
  if (at_name("recursive")) return refuse("recursive loops are not supported");
  if (contains_loop(statement.target, tree().loop)) return fail("'loop' can't be assigned in a loop");
  const LoopBody around = std::exchange(loop_, LoopBody::kInside);
  ++loops_around_;
  ASSIGN_OR_RETURN(statement.body, parse_body({"else", "endfor"}));
  loop_ = around;
  if (skip_name("else")) {
    ASSIGN_OR_RETURN(statement.otherwise, parse_body_to("endfor"));
  } else {
    advance();
  }
  --loops_around_;
  return Statement{line, std::move(statement)};
}

Result<Target> Parser::parse_target_item(Members members) {
  const Depth nested(depth());
  if (too_deep()) return too_deep_error();
  if (skip_operator("(")) {
    ASSIGN_OR_RETURN(Target tuple, parse_target(members));
    RETURN_IF_ERROR(expect_operator(")"));
    return tuple;
  }
  ASSIGN_OR_RETURN(const std::string name, read_name());
  if (is_constant_name(name)) return fail("can't assign to '" + name + "'");
  Target target{Target::Kind::kName, intern(name), "", {}};
  if (members == Members::kAllowed && skip_operator(".")) {
    target.kind = Target::Kind::kMember;
    ASSIGN_OR_RETURN(target.member, read_name());
  }
  return target;
}

Result<Target> Parser::parse_target(Members members) {
  ASSIGN_OR_RETURN(Target first, parse_target_item(members));
  if (!at_operator(",")) return first;
  Target tuple{Target::Kind::kTuple, 0, "", {}};
  tuple.items.push_back(std::move(first));
  while (skip_operator(",")) {
    if (at_tuple_end()) break;
    ASSIGN_OR_RETURN(Target item, parse_target_item(members));
    tuple.items.push_back(std::move(item));
  }
  return tuple;
}

Result<Statement> Parser::parse_set(int line) {
  ASSIGN_OR_RETURN(Target target, parse_target(Members::kAllowed));
  if (loops_around_ > 0 && contains_loop(target, tree().loop))
    return fail("'loop' can't be assigned in a loop");
  if (skip_operator("=")) {
    ASSIGN_OR_RETURN(ExprPtr value, parse_tuple());
    return Statement{line, SetStatement{std::move(target), std::move(value)}};
  }
  SetBlockStatement statement{std::move(target), {}, {}};
  if (skip_operator("|")) {
    ASSIGN_OR_RETURN(statement.filters, parse_filters());
  }
  const LoopBody around = std::exchange(loop_, LoopBody::kOutside);
  ASSIGN_OR_RETURN(statement.body, parse_body_to("endset"));
  loop_ = around;
  return Statement{line, std::move(statement)};
}

Result<void> Parser::parse_parameters(MacroStatement* macro) {
  RETURN_IF_ERROR(expect_operator("("));
  while (!at_operator(")")) {
    if (!macro->parameters.empty()) RETURN_IF_ERROR(expect_operator(","));
    ASSIGN_OR_RETURN(const std::string name, read_name());
    if (is_constant_name(name)) return fail("'" + name + "' can't be a parameter");
    const NameId id = intern(name);
    if (std::count(macro->parameters.begin(), macro->parameters.end(), id) != 0) {
      return fail("the parameter '" + name + "' is there twice");
    }
    if (skip_operator("=")) {
      ASSIGN_OR_RETURN(ExprPtr value, parse_expression());
      macro->defaults.push_back(std::move(value));
    } else if (!macro->defaults.empty()) {
      return fail("a parameter without a default follows one with a default");
    }
    macro->parameters.push_back(id);
  }
  advance();
  return {};
}

Result<void> Parser::parse_macro_body(MacroStatement* macro, std::string_view end_name) {
  mentions().emplace_back();
  const LoopBody around = std::exchange(loop_, LoopBody::kOutside);
  ASSIGN_OR_RETURN(macro->body, parse_body_to(end_name));
  loop_ = around;
  const auto is_parameter = [this, macro](const std::string& name) {
    return std::count(macro->parameters.begin(), macro->parameters.end(), intern(name)) != 0;
  };
  macro->takes_caller = mentions().back().caller && !is_parameter("caller");
  macro->takes_rest_positional = mentions().back().varargs && !is_parameter("varargs");
  macro->takes_rest_named = mentions().back().kwargs && !is_parameter("kwargs");
  mentions().pop_back();
  return {};
}

Result<Statement> Parser::parse_macro(int line) {
  MacroStatement macro{};
  ASSIGN_OR_RETURN(const std::string name, read_name());
  if (is_constant_name(name)) return fail("'" + name + "' can't name a macro");
  macro.name = intern(name);
  RETURN_IF_ERROR(parse_parameters(&macro));
  RETURN_IF_ERROR(parse_macro_body(&macro, "endmacro"));
  return Statement{line, std::move(macro)};
}

Result<Statement> Parser::parse_call(int line) {
  CallStatement statement;
  statement.caller.name = -1;
  if (at_operator("(")) RETURN_IF_ERROR(parse_parameters(&statement.caller));
  ASSIGN_OR_RETURN(statement.callee, parse_expression());
  const auto* callee = std::get_if<PostfixExpr>(&statement.callee->kind);
  if (callee == nullptr || !std::holds_alternative<CallSuffix>(callee->suffixes.back().kind)) {
    return error_at(line, ErrorCode::kInvalid, "a call block needs a call");
  }
  RETURN_IF_ERROR(parse_macro_body(&statement.caller, "endcall"));
  return Statement{line, std::move(statement)};
}

// Marks what the model generates, for training. Here it is only a scope of its own.
Result<Statement> Parser::parse_generation(int line) {
  WithStatement statement;
  const LoopBody around = std::exchange(loop_, LoopBody::kOutside);
  ASSIGN_OR_RETURN(statement.body, parse_body_to("endgeneration"));
  loop_ = around;
  return Statement{line, std::move(statement)};
}

Result<Statement> Parser::parse_filter_block(int line) {
  FilterStatement statement;
  ASSIGN_OR_RETURN(statement.filters, parse_filters());
  const LoopBody around = std::exchange(loop_, LoopBody::kOutside);
  ASSIGN_OR_RETURN(statement.body, parse_body_to("endfilter"));
  loop_ = around;
  return Statement{line, std::move(statement)};
}

Result<Statement> Parser::parse_with(int line) {
  WithStatement statement;
  while (current().type != TokenType::kBlockEnd) {
    if (!statement.variables.empty()) RETURN_IF_ERROR(expect_operator(","));
    ASSIGN_OR_RETURN(Target target, parse_target(Members::kNotAllowed));
    RETURN_IF_ERROR(expect_operator("="));
    ASSIGN_OR_RETURN(ExprPtr value, parse_expression());
    statement.variables.emplace_back(std::move(target), std::move(value));
  }
  ASSIGN_OR_RETURN(statement.body, parse_body_to("endwith"));
  return Statement{line, std::move(statement)};
}

Result<Statement> Parser::parse_loop_control(const std::string& name, int line) {
  if (loop_ == LoopBody::kOutside) return fail("'" + name + "' stands outside of a loop");
  if (name == "break") return Statement{line, BreakStatement{}};
  return Statement{line, ContinueStatement{}};
}

}  // namespace

Result<std::unique_ptr<const Template>> parse(std::string_view source, const TemplateLimits& limits) {
  ASSIGN_OR_RETURN(std::vector<Token> tokens, tokenize(source));
  auto tree = std::make_unique<Template>();
  Parser parser(std::move(tokens), limits.depth_max, tree.get());
  ASSIGN_OR_RETURN(tree->body, parser.parse_template());
  return std::unique_ptr<const Template>(std::move(tree));
}

}  // namespace hussar::jinja
