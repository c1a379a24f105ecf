// A results.json read back, as far as a comparison needs it: foreign bytes, so every number that is taken
// from it is checked once, here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hussar {

struct RunDistribution {
  int64_t count = 0;  // above 0
  double mean = 0, p50 = 0, p90 = 0, p99 = 0;
};

// Figures of one row's summary; what is unknown in the file is not in the maps.
struct RunSummary {
  int64_t ok = 0, errors = 0;
  double steady_s = 0;
  std::map<std::string, RunDistribution> distributions;  // "ttft_ms", ..., "output_tokens_each"
  std::map<std::string, double> rates;                   // "qps_steady", "output_tokens_per_s_steady", ...
  std::map<std::string, std::vector<double>> samples;    // by metric; never empty
  std::vector<int64_t> itl_group_sizes;                  // adds up to samples of "itl_ms"; may be empty
};

struct RunRow {
  std::string id, status, note;
  JsonObject workload, extra;
  bool summarised = false;
  RunSummary summary;
};

struct RunResults {
  std::string kind, started;
  std::string url, model, server, api, tokenizer, hardware;
  bool interrupted = false, client_limited = false;
  JsonObject environment, workload;
  std::vector<RunRow> rows;  // ids differ
};

inline constexpr size_t kResultsBytesMax = 64 << 20;
inline constexpr size_t kResultsValuesMax = 4 << 20;
inline constexpr double kResultsNumberMax = 1e15;  // of any figure, in whatever unit

// Errors: kInvalid (no JSON; no results of hussar, or of another version of them; a member that is missing or
// impossible, named by its path), kTooLarge.
Result<RunResults> parse_results(std::string_view json);

// `path` is a results.json or a folder that holds one. Errors: as parse_results, kNotFound, kIo; all name the
// file.
Result<RunResults> load_results(const std::string& path);

}  // namespace hussar
