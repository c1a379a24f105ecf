#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/load_report.h"
#include "cli/bench_load_flags.h"
#include "cli/bench_summary.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/run_display.h"

namespace hussar {
namespace {

struct Pressed {
  RunLog log;
  Report report;
  bool slo_missed = false;
};

Result<Pressed> press(const std::vector<std::string>& args, const BenchLoadFlags& o, LoadPlan plan) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Target> target, Target::open(o.target.target));
  ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                   Workload::prepare(*target, plan.workload, plan.requests_wanted));
  std::string warning;
  RETURN_IF_ERROR(try_one_request(*target, plan.workload, o.target.timeouts, &warning));
  std::unique_ptr<RequestSource> source = workload->is_trace() ? workload->trace_source()
                                          : plan.arrivals      ? workload->open_source(*plan.arrivals)
                                                               : workload->closed_source();
  Interrupts interrupts;  // before the threads that follow
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerWatch> watch, watch_server(o.target, *target));
  const auto title = "pressing " + target->model();
  for (const std::string& note : workload->notes()) print_note(note);
  if (!warning.empty()) print_note(warning);

  LoadOptions options;
  options.timeouts = o.target.timeouts;
  std::atomic<bool> stop = false;
  const TimePoint began = Clock::now();
  Pressed pressed;
  auto run = [&](const LoadOptions& shown, const std::atomic<bool>& stopped) {
    return run_load(*target, *source, plan.shape, shown, stopped);
  };
  pressed.log = run_shown({title, RunDisplay::TimeLeft::kKnown}, &interrupts, options, &stop, run).log;
  watch->stop();

  LoadFacts facts;
  facts.workload = workload->description();
  for (auto& member : plan.description) facts.workload.push_back(std::move(member));
  facts.stages = std::move(plan.stages);
  facts.slo = std::move(plan.slo);
  facts.confidence = o.confidence;
  facts.notes = workload->notes();
  facts.watch_start_s = std::chrono::duration<double>(watch->started() - began).count();
  Report& report = pressed.report;
  report = begin_report("load", args, o.target, *target);
  report.started = utc_text(pressed.log.started_unix_s);
  report.tokenizer = workload->tokenizer();
  report.workload = facts.workload;
  report.workload.emplace_back("seed", o.workload.seed);
  add_server_watch(*watch, &report);
  add_load_run(pressed.log, facts, &report);
  pressed.slo_missed = facts.slo && !keeps_slo(pressed.log.records, *facts.slo);
  return pressed;
}

int exit_code_of(const Pressed& pressed) {
  if (pressed.log.interrupted) return kExitInterrupted;
  if (pressed.log.proof.client_limited) return kExitClientLimited;
  const bool any = pressed.report.rows[0].summary->ok > 0;
  return any && !pressed.slo_missed ? 0 : kExitNoSuccess;
}

}  // namespace

int run_bench_load(const std::vector<std::string>& args) {
  BenchLoadFlags o;
  FlagTable flags("bench load",
                  "Presses a server with an OpenAI-compatible API, in closed loop (users who wait for their "
                  "answers) or open loop (requests that come when they come), and reports how it bears that.",
                  "hussar bench load --url http://127.0.0.1:8080 --users 10 --duration-s 60 --out report");
  add_bench_load_flags(&flags, &o);
  if (const auto code = parse_or_exit_code(&flags, "bench load", args)) return *code;
  auto plan = plan_load(flags, &o);
  if (!plan.ok()) return report_error("bench load", plan.error());
  if (const auto finished = finish_bench_target_flags(&o.target); !finished.ok()) {
    return report_error("bench load", finished.error());
  }
  std::vector<std::string> words = {"bench", "load"};
  words.insert(words.end(), args.begin(), args.end());
  auto pressed = press(words, o, std::move(*plan));
  if (!pressed.ok()) return report_error("bench load", pressed.error());
  if (const auto shown = show_report(pressed->report, pressed->log.records, o.target.out,
                                     o.json ? SummaryKind::kJson : SummaryKind::kTables);
      !shown.ok()) {
    return report_error("bench load", shown.error());
  }
  return exit_code_of(*pressed);
}

}  // namespace hussar
