// Users who ask, wait for the answer, think, and ask again.
#include <algorithm>

#include "base/check.h"
#include "bench/load_driver.h"
#include "bench/random.h"

namespace hussar {

namespace {

constexpr double kNsPerS = 1e9;

int64_t to_ns(double seconds) { return static_cast<int64_t>(seconds * kNsPerS); }

enum class UserState {
  kAway,     // not started yet, or sent home by a stage with fewer users
  kWaiting,  // for its start, or thinking
  kAsking,
  kDone,  // the source has no more for it
};

struct User {
  UserState state = UserState::kAway;
  Random random;
};

class ClosedLoop : public LoadDriver {
 public:
  ClosedLoop(const LoadShape& shape, LoadSender* sender) : shape_(shape), sender_(*sender) {
    int32_t users_max = 0;
    for (const ClosedStage& stage : shape.stages) users_max = std::max(users_max, stage.users);
    // Each user draws from a stream of its own, so that the order of events changes nobody's pauses.
    for (int32_t id = 0; id < users_max; ++id) {
      users_.push_back({UserState::kAway, Random(Random(shape.seed).next() + static_cast<uint64_t>(id))});
    }
  }

  void begin() override { begin_stage(0); }
  void on_end(const RequestRecord& record) override;
  int64_t planned_end_ns() const override;

 private:
  void begin_stage(size_t index);
  void start_users();
  void ready(int32_t id, int64_t scheduled_ns);
  double draw_pause_s(User* user);
  bool anybody_left() const;

  const LoadShape shape_;
  LoadSender& sender_;
  std::vector<User> users_;
  size_t stage_ = 0;
  int32_t wanted_ = 0;  // users of this stage: those with lower ids
  bool over_ = false;
};

int64_t ClosedLoop::planned_end_ns() const {
  double seconds = 0;
  for (const ClosedStage& stage : shape_.stages) {
    if (stage.seconds <= 0) return -1;
    seconds += stage.seconds;
  }
  return to_ns(seconds);
}

void ClosedLoop::begin_stage(size_t index) {
  for (; index < shape_.stages.size(); ++index) {
    stage_ = index;
    wanted_ = shape_.stages[index].users;
    const bool pause = wanted_ == 0 && shape_.stages[index].seconds > 0;
    if (pause || anybody_left()) break;
  }
  if (index == shape_.stages.size()) {
    over_ = true;
    sender_.end_steady(sender_.now_ns());
    sender_.no_more();
    return;
  }
  start_users();
  const double seconds = shape_.stages[index].seconds;
  if (seconds <= 0) return;
  sender_.at(sender_.now_ns() + to_ns(seconds), [this, index] {
    if (stage_ == index && !over_) begin_stage(index + 1);
  });
}

void ClosedLoop::start_users() {
  std::vector<int32_t> starting;
  for (int32_t id = 0; id < wanted_; ++id) {
    if (users_[static_cast<size_t>(id)].state == UserState::kAway) starting.push_back(id);
  }
  const double seconds = shape_.stages[stage_].seconds;
  const double ramp_s = seconds > 0 ? std::min(shape_.ramp_s, seconds) : shape_.ramp_s;
  const int64_t now_ns = sender_.now_ns();
  for (size_t i = 0; i < starting.size(); ++i) {
    const int32_t id = starting[i];
    const double share = static_cast<double>(i) / static_cast<double>(starting.size());
    const int64_t at_ns = now_ns + to_ns(ramp_s * share);
    users_[static_cast<size_t>(id)].state = UserState::kWaiting;
    sender_.at(at_ns, [this, id, at_ns] { ready(id, at_ns); });
  }
}

bool ClosedLoop::anybody_left() const {
  return std::any_of(users_.begin(), users_.begin() + wanted_,
                     [](const User& user) { return user.state != UserState::kDone; });
}

void ClosedLoop::ready(int32_t id, int64_t scheduled_ns) {
  if (over_) return;
  User& user = users_[static_cast<size_t>(id)];
  if (id >= wanted_) {
    user.state = UserState::kAway;
    return;
  }
  if (const auto request = sender_.next(id)) {
    user.state = UserState::kAsking;
    return sender_.send(*request, {id, static_cast<int32_t>(stage_), scheduled_ns, false});
  }
  user.state = UserState::kDone;
  sender_.end_steady(sender_.now_ns());
  if (!anybody_left()) begin_stage(stage_ + 1);
}

double ClosedLoop::draw_pause_s(User* user) {
  return shape_.think_s_min + (shape_.think_s_max - shape_.think_s_min) * user->random.uniform();
}

void ClosedLoop::on_end(const RequestRecord& record) {
  CHECK(record.user >= 0 && record.user < static_cast<int32_t>(users_.size()));
  const int32_t id = record.user;
  User& user = users_[static_cast<size_t>(id)];
  double pause_s = draw_pause_s(&user);
  if (is_error(record.outcome)) pause_s = std::max(pause_s, shape_.error_pause_s);
  const int64_t at_ns = record.end_ns + to_ns(pause_s);
  user.state = UserState::kWaiting;
  if (pause_s <= 0) return ready(id, at_ns);
  sender_.at(at_ns, [this, id, at_ns] { ready(id, at_ns); });
}

}  // namespace

std::unique_ptr<LoadDriver> make_closed_loop(const LoadShape& shape, LoadSender* sender) {
  return std::make_unique<ClosedLoop>(shape, sender);
}

}  // namespace hussar
