#include "bench/workload.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "bench/prompt_counter.h"

namespace hussar {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr int64_t kNsPerMs = 1'000'000;
// What a chat template, or a token at the front, may add to a prompt whose length was drawn.
constexpr int32_t kTemplateTokensMax = 64, kFrontTokensMax = 2;

uint64_t seed_of(uint64_t seed, uint64_t index) { return Random(seed + index * 0x9E3779B97F4A7C15u).next(); }

}  // namespace

class Workload::ClosedSource : public RequestSource {
 public:
  explicit ClosedSource(Workload* workload) : workload_(workload) {}
  std::optional<PlannedRequest> next(int32_t) override { return workload_->take(); }

 private:
  Workload* workload_;
};

class Workload::OpenSource : public RequestSource {
 public:
  OpenSource(Workload* workload, const ArrivalOptions& arrivals) : workload_(workload), arrivals_(arrivals) {}
  std::optional<PlannedRequest> next(int32_t) override {
    const auto at_ns = arrivals_.next();
    if (!at_ns) return std::nullopt;
    PlannedRequest request = workload_->take();
    request.at_ns = *at_ns;
    return request;
  }

 private:
  Workload* workload_;
  Arrivals arrivals_;
};

class Workload::TraceSource : public RequestSource {
 public:
  explicit TraceSource(const Workload* workload) : workload_(workload) {}
  std::optional<PlannedRequest> next(int32_t) override {
    if (at_ == workload_->held_.size()) return std::nullopt;
    const Held& held = workload_->held_[at_];
    PlannedRequest request = workload_->plan(held, at_++);
    request.at_ns = held.at_ns;
    return request;
  }

 private:
  const Workload* workload_;
  size_t at_ = 0;
};

Workload::Workload(Target& target, const WorkloadOptions& options) : target_(target), options_(options) {
  if (target.context_tokens() <= 0) return;
  const int32_t added = options.api == Api::kChat ? kTemplateTokensMax : kFrontTokensMax;
  context_tokens_ = std::max(2, target.context_tokens() - added);
}

Result<std::unique_ptr<Workload>> Workload::prepare(Target& target, const WorkloadOptions& options,
                                                    int64_t requests_wanted) {
  CHECK(options.dataset.empty() || options.trace.empty());
  std::unique_ptr<Workload> workload(new Workload(target, options));
  if (!options.trace.empty()) {
    RETURN_IF_ERROR(workload->load_trace());
  } else if (!options.dataset.empty()) {
    RETURN_IF_ERROR(workload->load_dataset(requests_wanted));
  } else {
    RETURN_IF_ERROR(workload->make_prompts(requests_wanted));
  }
  if (workload->cut_to_context_ > 0) {
    workload->notes_.push_back("the lengths of " + std::to_string(workload->cut_to_context_) +
                               " requests were cut to the model's context of " +
                               std::to_string(target.context_tokens()) + " tokens");
  }
  if (options.spec.force_length && !target.knows_ignore_eos() && !target.knows_min_tokens()) {
    workload->notes_.push_back(
        "the server is not known to understand ignore_eos or min_tokens: answers may be shorter than asked "
        "for");
  }
  return workload;
}

std::unique_ptr<RequestSource> Workload::closed_source() { return std::make_unique<ClosedSource>(this); }

std::unique_ptr<RequestSource> Workload::open_source(const ArrivalOptions& arrivals) {
  return std::make_unique<OpenSource>(this, arrivals);
}

std::unique_ptr<RequestSource> Workload::trace_source() {
  CHECK(is_trace_);
  return std::make_unique<TraceSource>(this);
}

double Workload::trace_seconds() const {
  return is_trace_ ? static_cast<double>(held_.back().at_ns) / kNsPerSecond : 0;
}

PlannedRequest Workload::plan(const Held& held, uint64_t index) const {
  PlannedRequest request;
  request.wire = held.wire;
  request.prompt_tokens_planned = held.prompt_tokens;
  request.output_tokens_max = held.output_tokens_max;
  request.streamed = options_.spec.stream;
  if (options_.cancel_share > 0 && Random(seed_of(options_.seed, index)).uniform() < options_.cancel_share) {
    request.cancel_after_ns = options_.cancel_after_ms * kNsPerMs;
  }
  return request;
}

// The next request: one that was made ahead, from the second round on with a head of its own.
PlannedRequest Workload::take() {
  const uint64_t index = taken_++;
  const Held& held = held_[index % held_.size()];
  PlannedRequest request = plan(held, index);
  if (index >= held_.size() && held.head_bytes > 0) {
    auto wire = std::make_shared<std::string>(*held.wire);
    wire->replace(held.head_at, held.head_bytes, maker_->head(index));
    request.wire = std::move(wire);
  }
  return request;
}

Workload::Held Workload::hold(const RequestSpec& spec, const MadePrompt* prompt) const {
  Held held;
  held.wire = target_.wire(options_.api, spec);
  held.output_tokens_max = spec.output_tokens_max;
  if (prompt == nullptr) return held;
  held.prompt_tokens = known_tokens(*prompt);
  if (prompt->head_bytes == 0) return held;
  // The words of a head stand in JSON as they are.
  const size_t at = held.wire->find(prompt->text.substr(prompt->head_at, prompt->head_bytes));
  CHECK(at != std::string::npos);
  held.head_at = at;
  held.head_bytes = prompt->head_bytes;
  return held;
}

// What the server would count: not known where a chat template stands around it.
int32_t Workload::known_tokens(const MadePrompt& prompt) const {
  const bool exact = maker_->accuracy() == PromptMaker::Accuracy::kExact;
  return exact && options_.api != Api::kChat ? prompt.tokens : -1;
}

JsonObject Workload::description() const {
  const RequestSpec& spec = options_.spec;
  JsonObject object{{"api", api_name(options_.api)}, {"stream", spec.stream}};
  if (!digest_.empty()) {
    object.emplace_back(is_trace_ ? "trace" : "dataset", digest_);
  } else {
    object.emplace_back("input_tokens", options_.input.text());
    if (options_.shared_prefix_tokens > 0) {
      object.emplace_back("shared_prefix_tokens", options_.shared_prefix_tokens);
    }
    object.emplace_back("language", options_.language == PromptLanguage::kChinese ? "zh" : "en");
  }
  object.emplace_back("output_tokens",
                      digest_.empty() || options_.output_given ? options_.output.text() : "as in the file");
  object.emplace_back("force_length", spec.force_length);
  if (spec.temperature >= 0) object.emplace_back("temperature", spec.temperature);
  if (spec.top_p >= 0) object.emplace_back("top_p", spec.top_p);
  if (spec.repetition_penalty >= 0) object.emplace_back("repetition_penalty", spec.repetition_penalty);
  if (!spec.extra.empty()) object.emplace_back("extra", spec.extra);
  if (options_.cancel_share > 0) {
    object.emplace_back("cancel_share", options_.cancel_share);
    object.emplace_back("cancel_after_ms", options_.cancel_after_ms);
  }
  return object;
}

}  // namespace hussar
