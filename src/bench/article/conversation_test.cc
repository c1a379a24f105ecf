#include "bench/article/conversation.h"

#include <gtest/gtest.h>

#include <set>

#include "bench/article/conversation_words.h"

namespace hussar {
namespace {

constexpr std::string_view kLanguages[] = {"en", "zh"};

std::vector<Turn> turns_of_kind(const Conversation& conversation, TurnKind kind) {
  std::vector<Turn> turns;
  for (const Turn& turn : conversation.turns) {
    if (turn.kind == kind) turns.push_back(turn);
  }
  return turns;
}

TEST(Words, NoValueContainsAnotherOfItsKind) {
  for (const std::string_view language : kLanguages) {
    for (const FactKind& kind : conversation_words(language).kinds) {
      for (const std::string_view a : kind.values) {
        for (const std::string_view b : kind.values) {
          EXPECT_TRUE(a == b || !mentions(a, b)) << a << " contains " << b;
        }
      }
    }
  }
}

TEST(Words, FillersAndQuestionsGiveNothingAway) {
  for (const std::string_view language : kLanguages) {
    const ConversationWords& words = conversation_words(language);
    for (const FactKind& kind : words.kinds) {
      EXPECT_GE(kind.values.size(), 2u);
      for (const std::string_view value : kind.values) {
        for (const std::string_view filler : words.fillers)
          EXPECT_FALSE(mentions(filler, value)) << filler << value;
        for (const FactKind& other : words.kinds) {
          for (const std::string_view question : {other.ask, other.ask_again}) {
            EXPECT_FALSE(mentions(question, value)) << question << value;
          }
        }
      }
    }
  }
}

TEST(Conversation, AsksForEachFactAtItsDistance) {
  for (const std::string_view language : kLanguages) {
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const Conversation conversation = make_conversation(language, seed);
      ASSERT_EQ(conversation.turns.size(), static_cast<size_t>(kConversationTurns));
      EXPECT_EQ(turns_of_kind(conversation, TurnKind::kPlant).size(), 7u);
      EXPECT_EQ(turns_of_kind(conversation, TurnKind::kChange).size(), 3u);
      std::vector<int32_t> asked, changed;
      std::set<std::string> texts;
      for (size_t i = 0; i < conversation.turns.size(); ++i) {
        const Turn& turn = conversation.turns[i];
        EXPECT_TRUE(texts.insert(turn.text).second) << "seed " << seed << " says twice: " << turn.text;
        if (turn.expected.empty()) continue;
        // The last turn that told the fact: where the value stands, in a turn that tells.
        size_t told = i;
        do {
          ASSERT_GT(told, 0u) << "seed " << seed;
          --told;
        } while (!mentions(conversation.turns[told].text, turn.expected) ||
                 !conversation.turns[told].expected.empty());
        const bool again = turn.kind == TurnKind::kAskAgain;
        EXPECT_EQ(static_cast<int32_t>(i - told) - again, turn.distance) << "seed " << seed << " turn " << i;
        if (turn.kind == TurnKind::kAsk) asked.push_back(turn.distance);
        if (turn.kind == TurnKind::kAskChanged) changed.push_back(turn.distance);
        EXPECT_TRUE(!again || conversation.turns[i - 1].expected == turn.expected);
        EXPECT_TRUE(turn.kind != TurnKind::kAskChanged || !mentions(turn.replaced, turn.expected));
      }
      EXPECT_EQ(asked, (std::vector<int32_t>{2, 8, 16, 32}));
      EXPECT_EQ(changed, (std::vector<int32_t>{2, 8, 16}));
    }
  }
}

TEST(Conversation, IsTheSameFromTheSameSeed) {
  const Conversation a = make_conversation("zh", 7), b = make_conversation("zh", 7),
                     c = make_conversation("zh", 8);
  bool differs = false;
  for (size_t i = 0; i < a.turns.size(); ++i) {
    EXPECT_EQ(a.turns[i].text, b.turns[i].text);
    differs |= a.turns[i].text != c.turns[i].text;
  }
  EXPECT_TRUE(differs);
}

TEST(Mentions, LooksForWholeWordsInAnyCase) {
  EXPECT_TRUE(mentions("It is OSLO.", "Oslo"));
  EXPECT_FALSE(mentions("Oslovian", "Oslo"));
  EXPECT_FALSE(mentions("14172", "4172"));
  EXPECT_TRUE(mentions("code:4172!", "4172"));
  EXPECT_TRUE(mentions("二4172号", "4172"));
  EXPECT_TRUE(mentions("我住在昆明。", "昆明"));
  EXPECT_TRUE(mentions("那天是周三", "星期三|周三|礼拜三"));
  EXPECT_FALSE(mentions("那天是周四", "星期三|周三|礼拜三"));
  EXPECT_FALSE(mentions("", "Oslo"));
  EXPECT_TRUE(mentions("grapes, please", "grape|grapes"));
  EXPECT_FALSE(mentions("grapefruit", "grape|grapes"));
}

TEST(CheckRecall, TellsRightFromOldFromMixed) {
  Turn turn;
  turn.kind = TurnKind::kAskChanged;
  turn.expected = "Oslo";
  turn.replaced = "Lima";
  turn.others = {"Prague", "Vienna"};
  EXPECT_EQ(check_recall(turn, "You live in Oslo."), RecallCheck::kRight);
  EXPECT_EQ(check_recall(turn, "You live in Lima."), RecallCheck::kOld);
  EXPECT_EQ(check_recall(turn, "You moved from Lima to Oslo."), RecallCheck::kMixed);
  EXPECT_EQ(check_recall(turn, "Oslo or Vienna"), RecallCheck::kMixed);
  EXPECT_EQ(check_recall(turn, "Prague"), RecallCheck::kOther);
  EXPECT_EQ(check_recall(turn, "I don't know."), RecallCheck::kNone);
  EXPECT_EQ(check_recall(turn, ""), RecallCheck::kNone);
}

TEST(ScoreRetention, CountsByDistance) {
  const std::vector<Conversation> conversations = {make_conversation("en", 1), make_conversation("en", 2)};
  std::vector<TurnAnswer> answers;
  for (int32_t c = 0; c < 2; ++c) {
    for (int32_t t = kConversationTurns - 1; t >= 0; --t) {  // in any order
      const Turn& turn = conversations[c].turns[t];
      std::string text = "Yes: " + turn.expected.substr(0, turn.expected.find('|'));
      // The second conversation forgets what was asked again, and keeps what was replaced.
      if (c == 1 && turn.kind == TurnKind::kAskAgain) text = "no idea";
      if (c == 1 && turn.kind == TurnKind::kAskChanged)
        text = turn.replaced.substr(0, turn.replaced.find('|'));
      answers.push_back({c, t, text});
    }
  }
  answers.push_back({7, 0, "no such conversation"});
  answers.push_back({0, 99, "no such turn"});
  const auto scores = score_retention(conversations, answers);
  ASSERT_EQ(scores.size(), 4u);
  for (const RetentionAt& score : scores) {
    EXPECT_EQ(score.recall.asked, 2);
    EXPECT_EQ(score.recall.right, 2);
    EXPECT_EQ(score.consistency.pairs, 2);
    EXPECT_EQ(score.consistency.both_right, 1);
    EXPECT_EQ(score.consistency.one_right, 1);
    EXPECT_EQ(score.changed.asked, score.distance == 32 ? 0 : 2);
    EXPECT_EQ(score.changed.right, score.distance == 32 ? 0 : 1);
    EXPECT_EQ(score.changed.old, score.distance == 32 ? 0 : 1);
  }
}

TEST(ScoreRetention, NothingAskedIsNothingCounted) {
  const auto scores = score_retention({make_conversation("zh", 1)}, {{0, 0, "好的"}, {0, 14, "嗯"}});
  for (const RetentionAt& score : scores) {
    EXPECT_EQ(score.recall.asked, 0);
    EXPECT_EQ(score.consistency.pairs, 0);
    EXPECT_EQ(score.changed.asked, 0);
  }
}

}  // namespace
}  // namespace hussar
