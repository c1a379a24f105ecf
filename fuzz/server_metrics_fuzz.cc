// Any bytes as the metrics of a server: what is read from them is a sound figure or stays unknown.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "bench/prometheus_text.h"
#include "bench/server_watch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string_view rest = text;
  for (hussar::PrometheusLine line; hussar::next_prometheus_line(&rest, &line);) {
    CHECK(!line.name.empty());
    CHECK(line.name.data() >= text.data() &&
          line.name.data() + line.name.size() <= text.data() + text.size());
  }
  CHECK(rest.empty());
  hussar::ServerSample sample;
  const bool found = hussar::read_metrics(text, &sample);
  bool known = false;
  for (const double field : {sample.running, sample.waiting, sample.kv_use, sample.preemptions,
                             sample.prompt_tokens, sample.generation_tokens}) {
    CHECK(field == -1 || (field >= 0 && std::isfinite(field)));
    known = known || field != -1;
  }
  CHECK(known == found && sample.kv_use <= 1 && sample.resident_bytes == -1);
  return 0;
}
