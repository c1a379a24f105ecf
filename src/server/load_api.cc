#include "server/load_api.h"

#include <cmath>

namespace hussar {

Json load_json(const Engine& engine, const Admission& admission) {
  const EngineCounters now = engine.counters();
  const LoadEstimate load = engine.load(0, 1);
  const auto rounded = [](double value) { return std::round(value * 1000) / 1000; };
  const double requests = load.request_seconds > 0 ? 1 / load.request_seconds : 0;
  return JsonObject{
      {"object", "load"},
      {"queue", JsonObject{{"waiting", now.waiting},
                           {"preparing", admission.preparing()},
                           {"max", engine.options().queue_max},
                           {"wait_ms", rounded(admission.wait_seconds(nullptr) * 1000)}}},
      {"running", JsonObject{{"requests", now.running}, {"max", engine.options().running_max}}},
      {"kv_blocks", JsonObject{{"all", now.blocks_all},
                               {"used", now.blocks_used},
                               {"cached", now.blocks_cached},
                               {"free", now.blocks_free}}},
      // As measured; 0 until there were requests.
      {"feasible", JsonObject{{"requests_per_second", rounded(requests)},
                              {"prompt_tokens_per_second", rounded(load.prompt_tokens_per_second)},
                              {"generated_tokens_per_second", rounded(load.generated_tokens_per_second)}}}};
}

}  // namespace hussar
