#include "bench/load.h"

#include "base/check.h"
#include "bench/load_run.h"

namespace hussar {

namespace {

// Each is one more question to the server when the run is over; what is beyond stays unknown.
constexpr int64_t kAnswersCountedMax = 5'000;

// Counts answers whose server says no usage.
void count_answers(Target* target, std::vector<RequestRecord>* records, const std::atomic<bool>& stop) {
  int64_t counted = 0;
  for (RequestRecord& record : *records) {
    if (record.outcome != Outcome::kOk || record.output_tokens >= 0 || record.text.empty()) continue;
    if (stop || counted++ == kAnswersCountedMax) return;
    const auto tokens = target->count_tokens(record.text);
    if (!tokens.ok()) return;
    record.output_tokens = *tokens;
    record.token_source = TokenSource::kTokenize;
  }
}

}  // namespace

std::optional<PlannedRequest> ListSource::next(int32_t) {
  if (at_ == requests_.size() && repeat_) at_ = 0;
  if (at_ == requests_.size()) return std::nullopt;
  return requests_[at_++];
}

RunLog run_load(Target& target, RequestSource& source, const LoadShape& shape, const LoadOptions& options,
                const std::atomic<bool>& stop) {
  CHECK(shape.kind == LoadShape::Kind::kOpen || !shape.stages.empty());
  const TextUse text = options.keep_text       ? TextUse::kKept
                       : target.can_tokenize() ? TextUse::kUntilCounted
                                               : TextUse::kNone;
  RunLog log = std::make_shared<LoadRun>(&target.client(), &source, shape, options, text, &stop)->run();
  if (target.can_tokenize()) count_answers(&target, &log.records, stop);
  if (!options.keep_text) {
    for (RequestRecord& record : log.records) std::string().swap(record.text);
  }
  return log;
}

}  // namespace hussar
