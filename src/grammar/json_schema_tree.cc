#include "grammar/json_schema_tree.h"

#include <algorithm>
#include <functional>

#include "base/json_events.h"
#include "base/utf8.h"

namespace hussar {
namespace {

constexpr size_t kBytesMax = size_t{1} << 31;  // so that 32 bits count nodes and text
constexpr size_t kShownBytes = 40;             // of a key in a message

std::string_view shorten_utf8(std::string_view text) {
  text = text.substr(0, kShownBytes);
  return text.substr(0, complete_utf8_prefix_bytes(text));
}

}  // namespace

// Values wait on a stack until their container closes, so that a container's items lie side by side.
class TreeBuilder : public JsonEvents {
 public:
  explicit TreeBuilder(JsonTree* tree) : tree_(tree) {}

  bool on_null() override { return add({}); }
  bool on_bool(bool value) override { return add({.kind = TreeKind::kBoolean, .flag = value}); }
  bool on_number(std::string_view text) override {
    const size_t begin = tree_->text_.size();
    DecimalView number;
    if (!parse_decimal(text, &tree_->text_, &number)) return problem = "the exponent is too large", false;
    return add({TreeKind::kNumber, number.negative, static_cast<uint32_t>(begin),
                static_cast<uint32_t>(number.digits.size()), number.exponent});
  }
  bool on_string(std::string_view text) override {
    JsonTree::Node node{.kind = TreeKind::kString};
    append(text, &node.begin, &node.size);
    return add(node);
  }
  bool on_array_begin() override { return open(TreeKind::kArray); }
  bool on_object_begin() override { return open(TreeKind::kObject); }
  bool on_key(std::string_view text) override {
    JsonTree::Node node{.kind = TreeKind::kString};
    append(text, &node.begin, &node.size);
    key_node_ = static_cast<uint32_t>(tree_->nodes_.size());
    tree_->nodes_.push_back(node);
    return true;
  }
  bool on_array_end() override {
    JsonTree::Node& node = tree_->nodes_[open_.back().node];
    node.begin = static_cast<uint32_t>(tree_->items_.size());
    node.size = static_cast<uint32_t>(waiting_.size() - open_.back().first_child);
    for (size_t i = open_.back().first_child; i < waiting_.size(); ++i)
      tree_->items_.push_back(waiting_[i].node);
    return close();
  }
  bool on_object_end() override {
    JsonTree::Node& node = tree_->nodes_[open_.back().node];
    const auto begin = waiting_.begin() + static_cast<std::ptrdiff_t>(open_.back().first_child);
    const auto key = [this](const JsonTree::Member& m) { return TreeValue(tree_, m.key_node).string(); };
    const auto by_key = [&](const auto& a, const auto& b) { return key(a) < key(b); };
    std::sort(begin, waiting_.end(), by_key);
    const auto twice = std::adjacent_find(begin, waiting_.end(),
                                          [&](const auto& a, const auto& b) { return !by_key(a, b); });
    if (twice != waiting_.end()) {
      problem = "the key ";
      append_json_string(shorten_utf8(key(*twice)), &problem);
      problem += " stands twice in one object";
      return false;
    }
    node.begin = static_cast<uint32_t>(tree_->members_.size());
    node.size = static_cast<uint32_t>(waiting_.end() - begin);
    tree_->members_.insert(tree_->members_.end(), begin, waiting_.end());
    return close();
  }

 private:
  struct Open {
    uint32_t node = 0;
    size_t first_child = 0;  // in waiting_
    JsonTree::Member as_child;
  };

  void append(std::string_view text, uint32_t* begin, uint32_t* size) {
    *begin = static_cast<uint32_t>(tree_->text_.size());
    *size = static_cast<uint32_t>(text.size());
    tree_->text_ += text;
  }
  // A value that is its parent's next child, under the key that came last.
  JsonTree::Member next_child() const { return {key_node_, static_cast<uint32_t>(tree_->nodes_.size())}; }
  bool add(const JsonTree::Node& node) {
    waiting_.push_back(next_child());
    tree_->nodes_.push_back(node);
    return true;
  }
  bool open(TreeKind kind) {
    const JsonTree::Member child = next_child();
    open_.push_back({child.node, waiting_.size(), child});
    tree_->nodes_.push_back({.kind = kind});
    return true;
  }
  bool close() {
    waiting_.resize(open_.back().first_child);
    waiting_.push_back(open_.back().as_child);
    open_.pop_back();
    return true;
  }

  JsonTree* tree_;
  uint32_t key_node_ = 0;
  std::vector<JsonTree::Member> waiting_;
  std::vector<Open> open_;
};

Result<JsonTree> JsonTree::parse(std::string_view text, const JsonLimits& limits) {
  JsonLimits bounded = limits;
  bounded.bytes_max = std::min(bounded.bytes_max, kBytesMax);
  JsonTree tree;
  TreeBuilder builder(&tree);
  RETURN_IF_ERROR(read_json_events(text, bounded, &builder));
  return tree;
}

uint32_t TreeValue::find(std::string_view key) const {
  const JsonTree::Node& node = tree_->nodes_[node_];
  if (node.kind != TreeKind::kObject) return size();
  const auto begin = tree_->members_.begin() + node.begin;
  const auto end = begin + node.size;
  const auto text = [this](const JsonTree::Member& m) { return TreeValue(tree_, m.key_node).string(); };
  const auto found = std::lower_bound(
      begin, end, key, [&](const JsonTree::Member& m, std::string_view wanted) { return text(m) < wanted; });
  return static_cast<uint32_t>((found != end && text(*found) == key ? found : end) - begin);
}

bool TreeValue::get(std::string_view key, TreeValue* value) const {
  if (kind() != TreeKind::kObject) return false;
  const uint32_t index = find(key);
  if (index == size()) return false;
  *value = member(index);
  return true;
}

// A child's subtree is numbered from the child up to its next sibling, so that one pass down finds the way.
std::string JsonTree::pointer_to(uint32_t node) const {
  std::string pointer;
  for (TreeValue at = root(); at.node() != node && at.size() > 0;) {
    const bool is_object = at.kind() == TreeKind::kObject;
    const auto child = [&](uint32_t i) { return is_object ? at.member(i) : at.item(i); };
    uint32_t last = 0;
    bool any = false;
    for (uint32_t i = 0; i < at.size(); ++i) {
      const uint32_t number = child(i).node();
      if (number > node || (any && number < child(last).node())) continue;
      last = i;
      any = true;
    }
    if (!any) break;
    append_pointer_token(is_object ? std::string(at.key(last)) : std::to_string(last), &pointer);
    at = child(last);
  }
  return pointer;
}

void append_pointer_token(std::string_view token, std::string* pointer) {
  *pointer += '/';
  for (const char c : token) {
    if (c == '~') {
      *pointer += "~0";
    } else if (c == '/') {
      *pointer += "~1";
    } else {
      *pointer += c;
    }
  }
}

namespace {

uint64_t mix(uint64_t hash, uint64_t more) {
  hash = (hash ^ more) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 32);
}

uint64_t hash_text(std::string_view text) { return std::hash<std::string_view>()(text); }

}  // namespace

bool equal_values(TreeValue a, TreeValue b, StepBudget* budget) {
  if (!budget->take(1) || a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case TreeKind::kNull:
      return true;
    case TreeKind::kBoolean:
      return a.boolean() == b.boolean();
    case TreeKind::kNumber:
      budget->take_bytes(a.number().digits.size());
      return a.number() == b.number();
    case TreeKind::kString:
      budget->take_bytes(a.string().size());
      return a.string() == b.string();
    case TreeKind::kArray:
      if (a.size() != b.size()) return false;
      for (uint32_t i = 0; i < a.size(); ++i) {
        if (!equal_values(a.item(i), b.item(i), budget)) return false;
      }
      return true;
    case TreeKind::kObject:
      if (a.size() != b.size()) return false;
      // Both are sorted.
      for (uint32_t i = 0; i < a.size(); ++i) {
        budget->take_bytes(a.key(i).size());
        if (a.key(i) != b.key(i) || !equal_values(a.member(i), b.member(i), budget)) return false;
      }
      return true;
  }
  return false;
}

uint64_t hash_value(TreeValue value, StepBudget* budget) {
  uint64_t hash = mix(1, static_cast<uint64_t>(value.kind()));
  if (!budget->take(1)) return hash;
  switch (value.kind()) {
    case TreeKind::kNull:
      return hash;
    case TreeKind::kBoolean:
      return mix(hash, value.boolean() ? 1 : 0);
    case TreeKind::kNumber: {
      const DecimalView number = value.number();
      budget->take_bytes(number.digits.size());
      hash = mix(hash, number.negative ? 1 : 0);
      return mix(mix(hash, static_cast<uint64_t>(number.exponent)), hash_text(number.digits));
    }
    case TreeKind::kString:
      budget->take_bytes(value.string().size());
      return mix(hash, hash_text(value.string()));
    case TreeKind::kArray:
      for (uint32_t i = 0; i < value.size(); ++i) hash = mix(hash, hash_value(value.item(i), budget));
      return hash;
    case TreeKind::kObject:
      for (uint32_t i = 0; i < value.size(); ++i) {
        budget->take_bytes(value.key(i).size());
        hash = mix(mix(hash, hash_text(value.key(i))), hash_value(value.member(i), budget));
      }
      return hash;
  }
  return hash;
}

}  // namespace hussar
