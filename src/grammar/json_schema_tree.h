// A JSON document read for validation: numbers keep their exact value, members are sorted by name, and a
// value is a few bytes in flat tables, so that reading a finished instance costs little.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "grammar/json_schema_budget.h"
#include "grammar/json_schema_number.h"

namespace hussar {

class JsonTree;

enum class TreeKind : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };

// One value of a tree. Cheap to copy; valid as long as the tree is at its place.
class TreeValue {
 public:
  TreeValue() = default;
  TreeValue(const JsonTree* tree, uint32_t node) : tree_(tree), node_(node) {}

  TreeKind kind() const;
  bool boolean() const;             // REQUIRES: kBoolean
  DecimalView number() const;       // REQUIRES: kNumber
  std::string_view string() const;  // REQUIRES: kString
  uint32_t size() const;            // items or members; 0 for the other kinds
  TreeValue item(uint32_t index) const;
  // Members stand in the order of their names (as bytes), which is not the text's.
  std::string_view key(uint32_t index) const { return key_value(index).string(); }
  TreeValue key_value(uint32_t index) const;  // the name as a string of its own
  TreeValue member(uint32_t index) const;
  // Where `key` stands; size() when there is none.
  uint32_t find(std::string_view key) const;
  // The member `key` into `value`; false when there is none, or when this is no object.
  bool get(std::string_view key, TreeValue* value) const;

  uint32_t node() const { return node_; }
  const JsonTree* tree() const { return tree_; }

 private:
  const JsonTree* tree_ = nullptr;
  uint32_t node_ = 0;
};

class JsonTree {
 public:
  // Errors: as read_json_events, and kInvalid for a key that stands twice in one object. `limits.bytes_max`
  // counts up to 2 GiB.
  static Result<JsonTree> parse(std::string_view text, const JsonLimits& limits);

  TreeValue root() const { return {this, 0}; }
  // Nodes are numbered in the order of the text: a container comes before what it holds, a name before its
  // value.
  uint32_t nodes() const { return static_cast<uint32_t>(nodes_.size()); }
  // The JSON pointer that leads to a node, "" for the root.
  std::string pointer_to(uint32_t node) const;

 private:
  friend class TreeValue;
  friend class TreeBuilder;
  struct Node {
    TreeKind kind = TreeKind::kNull;
    bool flag = false;     // a boolean's value, a number's sign
    uint32_t begin = 0;    // of the text in text_, the items in items_ or the members in members_
    uint32_t size = 0;     // bytes of text, items or members
    int64_t exponent = 0;  // of a number
  };
  struct Member {
    uint32_t key_node = 0;
    uint32_t node = 0;
  };

  std::vector<Node> nodes_;
  std::vector<uint32_t> items_;
  std::vector<Member> members_;
  std::string text_;  // strings, names and digits
};

// One token of a JSON pointer, escaped, with the slash before it.
void append_pointer_token(std::string_view token, std::string* pointer);

// Equality as JSON Schema has it: numbers by value, objects whatever their order. 64 bits that equal values
// share (numbers by value too). REQUIRES: the depth of both is bounded by the limits they were read with.
bool equal_values(TreeValue a, TreeValue b, StepBudget* budget);
uint64_t hash_value(TreeValue value, StepBudget* budget);

inline TreeKind TreeValue::kind() const { return tree_->nodes_[node_].kind; }
inline bool TreeValue::boolean() const { return tree_->nodes_[node_].flag; }
inline std::string_view TreeValue::string() const {
  const JsonTree::Node& node = tree_->nodes_[node_];
  return std::string_view(tree_->text_).substr(node.begin, node.size);
}
inline uint32_t TreeValue::size() const { return kind() >= TreeKind::kArray ? tree_->nodes_[node_].size : 0; }
inline TreeValue TreeValue::item(uint32_t index) const {
  return {tree_, tree_->items_[tree_->nodes_[node_].begin + index]};
}
inline TreeValue TreeValue::key_value(uint32_t index) const {
  return {tree_, tree_->members_[tree_->nodes_[node_].begin + index].key_node};
}
inline TreeValue TreeValue::member(uint32_t index) const {
  return {tree_, tree_->members_[tree_->nodes_[node_].begin + index].node};
}
inline DecimalView TreeValue::number() const {
  const JsonTree::Node& node = tree_->nodes_[node_];
  return {node.flag, std::string_view(tree_->text_).substr(node.begin, node.size), node.exponent};
}

}  // namespace hussar
