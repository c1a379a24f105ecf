#include <algorithm>
#include <string>
#include <vector>

#include "bench/article/cell_load.h"

namespace hussar {
namespace {

constexpr int32_t kPromptTokens = 512;
constexpr int32_t kShortPromptTokens = 32;
constexpr int32_t kOutputTokens = 24;
constexpr int32_t kUsers = 8;
constexpr CellTime kNoLimit{};

// New tokens of an answer; where nobody says, its chunks, which is good enough for an estimate.
double tokens_of(const RequestRecord& record) {
  return record.output_tokens > 0 ? record.output_tokens : static_cast<double>(record.chunks.size());
}

double seconds(int64_t ns) { return std::max(1e-6, static_cast<double>(ns) / 1e9); }

struct Answers {
  double ttft_s = 0;        // of one of them
  double tokens_per_s = 0;  // of the same, behind its first token
  double tokens_per_s_of_all = 0;
};

Answers summarize_answers(const std::vector<RequestRecord>& good) {
  const RequestRecord& one = good.front();
  Answers answers;
  answers.ttft_s = seconds(one.first_token_ns - one.sent_ns);
  answers.tokens_per_s =
      std::max(0.01, (tokens_of(one) - 1) / seconds(one.last_token_ns - one.first_token_ns));
  int64_t begin = one.sent_ns, end = one.end_ns;
  double tokens = 0;
  for (const RequestRecord& record : good) {
    begin = std::min(begin, record.sent_ns);
    end = std::max(end, record.end_ns);
    tokens += tokens_of(record);
  }
  answers.tokens_per_s_of_all = std::max(0.01, tokens / seconds(end - begin));
  return answers;
}

// `users` requests at once. Prompts are numbered from `number`.
Result<Answers> ask(const ArticleBench& bench, int32_t users, int32_t prompt_tokens, uint64_t number) {
  std::vector<PlannedRequest> requests;
  for (int32_t i = 0; i < users; ++i) {
    RequestSpec spec;
    spec.prompt = bench.prompts->make(prompt_tokens, number + static_cast<uint64_t>(i)).text;
    spec.output_tokens_max = kOutputTokens;
    spec.force_length = true;
    spec.temperature = 0.7;
    spec.top_p = 0.9;
    requests.push_back(planned(*bench.target, bench.options.api, spec, ""));
  }
  ListSource source(std::move(requests));
  LoadShape shape;
  shape.stages = {{users, 0}};
  CellResult result;
  if (run_and_keep(bench, source, shape, kNoLimit, KeepText::kNo, 0, &result)) {
    return Error{ErrorCode::kCancelled, "interrupted", ""};
  }
  std::vector<RequestRecord> good;
  for (const RequestRecord& record : result.records) {
    if (record.outcome == Outcome::kOk) good.push_back(record);
  }
  if (!good.empty()) return summarize_answers(good);
  const RequestRecord* first = result.records.empty() ? nullptr : &result.records.front();
  const std::string what =
      first ? std::string(outcome_name(first->outcome)) + ": " + first->detail : "nothing came";
  return Error{ErrorCode::kIo, "the server answers no request: " + what, ""};
}

}  // namespace

Result<Speed> measure_speed(const ArticleBench& bench) {
  constexpr uint64_t kNumber = uint64_t{1} << 40;  // far from those of any cell
  const int32_t context = bench.target->context_tokens();
  const int32_t prompt_tokens =
      context > 0 ? std::clamp(context / 2, 2 * kShortPromptTokens, kPromptTokens) : kPromptTokens;
  ASSIGN_OR_RETURN(const Answers awake, ask(bench, 1, kShortPromptTokens, kNumber));  // wakes the server up
  (void)awake;
  ASSIGN_OR_RETURN(const Answers brief, ask(bench, 1, kShortPromptTokens, kNumber + 1));
  ASSIGN_OR_RETURN(const Answers prompt, ask(bench, 1, prompt_tokens, kNumber + 2));
  ASSIGN_OR_RETURN(const Answers many, ask(bench, kUsers, kShortPromptTokens, kNumber + 3));
  Speed speed;
  speed.overhead_s = brief.ttft_s;
  speed.prompt_tokens_per_s =
      (prompt_tokens - kShortPromptTokens) / std::max(1e-3, prompt.ttft_s - brief.ttft_s);
  speed.tokens_per_s = prompt.tokens_per_s;
  speed.tokens_per_s_at_8 = many.tokens_per_s_of_all;
  return speed;
}

}  // namespace hussar
