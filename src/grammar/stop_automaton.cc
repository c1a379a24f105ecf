#include "grammar/stop_automaton.h"

#include <algorithm>

namespace hussar {

Result<std::shared_ptr<const StopAutomaton>> StopAutomaton::compile(const std::vector<std::string>& strings,
                                                                    const Limits& limits) {
  if (strings.size() > limits.strings_max) {
    return Error{ErrorCode::kTooLarge,
                 "at most " + std::to_string(limits.strings_max) + " stop strings are allowed", "stop"};
  }
  size_t bytes = 0;
  for (const std::string& string : strings) {
    if (string.empty()) return Error{ErrorCode::kInvalid, "a stop string must not be empty", "stop"};
    bytes += string.size();
  }
  if (bytes > limits.bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "all stop strings together may have at most " + std::to_string(limits.bytes_max) + " bytes",
                 "stop"};
  }
  auto automaton = std::make_shared<StopAutomaton>();
  for (const std::string& string : strings) automaton->insert(string);
  automaton->link_fallbacks();
  return std::shared_ptr<const StopAutomaton>(std::move(automaton));
}

int32_t StopAutomaton::child(int32_t node, uint8_t byte) const {
  int32_t at = nodes_[node].first_child;
  while (at >= 0 && nodes_[at].byte != byte) at = nodes_[at].next_sibling;
  return at;
}

void StopAutomaton::insert(std::string_view string) {
  int32_t node = 0;
  for (const char c : string) {
    const auto byte = static_cast<uint8_t>(c);
    int32_t next_node = child(node, byte);
    if (next_node < 0) {
      next_node = static_cast<int32_t>(nodes_.size());
      nodes_.push_back(
          {.next_sibling = nodes_[node].first_child, .byte = byte, .depth = nodes_[node].depth + 1});
      nodes_[node].first_child = next_node;
    }
    node = next_node;
  }
  nodes_[node].match_bytes = nodes_[node].depth;
}

// Breadth first, so that the fallback of a node, which is nearer to the root, is ready when it is needed.
void StopAutomaton::link_fallbacks() {
  std::vector<int32_t> order{0};
  for (size_t i = 0; i < order.size(); ++i) {
    const int32_t parent = order[i];
    for (int32_t node = nodes_[parent].first_child; node >= 0; node = nodes_[node].next_sibling) {
      order.push_back(node);
      nodes_[node].fallback = parent == 0 ? 0 : next(nodes_[parent].fallback, nodes_[node].byte);
      // A string that ends here and is a proper suffix of this node is shorter than the node's own.
      nodes_[node].match_bytes =
          std::max(nodes_[node].match_bytes, nodes_[nodes_[node].fallback].match_bytes);
    }
  }
}

int32_t StopAutomaton::next(int32_t node, uint8_t byte) const {
  while (true) {
    const int32_t found = child(node, byte);
    if (found >= 0) return found;
    if (node == 0) return 0;
    node = nodes_[node].fallback;
  }
}

std::optional<StopMatcher::Match> StopMatcher::advance(std::string_view bytes) {
  for (const char c : bytes) {
    node_ = automaton_->next(node_, static_cast<uint8_t>(c));
    ++fed_bytes_;
    const int32_t match_bytes = automaton_->nodes_[node_].match_bytes;
    if (match_bytes > 0) return Match{fed_bytes_ - match_bytes, fed_bytes_};
  }
  return std::nullopt;
}

int64_t StopMatcher::held_bytes() const { return automaton_->nodes_[node_].depth; }

}  // namespace hussar
