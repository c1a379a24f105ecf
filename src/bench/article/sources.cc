#include "bench/article/sources.h"

#include "bench/article/conversation_run.h"

namespace hussar {

EndlessSource::EndlessSource(MakeRequest make, size_t ready) : make_(std::move(make)) {
  while (ready_.size() < ready) ready_.push_back(make_(made_++));
}

std::optional<PlannedRequest> EndlessSource::next(int32_t) {
  if (ready_.empty()) return make_(made_++);
  PlannedRequest request = std::move(ready_.front());
  ready_.pop_front();
  return request;
}

ConversationSource::ConversationSource(const std::vector<Conversation>& conversations, MakeTurn make)
    : make_(std::move(make)) {
  for (const Conversation& conversation : conversations) talks_.push_back({&conversation, {}, 0, false});
}

std::optional<PlannedRequest> ConversationSource::next(int32_t user) {
  if (user < 0 || user >= static_cast<int32_t>(talks_.size())) return std::nullopt;
  Talk& talk = talks_[static_cast<size_t>(user)];
  const auto& turns = talk.conversation->turns;
  if (talk.ended || talk.turn >= static_cast<int32_t>(turns.size())) return std::nullopt;
  talk.history.push_back({"user", turns[static_cast<size_t>(talk.turn)].text});
  return make_(talk.history, turn_label(user, talk.turn));
}

void ConversationSource::finished(const RequestRecord& record) {
  const auto place = read_turn_label(record.label);
  if (!place || place->conversation >= static_cast<int32_t>(talks_.size())) return;
  Talk& talk = talks_[static_cast<size_t>(place->conversation)];
  talk.ended = record.outcome != Outcome::kOk && record.outcome != Outcome::kEmptyAnswer;
  talk.history.push_back({"assistant", record.text});
  ++talk.turn;
}

}  // namespace hussar
