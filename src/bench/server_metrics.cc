// read_metrics of server_watch.h: which name of which server means what.
#include <algorithm>
#include <array>
#include <string_view>

#include "bench/prometheus_text.h"
#include "bench/server_watch.h"

namespace hussar {
namespace {

// Several engines or ranks behind one address have a line each: requests and tokens add up, of shares the
// fullest counts.
enum class Merge { kSum, kMax };

struct KnownName {
  std::string_view name;
  double ServerSample::*field;
  Merge merge;
};

// Of several names for one field, the first that occurs is taken.
constexpr std::array kKnownNames = {
    // vLLM and hussar; `gpu_cache_usage_perc` is the older name.
    KnownName{"vllm:num_requests_running", &ServerSample::running, Merge::kSum},
    KnownName{"vllm:num_requests_waiting", &ServerSample::waiting, Merge::kSum},
    KnownName{"vllm:kv_cache_usage_perc", &ServerSample::kv_use, Merge::kMax},
    KnownName{"vllm:gpu_cache_usage_perc", &ServerSample::kv_use, Merge::kMax},
    KnownName{"vllm:num_preemptions_total", &ServerSample::preemptions, Merge::kSum},
    KnownName{"vllm:prompt_tokens_total", &ServerSample::prompt_tokens, Merge::kSum},
    KnownName{"vllm:generation_tokens_total", &ServerSample::generation_tokens, Merge::kSum},
    // SGLang, which says "retracted" for preempted. Its gauge counts those of the last interval only, but
    // where it
    // rises, requests lose their place.
    KnownName{"sglang:num_running_reqs", &ServerSample::running, Merge::kSum},
    KnownName{"sglang:num_queue_reqs", &ServerSample::waiting, Merge::kSum},
    KnownName{"sglang:token_usage", &ServerSample::kv_use, Merge::kMax},
    KnownName{"sglang:num_retracted_requests_total", &ServerSample::preemptions, Merge::kSum},
    KnownName{"sglang:total_retracted_reqs", &ServerSample::preemptions, Merge::kSum},
    KnownName{"sglang:num_retracted_reqs", &ServerSample::preemptions, Merge::kSum},
    KnownName{"sglang:prompt_tokens_total", &ServerSample::prompt_tokens, Merge::kSum},
    KnownName{"sglang:generation_tokens_total", &ServerSample::generation_tokens, Merge::kSum},
    // llama-server.
    KnownName{"llamacpp:requests_processing", &ServerSample::running, Merge::kSum},
    KnownName{"llamacpp:requests_deferred", &ServerSample::waiting, Merge::kSum},
    KnownName{"llamacpp:kv_cache_usage_ratio", &ServerSample::kv_use, Merge::kMax},
    KnownName{"llamacpp:prompt_tokens_total", &ServerSample::prompt_tokens, Merge::kSum},
    KnownName{"llamacpp:tokens_predicted_total", &ServerSample::generation_tokens, Merge::kSum},
};
constexpr double kUnknown = -1, kFigureMax = 1e18;

}  // namespace

bool read_metrics(const std::string& text, ServerSample* sample) {
  std::array<double, kKnownNames.size()> values;
  values.fill(kUnknown);
  std::string_view rest = text;
  for (PrometheusLine line; next_prometheus_line(&rest, &line);) {
    // A gauge that has not been set yet may be a NaN; none of these can be negative or beyond counting.
    if (!(line.value >= 0 && line.value <= kFigureMax)) continue;
    for (size_t i = 0; i < kKnownNames.size(); ++i) {
      if (line.name != kKnownNames[i].name) continue;
      double& value = values[i];
      if (value == kUnknown) {
        value = line.value;
      } else {
        value = kKnownNames[i].merge == Merge::kSum ? value + line.value : std::max(value, line.value);
      }
    }
  }
  bool found = false;
  for (size_t i = 0; i < kKnownNames.size(); ++i) {
    double& field = sample->*kKnownNames[i].field;
    if (values[i] == kUnknown || field != kUnknown) continue;
    field = values[i];
    found = true;
  }
  if (sample->kv_use != kUnknown) sample->kv_use = std::min(sample->kv_use, 1.0);
  return found;
}

}  // namespace hussar
