// Test support: an engine that answers as the test says, and a small tokenizer.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "server/server.h"
#include "text/tokenizer_test_vocabulary.h"

namespace hussar {

// Ids 0 to 255 are bytes, then come what four merges form, the last one "hello", and three special tokens.
inline Tokenizer testing_tokenizer() {
  Vocabulary vocabulary = test_vocabulary("gpt-2", {"h e", "l l", "he ll", "hell o"},
                                          {{"<|im_start|>", TokenKind::kControl},
                                           {"<|im_end|>", TokenKind::kControl},
                                           {"<tool>", TokenKind::kUserDefined}});
  auto tokenizer = Tokenizer::create(std::move(vocabulary));
  CHECK(tokenizer.ok());
  return std::move(*tokenizer);
}
inline constexpr TokenId kHello = 259, kImStart = 260, kImEnd = 261, kTool = 262;

inline TokenEvent token_event(TokenId token) {
  TokenEvent event;
  event.token = token;
  event.time = Clock::now();
  return event;
}
inline TokenEvent last_event(TokenId token, FinishReason reason, TokenId stop_token = -1) {
  TokenEvent event = token_event(token);
  event.finish = reason;
  event.stop_token = stop_token;
  return event;
}

// Requests wait until the test feeds them with events; cancel() ends one at once, as the real one does.
class FakeEngine : public Engine {
 public:
  FakeEngine() {
    options_.context_max = 100;
    options_.kv_blocks = 1000;
    device_.device = "fake";
    device_.isa = "none";
    counters_.last_step = Clock::now();
  }
  ~FakeEngine() override { shutdown(); }

  Result<RequestId> submit(Request request, EventSink sink) override {
    std::lock_guard lock(mutex_);
    if (refusal) return *refusal;
    if (last_id_ >= accepted_max) return Error{ErrorCode::kFull, "the queue is full", ""};
    const RequestId id = ++last_id_;
    ++counters_.requests_accepted;
    requests_[id] = std::move(request);
    sinks_[id] = std::move(sink);
    return id;
  }
  void cancel(RequestId id) override {
    {
      std::lock_guard lock(mutex_);
      ++cancels_;
    }
    feed(id, {last_event(-1, FinishReason::kCancelled)});
  }
  EngineCounters counters() const override {
    std::lock_guard lock(mutex_);
    return counters_;
  }
  LoadEstimate load(TenantId, double) const override {
    std::lock_guard lock(mutex_);
    return load_;
  }
  std::optional<Error> fault() const override {
    std::lock_guard lock(mutex_);
    return fault_;
  }
  const EngineOptions& options() const override { return options_; }
  const DeviceInfo& device() const override { return device_; }
  void shutdown() override {
    std::vector<RequestId> ids;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [id, sink] : sinks_) ids.push_back(id);
    }
    for (const RequestId id : ids) feed(id, {last_event(-1, FinishReason::kShutdown)});
  }

  void set_fault(Error fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  // For the test. A last event also fills in the counts, and ends the request.
  void feed(RequestId id, std::vector<TokenEvent> events) {
    EventSink sink;
    {
      std::lock_guard lock(mutex_);
      const auto found = sinks_.find(id);
      if (found == sinks_.end()) return;
      sink = found->second;
      for (TokenEvent& event : events) {
        event.request = id;
        generated_[id] += event.token >= 0;
        if (!event.finish) continue;
        event.prompt_tokens = static_cast<int32_t>(requests_[id].prompt.size());
        event.generated_tokens = generated_[id];
        event.admitted = Clock::now();
        ++counters_.finished[static_cast<size_t>(*event.finish)];
        sinks_.erase(found);
        break;
      }
    }
    sink(events);
  }
  // Every byte a token, as generated ones; then `last`.
  void feed_text(RequestId id, std::string_view text, std::optional<TokenEvent> last) {
    for (const char c : text) feed(id, {token_event(static_cast<unsigned char>(c))});
    if (last) feed(id, {*last});
  }
  // The request of this id when it has come.
  std::optional<Request> request(RequestId id) const {
    std::lock_guard lock(mutex_);
    const auto found = requests_.find(id);
    return found == requests_.end() ? std::nullopt : std::optional(found->second);
  }
  int cancels() const {
    std::lock_guard lock(mutex_);
    return cancels_;
  }
  void set_counters(const EngineCounters& counters) {
    std::lock_guard lock(mutex_);
    counters_ = counters;
  }

  void set_load(const LoadEstimate& load) {
    std::lock_guard lock(mutex_);
    load_ = load;
  }

  void set_context_max(int32_t tokens) { options_.context_max = tokens; }  // before requests come

  std::optional<Error> refusal;            // of every submit; set before requests come
  RequestId accepted_max = 1'000'000'000;  // requests; the others find the queue full

 private:
  EngineOptions options_;
  DeviceInfo device_;
  mutable std::mutex mutex_;
  EngineCounters counters_;
  std::optional<Error> fault_;
  LoadEstimate load_;
  RequestId last_id_ = 0;
  int cancels_ = 0;
  std::map<RequestId, Request> requests_;
  std::map<RequestId, EventSink> sinks_;
  std::map<RequestId, int32_t> generated_;
};

}  // namespace hussar
