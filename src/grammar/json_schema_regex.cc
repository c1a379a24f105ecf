#include "grammar/json_schema_regex.h"

#include <algorithm>

#include "base/utf8.h"

namespace hussar {

// Writes a syntax tree out as instructions, each made with the one that follows it known: back to front.
class RegexAssembler {
 public:
  using Instruction = SchemaRegex::Instruction;
  using Op = Instruction::Op;
  using Program = SchemaRegex::Program;
  using Kind = RegexNode::Kind;

  RegexAssembler(const RegexTree& tree, size_t instructions_max)
      : tree_(tree), instructions_left_(static_cast<int64_t>(instructions_max)) {}

  Program assemble(uint32_t root, Program::Direction direction) {
    Program program{.direction = direction};
    program_ = &program;
    program.start = emit(root, add({}));
    return program;
  }

  bool is_too_large() const { return instructions_left_ < 0; }

 private:
  uint32_t add(Instruction instruction) {
    if (--instructions_left_ < 0) return 0;
    program_->instructions.push_back(instruction);
    return static_cast<uint32_t>(program_->instructions.size() - 1);
  }

  uint32_t emit(uint32_t index, uint32_t next) {
    const RegexNode& node = tree_.nodes[index];
    switch (node.kind) {
      case Kind::kEmpty:
        return next;
      case Kind::kChar:
        return add({Op::kChar, node.point, next});
      case Kind::kSet:
        return add({Op::kSet, node.index, next});
      case Kind::kConcat:
        return concat(node, next);
      case Kind::kAlternate: {
        uint32_t entry = emit(node.children.back(), next);
        for (size_t i = node.children.size() - 1; i-- > 0 && !is_too_large();)
          entry = add({Op::kSplit, entry, emit(node.children[i], next)});
        return entry;
      }
      case Kind::kRepeat:
        return repeat(node, next);
      case Kind::kBegin:
        return add({Op::kBegin, 0, next});
      case Kind::kEnd:
        return add({Op::kEnd, 0, next});
      case Kind::kWordBorder:
        return add({Op::kWordBorder, 0, next});
      case Kind::kNoWordBorder:
        return add({Op::kNoWordBorder, 0, next});
      case Kind::kLook:
        return add({Op::kLook, node.index, next});
    }
    return next;
  }

  uint32_t concat(const RegexNode& node, uint32_t next) {
    const size_t count = node.children.size();
    for (size_t i = 0; i < count && !is_too_large(); ++i) {
      const bool forward = program_->direction == Program::Direction::kForward;
      next = emit(node.children[forward ? count - 1 - i : i], next);
    }
    return next;
  }

  uint32_t repeat(const RegexNode& node, uint32_t next) {
    const uint32_t child = node.children[0];
    if (node.repeat_max == kRepeatForever) {
      const uint32_t loop = add({Op::kSplit, next, next});
      const uint32_t body = emit(child, loop);
      if (!is_too_large()) program_->instructions[loop].next = body;
      next = loop;
    } else {
      const uint32_t behind = next;
      for (uint32_t i = node.repeat_min; i < node.repeat_max && !is_too_large(); ++i)
        next = add({Op::kSplit, behind, emit(child, next)});
    }
    for (uint32_t i = 0; i < node.repeat_min && !is_too_large(); ++i) {
      --instructions_left_;  // a copy of nothing costs time too
      next = emit(child, next);
    }
    return next;
  }

  const RegexTree& tree_;
  int64_t instructions_left_;
  Program* program_ = nullptr;
};

namespace {

bool is_word(char32_t point) {
  return (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') || point == '_' ||
         (point >= 'a' && point <= 'z');
}

}  // namespace

// One search over scratch->points.
class RegexRun {
 public:
  using Op = SchemaRegex::Instruction::Op;
  using Program = SchemaRegex::Program;

  RegexRun(const SchemaRegex& regex, StepBudget* budget, RegexScratch* scratch)
      : regex_(regex), budget_(budget), scratch_(*scratch), points_(scratch->points) {}

  bool search() {
    scratch_.looks.resize(std::max(scratch_.looks.size(), regex_.looks_.size()));
    for (size_t i = 0; i < regex_.looks_.size() && !budget_->is_spent(); ++i) {
      scratch_.looks[i].assign(points_.size() + 1, regex_.looks_[i].negated);
      budget_->take_bytes(points_.size());
      run(regex_.looks_[i].program, [&](size_t position) {
        scratch_.looks[i][position] = !regex_.looks_[i].negated;
        return true;
      });
    }
    bool found = false;
    run(regex_.main_, [&](size_t) {
      found = true;
      return false;
    });
    return found;
  }

 private:
  // Calls `on_match` with each position at which a match ends (in the program's direction) until that returns
  // false. A match may begin anywhere.
  template <typename OnMatch>
  void run(const Program& program, const OnMatch& on_match) {
    if (scratch_.mark.size() < program.instructions.size()) scratch_.mark.resize(program.instructions.size());
    const bool forward = program.direction == Program::Direction::kForward;
    const size_t size = points_.size();
    scratch_.active.clear();
    for (size_t step = 0; step <= size; ++step) {
      const size_t position = forward ? step : size - step;
      ++scratch_.round;
      scratch_.next_active.clear();
      bool matched = false;
      for (const uint32_t instruction : scratch_.active) matched |= follow(program, instruction, position);
      matched |= follow(program, program.start, position);
      if (matched && !on_match(position)) return;
      if (step == size || budget_->is_spent()) return;
      consume(program, points_[forward ? position : position - 1]);
    }
  }

  // Everything that can be reached from `entry` without reading a character. What reads one is added to
  // next_active. Whether a match ends here.
  bool follow(const Program& program, uint32_t entry, size_t position) {
    bool matched = false;
    int64_t steps = 1;
    scratch_.stack.assign(1, entry);
    while (!scratch_.stack.empty()) {
      const uint32_t index = scratch_.stack.back();
      scratch_.stack.pop_back();
      if (scratch_.mark[index] == scratch_.round) continue;
      scratch_.mark[index] = scratch_.round;
      ++steps;
      const SchemaRegex::Instruction& instruction = program.instructions[index];
      switch (instruction.op) {
        case Op::kMatch:
          matched = true;
          break;
        case Op::kChar:
        case Op::kSet:
          scratch_.next_active.push_back(index);
          break;
        case Op::kSplit:
          scratch_.stack.push_back(instruction.argument);
          scratch_.stack.push_back(instruction.next);
          break;
        default:
          if (holds(instruction, position)) scratch_.stack.push_back(instruction.next);
      }
    }
    budget_->take(steps);
    return matched;
  }

  bool holds(const SchemaRegex::Instruction& instruction, size_t position) const {
    switch (instruction.op) {
      case Op::kBegin:
        return position == 0;
      case Op::kEnd:
        return position == points_.size();
      case Op::kLook:
        return scratch_.looks[instruction.argument][position];
      default: {
        const bool before = position > 0 && is_word(points_[position - 1]);
        const bool after = position < points_.size() && is_word(points_[position]);
        return (before != after) == (instruction.op == Op::kWordBorder);
      }
    }
  }

  // Of what waits in next_active, that which reads `point` goes on.
  void consume(const Program& program, char32_t point) {
    scratch_.active.clear();
    for (const uint32_t index : scratch_.next_active) {
      const SchemaRegex::Instruction& instruction = program.instructions[index];
      const bool reads = instruction.op == Op::kChar ? instruction.argument == point
                                                     : regex_.sets_[instruction.argument].contains(point);
      if (reads) scratch_.active.push_back(instruction.next);
    }
  }

  const SchemaRegex& regex_;
  StepBudget* budget_;
  RegexScratch& scratch_;
  const std::u32string& points_;
};

Result<SchemaRegex> SchemaRegex::compile(std::string_view pattern, const Limits& limits) {
  ASSIGN_OR_RETURN(RegexTree tree, parse_regex(pattern, RegexDialect::kLenient, limits.syntax));
  if (tree.has_backreference) {
    return Error{ErrorCode::kUnsupported, "a backreference can't be checked in bounded time", "pattern"};
  }
  RegexAssembler assembler(tree, limits.instructions_max);
  SchemaRegex regex;
  for (const RegexLook& look : tree.looks) {
    const auto direction = look.direction == RegexLook::Direction::kAhead ? Program::Direction::kBackward
                                                                          : Program::Direction::kForward;
    regex.looks_.push_back({assembler.assemble(look.child, direction), look.negated});
  }
  regex.main_ = assembler.assemble(tree.root, Program::Direction::kForward);
  if (assembler.is_too_large()) {
    return Error{ErrorCode::kTooLarge,
                 "the regular expression has more parts than the limit of " +
                     std::to_string(limits.instructions_max) + " when its repetitions are written out",
                 "pattern"};
  }
  regex.sets_ = std::move(tree.sets);
  return regex;
}

bool SchemaRegex::search(std::string_view text, StepBudget* budget, RegexScratch* scratch) const {
  if (!budget->take(1 + static_cast<int64_t>(text.size()))) return false;
  scratch->points.clear();
  for (size_t offset = 0; offset < text.size();) scratch->points.push_back(next_code_point(text, &offset));
  return RegexRun(*this, budget, scratch).search();
}

size_t SchemaRegex::instructions() const {
  size_t count = main_.instructions.size();
  for (const Look& look : looks_) count += look.program.instructions.size();
  return count;
}

}  // namespace hussar
