#include "bench/prompt_counter.h"

#include "base/json.h"
#include "bench/refusal_text.h"

namespace hussar {
namespace {

constexpr size_t kAnswerBytesMax = 1 << 20;
constexpr int32_t kTokenizeCountsMax = 200, kUsageCountsMax = 100;

}  // namespace

Result<int32_t> count_by_usage(Target& target, Api api, const std::string& text) {
  RequestSpec spec;
  spec.prompt = text;
  spec.output_tokens_max = 1;
  spec.stream = false;
  const auto wire = target.wire(api, spec);
  const HttpReply reply =
      exchange_blocking(target.client(), *wire, target.options().probe_timeout_ms, kAnswerBytesMax);
  if (reply.end != CallEnd::kDone) return Error{ErrorCode::kIo, one_line(reply.detail), ""};
  if (reply.status != 200) {
    return Error{ErrorCode::kIo, "HTTP " + std::to_string(reply.status) + " " + refusal_text(reply.body), ""};
  }
  const auto answer = parse_json(reply.body, {.bytes_max = kAnswerBytesMax});
  const Json* usage = answer.ok() ? answer->find("usage") : nullptr;
  const Json* tokens = usage != nullptr ? usage->find("prompt_tokens") : nullptr;
  const int64_t* count = tokens != nullptr ? tokens->as_int() : nullptr;
  if (count == nullptr || *count < 1 || *count > INT32_MAX) {
    return Error{ErrorCode::kUnsupported, "answers do not say how many tokens a prompt has", ""};
  }
  return static_cast<int32_t>(*count);
}

PromptCounter find_prompt_counter(Target& target, Api api) {
  PromptCounter counter;
  if (target.can_tokenize()) {
    counter.how = "/tokenize";
    counter.counts_max = kTokenizeCountsMax;
    counter.count = [&target](std::string_view text) { return target.count_tokens(text); };
  } else if (count_by_usage(target, api, "Hello").ok()) {
    counter.how = "usage";
    counter.counts_max = kUsageCountsMax;
    counter.count = [&target, api](std::string_view text) {
      return count_by_usage(target, api, std::string(text));
    };
  } else {
    counter.how = "unknown";
  }
  return counter;
}

}  // namespace hussar
