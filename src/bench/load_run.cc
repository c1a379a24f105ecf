#include "bench/load_run.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/check.h"

namespace hussar {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kTickNs = 20 * kNsPerMs;  // how soon a limit or a stop is noticed
constexpr int64_t kProgressNs = 200 * kNsPerMs;
constexpr int64_t kCpuWindowNs = 1'000 * kNsPerMs;

int64_t to_ns(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

int64_t shortest_limit_ns(const LoadTimeouts& limits) {
  int64_t shortest_ns = kNever;
  for (const int64_t ms : {limits.connect_ms, limits.first_token_ms, limits.stall_ms, limits.total_ms}) {
    if (ms > 0) shortest_ns = std::min(shortest_ns, ms * kNsPerMs);
  }
  return shortest_ns;
}

int64_t median_answer_ns(const std::vector<RequestRecord>& records) {
  std::vector<int64_t> times;
  for (const RequestRecord& record : records) {
    if (record.outcome == Outcome::kOk) times.push_back(record.last_token_ns - record.sent_ns);
  }
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

int64_t mean_gap_ns(const std::vector<RequestRecord>& records) {
  if (records.size() < 2) return 0;
  return (records.back().scheduled_ns - records.front().scheduled_ns) /
         static_cast<int64_t>(records.size() - 1);
}

}  // namespace

LoadRun::LoadRun(StreamClient* client, RequestSource* source, const LoadShape& shape,
                 const LoadOptions& options, TextUse text, const std::atomic<bool>* stop)
    : client_(*client),
      source_(*source),
      shape_(shape),
      options_(options),
      text_(text),
      stop_(*stop),
      shortest_limit_ns_(shortest_limit_ns(options.timeouts)),
      deadline_ns_(kNever),
      steady_end_ns_(kNever) {
  driver_ =
      shape.kind == LoadShape::Kind::kClosed ? make_closed_loop(shape_, this) : make_open_loop(shape_, this);
}

RunLog LoadRun::run() {
  loop_before_ = client_.stats();
  client_.call_at(Clock::now(), [weak = weak_from_this()] {
    if (const auto run = weak.lock()) run->begin();
  });
  client_.run();
  CHECK(over_ && calls_.empty());
  return make_log();
}

void LoadRun::begin() {
  start_ = Clock::now();
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  started_unix_s_ = std::chrono::duration<double>(since_epoch).count();
  cpu_window_cpu_ns_ = client_.stats().thread_cpu_ns;
  if (stop_) {
    interrupt();
  } else {
    driver_->begin();
  }
  schedule_tick();
}

void LoadRun::at(int64_t at_ns, std::function<void()> task) {
  client_.call_at(start_ + std::chrono::nanoseconds(at_ns),
                  [weak = weak_from_this(), task = std::move(task)] {
                    const auto run = weak.lock();
                    if (run != nullptr && !run->sending_over_) task();
                  });
}

std::optional<PlannedRequest> LoadRun::next(int32_t user) {
  if (shape_.requests_max > 0 && counted_ >= shape_.requests_max) return std::nullopt;
  return source_.next(user);
}

bool LoadRun::in_warmup(int64_t scheduled_ns) const {
  return scheduled_ns < to_ns(shape_.warmup_s) ||
         static_cast<int64_t>(records_.size()) < shape_.warmup_requests;
}

RequestRecord* LoadRun::add_record(const PlannedRequest& request, const SendOrder& order) {
  const bool warmup = in_warmup(order.scheduled_ns);
  if (!warmup) {
    ++counted_;
    if (warm_up_end_ns_ < 0) warm_up_end_ns_ = order.scheduled_ns;
  }
  RequestRecord& record = records_.emplace_back();
  record.index = static_cast<int64_t>(records_.size()) - 1;
  record.user = order.user;
  record.stage = warmup ? -1 : order.stage;
  record.label = request.label;
  record.scheduled_ns = order.scheduled_ns;
  record.streamed = request.streamed;
  return &record;
}

void LoadRun::send(const PlannedRequest& request, const SendOrder& order) {
  RequestRecord* const record = add_record(request, order);
  LoadCallOptions call;
  call.timeouts = options_.timeouts;
  call.reader = {request.streamed, request.output_tokens_max, request.prompt_tokens_planned,
                 text_ != TextUse::kNone};
  call.run_start = start_;
  const auto added = calls_.emplace(record->index, std::make_unique<LoadCall>(call, &client_, this, record));
  added.first->second->start(request.wire);
  if (shortest_limit_ns_ != kNever) on_deadline(record->sent_ns + shortest_limit_ns_);
  if (!order.waited_for_stream) unhindered_lateness_ns_.push_back(record->sent_ns - record->scheduled_ns);
  if (request.cancel_after_ns >= 0) cancel_later(*record, request.cancel_after_ns);
}

void LoadRun::cancel_later(const RequestRecord& record, int64_t after_ns) {
  const auto task = [weak = weak_from_this(), index = record.index] {
    const auto run = weak.lock();
    if (run == nullptr) return;
    const auto found = run->calls_.find(index);
    if (found != run->calls_.end()) found->second->give_up(Outcome::kCancelled, "cancelled as planned");
  };
  client_.call_at(start_ + std::chrono::nanoseconds(record.sent_ns + after_ns), task);
}

void LoadRun::on_call_end(LoadCall* call) {
  RequestRecord& record = call->record();
  auto node = calls_.extract(record.index);
  CHECK(!node.empty());
  ended_.push_back(std::move(node.mapped()));
  record.chunks.shrink_to_fit();
  if (text_ == TextUse::kUntilCounted && record.output_tokens >= 0) std::string().swap(record.text);
  counts_.add(record);
  source_.finished(record);
  if (options_.on_record) options_.on_record(record);
  if (sending_over_) {
    end_if_idle();
  } else {
    driver_->on_end(record);
  }
}

void LoadRun::end_steady(int64_t at_ns) { steady_end_ns_ = std::min(steady_end_ns_, at_ns); }

void LoadRun::no_more() {
  sending_over_ = true;
  const int64_t planned_ns = driver_->planned_end_ns();
  const int64_t drain_begin_ns = planned_ns >= 0 ? std::min(planned_ns, now_ns()) : now_ns();
  drain_end_ns_ = drain_begin_ns + to_ns(shape_.drain_s_max);
  end_if_idle();
}

void LoadRun::end_if_idle() {
  if (over_ || !calls_.empty()) return;
  over_ = true;
  client_.stop();
}

void LoadRun::schedule_tick() {
  client_.call_at(Clock::now() + std::chrono::nanoseconds(kTickNs), [weak = weak_from_this()] {
    const auto run = weak.lock();
    if (run != nullptr && !run->over_) run->tick();
  });
}

void LoadRun::tick() {
  const int64_t now = now_ns();
  ended_.clear();
  if (stop_ && !interrupted_) interrupt();
  if (now >= deadline_ns_) expire_calls(now);
  end_late(now);
  watch_cpu(now);
  show_progress(now);
  schedule_tick();
}

// The drain is over. In an open loop whose streams are all taken, requests may still wait to be sent then;
// they are given up, and the proof says that streams were missing.
void LoadRun::end_late(int64_t now_ns) {
  if (!sending_over_ && driver_->planned_end_ns() >= 0) {
    if (now_ns < driver_->planned_end_ns() + to_ns(shape_.drain_s_max)) return;
    end_steady(driver_->planned_end_ns());
    held_up_at_end_ = driver_->is_held_up();
    no_more();
  }
  if (drain_end_ns_ >= 0 && now_ns >= drain_end_ns_) give_up_all("not answered before the run's end");
}

void LoadRun::interrupt() {
  interrupted_ = true;
  sending_over_ = true;
  end_steady(now_ns());
  give_up_all("the run was stopped");
  end_if_idle();
}

void LoadRun::give_up_all(const char* why) {
  for (const auto& [index, call] : calls_) call->give_up(Outcome::kUnfinished, why);
}

void LoadRun::expire_calls(int64_t now_ns) {
  deadline_ns_ = kNever;
  for (const auto& [index, call] : calls_) {
    call->expire(now_ns);
    on_deadline(call->deadline_ns());
  }
  // A call that enters its next phase may run out of time sooner than it would have in this one.
  if (shortest_limit_ns_ != kNever) on_deadline(now_ns + shortest_limit_ns_);
}

void LoadRun::watch_cpu(int64_t now_ns) {
  const int64_t window_ns = now_ns - cpu_window_begin_ns_;
  if (window_ns < kCpuWindowNs) return;
  const int64_t cpu_ns = client_.stats().thread_cpu_ns;
  const double share = static_cast<double>(cpu_ns - cpu_window_cpu_ns_) / static_cast<double>(window_ns);
  busy_s_ = share > kBusyShare ? busy_s_ + static_cast<double>(window_ns) / 1e9 : 0;
  busy_s_longest_ = std::max(busy_s_longest_, busy_s_);
  cpu_window_begin_ns_ = now_ns;
  cpu_window_cpu_ns_ = cpu_ns;
}

void LoadRun::show_progress(int64_t now_ns) {
  if (!options_.on_progress || now_ns < next_progress_ns_) return;
  next_progress_ns_ = now_ns + kProgressNs;
  RunProgress progress;
  progress.elapsed_ns = now_ns;
  const int64_t end_ns = driver_->planned_end_ns();
  if (end_ns >= 0) progress.seconds_left = static_cast<double>(std::max<int64_t>(0, end_ns - now_ns)) / 1e9;
  progress.sent = static_cast<int64_t>(records_.size());
  progress.running = static_cast<int64_t>(calls_.size());
  for (const auto& [index, call] : calls_)
    progress.output_chunks += static_cast<int64_t>(call->record().chunks.size());
  counts_.show(&progress);
  options_.on_progress(progress);
}

RunLog LoadRun::make_log() {
  RunLog log;
  log.records.assign(std::make_move_iterator(records_.begin()), std::make_move_iterator(records_.end()));
  log.started = start_;
  log.started_unix_s = started_unix_s_;
  log.interrupted = interrupted_;
  for (const RequestRecord& record : log.records) {
    log.end_ns = std::max(log.end_ns, record.end_ns);
    log.proof.lateness_ns.push_back(record.sent_ns - record.scheduled_ns);
  }
  log.steady_end_ns = steady_end_ns_ == kNever ? log.end_ns : steady_end_ns_;
  const int64_t begin_ns = shape_.warmup_requests > 0 ? std::max<int64_t>(warm_up_end_ns_, 0) : 0;
  log.steady_begin_ns = std::min(std::max(begin_ns, to_ns(shape_.warmup_s)), log.steady_end_ns);
  log.proof.loop = loop_stats_between(loop_before_, client_.stats());
  if (log.proof.loop.run_ns > 0) {
    log.proof.cpu_share =
        static_cast<double>(log.proof.loop.thread_cpu_ns) / static_cast<double>(log.proof.loop.run_ns);
  }
  judge_proof(proof_facts(log), &log.proof);
  return log;
}

ProofFacts LoadRun::proof_facts(const RunLog& log) const {
  ProofFacts facts;
  facts.kind = shape_.kind;
  facts.run_s = static_cast<double>(log.proof.loop.run_ns) / 1e9;
  facts.busy_s_longest = busy_s_longest_;
  facts.streams_max = shape_.streams_max;
  facts.held_up_at_end = held_up_at_end_;
  facts.reference_ns =
      shape_.kind == LoadShape::Kind::kOpen ? mean_gap_ns(log.records) : median_answer_ns(log.records);
  facts.unhindered_lateness_ns = unhindered_lateness_ns_;
  return facts;
}

}  // namespace hussar
