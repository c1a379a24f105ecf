// Inside the load generator: one request on its way, from its start to its record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/answer_reader.h"
#include "bench/load.h"
#include "net/stream_client.h"

namespace hussar {

class LoadCall;

class LoadCallOwner {
 public:
  virtual ~LoadCallOwner() = default;
  // From now on the call may have to be looked at (LoadCall::expire) as early as `at_ns`.
  virtual void on_deadline(int64_t at_ns) = 0;
  // The record is complete. The call may not be destroyed before this has returned.
  virtual void on_call_end(LoadCall* call) = 0;
};

struct LoadCallOptions {
  LoadTimeouts timeouts;
  AnswerReaderOptions reader;
  TimePoint run_start;
};

// On the client's thread. The record, the client and the owner outlive it.
class LoadCall : public CallListener {
 public:
  LoadCall(const LoadCallOptions& options, StreamClient* client, LoadCallOwner* owner, RequestRecord* record);

  void start(std::shared_ptr<const std::string> wire);
  // Ends it when it has run out of time.
  void expire(int64_t now_ns);
  // Ends it for another reason. What has decided itself already stays as it is.
  void give_up(Outcome why, std::string detail);
  // When expire() has something to do; INT64_MAX: never.
  int64_t deadline_ns() const { return next_limit().at_ns; }

  RequestRecord& record() { return *record_; }
  const RequestRecord& record() const { return *record_; }

  void on_sending(TimePoint at, bool reused) override;
  void on_sent(TimePoint at) override;
  void on_head(int status, const std::vector<HttpHeader>& headers, TimePoint at) override;
  void on_body(std::string_view bytes, TimePoint at) override;
  void on_end(CallEnd end, std::string_view detail, TimePoint at) override;

 private:
  struct Limit {
    int64_t at_ns;
    Outcome outcome;
    const char* what;  // "no first token"
    int64_t ms;
  };
  Limit next_limit() const;
  int64_t since_start(TimePoint at) const { return (at - options_.run_start).count(); }
  void note_settled(int64_t at_ns);

  const LoadCallOptions options_;
  StreamClient* const client_;
  LoadCallOwner* const owner_;
  RequestRecord* const record_;
  AnswerReader reader_;
  StreamClient::CallId id_ = 0;
  int64_t settled_ns_ = -1;
  bool given_up_ = false;
};

}  // namespace hussar
