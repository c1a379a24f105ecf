#include "bench/load_call.h"

#include <limits>

namespace hussar {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// An answer that can't change any more may end in order, so that its connection can be used again; but not
// for longer than this.
constexpr int64_t kLingerMs = 2'000;

}  // namespace

LoadCall::LoadCall(const LoadCallOptions& options, StreamClient* client, LoadCallOwner* owner,
                   RequestRecord* record)
    : options_(options), client_(client), owner_(owner), record_(record), reader_(options.reader, record) {}

void LoadCall::start(std::shared_ptr<const std::string> wire) {
  record_->sent_ns = since_start(Clock::now());
  id_ = client_->start(std::move(wire), this);
}

LoadCall::Limit LoadCall::next_limit() const {
  Limit next{kNever, Outcome::kUnfinished, "", 0};
  if (given_up_) return next;
  const auto consider = [&next](int64_t from_ns, int64_t ms, Outcome outcome, const char* what) {
    if (ms > 0 && from_ns + ms * kNsPerMs < next.at_ns) next = {from_ns + ms * kNsPerMs, outcome, what, ms};
  };
  const LoadTimeouts& limits = options_.timeouts;
  if (settled_ns_ >= 0) consider(settled_ns_, kLingerMs, Outcome::kTotalTimeout, "no end of an answer");
  if (record_->connected_ns < 0) {
    consider(record_->sent_ns, limits.connect_ms, Outcome::kConnectTimeout, "no connection");
  } else if (record_->streamed && record_->first_token_ns < 0) {
    consider(record_->sent_ns, limits.first_token_ms, Outcome::kFirstTokenTimeout, "no first token");
  } else if (record_->streamed) {
    consider(record_->last_token_ns, limits.stall_ms, Outcome::kStallTimeout, "no more text");
  }
  consider(record_->sent_ns, limits.total_ms, Outcome::kTotalTimeout, "no whole answer");
  return next;
}

void LoadCall::expire(int64_t now_ns) {
  const Limit limit = next_limit();
  if (limit.at_ns <= now_ns)
    give_up(limit.outcome, limit.what + (" within " + std::to_string(limit.ms)) + " ms");
}

void LoadCall::give_up(Outcome why, std::string detail) {
  if (given_up_) return;
  given_up_ = true;
  reader_.give_up(why, std::move(detail));
  client_->cancel(id_);
}

void LoadCall::note_settled(int64_t at_ns) {
  if (settled_ns_ >= 0 || !reader_.settled()) return;
  settled_ns_ = at_ns;
  owner_->on_deadline(at_ns + kLingerMs * kNsPerMs);
}

void LoadCall::on_sending(TimePoint at, bool reused) {
  record_->connected_ns = since_start(at);
  record_->connection_reused = reused;
}

void LoadCall::on_sent(TimePoint at) { record_->written_ns = since_start(at); }

void LoadCall::on_head(int status, const std::vector<HttpHeader>& headers, TimePoint at) {
  reader_.head(status, headers, since_start(at));
  note_settled(since_start(at));
}

void LoadCall::on_body(std::string_view bytes, TimePoint at) {
  reader_.body(bytes, since_start(at));
  note_settled(since_start(at));
}

void LoadCall::on_end(CallEnd end, std::string_view detail, TimePoint at) {
  reader_.end(end, detail, since_start(at));
  owner_->on_call_end(this);
}

}  // namespace hussar
