// Looks at the server while it is pressed: its own metrics, its process and its GPU, once a second, on a
// thread of its own so that the load is not disturbed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace hussar {

// -1 where it is not known.
struct ServerSample {
  double at_s = 0;                                    // since the watch's start
  double running = -1, waiting = -1;                  // requests
  double kv_use = -1;                                 // 0 to 1
  double preemptions = -1;                            // counted so far
  double prompt_tokens = -1, generation_tokens = -1;  // counted so far
  // Of --server-pid with its children: cores in use since the last sample; what the machine (or the container
  // around the client) has left.
  double resident_bytes = -1, cpu_cores = -1, memory_available_bytes = -1;
  double gpu_memory_bytes = -1, gpu_memory_total_bytes = -1, gpu_power_w = -1,
         gpu_utilisation = -1;  // 0 to 1
};

// Reads Prometheus text by the names of vLLM (and hussar), SGLang and llama-server; fields that are known
// already stay. Pure. False when no known name is in it.
bool read_metrics(const std::string& text, ServerSample* sample);

struct ServerWatchOptions {
  std::string metrics_url;  // "http://127.0.0.1:8080/metrics"; empty: not scraped
  std::string api_key;
  std::string ca_file;
  int64_t server_pid = 0;  // 0: none
  bool gpu = true;         // of this machine, through NVML, where it can be loaded and the server is local
  int64_t interval_ms = 1000;
  std::string nvml_library = "libnvidia-ml.so.1";
};

class ServerWatch {
 public:
  // Starts the thread. What can't be seen is left out and named in missing(). Errors: kNotFound when there is
  // no process `server_pid`.
  static Result<std::unique_ptr<ServerWatch>> start(const ServerWatchOptions& options);
  virtual ~ServerWatch() = default;  // stop()

  virtual void stop() = 0;                                // idempotent
  virtual std::vector<ServerSample> samples() const = 0;  // any thread
  virtual std::vector<std::string> missing() const = 0;   // "no metrics: ... said 404", one line each
  virtual std::string hardware() const = 0;  // GPU names or the local process's CPU; empty when unknown
  virtual TimePoint started() const = 0;
};

}  // namespace hussar
