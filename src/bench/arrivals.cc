#include "bench/arrivals.h"

#include <cmath>

#include "base/check.h"
#include "bench/spec_text.h"

namespace hussar {

std::string_view arrival_kind_name(ArrivalKind kind) {
  switch (kind) {
    case ArrivalKind::kConstant:
      return "constant";
    case ArrivalKind::kPoisson:
      return "poisson";
    case ArrivalKind::kGamma:
      return "gamma";
  }
  return "";
}

Arrivals::Arrivals(ArrivalOptions options) : options_(std::move(options)), random_(options_.seed) {
  CHECK(!options_.stages.empty() && options_.burstiness > 0);
  for (const RateStage& stage : options_.stages) CHECK(stage.per_s > 0 && stage.seconds > 0);
}

double Arrivals::draw_gap() {
  switch (options_.kind) {
    case ArrivalKind::kConstant:
      return first_ ? 0 : 1;
    case ArrivalKind::kPoisson:
      return random_.exponential();
    case ArrivalKind::kGamma:
      return random_.gamma(options_.burstiness) / options_.burstiness;
  }
  return 1;
}

std::optional<int64_t> Arrivals::next() {
  if (stage_ == options_.stages.size()) return std::nullopt;
  due_ += draw_gap();
  first_ = false;
  while (true) {
    const RateStage& stage = options_.stages[stage_];
    const double stage_requests = stage.per_s * stage.seconds;
    if (due_ < stage_requests) {
      return std::llround((stage_begin_s_ + due_ / stage.per_s) * 1e9);
    }
    due_ -= stage_requests;
    stage_begin_s_ += stage.seconds;
    if (++stage_ == options_.stages.size()) return std::nullopt;
  }
}

namespace {

Error stages_error(const std::string& part) {
  return {ErrorCode::kInvalid, "'" + part + "' is no stage; write them as 10x30s,20x1m", ""};
}

}  // namespace

Result<std::vector<StageSpec>> parse_stages(std::string_view text) {
  std::vector<StageSpec> stages;
  for (const std::string_view part : split_spec(text, ',')) {
    const size_t cross = part.find('x');
    if (cross == std::string_view::npos) return stages_error(std::string(part));
    const auto level = read_spec_number(part.substr(0, cross));
    const auto seconds = read_spec_seconds(part.substr(cross + 1));
    if (!level || !seconds || *level <= 0 || *level > kRatePerSecondMax || *seconds <= 0 ||
        *seconds > kRunSecondsMax) {
      return stages_error(std::string(part));
    }
    if (stages.size() == kStagesMax) {
      return Error{ErrorCode::kTooLarge, "more than " + std::to_string(kStagesMax) + " stages", ""};
    }
    stages.push_back({*level, *seconds});
  }
  return stages;
}

}  // namespace hussar
