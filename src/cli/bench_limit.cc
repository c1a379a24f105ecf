#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/limit_report.h"
#include "bench/spec_text.h"
#include "bench/trouble.h"
#include "cli/bench_summary.h"
#include "cli/bench_workload_flags.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/run_display.h"

namespace hussar {
namespace {

constexpr double kUsualErrorFraction = 0.01;

struct BenchLimitFlags {
  BenchTargetFlags target;
  BenchWorkloadFlags workload;
  std::string slo, search = "rate";
  double start = 1, min = 0.05, max = 10'000, resolution = 0.05, confidence = 0.95;
  double scout_s = 10, probe_s_min = 15, probe_s_max = 600, warmup_s = 3, drain_s = 30, settle_s = 2;
  int64_t probe_requests_max = 200'000, probes_max = 40, streams_max = 4096;
  bool json = false;
};

void add_flags(FlagTable* flags, BenchLimitFlags* o) {
  flags->add_string("--slo", &o->slo, "TERMS",
                    "objective: ttft_p99=500ms,tpot_p99=50ms,error=0.1%; without an error rate, error=1%",
                    FlagTable::kRequired);
  add_bench_target_flags(flags, &o->target);
  flags->add_choice("--search", &o->search, {"rate", "users"},
                    "rate: Poisson arrivals in open loop; users: closed loop");
  flags->add_double("--start", &o->start, 1e-3, 1e6, "first level that is tried");
  flags->add_double("--min", &o->min, 1e-3, 1e6, "least level that is tried");
  flags->add_double("--max", &o->max, 1e-3, 1e6, "highest level that is tried");
  flags->add_double(
      "--resolution", &o->resolution, 0.001, 1,
      "the search ends when the levels that are met and not met differ by less than this share");
  flags->add_double("--confidence", &o->confidence, 0.5, 0.9999, "with which a probe shows met or missed");
  flags->add_double("--scout-s", &o->scout_s, 1, 3600, "of the short probes that find the range");
  flags->add_double("--probe-s-min", &o->probe_s_min, 0, 86'400, "of a full probe, so that queues can grow");
  flags->add_double("--probe-s-max", &o->probe_s_max, 1, 86'400,
                    "of a full probe; what is undecided by then counts as missed");
  flags->add_int("--probe-requests-max", &o->probe_requests_max, 8, 10'000'000, "of a full probe, likewise");
  flags->add_int("--probes-max", &o->probes_max, 1, 1000, "of the whole search");
  flags->add_double("--warmup-s", &o->warmup_s, 0, 3600, "of each probe, not counted");
  flags->add_double("--drain-s", &o->drain_s, 0, 3600, "to wait for answers at a probe's end");
  flags->add_double("--settle-s", &o->settle_s, 0, 3600, "between probes, so that the server comes to rest");
  flags->add_int("--streams-max", &o->streams_max, 1, 100'000, "requests under way at once");
  add_bench_workload_flags(flags, &o->workload);
  flags->add_switch("--json", &o->json, "results.json on standard output in place of the summary");
}

struct LimitPlan {
  SloSpec slo;
  LimitOptions search;
  WorkloadOptions workload;
};

Result<LimitPlan> plan_limit(const FlagTable& flags, BenchLimitFlags* o) {
  LimitPlan plan;
  auto slo = SloSpec::parse(o->slo);
  if (!slo.ok()) return Error{ErrorCode::kInvalid, slo.error().message, "--slo"};
  plan.slo = std::move(*slo);
  if (!plan.slo.has(SloMetric::kError)) plan.slo.terms.push_back({SloMetric::kError, kUsualErrorFraction, 0});
  ASSIGN_OR_RETURN(plan.workload, finish_bench_workload_flags(flags, o->target, &o->workload));
  const bool needs_stream =
      plan.slo.has(SloMetric::kTtft) || plan.slo.has(SloMetric::kTpot) || plan.slo.has(SloMetric::kItl);
  if (needs_stream && !plan.workload.spec.stream) {
    return Error{ErrorCode::kInvalid, "ttft, tpot and itl need a stream", "--slo"};
  }
  const bool users = o->search == "users";
  if (users && !flags.given("--min")) o->min = 1;
  if (users && !flags.given("--max")) o->max = 4096;
  if (o->min > o->start || o->start > o->max) {
    return Error{ErrorCode::kInvalid, "must lie between --min and --max", "--start"};
  }
  for (const double level : {o->min, o->start, o->max}) {
    if (users && level != std::floor(level)) {
      return Error{ErrorCode::kInvalid, "users are whole numbers", "--search"};
    }
  }
  if (o->probe_s_min > o->probe_s_max) {
    return Error{ErrorCode::kInvalid, "is above --probe-s-max", "--probe-s-min"};
  }
  plan.search.start = o->start;
  plan.search.min = o->min;
  plan.search.max = o->max;
  plan.search.resolution = o->resolution;
  plan.search.whole_numbers = users;
  plan.search.probes_max = static_cast<int32_t>(o->probes_max);
  return plan;
}

// The search as it goes: one object for what all probes share.
class LimitRun {
 public:
  LimitRun(const BenchLimitFlags& o, const LimitPlan& plan, Target* target, Workload* workload,
           Interrupts* interrupts)
      : o_(o),
        plan_(plan),
        target_(target),
        workload_(workload),
        interrupts_(interrupts),
        search_(plan.search) {}

  void run() {
    bool again = false;
    for (auto next = search_.next(); next && !interrupted_ && !client_limited_;) {
      if (!probes_.empty() && !settle()) break;
      ProbeResult probe = run_probe(*next);
      std::FILE* out = o_.json ? stderr : stdout;
      std::fprintf(out, "%s\n", probe_line(probes_.size() + 1, probe, users()).c_str());
      std::fflush(out);
      const bool good = next->kind == ProbeKind::kFull ? probe.verdict == Verdict::kMet : probe.keeps;
      // A client that is late makes latencies longer, never shorter: what is met in spite of that holds. What
      // is not met may be the client's own doing, so it is tried once more.
      const bool doubtful = probe.client_limited && !good;
      if (!interrupted_ && !doubtful) search_.finish(*next, probe.verdict, probe.keeps);
      probes_.push_back(std::move(probe));
      client_limited_ = doubtful && again;
      again = doubtful;
      if (!doubtful) next = search_.next();
    }
  }

  const std::vector<ProbeResult>& probes() const { return probes_; }
  const LimitSearch& search() const { return search_; }
  bool interrupted() const { return interrupted_; }
  bool client_limited() const { return client_limited_; }  // the search ended because of it
  bool users() const { return plan_.search.whole_numbers; }
  // Of the probe that the result stands on: the one that met, else the last.
  const RunLog& log() const { return log_; }
  double seconds() const { return seconds_; }

 private:
  static bool failed_too_often(const ProbeResult& probe) {
    return std::any_of(probe.terms.begin(), probe.terms.end(), [](const TermState& state) {
      return state.term.metric == SloMetric::kError && state.verdict == Verdict::kMissed;
    });
  }

  // False: interrupted meanwhile.
  bool settle() {
    const TimePoint until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                               std::chrono::duration<double>(o_.settle_s));
    while (Clock::now() < until && !interrupted_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      interrupted_ = interrupts_->take() != Interrupts::Kind::kNone;
    }
    seconds_ += o_.settle_s;
    return !interrupted_;
  }

  LoadShape shape_of(const ProbePlan& probe) const {
    const double seconds = o_.warmup_s + (probe.kind == ProbeKind::kScout ? o_.scout_s : o_.probe_s_max);
    LoadShape shape;
    shape.kind = users() ? LoadShape::Kind::kClosed : LoadShape::Kind::kOpen;
    if (users()) {
      shape.stages = {{static_cast<int32_t>(probe.level), seconds}};
    } else {
      shape.open_stage_ends_s = {seconds};
    }
    shape.warmup_s = o_.warmup_s;
    shape.requests_max = o_.probe_requests_max;
    shape.drain_s_max = o_.drain_s;
    shape.streams_max = static_cast<int32_t>(o_.streams_max);
    shape.seed = plan_.workload.seed + probes_.size();
    return shape;
  }

  ProbeResult run_probe(const ProbePlan& probe) {
    const LoadShape shape = shape_of(probe);
    std::unique_ptr<RequestSource> source;
    if (users()) {
      source = workload_->closed_source();
    } else {
      ArrivalOptions arrivals;
      arrivals.stages = {{probe.level, shape.open_stage_ends_s[0]}};
      arrivals.seed = shape.seed + 1;
      source = workload_->open_source(arrivals);
    }
    SloJudge judge(plan_.slo, {o_.confidence, probe.kind == ProbeKind::kScout ? 0 : o_.probe_s_min});
    std::atomic<bool> stop = false;
    LoadOptions options;
    options.timeouts = o_.target.timeouts;
    // On the load's own thread.
    options.on_record = [&](const RequestRecord& record) {
      judge.add(record);
      if (judge.verdict() != Verdict::kUndecided) stop = true;
    };
    const std::string title =
        "probe " + std::to_string(probes_.size() + 1) + ", " + level_text(probe.level, users()).en;
    ShownRun shown = run_shown({title, RunDisplay::TimeLeft::kAtMost}, interrupts_, options, &stop,
                               [&](const LoadOptions& with, const std::atomic<bool>& stopped) {
                                 return run_load(*target_, *source, shape, with, stopped);
                               });
    interrupted_ = shown.interrupted;
    return conclude(probe, judge, std::move(shown.log));
  }

  ProbeResult conclude(const ProbePlan& probe, const SloJudge& judge, RunLog log) {
    ProbeResult result;
    result.plan = probe;
    result.verdict = judge.verdict();
    result.keeps = judge.keeps();
    result.terms = judge.terms();
    result.reason = judge.reason();
    result.seconds = static_cast<double>(log.end_ns) / 1e9;
    result.client_limited = log.proof.client_limited;
    result.summary = summarize(log.records, {log.steady_begin_ns, log.steady_end_ns, log.end_ns},
                               plan_.slo.each_request());
    seconds_ += result.seconds;
    const bool met = probe.kind == ProbeKind::kFull && result.verdict == Verdict::kMet;
    if (met || !met_logged_) log_ = std::move(log);
    met_logged_ = met_logged_ || met;
    return result;
  }

  const BenchLimitFlags& o_;
  const LimitPlan& plan_;
  Target* target_;
  Workload* workload_;
  Interrupts* interrupts_;
  LimitSearch search_;
  std::vector<ProbeResult> probes_;
  RunLog log_;
  bool met_logged_ = false, interrupted_ = false, client_limited_ = false;
  double seconds_ = 0;
};

struct Searched {
  Report report;
  std::vector<RequestRecord> records;
  bool interrupted = false, client_limited = false, met = false;
};

// The proof is that of the probe which the result stands on. Where the client was late in some probes without
// ending the search, a line says so.
void add_proof(const LimitRun& run, Report* report) {
  report->proof = run.log().proof;
  const auto late = std::count_if(run.probes().begin(), run.probes().end(),
                                  [](const ProbeResult& probe) { return probe.client_limited; });
  if (run.client_limited()) {
    report->proof.client_limited = true;
    report->proof.reason = "the search ended at a level at which the client itself was late, twice";
    return;
  }
  report->proof.client_limited = false;
  if (late == 0) return;
  const std::string count = std::to_string(late);
  report->warnings.push_back(
      {"In " + count +
           " probes the client itself was late, which makes latencies longer: what is met holds, "
           "the limit may be higher",
       "有 " + count + " 次探测中压测端自身滞后，测得的延迟偏长：已达到的结论成立，实际极限可能更高"});
}

Report make_limit_report(const std::vector<std::string>& args, const BenchLimitFlags& o,
                         const LimitPlan& plan, const Target& target, const Workload& workload,
                         const ServerWatch& watch, const LimitRun& run) {
  LimitFacts facts;
  facts.slo = plan.slo;
  facts.confidence = o.confidence;
  facts.users = run.users();
  facts.workload = workload.description();
  facts.notes = workload.notes();
  facts.met = run.search().met();
  facts.not_met = run.search().not_met();
  facts.at_most_probed = run.search().at_most_probed();
  Report report = begin_report("limit", args, o.target, target);
  report.tokenizer = workload.tokenizer();
  report.seconds = run.seconds();
  report.interrupted = run.interrupted();
  add_proof(run, &report);
  report.workload = facts.workload;
  report.workload.emplace_back("slo", plan.slo.text());
  report.workload.emplace_back("seed", o.workload.seed);
  add_server_watch(watch, &report);
  add_limit(run.probes(), facts, &report);
  if (run.search().out_of_probes()) {
    report.warnings.push_back({"The search ended at --probes-max, before its bounds were close enough",
                               "搜索在达到 --probes-max 时结束，上下界仍不够接近"});
  }
  return report;
}

Result<Searched> search_limit(const std::vector<std::string>& args, const BenchLimitFlags& o,
                              const LimitPlan& plan) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Target> target, Target::open(o.target.target));
  ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload, Workload::prepare(*target, plan.workload, 0));
  std::string warning;
  RETURN_IF_ERROR(try_one_request(*target, plan.workload, o.target.timeouts, &warning));
  Interrupts interrupts;  // before the threads that follow
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerWatch> watch, watch_server(o.target, *target));
  for (const std::string& note : workload->notes()) print_note(note);
  if (!warning.empty()) print_note(warning);
  print_note("answers that a probe needs at least: " + least_answers_text(plan.slo, o.confidence));
  const double began_unix_s =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  LimitRun run(o, plan, target.get(), workload.get(), &interrupts);
  run.run();
  watch->stop();
  Searched searched;
  searched.report = make_limit_report(args, o, plan, *target, *workload, *watch, run);
  searched.report.started = utc_text(began_unix_s);
  searched.records = run.log().records;
  searched.interrupted = run.interrupted();
  searched.client_limited = run.client_limited();
  searched.met = run.search().met().has_value();
  return searched;
}

}  // namespace

int run_bench_limit(const std::vector<std::string>& args) {
  BenchLimitFlags o;
  FlagTable flags(
      "bench limit",
      "Finds the highest request rate, or number of users, at which a server meets an objective: "
      "each probe goes on until statistics show that it is met or missed.",
      "hussar bench limit --url http://127.0.0.1:8080 --slo ttft_p99=500ms,error=1% --out report");
  add_flags(&flags, &o);
  if (const auto code = parse_or_exit_code(&flags, "bench limit", args)) return *code;
  const auto plan = plan_limit(flags, &o);
  if (!plan.ok()) return report_error("bench limit", plan.error());
  if (const auto finished = finish_bench_target_flags(&o.target); !finished.ok()) {
    return report_error("bench limit", finished.error());
  }
  std::vector<std::string> words = {"bench", "limit"};
  words.insert(words.end(), args.begin(), args.end());
  const auto searched = search_limit(words, o, *plan);
  if (!searched.ok()) return report_error("bench limit", searched.error());
  if (const auto shown = show_report(searched->report, searched->records, o.target.out,
                                     o.json ? SummaryKind::kJson : SummaryKind::kTables);
      !shown.ok()) {
    return report_error("bench limit", shown.error());
  }
  if (searched->interrupted) return kExitInterrupted;
  if (searched->client_limited) return kExitClientLimited;
  return searched->met ? 0 : kExitNoSuccess;
}

}  // namespace hussar
