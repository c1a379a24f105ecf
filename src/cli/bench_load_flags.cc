#include "cli/bench_load_flags.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bench/format.h"
#include "bench/spec_text.h"

namespace hussar {
namespace {

constexpr double kThinkSecondsMax = 3600;
constexpr int64_t kUsersMax = 100'000, kRequestsMax = 100'000'000;

Error bad(const char* flag, const std::string& message) { return {ErrorCode::kInvalid, message, flag}; }

enum class LoopFlag { kUsers, kUserStages, kRate, kStages, kTrace };

// Which of the flags that choose a loop is given; one user without any.
Result<LoopFlag> choose_loop(const FlagTable& flags) {
  constexpr std::pair<const char*, LoopFlag> kLoops[] = {{"--users", LoopFlag::kUsers},
                                                         {"--user-stages", LoopFlag::kUserStages},
                                                         {"--rate", LoopFlag::kRate},
                                                         {"--stages", LoopFlag::kStages},
                                                         {"--trace", LoopFlag::kTrace}};
  std::optional<std::pair<const char*, LoopFlag>> chosen;
  for (const auto& loop : kLoops) {
    if (!flags.given(loop.first)) continue;
    if (chosen) return bad(loop.first, std::string("excludes ") + chosen->first + "; give one of them");
    chosen = loop;
  }
  return chosen ? chosen->second : LoopFlag::kUsers;
}

// What would be ignored is refused.
Result<void> check_flags_fit(const FlagTable& flags, LoopFlag loop) {
  const bool closed = loop == LoopFlag::kUsers || loop == LoopFlag::kUserStages;
  const auto refuse = [&flags](std::initializer_list<const char*> names, const char* why) -> Result<void> {
    for (const char* name : names) {
      if (flags.given(name)) return bad(name, why);
    }
    return {};
  };
  if (closed) {
    RETURN_IF_ERROR(refuse({"--arrivals", "--burstiness", "--streams-max"},
                           "is for the open loop: give --rate, --stages or --trace"));
  } else {
    RETURN_IF_ERROR(refuse({"--think-s", "--ramp-s"}, "is for the closed loop: give --users"));
  }
  if (loop == LoopFlag::kTrace) {
    RETURN_IF_ERROR(refuse({"--arrivals", "--burstiness", "--duration-s", "--requests", "--dataset",
                            "--input-tokens", "--shared-prefix-tokens"},
                           "does not go with --trace, which brings its own times and lengths"));
  } else {
    RETURN_IF_ERROR(refuse({"--trace-speed", "--trace-seconds"}, "is for --trace"));
  }
  if (loop == LoopFlag::kStages || loop == LoopFlag::kUserStages) {
    RETURN_IF_ERROR(refuse({"--duration-s"}, "is said by the stages themselves"));
  }
  if (!flags.given("--cancel-share")) {
    RETURN_IF_ERROR(refuse({"--cancel-after-ms"}, "needs --cancel-share"));
  }
  return {};
}

Result<std::vector<StageSpec>> read_stages(const std::string& text, const char* flag, bool whole) {
  auto stages = parse_stages(text);
  if (!stages.ok()) return bad(flag, stages.error().message);
  for (const StageSpec& stage : *stages) {
    if (whole && (stage.level != std::floor(stage.level) || stage.level > static_cast<double>(kUsersMax))) {
      return bad(flag, "users are whole numbers up to " + std::to_string(kUsersMax));
    }
  }
  return stages;
}

// The stages of the run: levels with durations, 0 where only --requests ends it.
Result<std::vector<StageSpec>> stages_of(const FlagTable& flags, const BenchLoadFlags& o, LoopFlag loop) {
  if (loop == LoopFlag::kStages) return read_stages(o.stages, "--stages", false);
  if (loop == LoopFlag::kUserStages) return read_stages(o.user_stages, "--user-stages", true);
  const bool by_count = flags.given("--requests") && !flags.given("--duration-s");
  const double level = loop == LoopFlag::kUsers ? static_cast<double>(o.users) : o.rate;
  return std::vector<StageSpec>{{level, by_count ? 0 : o.duration_s}};
}

Result<void> read_think(const std::string& text, LoadShape* shape) {
  const std::vector<std::string_view> parts = split_spec(text, ':');
  const auto min = read_spec_seconds(parts.front()), max = read_spec_seconds(parts.back());
  if (parts.size() > 2 || !min || !max || *min > *max || *max > kThinkSecondsMax) {
    return bad("--think-s", "'" + text + "' is no think time; write 2 or 1:3 (least, most)");
  }
  shape->think_s_min = *min;
  shape->think_s_max = *max;
  return {};
}

Text stage_name(double level, bool users) {
  if (!users) return {format_figure(level) + " requests/s", format_figure(level) + " 请求/秒"};
  const std::string count = format_count(std::llround(level));
  return {count + (level == 1 ? " user" : " users"), count + " 用户"};
}

void describe_shape(const BenchLoadFlags& o, const LoadPlan& plan, LoopFlag loop,
                    const std::vector<StageSpec>& stages, JsonObject* object) {
  const bool closed = plan.shape.kind == LoadShape::Kind::kClosed;
  object->emplace_back("loop", closed ? "closed" : "open");
  if (loop != LoopFlag::kTrace) {
    std::string text;
    for (const StageSpec& stage : stages) {
      text += (text.empty() ? "" : ",") + shortest_text(stage.level);
      if (stage.seconds > 0) text += "x" + shortest_text(stage.seconds) + "s";
    }
    object->emplace_back(closed ? "users" : "requests_per_s", text);
  }
  if (closed) {
    object->emplace_back("think_s",
                         shortest_text(plan.shape.think_s_min) + ":" + shortest_text(plan.shape.think_s_max));
    object->emplace_back("ramp_s", o.ramp_s);
  } else if (plan.arrivals) {
    object->emplace_back("arrivals", o.arrivals);
    if (plan.arrivals->kind == ArrivalKind::kGamma) object->emplace_back("burstiness", o.burstiness);
  }
  object->emplace_back("warmup_s", o.warmup_s);
  if (o.warmup_requests > 0) object->emplace_back("warmup_requests", o.warmup_requests);
  if (o.requests > 0) object->emplace_back("requests", o.requests);
}

// Stages as the load generator takes them: warm-up belongs to the first one's time.
void fill_stages(const std::vector<StageSpec>& stages, const BenchLoadFlags& o, LoadPlan* plan) {
  const bool closed = plan->shape.kind == LoadShape::Kind::kClosed;
  double at_s = 0;
  for (size_t i = 0; i < stages.size(); ++i) {
    const bool ends = stages[i].seconds > 0;
    const double seconds = ends ? stages[i].seconds + (i == 0 ? o.warmup_s : 0) : 0;
    const double begin_s = at_s;
    at_s += seconds;
    plan->stages.push_back({stage_name(stages[i].level, closed), begin_s, at_s});
    if (closed) {
      plan->shape.stages.push_back({static_cast<int32_t>(stages[i].level), seconds});
    } else {
      plan->arrivals->stages.push_back({stages[i].level, ends ? seconds : kRunSecondsMax});
      if (ends) plan->shape.open_stage_ends_s.push_back(at_s);
    }
  }
}

// At most so many requests, where that is known: of an open loop the mean and six standard deviations more.
int64_t requests_wanted(const LoadPlan& plan, const BenchLoadFlags& o) {
  int64_t by_count = 0;
  if (o.requests > 0 && o.warmup_s <= 0) by_count = o.requests + o.warmup_requests;
  if (!plan.arrivals || plan.shape.open_stage_ends_s.empty()) return by_count;
  double mean = 0;
  for (const RateStage& stage : plan.arrivals->stages) mean += stage.per_s * stage.seconds;
  const double spread = std::max(1.0, 1 / plan.arrivals->burstiness);
  const auto by_time = static_cast<int64_t>(std::ceil(mean + 6 * std::sqrt(mean * spread)) + 1);
  return by_count > 0 ? std::min(by_count, by_time) : by_time;
}

}  // namespace

void add_bench_load_flags(FlagTable* flags, BenchLoadFlags* o) {
  add_bench_target_flags(flags, &o->target);
  flags->add_int("--users", &o->users, 1, kUsersMax, "closed loop: so many ask, each again when answered");
  flags->add_string("--user-stages", &o->user_stages, "STAGES", "closed loop: 5x30s,10x30s");
  flags->add_string("--think-s", &o->think_s, "MIN:MAX", "closed loop: seconds between answer and question");
  flags->add_double("--ramp-s", &o->ramp_s, 0, kRunSecondsMax, "closed loop: users begin evenly over it");
  flags->add_double("--rate", &o->rate, 1e-4, kRatePerSecondMax,
                    "open loop: requests a second, whether answered or not");
  flags->add_string("--stages", &o->stages, "STAGES", "open loop: 10x30s,20x1m");
  flags->add_choice("--arrivals", &o->arrivals, {"constant", "poisson", "gamma"}, "open loop: gaps between");
  flags->add_double("--burstiness", &o->burstiness, 0.01, 1000,
                    "of gamma arrivals: below 1 in bursts, 1 as poisson, above more even");
  flags->add_string("--trace", &o->trace, "FILE",
                    "open loop: times and lengths from Azure's CSV, Mooncake's or other JSONL");
  flags->add_double("--trace-speed", &o->trace_speed, 0.001, 1000, "2: twice as fast");
  flags->add_double("--trace-seconds", &o->trace_seconds, 0, 1e9, "of the trace's own time; 0: all");
  flags->add_int("--streams-max", &o->streams_max, 1, 100'000, "open loop: requests under way at once");
  flags->add_double("--duration-s", &o->duration_s, 0.1, kRunSecondsMax, "how long requests are sent");
  flags->add_int("--requests", &o->requests, 0, kRequestsMax, "how many are sent; 0: as the time allows");
  flags->add_double("--warmup-s", &o->warmup_s, 0, kRunSecondsMax, "before that, not counted in the figures");
  flags->add_int("--warmup-requests", &o->warmup_requests, 0, kRequestsMax,
                 "the first so many are not counted");
  flags->add_double("--drain-s", &o->drain_s, 0, kRunSecondsMax, "to wait for answers at the end");
  add_bench_workload_flags(flags, &o->workload);
  flags->add_double("--cancel-share", &o->cancel_share, 0, 1, "of requests are cancelled");
  flags->add_int("--cancel-after-ms", &o->cancel_after_ms, 0, 3'600'000, "so long after they were sent");
  flags->add_string("--slo", &o->slo, "TERMS",
                    "objective: ttft_p99=500ms,tpot_p99=50ms,error=0.1%; exit code 1 when missed");
  flags->add_double("--confidence", &o->confidence, 0.5, 0.9999, "of the objective's verdicts");
  flags->add_switch("--json", &o->json, "results.json on standard output in place of the summary");
}

Result<LoadPlan> plan_load(const FlagTable& flags, BenchLoadFlags* o) {
  ASSIGN_OR_RETURN(const LoopFlag loop, choose_loop(flags));
  RETURN_IF_ERROR(check_flags_fit(flags, loop));
  LoadPlan plan;
  ASSIGN_OR_RETURN(plan.workload, finish_bench_workload_flags(flags, o->target, &o->workload));
  plan.workload.trace = o->trace;
  plan.workload.trace_options = {o->trace_speed, o->trace_seconds};
  plan.workload.cancel_share = o->cancel_share;
  plan.workload.cancel_after_ms = o->cancel_after_ms;
  if (!o->slo.empty()) {
    auto slo = SloSpec::parse(o->slo);
    if (!slo.ok()) return bad("--slo", slo.error().message);
    const bool needs_stream =
        slo->has(SloMetric::kTtft) || slo->has(SloMetric::kTpot) || slo->has(SloMetric::kItl);
    if (needs_stream && !plan.workload.spec.stream) return bad("--slo", "ttft, tpot and itl need a stream");
    plan.slo = std::move(*slo);
  }
  LoadShape& shape = plan.shape;
  const bool closed = loop == LoopFlag::kUsers || loop == LoopFlag::kUserStages;
  shape.kind = closed ? LoadShape::Kind::kClosed : LoadShape::Kind::kOpen;
  RETURN_IF_ERROR(read_think(o->think_s, &shape));
  shape.ramp_s = o->ramp_s;
  shape.warmup_s = o->warmup_s;
  shape.warmup_requests = o->warmup_requests;
  shape.requests_max = o->requests;
  shape.drain_s_max = o->drain_s;
  shape.streams_max = static_cast<int32_t>(o->streams_max);
  shape.seed = plan.workload.seed;
  std::vector<StageSpec> stages;
  if (loop != LoopFlag::kTrace) {
    ASSIGN_OR_RETURN(stages, stages_of(flags, *o, loop));
    if (!closed) {
      plan.arrivals = ArrivalOptions{};
      plan.arrivals->kind = o->arrivals == "constant"  ? ArrivalKind::kConstant
                            : o->arrivals == "poisson" ? ArrivalKind::kPoisson
                                                       : ArrivalKind::kGamma;
      plan.arrivals->burstiness = o->arrivals == "gamma" ? o->burstiness : 1;
      plan.arrivals->seed = plan.workload.seed + 1;  // not what lengths are drawn from
    }
    fill_stages(stages, *o, &plan);
  }
  plan.requests_wanted = requests_wanted(plan, *o);
  describe_shape(*o, plan, loop, stages, &plan.description);
  return plan;
}

}  // namespace hussar
