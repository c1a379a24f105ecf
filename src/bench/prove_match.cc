#include "bench/prove_match.h"

#include <cmath>

#include "base/check.h"
#include "bench/mock_text.h"

namespace hussar {

namespace {

constexpr double kNsInMs = 1e6;

double ms(int64_t ns) { return static_cast<double>(ns) / kNsInMs; }

const MockTruth* find_truth(const TruthTable& truths, const RequestRecord& record) {
  const auto found = truths.find(record.label);
  return found == truths.end() ? nullptr : &found->second;
}

std::string expected_text(const MockTruth& truth, const MockOptions& mock) {
  std::string text;
  const uint64_t answer_seed = mix_seeds(mock.seed, truth.index);
  for (int64_t i = 0; i < truth.sent_tokens; ++i) text += mock_token(answer_seed, i);
  return text;
}

// What differs between a whole answer and its record; empty: nothing.
std::string difference(const RequestRecord& record, const MockTruth& truth, const MockOptions& mock) {
  const auto differs = [](const char* what, int64_t measured, int64_t really) {
    return std::string(what) + " " + std::to_string(measured) + " instead of " + std::to_string(really);
  };
  if (record.prompt_tokens >= 0 && record.prompt_tokens != truth.prompt_tokens)
    return differs("prompt tokens", record.prompt_tokens, truth.prompt_tokens);
  if (record.output_tokens != truth.sent_tokens)
    return differs("output tokens", record.output_tokens, truth.sent_tokens);
  const int64_t chunks = static_cast<int64_t>(record.chunks.size());
  const int64_t sent = (truth.sent_tokens + mock.tokens_per_chunk - 1) / mock.tokens_per_chunk;
  if (record.streamed && chunks != sent) return differs("chunks with text", chunks, sent);
  const std::string text = expected_text(truth, mock);
  if (record.text_bytes != static_cast<int64_t>(text.size()))
    return differs("bytes of text", record.text_bytes, static_cast<int64_t>(text.size()));
  if (!record.text.empty() && record.text != text) return "another text than was sent";
  return "";
}

}  // namespace

TimePairs pair_times(std::span<const RequestRecord> records, const TruthTable& truths) {
  TimePairs pairs;
  for (const RequestRecord& record : records) {
    const MockTruth* truth = find_truth(truths, record);
    if (truth == nullptr || record.outcome != Outcome::kOk || truth->chunks.empty()) continue;
    if (record.chunks.size() != truth->chunks.size()) continue;  // compare_counts() tells
    const MockSent& first = truth->chunks[0];
    if (record.connection_reused) {
      pairs.ttft_measured_ms.push_back(ms(record.first_token_ns - record.sent_ns));
      pairs.ttft_true_ms.push_back(ms(first.before_ns - truth->received_ns));
      pairs.ttft_due_ms.push_back(ms(first.due_ns));
    }
    for (size_t i = 1; i < record.chunks.size(); ++i) {
      const MockSent &sent = truth->chunks[i], &last = truth->chunks[i - 1];
      pairs.itl_measured_ms.push_back(ms(record.chunks[i].at_ns - record.chunks[i - 1].at_ns));
      pairs.itl_true_ms.push_back(ms(sent.before_ns - last.before_ns));
      pairs.itl_due_ms.push_back(ms(sent.due_ns - last.due_ns));
    }
  }
  return pairs;
}

std::vector<double> absolute_differences(std::span<const double> a, std::span<const double> b) {
  CHECK(a.size() == b.size());
  std::vector<double> differences;
  for (size_t i = 0; i < a.size(); ++i) differences.push_back(std::abs(a[i] - b[i]));
  return differences;
}

Outcome expected_outcome(MockFault fault) {
  switch (fault) {
    case MockFault::kNone:
      return Outcome::kOk;
    case MockFault::kRefuse400:
      return Outcome::kHttp4xx;
    case MockFault::kRefuse429:
      return Outcome::kHttp429;
    case MockFault::kFail500:
    case MockFault::kFail503:
      return Outcome::kHttp5xx;
    case MockFault::kNoAnswer:
      return Outcome::kFirstTokenTimeout;
    case MockFault::kStall:
      return Outcome::kStallTimeout;
    case MockFault::kTruncate:
    case MockFault::kReset:
    case MockFault::kNoDone:
      return Outcome::kTruncated;
    case MockFault::kError:
      return Outcome::kInBandError;
    case MockFault::kEmpty:
      return Outcome::kEmptyAnswer;
    case MockFault::kBadJson:
    case MockFault::kPlainJson:
      return Outcome::kBadJson;
    case MockFault::kWrongUsage:
      return Outcome::kUsageMismatch;
  }
  return Outcome::kOk;
}

std::map<MockFault, FaultTally> tally_faults(std::span<const RequestRecord> records,
                                             const TruthTable& truths) {
  std::map<MockFault, FaultTally> tallies;
  for (const auto& [id, truth] : truths) ++tallies[truth.fault].injected;
  for (const RequestRecord& record : records) {
    const MockTruth* truth = find_truth(truths, record);
    if (truth != nullptr && record.outcome == expected_outcome(truth->fault)) ++tallies[truth->fault].counted;
  }
  return tallies;
}

std::vector<std::string> compare_counts(std::span<const RequestRecord> records, const TruthTable& truths,
                                        const MockOptions& mock, size_t lines_max) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& line) {
    if (lines.size() < lines_max) lines.push_back(line);
  };
  if (records.size() != truths.size()) {
    add(std::to_string(records.size()) + " requests instead of " + std::to_string(truths.size()));
  }
  for (const RequestRecord& record : records) {
    const MockTruth* truth = find_truth(truths, record);
    if (truth == nullptr) {
      add(record.label + ": the mock never saw it");
      continue;
    }
    const Outcome expected = expected_outcome(truth->fault);
    if (record.outcome != expected) {
      add(record.label + ": " + std::string(outcome_name(record.outcome)) + " instead of " +
          std::string(outcome_name(expected)) + ": " + record.detail);
    } else if (expected == Outcome::kOk) {
      if (const std::string what = difference(record, *truth, mock); !what.empty())
        add(record.label + ": " + what);
    }
  }
  return lines;
}

}  // namespace hussar
