// How busy an engine is and what it can carry.
#pragma once

#include <cstdint>

namespace hussar {

// As measured; all rates and times are 0 until steps have been seen.
struct LoadEstimate {
  int32_t waiting = 0, running = 0;
  int32_t tenant_waiting = 0, tenant_running = 0;  // of the tenant that asks
  double wait_seconds = 0;     // until a request of this tenant that comes now would start
  double request_seconds = 0;  // of the device for a request as they were lately, at a full batch
  double prompt_tokens_per_second = 0;
  double generated_tokens_per_second = 0;  // at a full batch
};

}  // namespace hussar
