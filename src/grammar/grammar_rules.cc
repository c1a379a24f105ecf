#include "grammar/grammar_rules.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/utf8.h"

namespace hussar {
namespace {

int64_t utf8_bytes(uint32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

// One character of a class or literal, escaped so that it means itself in both.
void append_escaped(uint32_t code, std::string* out) {
  char text[16];
  const bool plain =
      (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
  if (plain) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x10000) {
    std::snprintf(text, sizeof(text), "\\u%04x", code);
    *out += text;
  } else {
    std::snprintf(text, sizeof(text), "\\U%08x", code);
    *out += text;
  }
}

}  // namespace

GrammarRules::GrammarRules() {
  add(Node{});
  Node nothing;
  nothing.kind = Kind::kNothing;
  add(nothing);
}

GrammarRules::Expression GrammarRules::add(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<Expression>(nodes_.size()) - 1;
}

GrammarRules::Expression GrammarRules::literal(std::string_view bytes) {
  if (bytes.empty()) return kEmpty;
  Node node;
  node.bytes = bytes;
  return add(std::move(node));
}

GrammarRules::Expression GrammarRules::chars(const CodePointSet& set) {
  if (set.empty()) return kNothing;
  Node node;
  node.kind = Kind::kChars;
  node.set = set;
  return add(std::move(node));
}

GrammarRules::Expression GrammarRules::sequence(std::vector<Expression> parts) {
  std::erase(parts, kEmpty);
  if (std::find(parts.begin(), parts.end(), kNothing) != parts.end()) return kNothing;
  if (parts.empty()) return kEmpty;
  if (parts.size() == 1) return parts[0];
  Node node;
  node.kind = Kind::kSequence;
  node.parts = std::move(parts);
  return add(std::move(node));
}

GrammarRules::Expression GrammarRules::choice(std::vector<Expression> options) {
  std::erase(options, kNothing);
  if (options.empty()) return kNothing;
  if (options.size() == 1) return options[0];
  Node node;
  node.kind = Kind::kChoice;
  node.parts = std::move(options);
  return add(std::move(node));
}

GrammarRules::Expression GrammarRules::repeat(Expression body, int32_t min, int32_t max) {
  if (max == 0 || body == kEmpty || (body == kNothing && min == 0)) return kEmpty;
  if (body == kNothing) return kNothing;
  if (min == 1 && max == 1) return body;
  Node node;
  node.kind = Kind::kRepeat;
  node.parts = {body};
  node.min = min;
  node.max = max;
  return add(std::move(node));
}

GrammarRules::Expression GrammarRules::reference(Rule rule) {
  Node node;
  node.kind = Kind::kReference;
  node.rule = rule;
  return add(std::move(node));
}

GrammarRules::Rule GrammarRules::add_rule() {
  rules_.push_back(kNothing);
  characters_max_.push_back(-1);
  return static_cast<Rule>(rules_.size()) - 1;
}

GrammarRules::Rule GrammarRules::add_limited_rule(Expression body, int32_t characters_max) {
  const Rule rule = add_rule();
  define(rule, body);
  characters_max_[rule] = characters_max;
  return rule;
}

GrammarRules::Cost GrammarRules::cost_of(Expression expression, const std::vector<Cost>& costs) const {
  const Node& node = nodes_[expression];
  Cost cost;
  switch (node.kind) {
    case Kind::kLiteral:
      return {static_cast<int64_t>(node.bytes.size()), 0};
    case Kind::kNothing:
      return {kInfinite, 0};
    case Kind::kChars:
      return {utf8_bytes(node.set.ranges()[0].first), 0};
    case Kind::kReference:
      return costs[node.rule].bytes >= kInfinite ? Cost{kInfinite, 0}
                                                 : Cost{costs[node.rule].bytes, costs[node.rule].depth + 1};
    case Kind::kSequence:
      for (const Expression part : node.parts) {
        const Cost of_part = cost_of(part, costs);
        cost = {std::min(kInfinite, cost.bytes + of_part.bytes), std::max(cost.depth, of_part.depth)};
      }
      return cost;
    case Kind::kChoice:
      cost = {kInfinite, 0};
      for (const Expression part : node.parts) cost = std::min(cost, cost_of(part, costs));
      return cost;
    case Kind::kRepeat:
      if (node.min == 0) return {};
      cost = cost_of(node.parts[0], costs);
      return {std::min(kInfinite, cost.bytes * node.min), cost.depth};
  }
  return cost;
}

void GrammarRules::references_of(Expression expression, std::vector<Rule>* rules) const {
  const Node& node = nodes_[expression];
  if (node.kind == Kind::kReference) rules->push_back(node.rule);
  for (const Expression part : node.parts) references_of(part, rules);
}

// The least costs that satisfy all rules: from "infinite" downwards, looking again at the rules that use one
// that became cheaper.
std::vector<GrammarRules::Cost> GrammarRules::rule_costs() const {
  std::vector<Cost> costs(rules_.size(), Cost{kInfinite, 0});
  std::vector<std::vector<Rule>> users(rules_.size());
  std::vector<Rule> work;
  for (Rule rule = rule_count() - 1; rule >= 0; --rule) {
    std::vector<Rule> used;
    references_of(rules_[rule], &used);
    for (const Rule other : used) users[other].push_back(rule);
  }
  // Last rules first: they stand deepest, most often.
  for (Rule rule = rule_count() - 1; rule >= 0; --rule) work.push_back(rule);
  std::vector<bool> queued(rules_.size(), true);
  for (size_t next = 0; next < work.size(); ++next) {
    const Rule rule = work[next];
    queued[rule] = false;
    const Cost cost = cost_of(rules_[rule], costs);
    if (!(cost < costs[rule])) continue;
    costs[rule] = cost;
    for (const Rule user : users[rule]) {
      if (queued[user]) continue;
      queued[user] = true;
      work.push_back(user);
    }
  }
  return costs;
}

std::string GrammarRules::shortest_text(Rule start, const std::vector<Cost>& costs) const {
  std::string text;
  std::vector<Expression> todo{rules_[start]};
  while (!todo.empty()) {
    const Node& node = nodes_[todo.back()];
    todo.pop_back();
    switch (node.kind) {
      case Kind::kLiteral:
        text += node.bytes;
        break;
      case Kind::kNothing:
        CHECK_NOTE(false, "a text that can't be finished was followed");
        break;
      case Kind::kChars:
        append_utf8(static_cast<char32_t>(node.set.ranges()[0].first), &text);
        break;
      case Kind::kReference:
        todo.push_back(rules_[node.rule]);
        break;
      case Kind::kSequence:
        todo.insert(todo.end(), node.parts.rbegin(), node.parts.rend());
        break;
      case Kind::kChoice:
        todo.push_back(*std::min_element(
            node.parts.begin(), node.parts.end(),
            [&](Expression a, Expression b) { return cost_of(a, costs) < cost_of(b, costs); }));
        break;
      case Kind::kRepeat:
        todo.insert(todo.end(), static_cast<size_t>(node.min), node.parts[0]);
        break;
    }
  }
  return text;
}

// Writes the rules that a start reaches, in the order in which they are met.
class GrammarRules::Writer {
 public:
  Writer(const GrammarRules& rules, std::string_view name, const std::vector<Cost>& costs)
      : rules_(rules), name_(name), costs_(costs), number_(rules.rules_.size(), -1) {}

  void run(Rule start, Text* text) {
    number_[start] = 0;
    order_.push_back(start);
    for (size_t i = 0; i < order_.size(); ++i) {
      const int32_t characters_max = rules_.characters_max_[order_[i]];
      text->ebnf += name_of(order_[i]);
      if (characters_max >= 0) text->ebnf += "[max_chars=" + std::to_string(characters_max) + "]";
      text->ebnf += " ::= ";
      write(rules_.rules_[order_[i]], Place::kRule, &text->ebnf);
      text->ebnf += '\n';
    }
    text->rules = static_cast<int32_t>(order_.size());
    text->expressions = expressions_;
  }

 private:
  enum class Place { kRule, kSequence, kRepeat };

  std::string name_of(Rule rule) const {
    return number_[rule] == 0 ? std::string(name_) : std::string(name_) + "_" + std::to_string(number_[rule]);
  }
  bool finishes(Expression expression) const { return rules_.cost_of(expression, costs_).bytes < kInfinite; }

  void write(Expression expression, Place place, std::string* out) {
    ++expressions_;
    const Node& node = rules_.nodes_[expression];
    switch (node.kind) {
      case Kind::kLiteral:
        *out += '"';
        for (size_t offset = 0; offset < node.bytes.size();)
          append_escaped(next_code_point(node.bytes, &offset), out);
        *out += '"';
        break;
      case Kind::kNothing:
        CHECK_NOTE(false, "a text that can't be finished was written");
        break;
      case Kind::kChars:
        *out += '[';
        for (const CodePointRange& range : node.set.ranges()) {
          append_escaped(range.first, out);
          if (range.last == range.first) continue;
          *out += '-';
          append_escaped(range.last, out);
        }
        *out += ']';
        break;
      case Kind::kReference:
        if (number_[node.rule] < 0) {
          number_[node.rule] = static_cast<int32_t>(order_.size());
          order_.push_back(node.rule);
        }
        *out += name_of(node.rule);
        break;
      case Kind::kSequence:
        write_list(node.parts, " ", place == Place::kRepeat, out);
        break;
      case Kind::kChoice: {
        std::vector<Expression> options;
        for (const Expression part : node.parts) {
          if (finishes(part)) options.push_back(part);
        }
        write_list(options, " | ", place != Place::kRule, out);
        break;
      }
      case Kind::kRepeat:
        write_repeat(node, out);
        break;
    }
  }

  void write_list(const std::vector<Expression>& parts, std::string_view separator, bool in_brackets,
                  std::string* out) {
    if (in_brackets) *out += '(';
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) *out += separator;
      write(parts[i], Place::kSequence, out);
    }
    if (in_brackets) *out += ')';
  }

  void write_repeat(const Node& node, std::string* out) {
    if (!finishes(node.parts[0])) {
      *out += "\"\"";
      return;
    }
    write(node.parts[0], Place::kRepeat, out);
    if (node.min == 0 && node.max < 0) {
      *out += '*';
    } else if (node.min == 0 && node.max == 1) {
      *out += '?';
    } else {
      *out += '{' + std::to_string(node.min) + (node.max < 0 ? ",}" : "," + std::to_string(node.max) + "}");
    }
  }

  const GrammarRules& rules_;
  std::string_view name_;
  const std::vector<Cost>& costs_;
  std::vector<int32_t> number_;  // of each rule in the text; -1: not met yet
  std::vector<Rule> order_;
  int32_t expressions_ = 0;
};

std::optional<GrammarRules::Text> GrammarRules::write(Rule start, std::string_view name,
                                                      int64_t shortest_bytes_max,
                                                      int64_t* shortest_bytes) const {
  const std::vector<Cost> costs = rule_costs();
  *shortest_bytes = costs[start].bytes;
  if (costs[start].bytes >= kInfinite) return std::nullopt;
  Text text;
  Writer(*this, name, costs).run(start, &text);
  if (*shortest_bytes <= shortest_bytes_max) text.shortest = shortest_text(start, costs);
  return text;
}

}  // namespace hussar
