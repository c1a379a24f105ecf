#include "bench/article/conversation.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "bench/article/conversation_words.h"
#include "bench/random.h"

namespace hussar {
namespace {

// When each fact is told, perhaps changed, and asked for. Only one thing happens in a turn.
struct Schedule {
  int32_t plant, change, ask;  // change: -1, then the question comes again one turn later
};
constexpr Schedule kSchedule[] = {{0, -1, 32}, {1, -1, 17}, {2, -1, 10}, {3, -1, 5},
                                  {4, 7, 9},   {8, 12, 20}, {13, 15, 31}};
constexpr std::string_view kBrief[] = {" Answer in a few words.", "请用几个字回答。"};

std::vector<size_t> shuffled(size_t count, Random* random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random->below(i)]);
  return order;
}

std::string_view first_spelling(std::string_view value) { return value.substr(0, value.find('|')); }

std::string fill(std::string_view sentence, std::string_view value) {
  const size_t hole = sentence.find("{}");
  CHECK(hole != std::string_view::npos);
  return std::string(sentence.substr(0, hole)) + std::string(first_spelling(value)) +
         std::string(sentence.substr(hole + 2));
}

// Places one fact's turns.
void place_fact(const FactKind& kind, const Schedule& when, std::string_view brief, Random* random,
                std::vector<Turn>* turns) {
  const std::vector<size_t> order = shuffled(kind.values.size(), random);
  const std::string_view first = kind.values[order[0]], second = kind.values[order[1]];
  auto place = [turns](int32_t at, Turn turn) {
    CHECK((*turns)[static_cast<size_t>(at)].text.empty());
    (*turns)[static_cast<size_t>(at)] = std::move(turn);
  };
  Turn ask;
  for (const std::string_view value : kind.values) {
    if (value != first && (when.change < 0 || value != second)) ask.others.emplace_back(value);
  }
  ask.text = std::string(kind.ask) + std::string(brief);
  place(when.plant, {TurnKind::kPlant, fill(kind.plant, first), 0, "", "", {}});
  if (when.change >= 0) {
    place(when.change, {TurnKind::kChange, fill(kind.change, second), 0, "", "", {}});
    ask.kind = TurnKind::kAskChanged;
    ask.distance = when.ask - when.change;
    ask.expected = second;
    ask.replaced = first;
    place(when.ask, std::move(ask));
    return;
  }
  ask.kind = TurnKind::kAsk;
  ask.distance = when.ask - when.plant;
  ask.expected = first;
  Turn again = ask;
  again.kind = TurnKind::kAskAgain;
  again.text = std::string(kind.ask_again) + std::string(brief);
  place(when.ask, std::move(ask));
  place(when.ask + 1, std::move(again));
}

bool is_ascii_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool mentions_spelling(std::string_view text, std::string_view spelling) {
  const bool word = std::all_of(spelling.begin(), spelling.end(), is_ascii_word);
  for (size_t at = 0; at + spelling.size() <= text.size(); ++at) {
    const bool here = std::equal(spelling.begin(), spelling.end(), text.begin() + static_cast<ptrdiff_t>(at),
                                 [](char a, char b) { return lower(a) == lower(b); });
    if (!here) continue;
    const size_t end = at + spelling.size();
    const bool bounded =
        (at == 0 || !is_ascii_word(text[at - 1])) && (end == text.size() || !is_ascii_word(text[end]));
    if (!word || bounded) return true;
  }
  return false;
}

void count_answer(RecallCheck check, RecallCount* count) {
  ++count->asked;
  count->right += check == RecallCheck::kRight;
  count->old += check == RecallCheck::kOld;
  count->mixed += check == RecallCheck::kMixed;
  count->other += check == RecallCheck::kOther;
  count->none += check == RecallCheck::kNone;
}

void count_pair(bool first_right, bool second_right, ConsistencyCount* count) {
  ++count->pairs;
  count->both_right += first_right && second_right;
  count->one_right += first_right != second_right;
  count->both_wrong += !first_right && !second_right;
}

}  // namespace

Conversation make_conversation(std::string_view language, uint64_t seed) {
  const ConversationWords& words = conversation_words(language);
  const std::string_view brief = kBrief[language == "zh"];
  Random random(seed);
  Conversation conversation{std::string(language), std::vector<Turn>(kConversationTurns)};
  const std::vector<size_t> kinds = shuffled(words.kinds.size(), &random);
  for (size_t i = 0; i < std::size(kSchedule); ++i) {
    place_fact(words.kinds[kinds[i]], kSchedule[i], brief, &random, &conversation.turns);
  }
  const std::vector<size_t> fillers = shuffled(words.fillers.size(), &random);
  size_t used = 0;
  for (Turn& turn : conversation.turns) {
    if (turn.text.empty()) turn.text = std::string(words.fillers[fillers[used++]]) + std::string(brief);
  }
  return conversation;
}

bool mentions(std::string_view text, std::string_view value) {
  for (;;) {
    const size_t end = value.find('|');
    if (mentions_spelling(text, value.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    value.remove_prefix(end + 1);
  }
}

RecallCheck check_recall(const Turn& turn, std::string_view answer) {
  CHECK(!turn.expected.empty());
  const bool right = mentions(answer, turn.expected);
  const bool old = !turn.replaced.empty() && mentions(answer, turn.replaced);
  const bool other = std::any_of(turn.others.begin(), turn.others.end(),
                                 [&](const std::string& value) { return mentions(answer, value); });
  if (right) return old || other ? RecallCheck::kMixed : RecallCheck::kRight;
  if (old) return RecallCheck::kOld;
  return other ? RecallCheck::kOther : RecallCheck::kNone;
}

std::vector<RetentionAt> score_retention(const std::vector<Conversation>& conversations,
                                         std::vector<TurnAnswer> answers) {
  // So that a question's first answer comes before the one that is compared with it.
  std::sort(answers.begin(), answers.end(), [](const TurnAnswer& a, const TurnAnswer& b) {
    return std::pair(a.conversation, a.turn) < std::pair(b.conversation, b.turn);
  });
  std::vector<RetentionAt> scores;
  for (const int32_t distance : kRecallDistances) scores.push_back({distance, {}, {}, {}});
  std::map<std::pair<int32_t, int32_t>, bool> right;  // of kAsk turns that were answered
  auto turn_of = [&](const TurnAnswer& answer) -> const Turn* {
    if (answer.conversation < 0 || answer.conversation >= static_cast<int32_t>(conversations.size()))
      return nullptr;
    const auto& turns = conversations[static_cast<size_t>(answer.conversation)].turns;
    const bool known = answer.turn >= 0 && answer.turn < static_cast<int32_t>(turns.size());
    return known ? &turns[static_cast<size_t>(answer.turn)] : nullptr;
  };
  auto at_distance = [&](int32_t distance) {
    return std::find_if(scores.begin(), scores.end(),
                        [&](const RetentionAt& score) { return score.distance == distance; });
  };
  for (const TurnAnswer& answer : answers) {
    const Turn* turn = turn_of(answer);
    if (turn == nullptr || turn->expected.empty()) continue;
    const auto score = at_distance(turn->distance);
    CHECK(score != scores.end());
    const RecallCheck check = check_recall(*turn, answer.text);
    if (turn->kind == TurnKind::kAskChanged) count_answer(check, &score->changed);
    if (turn->kind == TurnKind::kAsk) {
      count_answer(check, &score->recall);
      right[{answer.conversation, answer.turn}] = check == RecallCheck::kRight;
    }
    if (turn->kind == TurnKind::kAskAgain) {
      const auto first = right.find({answer.conversation, answer.turn - 1});
      if (first != right.end()) count_pair(first->second, check == RecallCheck::kRight, &score->consistency);
    }
  }
  return scores;
}

}  // namespace hussar
