#include "grammar/ending.h"

#include <cpp/earley_parser.h>

#include <optional>
#include <queue>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "grammar/internal/compiled_grammar_impl.h"

namespace hussar {
namespace {

using Place = EndingTable::Place;

// The library's parser, whose chart tells which rules an answer stands in.
class Chart : public xgrammar::EarleyParser {
 public:
  Chart(const xgrammar::Grammar& grammar, const EndingTable& table) : EarleyParser(grammar), table_(table) {}

  // The least bytes to the end, and the way there: places in the rules that are to be ended, innermost first.
  struct Way {
    int64_t bytes = EndingTable::kNever;
    std::vector<Place> places;
  };
  // Throws ParseWork::Exceeded.
  Way shortest() const {
    if (IsCompleted()) return {0, {}};
    std::vector<Stage> stages;
    std::priority_queue<Offer, std::vector<Offer>, std::greater<>> queue;
    std::set<std::pair<int32_t, int32_t>> settled;  // rule and where it began
    const auto offer = [&](int64_t bytes, const Place& place, int32_t began, int32_t before) {
      if (bytes >= EndingTable::kNever) return;
      queue.push({bytes, static_cast<int32_t>(stages.size())});
      stages.push_back({place, began, before});
    };
    for (const auto& state : scanable_state_history_[scanable_state_history_.size() - 1]) {
      const Place place{state.rule_id, state.element_id, state.repeat_count};
      offer(table_.bytes_to_end(place), place, state.rule_start_pos, -1);
    }
    while (!queue.empty()) {
      const auto [bytes, index] = queue.top();
      queue.pop();
      const Stage stage = stages[static_cast<size_t>(index)];
      if (stage.began == xgrammar::ParserState::kNoPrevInputPos) return {bytes, places_to(stages, index)};
      if (!settled.insert({stage.place.rule, stage.began}).second) continue;
      const auto& parents = rule_id_to_completable_states_[stage.began];
      ParseWork::spend(1 + static_cast<size_t>(parents.size()));
      for (const auto& [ended, parent] : parents) {
        if (ended != stage.place.rule || parent.rule_id < 0) continue;
        const bool repeats = table_.repeats_rule(parent.rule_id, parent.element_id, ended);
        const Place place{parent.rule_id, parent.element_id, repeats ? parent.repeat_count + 1 : 0};
        offer(bytes + table_.bytes_to_end(place), place, parent.rule_start_pos, index);
      }
    }
    return {};
  }

  // How much the last byte left to be looked at.
  size_t states() const {
    return scanable_state_history_[scanable_state_history_.size() - 1].size() +
           rule_id_to_completable_states_[rule_id_to_completable_states_.size() - 1].size();
  }

 private:
  struct Stage {
    Place place;
    int32_t began;
    int32_t before;  // stage
  };
  using Offer = std::pair<int64_t, int32_t>;

  static std::vector<Place> places_to(const std::vector<Stage>& stages, int32_t index) {
    std::vector<Place> places;
    for (; index >= 0; index = stages[static_cast<size_t>(index)].before) {
      places.push_back(stages[static_cast<size_t>(index)].place);
    }
    return {places.rbegin(), places.rend()};
  }

  const EndingTable& table_;
};

}  // namespace

struct Ending::Impl {
  explicit Impl(std::shared_ptr<const CompiledGrammar> g)
      : grammar(std::move(g)), chart(grammar->impl().grammar.GetGrammar(), grammar->impl().endings) {}

  const Chart::Way& way() {
    if (!shortest) shortest = chart.shortest();  // of the empty answer, which nothing has asked for before
    return *shortest;
  }
  void plan_shortest() {
    if (std::exchange(planned, true)) return;
    std::string bytes;
    for (const Place& place : way().places) grammar->impl().endings.append_ending(place, &bytes);
    std::vector<TokenId> tokens = grammar->impl().vocabulary->impl().tokens_of(bytes);
    // The rest of an earlier plan may have fewer tokens, though not fewer bytes.
    if (!plan || tokens.size() < plan->size()) plan = std::move(tokens);
  }

  const std::shared_ptr<const CompiledGrammar> grammar;
  Chart chart;
  std::optional<Chart::Way> shortest;        // from here
  std::optional<std::vector<TokenId>> plan;  // tokens of a way from here, the end token left out
  bool planned = false;                      // `plan` takes `shortest` into account
  std::optional<Chart::Way> shortest_before;
  std::optional<std::vector<TokenId>> plan_before;
  int32_t last_bytes = 0;              // of the last token
  size_t states = 0, last_states = 0;  // that the chart keeps, of all bytes and of the last token's
};

Ending::Ending(std::shared_ptr<const CompiledGrammar> grammar)
    : impl_(std::make_unique<Impl>(std::move(grammar))) {}
Ending::Ending(Ending&&) noexcept = default;
Ending& Ending::operator=(Ending&&) noexcept = default;
Ending::~Ending() = default;

Result<void> Ending::accept(TokenId token) {
  constexpr size_t kStatesMax = 20'000;
  constexpr size_t kStatesKeptMax = 500'000;  // some 20 MB, which a vector of theirs copies as it grows
  // This runs between two steps of everybody's: a few milliseconds at most.
  constexpr int64_t kWorkMax = 4'000'000;
  Impl& of = *impl_;
  const auto& tokens = of.grammar->impl().vocabulary->impl().info.GetDecodedVocab();
  if (token < 0 || static_cast<size_t>(token) >= tokens.size() ||
      tokens[static_cast<size_t>(token)].empty()) {
    return Error{ErrorCode::kInvalid, "the token has no bytes", ""};
  }
  const ParseWork limit(kWorkMax);
  const Error too_many{ErrorCode::kTooLarge, ParseWork::Exceeded().what(), ""};
  int32_t taken = 0;
  size_t states = 0;
  const auto undo = [&](Error error) {
    if (taken > 0) of.chart.PopLastStates(taken);
    return error;
  };
  for (const char c : tokens[static_cast<size_t>(token)]) {
    const auto advanced = without_throwing([&] { return of.chart.Advance(static_cast<uint8_t>(c)); });
    if (!advanced.ok()) return advanced.error();  // what threw is in no state to be undone
    if (!*advanced) return undo({ErrorCode::kInvalid, "the grammar does not allow the token here", ""});
    ++taken;
    states += of.chart.states();
    if (of.chart.states() > kStatesMax || of.states + states > kStatesKeptMax) return undo(too_many);
  }
  auto shortest = without_throwing([&] { return of.chart.shortest(); });
  if (!shortest.ok()) return undo(shortest.error());
  of.last_bytes = taken;
  of.last_states = states;
  of.states += states;
  of.shortest_before = std::exchange(of.shortest, std::move(*shortest));
  of.plan_before = of.plan;
  of.planned = false;
  if (of.plan && !of.plan->empty() && of.plan->front() == token) {
    of.plan->erase(of.plan->begin());
  } else {
    of.plan = std::nullopt;
  }
  return {};
}

void Ending::take_back() {
  Impl& of = *impl_;
  CHECK(of.last_bytes > 0);
  of.chart.PopLastStates(of.last_bytes);
  of.last_bytes = 0;
  of.states -= of.last_states;
  of.shortest = std::move(of.shortest_before);
  of.plan = std::move(of.plan_before);
  of.planned = false;
}

int64_t Ending::tokens_to_end() {
  impl_->plan_shortest();
  return static_cast<int64_t>(impl_->plan->size()) + 1;
}

bool Ending::fits(int64_t tokens_left) {
  Impl& of = *impl_;
  const int64_t bytes = of.way().bytes;
  if (bytes < tokens_left) return true;  // a token for each byte, and the end token
  if (of.plan && static_cast<int64_t>(of.plan->size()) < tokens_left) return true;
  if (bytes > CompiledGrammar::kShortestBytesMax) return false;
  return tokens_to_end() <= tokens_left;
}

bool Ending::is_pressed(int64_t tokens_left) {
  return impl_->way().bytes + 1 >= tokens_left && tokens_to_end() >= tokens_left;
}

TokenId Ending::next() {
  Impl& of = *impl_;
  of.plan_shortest();
  return of.plan->empty() ? of.grammar->stop_ids().front() : of.plan->front();
}

}  // namespace hussar
