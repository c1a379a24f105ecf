// Conversations that plant facts and ask for them later: does a model still know, does it contradict itself,
// and does the newest of two facts win? Made from a seed, so that the same conversation can be judged later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

// Turns between being told and being asked.
inline constexpr int32_t kRecallDistances[] = {2, 8, 16, 32};
inline constexpr int32_t kConversationTurns = 34;

enum class TurnKind : uint8_t {
  kPlant,       // tells a fact
  kChange,      // tells that a fact is another one now
  kFiller,      // talks of something else
  kAsk,         // asks for a fact that never changed
  kAskAgain,    // the same one turn later, in other words
  kAskChanged,  // asks for a fact that was changed
};

struct Turn {
  TurnKind kind = TurnKind::kFiller;
  std::string text;                 // what the user says
  int32_t distance = 0;             // kAsk.., from the turn that told it last; kAskAgain: that of its kAsk
  std::string expected;             // kAsk..: the value; '|' stands between spellings that are all right
  std::string replaced;             // kAskChanged: what it was before
  std::vector<std::string> others;  // kAsk..: values of this kind that are wrong, without `replaced`
};

struct Conversation {
  std::string language;     // "en" or "zh"
  std::vector<Turn> turns;  // [kConversationTurns]
};

// REQUIRES: language is "en" or "zh".
Conversation make_conversation(std::string_view language, uint64_t seed);

enum class RecallCheck : uint8_t {
  kRight,
  kOld,    // the value that was replaced, and not the new one
  kMixed,  // the right value and a wrong one
  kOther,  // a wrong value
  kNone,   // no value at all
};
// REQUIRES: the turn asks.
RecallCheck check_recall(const Turn& turn, std::string_view answer);

// Whether `value` (or one of its spellings) stands in the text: as whole words, in any case, where it
// consists of ASCII letters and digits; anywhere else.
bool mentions(std::string_view text, std::string_view value);

// The figures of many conversations, counted from the answers to their questions.
struct RecallCount {
  int64_t asked = 0, right = 0, old = 0, mixed = 0, other = 0, none = 0;
};
struct ConsistencyCount {  // pairs of answers to one question in two wordings
  int64_t pairs = 0, both_right = 0, one_right = 0, both_wrong = 0;
};
struct RetentionAt {
  int32_t distance = 0;
  RecallCount recall;            // kAsk
  ConsistencyCount consistency;  // kAsk with its kAskAgain
  RecallCount changed;           // kAskChanged
};
// One answer of a conversation, in any order; each turn at most once.
struct TurnAnswer {
  int32_t conversation = 0, turn = 0;
  std::string text;
};
// One entry for each of kRecallDistances. `conversations` are indexed by TurnAnswer::conversation; an answer
// to a turn that no conversation has is left out.
std::vector<RetentionAt> score_retention(const std::vector<Conversation>& conversations,
                                         std::vector<TurnAnswer> answers);

}  // namespace hussar
