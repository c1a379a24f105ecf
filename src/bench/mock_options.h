// How a mock server behaves: its delays, its lengths, the shape of its streams and the faults that it makes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/random.h"

namespace hussar {

// A delay drawn anew each time; never negative.
struct MockDelay {
  enum class Kind { kConstant, kUniform, kNormal, kLognormal, kExponential };
  Kind kind = Kind::kConstant;
  double mean_ms = 0;
  double spread_ms = 0;  // half the width of kUniform, the standard deviation of kNormal and kLognormal

  int64_t draw_ns(Random* random) const;
};
// "constant", "uniform", "normal", "lognormal", "exponential"; in the order of the enum.
const std::vector<std::string>& mock_delay_kinds();

// What can go wrong with one answer. Faults "after tokens" happen when MockOptions::fault_after_tokens tokens
// of text have been sent, or when the text is over.
enum class MockFault : uint8_t {
  kNone,
  kRefuse400,
  kRefuse429,  // with Retry-After
  kFail500,
  kFail503,     // with Retry-After
  kNoAnswer,    // the request is read, and that is all
  kStall,       // after tokens: nothing for stall_ms, or for ever
  kTruncate,    // after tokens: the connection is closed in the middle of the body
  kReset,       // after tokens: the connection is reset
  kNoDone,      // after tokens: the body ends in order, without finish_reason and [DONE]
  kError,       // after tokens: an error object in the stream
  kEmpty,       // a whole answer without any text
  kBadJson,     // after tokens: an event that is no JSON
  kPlainJson,   // a stream was asked for, one JSON document comes
  kWrongUsage,  // usage speaks of no token at all, though there was text
};
inline constexpr int kMockFaultCount = 15;
// "none", "400", "429", "500", "503", "no-answer", "stall", "truncate", "reset", "no-done", "error", "empty",
// "bad-json", "plain-json", "wrong-usage".
std::string_view mock_fault_name(MockFault fault);
Result<MockFault> parse_mock_fault(std::string_view name);  // Errors: kInvalid

// The share of answers that each fault strikes.
using MockFaultRates = std::array<double, kMockFaultCount>;
// "truncate=0.05,stall=0.01". Errors: kInvalid (an unknown fault, a rate outside 0 to 1, more than 1 in all).
Result<MockFaultRates> parse_mock_fault_rates(std::string_view text);

// "64", or "32:128" for any number of these with equal chance.
struct MockTokens {
  int64_t min = 64, max = 64;
};
Result<MockTokens> parse_mock_tokens(std::string_view text);  // Errors: kInvalid

enum class MockSplit { kNone, kUtf8, kLine };        // where an event's bytes are cut in two
enum class MockUsage { kAsAsked, kAlways, kNever };  // of streams

struct MockOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string model = "mock";
  int64_t context_tokens = 32'768;
  uint64_t seed = 1;  // of delays, lengths, texts and faults

  MockDelay ttft{MockDelay::Kind::kConstant, 50, 0};
  MockDelay itl{MockDelay::Kind::kConstant, 20, 0};
  MockTokens output_tokens;  // what the model would say by itself
  int64_t tokens_per_chunk = 1;
  int64_t events_per_send = 1;  // SSE events that go out together
  int64_t role_ms = 0;          // chat: when the role comes, in a chunk of its own; -1: with the first text
  int64_t comment_ms = 0;       // keep-alive comments so often; 0: none
  MockSplit split = MockSplit::kNone;
  int64_t split_gap_ms = 1;  // between the two parts
  MockUsage usage = MockUsage::kAsAsked;

  MockFaultRates fault_rates{};
  int64_t fault_after_tokens = 3;
  int64_t stall_ms = 0;  // 0: for ever
  int64_t retry_after_s = 1;
  int64_t running_max = 0;  // more at once get a 429; 0: no limit
  int64_t accept_delay_ms = 0;
  int64_t freeze_at_ms = -1;  // after the start the whole server freezes ...
  int64_t freeze_ms = 0;      // ... for so long

  bool keep_chunks = true;  // in MockTruth
};

}  // namespace hussar
