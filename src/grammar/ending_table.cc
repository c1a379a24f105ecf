#include <algorithm>
#include <queue>
#include <utility>

#include "grammar/internal/ending_table.h"

namespace hussar {
namespace {

uint64_t key_of(int32_t rule, int32_t node) {
  return static_cast<uint64_t>(static_cast<uint32_t>(rule)) << 32 | static_cast<uint32_t>(node);
}

int64_t times(int64_t count, int64_t bytes) {
  if (count <= 0 || bytes == 0) return 0;
  return bytes >= EndingTable::kNever / count ? EndingTable::kNever : count * bytes;
}

int64_t sum(int64_t a, int64_t b) { return std::min(a + b, EndingTable::kNever); }

}  // namespace

// Dijkstra's algorithm over all rules at once: a rule's own length is final when its beginning is, and the
// edges that go through the rule are relaxed then.
class EndingTable::Builder {
 public:
  Builder(EndingTable* table, const xgrammar::Grammar& grammar, const std::bitset<256>& bytes)
      : table_(*table), grammar_(*grammar.operator->()), bytes_(bytes) {}

  void run() {
    const int32_t rules = grammar_.NumRules();
    table_.rule_bytes_.assign(static_cast<size_t>(rules), kNever);
    table_.starts_.assign(static_cast<size_t>(rules), -1);
    through_.resize(static_cast<size_t>(rules));
    for (int32_t rule = 0; rule < rules; ++rule) add_rule(rule);
    while (!queue_.empty()) {
      const auto [bytes, spot] = queue_.top();
      queue_.pop();
      if (settled_[static_cast<size_t>(spot)]) continue;
      settle(spot, bytes);
    }
  }

 private:
  struct Edge {
    int32_t from, to;  // spots
    int32_t rule;      // -1: a byte or nothing
    int32_t repeats_min;
    bool repeats;
    int16_t byte;  // -1: nothing
  };

  int32_t spot_of(int32_t rule, int32_t node) {
    const auto [found, is_new] =
        table_.index_.try_emplace(key_of(rule, node), static_cast<int32_t>(table_.spots_.size()));
    if (is_new) {
      Spot& spot = table_.spots_.emplace_back();
      spot.rule = rule;
      spot.node = node;
      settled_.push_back(false);
      incoming_.emplace_back();
    }
    return found->second;
  }

  // Adds the nodes that the rule's automaton can reach.
  void add_rule(int32_t rule) {
    const auto& held = grammar_.per_rule_fsms[static_cast<size_t>(rule)];
    if (!held.has_value()) return;
    const auto& automaton = held->GetFsm();
    const int32_t first = static_cast<int32_t>(table_.spots_.size());
    table_.starts_[static_cast<size_t>(rule)] = spot_of(rule, automaton.GetStart());
    for (int32_t spot = first; spot < static_cast<int32_t>(table_.spots_.size()); ++spot) {
      const int32_t node = table_.spots_[static_cast<size_t>(spot)].node;
      for (const auto& edge : automaton.GetFsm().GetEdges(node)) add_edge(rule, spot, edge);
      if (automaton.IsEndState(node)) offer(spot, 0, {.step = Step::kEnd});
    }
  }

  void add_edge(int32_t rule, int32_t from, const xgrammar::FSMEdge& edge) {
    Edge added{from, -1, -1, 1, false, -1};
    if (edge.IsCharRange()) {
      for (int32_t byte = edge.min; byte <= edge.max && added.byte < 0; ++byte) {
        if (byte < 256 && bytes_[static_cast<size_t>(byte)]) added.byte = static_cast<int16_t>(byte);
      }
      if (added.byte < 0) return;
    } else if (edge.IsRuleRef()) {
      added.rule = edge.GetRefRuleId();
    } else if (edge.IsRepeatRef()) {
      const auto repeat = grammar_.complete_fsm.GetRepeatEdgeInfo(edge.GetAuxIndex());
      added.rule = repeat.RuleId();
      added.repeats_min = repeat.Lower();
      added.repeats = true;
    } else if (!edge.IsEpsilon()) {
      return;  // whole tokens: nothing that a grammar of text holds
    }
    added.to = spot_of(rule, edge.target);
    const auto index = static_cast<int32_t>(edges_.size());
    edges_.push_back(added);
    incoming_[static_cast<size_t>(added.to)].push_back(index);
    if (added.rule >= 0) through_[static_cast<size_t>(added.rule)].push_back(index);
  }

  void offer(int32_t at, int64_t bytes, const Spot& way) {
    Spot& spot = table_.spots_[static_cast<size_t>(at)];
    if (bytes >= spot.bytes) return;
    const Spot place = spot;
    spot = way;
    spot.bytes = bytes;
    spot.rule = place.rule;
    spot.node = place.node;
    queue_.push({bytes, at});
  }

  // `edge` leads to a settled spot.
  void relax(const Edge& edge) {
    const int64_t after = table_.spots_[static_cast<size_t>(edge.to)].bytes;
    Spot way{.bytes_after = after, .target = edge.to};
    if (edge.rule >= 0) {
      way.step = Step::kRule;
      way.of_rule = edge.rule;
      way.repeats_min = edge.repeats_min;
      way.repeats = edge.repeats;
      const int64_t through = times(edge.repeats_min, table_.rule_bytes_[static_cast<size_t>(edge.rule)]);
      return offer(edge.from, sum(through, after), way);
    }
    way.step = edge.byte >= 0 ? Step::kByte : Step::kEmpty;
    way.byte = static_cast<uint8_t>(std::max<int16_t>(edge.byte, 0));
    offer(edge.from, sum(edge.byte >= 0 ? 1 : 0, after), way);
  }

  void settle(int32_t at, int64_t bytes) {
    settled_[static_cast<size_t>(at)] = true;
    for (const int32_t index : incoming_[static_cast<size_t>(at)]) relax(edges_[static_cast<size_t>(index)]);
    const int32_t rule = table_.spots_[static_cast<size_t>(at)].rule;
    if (table_.starts_[static_cast<size_t>(rule)] != at) return;
    table_.rule_bytes_[static_cast<size_t>(rule)] = bytes;
    for (const int32_t index : through_[static_cast<size_t>(rule)]) {
      const Edge& edge = edges_[static_cast<size_t>(index)];
      if (settled_[static_cast<size_t>(edge.to)]) relax(edge);
    }
  }

  EndingTable& table_;
  const xgrammar::Grammar::Impl& grammar_;
  const std::bitset<256>& bytes_;
  std::vector<Edge> edges_;
  std::vector<std::vector<int32_t>> incoming_;  // edges, by the spot that they lead to
  std::vector<std::vector<int32_t>> through_;   // edges, by the rule that they go through
  std::vector<bool> settled_;
  using Offer = std::pair<int64_t, int32_t>;
  std::priority_queue<Offer, std::vector<Offer>, std::greater<>> queue_;
};

EndingTable::EndingTable(const xgrammar::Grammar& grammar, const std::bitset<256>& bytes)
    : root_(grammar->GetRootRuleId()) {
  Builder(this, grammar, bytes).run();
}

int32_t EndingTable::find(int32_t rule, int32_t node) const {
  const auto found = index_.find(key_of(rule, node));
  return found == index_.end() ? -1 : found->second;
}

int64_t EndingTable::bytes_to_end(const Place& place) const {
  const int32_t at = find(place.rule, place.node);
  if (at < 0) return kNever;
  const Spot& spot = spots_[static_cast<size_t>(at)];
  if (!spot.repeats || place.repeats == 0) return spot.bytes;
  const int64_t through =
      times(spot.repeats_min - place.repeats, rule_bytes_[static_cast<size_t>(spot.of_rule)]);
  return sum(through, spot.bytes_after);
}

bool EndingTable::repeats_rule(int32_t rule, int32_t node, int32_t repeated) const {
  const int32_t at = find(rule, node);
  return at >= 0 && spots_[static_cast<size_t>(at)].repeats &&
         spots_[static_cast<size_t>(at)].of_rule == repeated;
}

void EndingTable::append_ending(const Place& place, std::string* out) const {
  // What is left to go through, the next one last.
  struct Task {
    int32_t spot;
    int64_t rounds;  // of the whole rule that begins at the spot; 1 otherwise
    int32_t repeats;
  };
  std::vector<Task> tasks{{find(place.rule, place.node), 1, place.repeats}};
  while (!tasks.empty()) {
    Task& task = tasks.back();
    const int32_t at = task.spot;
    const int32_t repeats = task.repeats;
    if (--task.rounds == 0) tasks.pop_back();
    const Spot& spot = spots_[static_cast<size_t>(at)];
    if (spot.step == Step::kEnd || spot.step == Step::kNone) continue;
    if (spot.step == Step::kByte) *out += static_cast<char>(spot.byte);
    tasks.push_back({spot.target, 1, 0});
    if (spot.step != Step::kRule) continue;
    const int64_t rounds = int64_t{spot.repeats_min} - (spot.repeats ? repeats : 0);
    if (rounds <= 0 || rule_bytes_[static_cast<size_t>(spot.of_rule)] == 0) continue;
    tasks.push_back({starts_[static_cast<size_t>(spot.of_rule)], rounds, 0});
  }
}

size_t EndingTable::memory_bytes() const {
  constexpr size_t kIndexEntryBytes = 40;
  return spots_.size() * (sizeof(Spot) + kIndexEntryBytes) + rule_bytes_.size() * 12;
}

}  // namespace hussar
