// Requests that go out on schedule, whether earlier ones were answered or not.
#include <algorithm>
#include <utility>

#include "bench/load_driver.h"

namespace hussar {

namespace {

class OpenLoop : public LoadDriver {
 public:
  OpenLoop(const LoadShape& shape, LoadSender* sender) : shape_(shape), sender_(*sender) {}

  void begin() override {
    take_next();
    schedule_next();
  }
  void on_end(const RequestRecord&) override {
    if (waiting_for_stream_) send_due();  // one has ended: one can go
  }
  bool is_held_up() const override { return waiting_for_stream_; }
  int64_t planned_end_ns() const override {
    return shape_.open_stage_ends_s.empty() ? -1 : end_of(shape_.open_stage_ends_s.size() - 1);
  }

 private:
  int64_t end_of(size_t stage) const { return static_cast<int64_t>(shape_.open_stage_ends_s[stage] * 1e9); }
  void schedule_next();
  void take_next();
  void send_due();

  const LoadShape shape_;
  LoadSender& sender_;
  std::optional<PlannedRequest> next_;
  size_t stage_ = 0;
  int64_t last_at_ns_ = 0;
  bool waiting_for_stream_ = false;
};

// next_ becomes nothing where the schedule ends.
void OpenLoop::take_next() {
  next_ = sender_.next(-1);
  if (!next_) return;
  // A source that breaks its promise of rising times can't make us send into the past.
  last_at_ns_ = next_->at_ns = std::max(next_->at_ns, last_at_ns_);
  while (stage_ < shape_.open_stage_ends_s.size() && next_->at_ns >= end_of(stage_)) ++stage_;
  if (stage_ > 0 && stage_ == shape_.open_stage_ends_s.size()) next_.reset();
}

void OpenLoop::schedule_next() {
  if (next_) return sender_.at(next_->at_ns, [this] { send_due(); });
  sender_.end_steady(planned_end_ns() >= 0 ? planned_end_ns() : last_at_ns_);
  sender_.no_more();
}

void OpenLoop::send_due() {
  while (next_ && next_->at_ns <= sender_.now_ns()) {
    if (sender_.running() >= static_cast<size_t>(shape_.streams_max)) {
      waiting_for_stream_ = true;
      return;
    }
    const bool waited = std::exchange(waiting_for_stream_, false);
    sender_.send(*next_, {-1, static_cast<int32_t>(stage_), next_->at_ns, waited});
    take_next();
  }
  schedule_next();
}

}  // namespace

std::unique_ptr<LoadDriver> make_open_loop(const LoadShape& shape, LoadSender* sender) {
  return std::make_unique<OpenLoop>(shape, sender);
}

}  // namespace hussar
