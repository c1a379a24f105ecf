// What is counted: every shape of answer, and every fault.
#include "bench/format.h"
#include "bench/prove_parts.h"

namespace hussar {

namespace {

constexpr int64_t kUsers = 10;
constexpr int64_t kRequests = 60;
constexpr size_t kLinesMax = 3;

struct CountCase {
  const char* name;
  MockOptions mock;
  ProveRequest request;
  bool keep_alive = true;
};

MockOptions quick_mock() {
  MockOptions mock;
  mock.ttft = {MockDelay::Kind::kUniform, 4, 3};
  mock.itl = {MockDelay::Kind::kExponential, 1, 0};
  return mock;
}

std::vector<CountCase> list_count_cases() {
  std::vector<CountCase> cases;
  const auto add = [&cases](const char* name) -> CountCase& {
    cases.push_back({name, quick_mock(), {}});
    return cases.back();
  };
  add("chat, one token a chunk");
  add("chat, several tokens a chunk").mock.tokens_per_chunk = 4;
  add("chat, several events a read").mock.events_per_send = 5;
  add("cut inside of characters").mock.split = MockSplit::kUtf8;
  {
    CountCase& cut = add("cut inside of lines, comments between");
    cut.mock.split = MockSplit::kLine;
    cut.mock.comment_ms = 1;
  }
  add("role with the first text").mock.role_ms = -1;
  add("without usage, counted by /tokenize").mock.usage = MockUsage::kNever;
  add("usage in every chunk").request.extra = {
      {"stream_options", JsonObject{{"include_usage", true}, {"continuous_usage_stats", true}}}};
  add("completions").request.api = Api::kCompletions;
  {
    CountCase& whole = add("chat, not streamed");
    whole.request.streamed = false;
  }
  {
    CountCase& article = add("the article's dialect, not streamed");
    article.request.api = Api::kArticle;
    article.request.streamed = false;
  }
  add("a connection for each request").keep_alive = false;
  return cases;
}

Result<ProveCheck> prove_count_case(const CountCase& one, const std::atomic<bool>& stop) {
  RehearsalPlan plan;
  plan.mock = one.mock;
  plan.keep_alive = one.keep_alive;
  plan.keep_text = true;
  plan.shape = users_shape(kUsers);
  for (int64_t i = 0; i < kRequests; ++i) {
    plan.requests.push_back(one.request);
    plan.requests.back().tokens = static_cast<int32_t>(1 + i * 7 % 40);
  }
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, rehearse(plan, stop));
  int64_t measured = 0, sent = 0;
  for (const RequestRecord& record : rehearsal.log.records) measured += std::max(record.output_tokens, 0);
  for (const auto& [id, truth] : rehearsal.truths) sent += truth.sent_tokens;
  const auto lines = compare_counts(rehearsal.log.records, rehearsal.truths, plan.mock, kLinesMax);
  ProveCheck check;
  check.name = one.name;
  check.measured = format_count(measured) + " tokens";
  check.demanded = format_count(sent) + " tokens, text and chunks equal";
  check.passed = lines.empty() && rehearsal.log.records.size() == kRequests && measured == sent;
  for (const std::string& line : lines) check.measured += "; " + line;
  return check;
}

// All requests of `plan` must end in `outcome`.
Result<ProveCheck> prove_outcome(const char* name, const RehearsalPlan& plan, Outcome outcome,
                                 const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, rehearse(plan, stop));
  int64_t counted = 0;
  std::string stray;
  for (const RequestRecord& record : rehearsal.log.records) {
    if (record.outcome == outcome) {
      ++counted;
    } else {
      stray = std::string("; ").append(outcome_name(record.outcome)).append(": ").append(record.detail);
    }
  }
  const int64_t wanted = static_cast<int64_t>(plan.requests.size());
  ProveCheck check;
  check.name = name;
  check.measured = format_count(counted) + " " + std::string(outcome_name(outcome)) + stray;
  check.demanded = format_count(wanted);
  check.passed = counted == wanted && static_cast<int64_t>(rehearsal.log.records.size()) == wanted;
  return check;
}

RehearsalPlan few_requests(int32_t tokens) {
  constexpr size_t kFew = 20;
  RehearsalPlan plan;
  plan.mock = quick_mock();
  plan.shape = users_shape(kUsers);
  plan.requests.assign(kFew, {});
  for (ProveRequest& request : plan.requests) request.tokens = tokens;
  return plan;
}

// What the mock's answers can't bring about.
Result<void> prove_other_outcomes(const std::atomic<bool>& stop, std::vector<ProveCheck>* checks) {
  constexpr int32_t kLongTokens = 1000;
  RehearsalPlan refused = few_requests(4);
  refused.mock_goes = true;
  ASSIGN_OR_RETURN(ProveCheck check, prove_outcome("nobody listens", refused, Outcome::kConnectFailed, stop));
  checks->push_back(check);

  RehearsalPlan slow = few_requests(kLongTokens);
  slow.mock.itl = {MockDelay::Kind::kConstant, 50, 0};
  slow.timeouts.total_ms = 300;
  ASSIGN_OR_RETURN(check, prove_outcome("answers that take too long", slow, Outcome::kTotalTimeout, stop));
  checks->push_back(check);

  RehearsalPlan cancelled = few_requests(kLongTokens);
  cancelled.mock.itl = {MockDelay::Kind::kConstant, 50, 0};
  for (ProveRequest& request : cancelled.requests) request.cancel_after_ns = 100'000'000;
  ASSIGN_OR_RETURN(check, prove_outcome("requests that are cancelled", cancelled, Outcome::kCancelled, stop));
  checks->push_back(check);
  return {};
}

}  // namespace

ProveChecks prove_counts(const std::atomic<bool>& stop) {
  std::vector<ProveCheck> checks;
  for (const CountCase& one : list_count_cases()) {
    if (stop) break;
    ASSIGN_OR_RETURN(const ProveCheck check, prove_count_case(one, stop));
    checks.push_back(check);
  }
  return checks;
}

ProveChecks prove_faults(const std::atomic<bool>& stop) {
  constexpr double kShare = 0.05;  // of each fault: a third of the answers stay sound
  constexpr size_t kFaultRequests = 400;
  constexpr int64_t kFaultUsers = 40;
  RehearsalPlan plan;
  plan.mock = quick_mock();
  plan.mock.fault_rates.fill(kShare);
  plan.shape = users_shape(kFaultUsers);
  // Long enough that a busy machine does not make more stalls than the mock does.
  plan.timeouts.first_token_ms = 3000;
  plan.timeouts.stall_ms = 3000;
  plan.requests.assign(kFaultRequests, {});
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, rehearse(plan, stop));

  std::vector<ProveCheck> checks;
  const auto tallies = tally_faults(rehearsal.log.records, rehearsal.truths);
  for (int i = 0; i < kMockFaultCount; ++i) {
    const auto fault = static_cast<MockFault>(i);
    const auto found = tallies.find(fault);
    const FaultTally tally = found == tallies.end() ? FaultTally{} : found->second;
    ProveCheck check;
    check.name = fault == MockFault::kNone ? "sound answers" : "fault " + std::string(mock_fault_name(fault));
    check.measured = format_count(tally.counted) + " " + std::string(outcome_name(expected_outcome(fault)));
    check.demanded = format_count(tally.injected);
    check.passed = tally.injected > 0 && tally.counted == tally.injected;
    checks.push_back(check);
  }
  // In all: so that nothing stands in a class where it does not belong.
  const auto lines = compare_counts(rehearsal.log.records, rehearsal.truths, plan.mock, kLinesMax);
  ProveCheck all;
  all.name = "requests in all";
  all.measured = format_count(static_cast<int64_t>(rehearsal.log.records.size()));
  all.demanded = format_count(static_cast<int64_t>(kFaultRequests)) + ", each in its class";
  all.passed = lines.empty() && rehearsal.log.records.size() == kFaultRequests;
  for (const std::string& line : lines) all.measured += "; " + line;
  checks.push_back(all);
  if (!stop) RETURN_IF_ERROR(prove_other_outcomes(stop, &checks));
  return checks;
}

}  // namespace hussar
