// A parsed template. Immutable and shared by all renderings.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/filters.h"
#include "text/jinja/predicates.h"
#include "text/jinja/value.h"

namespace hussar::jinja {

using NameId = int32_t;  // an index into Template::names

struct Expr;
using ExprPtr = std::unique_ptr<const Expr>;

enum class CompareOp : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };
enum class ArithmeticOp : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class Sign : uint8_t { kPlus, kMinus };
enum class Junction : uint8_t { kAnd, kOr };

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr rest_positional;  // *args; may be null
  ExprPtr rest_named;       // **kwargs; may be null
};

// What follows an operand: .name, [index], [a:b:c], (arguments), |filter, is test. Kept in a flat chain, so
// that a long one needs no recursion.
struct AttributeSuffix {
  NameId name;
};
struct IndexSuffix {
  ExprPtr index;
};
struct SliceSuffix {
  ExprPtr start, stop, step;  // each may be null
};
struct CallSuffix {
  CallArguments arguments;
};
struct FilterSuffix {
  const Filter* filter;
  CallArguments arguments;
};
struct TestSuffix {
  const Predicate* predicate;
  bool negated;
  CallArguments arguments;
};
struct Suffix {
  int line;
  std::variant<AttributeSuffix, IndexSuffix, SliceSuffix, CallSuffix, FilterSuffix, TestSuffix> kind;
};

struct ConstantExpr {
  Value value;
};
struct NameExpr {
  NameId id;
};
struct SequenceExpr {
  SequenceKind kind;  // a list or a tuple
  std::vector<ExprPtr> items;
};
struct DictExpr {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct NotExpr {
  ExprPtr operand;
};
struct SignExpr {
  Sign sign;
  ExprPtr operand;
};
struct JunctionExpr {
  Junction junction;
  std::vector<ExprPtr> operands;
};
struct CompareExpr {
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};
struct ArithmeticExpr {  // from left to right
  ExprPtr first;
  std::vector<std::pair<ArithmeticOp, ExprPtr>> rest;
};
struct ConcatExpr {
  std::vector<ExprPtr> operands;
};
struct ConditionalExpr {
  ExprPtr condition, then, otherwise;  // otherwise may be null
};
struct PostfixExpr {
  ExprPtr base;
  std::vector<Suffix> suffixes;
};

struct Expr {
  int line;
  std::variant<ConstantExpr, NameExpr, SequenceExpr, DictExpr, NotExpr, SignExpr, JunctionExpr, CompareExpr,
               ArithmeticExpr, ConcatExpr, ConditionalExpr, PostfixExpr>
      kind;
};

// Where a value is stored: a name, a namespace's member, or a tuple of these.
struct Target {
  enum class Kind : uint8_t { kName, kMember, kTuple };
  Kind kind;
  NameId name = 0;
  std::string member;
  std::vector<Target> items;
};

struct Statement;
using Block = std::vector<Statement>;

struct DataStatement {
  TextRef text;
};
struct PrintStatement {
  ExprPtr value;
};
struct IfStatement {
  std::vector<std::pair<ExprPtr, Block>> branches;  // if and each elif
  Block otherwise;
};
struct ForStatement {
  Target target;
  ExprPtr items;
  ExprPtr filter;  // may be null
  Block body;
  Block otherwise;
};
struct SetStatement {
  Target target;
  ExprPtr value;
};
struct SetBlockStatement {
  Target target;
  std::vector<Suffix> filters;
  Block body;
};
struct MacroStatement {
  NameId name;  // -1 for the body of a call block
  std::vector<NameId> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Block body;
  bool takes_caller;  // the body speaks of `caller`, `varargs`, `kwargs`
  bool takes_rest_positional;
  bool takes_rest_named;
};
struct CallStatement {
  ExprPtr callee;  // a PostfixExpr that ends with a CallSuffix
  MacroStatement caller;
};
struct FilterStatement {
  std::vector<Suffix> filters;
  Block body;
};
struct WithStatement {
  std::vector<std::pair<Target, ExprPtr>> variables;
  Block body;
};
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  int line;
  std::variant<DataStatement, PrintStatement, IfStatement, ForStatement, SetStatement, SetBlockStatement,
               MacroStatement, CallStatement, FilterStatement, WithStatement, BreakStatement,
               ContinueStatement>
      kind;
};

struct Template {
  Block body;
  std::deque<std::string> names;         // a deque: Undefined points into it
  NameId loop, caller, varargs, kwargs;  // the names that the language itself gives values
};

}  // namespace hussar::jinja
