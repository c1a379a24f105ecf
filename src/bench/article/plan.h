// What a run of the article's test consists of: cells, each measured and stored on its own, and how long they
// will take. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "bench/report.h"
#include "bench/target.h"

namespace hussar {

enum class Dimension : uint8_t { kLatency, kLongOutput, kConcurrency, kStructured, kMultiTurn };
inline constexpr int kDimensionCount = 5;
std::string_view dimension_id(Dimension dimension);  // "latency", "long_output", ...
Text dimension_title(Dimension dimension);

struct ArticleOptions {
  Api api = Api::kCompletions;  // multi-turn conversation is always chat
  bool quick = false;
  uint64_t seed = 1;
  int32_t repetitions = 5;  // of each latency row
  int32_t long_runs = 3;
  double cell_s = 60;          // of each concurrency row
  int32_t json_runs = 100;     // of the article's task; as many of all the others together
  int32_t conversations = 10;  // of each language
  int32_t burst_max = 1024;    // requests at once
  int32_t connections_max = 2048;
  int32_t output_tokens = 0;  // of latency and concurrency rows; 0: 512, with --quick what fits
  double box_s = 35;          // --quick: of each dimension
};

enum class CellKind : uint8_t {
  kLatency,
  kLongOutput,
  kConcurrency,
  kConnections,  // a ramp of idle connections
  kBurst,
  kStructured,
  kMultiTurn,
};
enum class PromptKind : uint8_t { kCold, kWarm, kArticle };
std::string_view prompt_kind_name(PromptKind kind);  // "cold", "warm", "article"

struct Cell {
  std::string id;  // "latency/512/cold": names it in the state, in results.json and in the terminal
  Dimension dimension = Dimension::kLatency;
  CellKind kind = CellKind::kLatency;
  PromptKind prompt = PromptKind::kCold;  // kLatency, kConcurrency
  int32_t input_tokens = 0;  // kLatency (as the article prints them), kConcurrency; 0: its short prompt
  int32_t output_tokens = 0;
  int32_t users = 1;
  bool thinks = false;             // kConcurrency
  int32_t repetitions = 0;         // kLatency, kLongOutput, kStructured: of each task
  std::vector<std::string> tasks;  // kStructured
  bool constrained = false;        // kStructured: with response_format
  std::string language;            // kMultiTurn
};

inline constexpr int32_t kArticleOutputTokens = 512;
inline constexpr int32_t kConcurrencyInputTokens = 1024;
inline constexpr double kThinkMinS = 1, kThinkMaxS = 3;
inline constexpr int32_t kJsonTokensMax = 256;
inline constexpr int32_t kTurnTokensMax = 48;

// In the order of the article.
std::vector<Cell> make_plan(const ArticleOptions& options);

// How fast a server is, from a few requests.
struct Speed {
  double prompt_tokens_per_s = 1000;
  double tokens_per_s = 50;        // one answer
  double tokens_per_s_at_8 = 150;  // eight answers at once, together
  double overhead_s = 0.005;       // of any request
};
Json to_json(const Speed& speed);
bool read_speed(const Json& json, Speed* speed);  // false: it is none

// Tokens a second of so many answers together: linear up to eight, level beyond, where nothing was measured.
double tokens_per_s_of(const Speed& speed, int32_t users);

// How long one cell takes when nothing cuts it.
double estimated_seconds(const Cell& cell, const ArticleOptions& options, const Speed& speed);

// --quick: halves the length of answers, alike in all rows of a dimension that are compared with each other,
// until each dimension fits its box. Halves, so that two servers of similar speed are asked for the same and
// can be compared. What is too slow even so is cut while it runs.
void fit_to_boxes(const ArticleOptions& options, const Speed& speed, std::vector<Cell>* plan);

// Of `box_left_s`, the part of the first of `cells`, all of one dimension, by what each is estimated to take.
double share_of_box(std::span<const Cell> cells, const ArticleOptions& options, const Speed& speed,
                    double box_left_s);

// What must be equal for a run to go on from another's state: what is measured, not how it is shown.
JsonObject plan_fingerprint(const ArticleOptions& options);

}  // namespace hussar
