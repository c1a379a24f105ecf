// One answer of the mock: planned as a value, then made piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/mock_options.h"
#include "bench/mock_request.h"
#include "net/paced_server.h"

namespace hussar {

// What will be answered; all chance is drawn here or follows from `seed`.
struct MockPlan {
  MockRequest request;
  MockFault fault = MockFault::kNone;
  uint64_t index = 0;  // of the request, in the order of arrival
  uint64_t seed = 0;   // of the text and of the gaps
  int64_t output_tokens = 0;
  std::string_view finish_reason;  // "stop" or "length"
  int64_t ttft_ns = 0;
};

// `index` alone decides about chance, so that the same requests in the same order get the same answers.
MockPlan plan_mock_answer(MockRequest request, uint64_t index, const MockOptions& options);

// The status that the answer to `fault` begins with: 200 for those that come later. 0: there is no answer.
int mock_fault_status(MockFault fault);

PacedAnswer make_mock_answer(const MockPlan& plan, const MockOptions& options);

// A whole answer that is no stream, sent at once: for other routes and refusals. `error`: OpenAI's shape.
PacedAnswer make_json_answer(int status, std::string_view content_type, std::string_view body,
                             std::string_view more_headers = "");
std::string mock_error_json(std::string_view message, std::string_view type, std::string_view field);

}  // namespace hussar
