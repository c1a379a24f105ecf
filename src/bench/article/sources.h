// Requests that are not known before the run: prompts that differ from each other without end, and
// conversations whose next turn needs the last answer.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/article/conversation.h"
#include "bench/load.h"
#include "bench/target.h"

namespace hussar {

// Makes the request of a number, the same number once only.
using MakeRequest = std::function<PlannedRequest(uint64_t number)>;

// Without end; the first `ready` requests are made ahead, so that the start of a run does not wait for them.
class EndlessSource : public RequestSource {
 public:
  EndlessSource(MakeRequest make, size_t ready);
  std::optional<PlannedRequest> next(int32_t user) override;

 private:
  MakeRequest make_;
  std::deque<PlannedRequest> ready_;
  uint64_t made_ = 0;
};

// User i talks conversation i to its end. An answer goes into the history as it came, an empty one too; any
// other outcome ends that conversation.
class ConversationSource : public RequestSource {
 public:
  using MakeTurn = std::function<PlannedRequest(std::vector<ChatMessage> messages, std::string label)>;

  ConversationSource(const std::vector<Conversation>& conversations, MakeTurn make);
  std::optional<PlannedRequest> next(int32_t user) override;
  void finished(const RequestRecord& record) override;

 private:
  struct Talk {
    const Conversation* conversation = nullptr;
    std::vector<ChatMessage> history;  // with the turn that is being asked
    int32_t turn = 0;
    bool ended = false;
  };

  MakeTurn make_;
  std::vector<Talk> talks_;
};

}  // namespace hussar
