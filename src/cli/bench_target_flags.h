// The flags that all subcommands of `hussar bench` share: which server, how patiently, what to watch of it
// and where the report goes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/result.h"
#include "bench/load.h"
#include "bench/report.h"
#include "bench/server_watch.h"
#include "bench/target.h"

namespace hussar {

constexpr int kExitNoSuccess = 1;      // no request succeeded, or an objective was missed
constexpr int kExitClientLimited = 3;  // the client was the bottleneck
constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells count

struct BenchTargetFlags {
  TargetOptions target;
  std::string api = "chat";
  std::string api_key_file;
  std::vector<std::string> headers;
  bool no_keepalive = false;
  LoadTimeouts timeouts;
  int64_t server_pid = 0;
  std::string metrics_url;  // empty: /metrics of the server; "none"
  std::string out;          // folder of the report; empty: none
};

void add_bench_target_flags(FlagTable* flags, BenchTargetFlags* o);
// Reads the key's file, takes headers apart. Errors: kInvalid, kNotFound, kIo, naming the flag.
Result<void> finish_bench_target_flags(BenchTargetFlags* o);

Api api_of(const std::string& name);  // REQUIRES: "chat", "completions" or "article"

// Starts to watch the server: its /metrics, the process and the GPUs of this machine. Errors: kNotFound,
// there is no such process.
Result<std::unique_ptr<ServerWatch>> watch_server(const BenchTargetFlags& o, const Target& target);

// What every report begins with: kind, command, server, environment. `args` are the words after `hussar`.
Report begin_report(const std::string& kind, const std::vector<std::string>& args, const BenchTargetFlags& o,
                    const Target& target);
// What was seen of the server.
void add_server_watch(const ServerWatch& watch, Report* report);

// "2024-05-10T07:00:00Z".
std::string utc_text(double unix_s);

}  // namespace hussar
