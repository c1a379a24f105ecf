#include "bench/article/sources.h"

#include <gtest/gtest.h>

#include <map>

#include "bench/article/conversation_run.h"

namespace hussar {
namespace {

PlannedRequest numbered(uint64_t number) {
  PlannedRequest request;
  request.label = std::to_string(number);
  return request;
}

TEST(EndlessSource, HandsOutEachNumberOnce) {
  int made = 0;
  EndlessSource source(
      [&](uint64_t number) {
        ++made;
        return numbered(number);
      },
      3);
  EXPECT_EQ(made, 3) << "the first ones are made ahead";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(source.next(i % 2)->label, std::to_string(i));
  EXPECT_EQ(made, 10);
}

class Talks {
 public:
  explicit Talks(int count) {
    for (int i = 0; i < count; ++i)
      conversations_.push_back(make_conversation("en", static_cast<uint64_t>(i)));
  }

  ConversationSource source() {
    return ConversationSource(conversations_, [this](std::vector<ChatMessage> messages, std::string label) {
      messages_[label] = std::move(messages);
      PlannedRequest request;
      request.label = std::move(label);
      return request;
    });
  }
  const std::vector<ChatMessage>& messages(const std::string& label) { return messages_[label]; }
  const std::vector<Conversation>& conversations() const { return conversations_; }

 private:
  std::vector<Conversation> conversations_;
  std::map<std::string, std::vector<ChatMessage>> messages_;
};

RequestRecord ended(const std::string& label, Outcome outcome, const std::string& text) {
  RequestRecord record;
  record.label = label;
  record.outcome = outcome;
  record.text = text;
  return record;
}

TEST(ConversationSource, SendsTheWholeHistory) {
  Talks talks(1);
  ConversationSource source = talks.source();
  EXPECT_EQ(source.next(0)->label, "turn/0/0");
  source.finished(ended("turn/0/0", Outcome::kOk, "Noted."));
  EXPECT_EQ(source.next(0)->label, "turn/0/1");
  const auto& messages = talks.messages("turn/0/1");
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].content, talks.conversations()[0].turns[0].text);
  EXPECT_EQ(messages[1].role, "assistant");
  EXPECT_EQ(messages[1].content, "Noted.");
  EXPECT_EQ(messages[2].content, talks.conversations()[0].turns[1].text);
}

TEST(ConversationSource, TalksEachConversationToItsEnd) {
  Talks talks(2);
  ConversationSource source = talks.source();
  int turns[2] = {};
  // The second user runs ahead and the first ends behind it: they do not touch each other.
  for (const int32_t user : {1, 0}) {
    while (const auto request = source.next(user)) {
      EXPECT_EQ(request->label, turn_label(user, turns[user]++));
      source.finished(ended(request->label, turns[user] % 5 == 0 ? Outcome::kEmptyAnswer : Outcome::kOk, ""));
    }
  }
  EXPECT_EQ(turns[0], kConversationTurns);
  EXPECT_EQ(turns[1], kConversationTurns);
  EXPECT_FALSE(source.next(2).has_value());
  EXPECT_FALSE(source.next(-1).has_value());
}

TEST(ConversationSource, AnErrorEndsItsConversationAlone) {
  Talks talks(2);
  ConversationSource source = talks.source();
  ASSERT_TRUE(source.next(0) && source.next(1));
  source.finished(ended("turn/0/0", Outcome::kHttp4xx, ""));
  source.finished(ended("turn/1/0", Outcome::kOk, "ok"));
  source.finished(ended("not one of ours", Outcome::kOk, "ok"));
  EXPECT_FALSE(source.next(0).has_value());
  EXPECT_TRUE(source.next(1).has_value());
}

}  // namespace
}  // namespace hussar
