// Compares what the load generator measured with what the mock knows. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/mock_server.h"
#include "bench/record.h"

namespace hussar {

// By MockTruth::request_id, which is the record's label.
using TruthTable = std::map<std::string, MockTruth>;

// Of successes, in pairs: what was measured, what the mock really did, and what it had meant to do. TTFT from
// requests over connections that stood already, since the mock does not see a connection being made.
struct TimePairs {
  std::vector<double> ttft_measured_ms, ttft_true_ms, ttft_due_ms;
  std::vector<double> itl_measured_ms, itl_true_ms, itl_due_ms;
};
TimePairs pair_times(std::span<const RequestRecord> records, const TruthTable& truths);

std::vector<double> absolute_differences(std::span<const double> a, std::span<const double> b);

// What a fault must be counted as.
Outcome expected_outcome(MockFault fault);

struct FaultTally {
  int64_t injected = 0;  // answers that the mock spoiled so
  int64_t counted = 0;   // of these, those with the outcome that they must have
};
// For each fault that was injected; "none" counts the answers without one.
std::map<MockFault, FaultTally> tally_faults(std::span<const RequestRecord> records,
                                             const TruthTable& truths);

// How the counts of requests, tokens, chunks and bytes of text differ, one line each, at most `lines_max`;
// none when all is equal. Every request must stand on both sides; tokens are compared where the answer was
// whole. `mock` says how the text is made again.
std::vector<std::string> compare_counts(std::span<const RequestRecord> records, const TruthTable& truths,
                                        const MockOptions& mock, size_t lines_max);

}  // namespace hussar
