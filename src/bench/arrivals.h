// When the requests of an open loop go out: one instant after the other, drawn from a seed. Pure.
//
// The plan is a renewal process: gaps of mean 1 are drawn, and their sum, "how many requests are due", is
// turned into time by the rate that holds then, which stages change. So a gap that spans two stages keeps its
// share of each, and a Poisson process stays one across the border.
//   constant  every gap is 1; the first request goes out at once, so that a stage sends rate * seconds
//   Poisson   exponential gaps
//   gamma     gaps of shape `burstiness`, as vLLM's benchmark names it: 1 is Poisson, less comes in bursts
//             (the gaps' coefficient of variation is 1 / sqrt(burstiness)), more comes evenly
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/random.h"

namespace hussar {

enum class ArrivalKind : uint8_t { kConstant, kPoisson, kGamma };
std::string_view arrival_kind_name(ArrivalKind kind);  // "constant", "poisson", "gamma"

struct RateStage {
  double per_s = 1;    // > 0
  double seconds = 0;  // > 0
};

struct ArrivalOptions {
  ArrivalKind kind = ArrivalKind::kPoisson;
  double burstiness = 1;  // kGamma; > 0
  std::vector<RateStage> stages;
  uint64_t seed = 0;
};

class Arrivals {
 public:
  // REQUIRES: at least one stage, all rates, durations and the burstiness positive.
  explicit Arrivals(ArrivalOptions options);

  // Nanoseconds since the start, never falling; nothing when the last stage has ended.
  std::optional<int64_t> next();

 private:
  double draw_gap();

  ArrivalOptions options_;
  Random random_;
  bool first_ = true;
  size_t stage_ = 0;
  double stage_begin_s_ = 0;
  double due_ = 0;  // in requests, since the stage's begin
};

// "10x30s,20x30s": rates with their durations ("s", "m" or "h"; a bare number is seconds). At most
// `stages_max`. Errors: kInvalid, one line that shows how it is written.
struct StageSpec {
  double level = 0;  // requests a second, or users
  double seconds = 0;
};
inline constexpr size_t kStagesMax = 1000;
Result<std::vector<StageSpec>> parse_stages(std::string_view text);

}  // namespace hussar
