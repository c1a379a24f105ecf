// A server with known truth: it speaks OpenAI's API, says what it is told to say when it is told to, makes
// the faults that it is told to make, and knows what it really did. No model is behind it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/types.h"
#include "bench/mock_options.h"

namespace hussar {

struct MockSent {
  int64_t due_ns = 0;                   // since the request was received
  int64_t before_ns = 0, after_ns = 0;  // since the server's start: around the send that completed it
  int32_t tokens = 0;                   // whose text became whole with it
};

// What really happened to one completion request. Times are nanoseconds on the steady clock since the
// server's start.
struct MockTruth {
  uint64_t index = 0;      // in the order of arrival
  std::string request_id;  // the client's X-Request-Id
  std::string path;
  bool streamed = false;
  MockFault fault = MockFault::kNone;  // kNone and a status other than 200: refused for what it was
  int status = 0;                      // 0: never answered
  int64_t received_ns = 0;
  int64_t ended_ns = -1;  // -1: not yet
  bool whole = false;     // all that was planned was sent
  int64_t prompt_tokens = 0;
  int64_t planned_tokens = 0;  // what the answer would have without a fault
  int64_t sent_tokens = 0;
  std::vector<MockSent> chunks;  // those that completed text; empty without MockOptions::keep_chunks
};
Json mock_truth_json(const MockTruth& truth);

class MockServer {
 public:
  // `on_truth` gets each truth when its answer has ended, on the server's thread; may be empty. Errors: kIo,
  // kInvalid.
  static Result<std::unique_ptr<MockServer>> start(const MockOptions& options,
                                                   std::function<void(const MockTruth&)> on_truth);
  virtual ~MockServer() = default;  // stop()

  virtual int port() const = 0;
  std::string url() const;
  virtual TimePoint started() const = 0;
  virtual void freeze(int64_t ms) = 0;  // any thread
  // Throughout this time the server has been frozen, or will be; the last time. Equal: never. Any thread.
  struct Span {
    TimePoint begin, end;
  };
  virtual Span frozen() const = 0;
  virtual void stop() = 0;  // ends what is under way; idempotent

  // How many answers each fault has struck; any thread.
  virtual std::array<int64_t, kMockFaultCount> fault_counts() const = 0;

 protected:
  MockServer() = default;
  std::string host_;
};

}  // namespace hussar
