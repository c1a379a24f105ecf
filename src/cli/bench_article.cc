// hussar bench article: the article's five dimensions against any server.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/article/article_report.h"
#include "bench/article/run_article.h"
#include "bench/article/state.h"
#include "bench/format.h"
#include "bench/prompt_counter.h"
#include "cli/bench_target_flags.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/run_display.h"
#include "cli/table_text.h"

namespace hussar {
namespace {

constexpr std::chrono::milliseconds kHearEvery(200);

struct ArticleFlags {
  BenchTargetFlags bench;
  ArticleOptions options;
  bool chat = false, fresh = false;
  std::string hardware;
  int64_t repetitions = 5, long_runs = 3, json_runs = 100, conversations = 10, burst_max = 1024,
          connections_max = 2048, output_tokens = 0, seed = 1;
};

void add_flags(FlagTable* flags, ArticleFlags* o) {
  o->bench.api = "completions";
  // A slow server is to be measured, not to be scored as broken.
  o->bench.timeouts = {
      .connect_ms = 10'000, .first_token_ms = 1'800'000, .stall_ms = 300'000, .total_ms = 7'200'000};
  add_bench_target_flags(flags, &o->bench);
  flags->add_switch("--chat", &o->chat, "chat messages in place of plain prompts: --api chat");
  flags->add_switch(
      "--quick", &o->options.quick,
      "a time box for each dimension; what was cut is said: lengths to 2048, users to 25, shorter answers");
  flags->add_double("--quick-seconds", &o->options.box_s, 5, 3600, "--quick: the box of each dimension");
  flags->add_switch("--fresh", &o->fresh, "start over where --out holds an interrupted run");
  flags->add_string("--hardware", &o->hardware, "TEXT",
                    "what the server runs on, for the report; else what can be seen");
  flags->add_int("--repetitions", &o->repetitions, 1, 1000, "of each latency row");
  flags->add_int("--long-runs", &o->long_runs, 1, 100, "long answers");
  flags->add_double("--seconds", &o->options.cell_s, 1, 36'000, "of each row of users");
  flags->add_int("--json-runs", &o->json_runs, 1, 100'000,
                 "of the article's JSON task, and of the others together");
  flags->add_int("--conversations", &o->conversations, 1, 1000, "of each language");
  flags->add_int("--burst-max", &o->burst_max, 1, 100'000, "requests at once, at the most");
  flags->add_int("--connections-max", &o->connections_max, 1, 100'000, "idle connections, at the most");
  flags->add_int("--output-tokens", &o->output_tokens, 0, 1 << 20,
                 "new tokens of latency and users' rows; 0: 512, with --quick what fits its box");
  flags->add_int("--seed", &o->seed, 0, 1'000'000, "of conversations, sampling and think times");
}

Result<void> finish_flags(const FlagTable& flags, ArticleFlags* o) {
  if (o->chat && flags.given("--api") && o->bench.api != "chat") {
    return Error{ErrorCode::kInvalid, "says chat, and --api says " + o->bench.api + "; give one of them",
                 "--chat"};
  }
  if (o->chat) o->bench.api = "chat";
  ArticleOptions& options = o->options;
  options.api = api_of(o->bench.api);
  options.repetitions = static_cast<int32_t>(o->repetitions);
  options.long_runs = static_cast<int32_t>(o->long_runs);
  options.json_runs = static_cast<int32_t>(o->json_runs);
  options.conversations = static_cast<int32_t>(o->conversations);
  options.burst_max = static_cast<int32_t>(o->burst_max);
  options.connections_max = static_cast<int32_t>(o->connections_max);
  options.output_tokens = static_cast<int32_t>(o->output_tokens);
  options.seed = static_cast<uint64_t>(o->seed);
  return finish_bench_target_flags(&o->bench);
}

double unix_now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Everything between the start and the report.
class ArticleCommand {
 public:
  explicit ArticleCommand(ArticleFlags flags) : flags_(std::move(flags)) {}

  // Errors: what the user or the environment did wrong. True: it was interrupted.
  Result<bool> run();
  Report report(const std::vector<std::string>& args) const;
  const ArticleRun& measured() const { return run_; }

 private:
  Result<void> prepare();
  Result<void> measure_speed_once();
  void announce() const;
  Result<bool> run_cells();
  void show_cell(const ArticleProgress& progress);

  ArticleFlags flags_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<ServerWatch> watch_;
  std::optional<PromptMaker> prompts_;
  std::optional<RunStateFile> file_;
  PromptCounter counter_;
  RunState state_;
  ArticleBench bench_;
  ArticleRun run_;
  std::atomic<bool> stop_ = false;
  std::unique_ptr<RunDisplay> display_;
};

Result<void> ArticleCommand::prepare() {
  ASSIGN_OR_RETURN(target_, Target::open(flags_.bench.target));
  JsonObject fingerprint = {
      {"url", flags_.bench.target.url}, {"model", target_->model()}, {"server", target_->server()}};
  for (auto& member : plan_fingerprint(flags_.options)) fingerprint.push_back(std::move(member));
  if (!flags_.bench.out.empty()) {
    const auto start = flags_.fresh ? RunStateFile::Start::kFresh : RunStateFile::Start::kResume;
    ASSIGN_OR_RETURN(file_, RunStateFile::open(flags_.bench.out, fingerprint, start, &state_));
  }
  ASSIGN_OR_RETURN(watch_, watch_server(flags_.bench, *target_));
  counter_ = find_prompt_counter(*target_, flags_.options.api);
  PromptOptions prompts;
  prompts.counts_max = counter_.counts_max;
  // Not from --seed alone: the server's prefix cache may still hold an earlier run's prompts, which would not
  // be cold.
  prompts.seed = flags_.options.seed ^ static_cast<uint64_t>(Clock::now().time_since_epoch().count());
  prompts_ = PromptMaker::calibrate(prompts, counter_.count);
  bench_.target = target_.get();
  bench_.prompts = &*prompts_;
  bench_.watch = watch_.get();
  bench_.options = flags_.options;
  bench_.timeouts = flags_.bench.timeouts;
  bench_.stop = &stop_;
  if (state_.fingerprint.empty()) {
    ASSIGN_OR_RETURN(state_.speed, measure_speed(bench_));
    state_.fingerprint = std::move(fingerprint);
    state_.started_unix_s = unix_now_s();
    if (file_) RETURN_IF_ERROR(file_->begin(state_));
  }
  bench_.speed = state_.speed;
  run_.options = flags_.options;
  run_.plan = make_plan(flags_.options);
  if (flags_.options.quick) fit_to_boxes(flags_.options, bench_.speed, &run_.plan);
  run_.cells = state_.cells;
  return {};
}

void ArticleCommand::announce() const {
  const double rest_s = estimated_rest_s(run_.plan, run_.cells, flags_.options, bench_.speed);
  std::fprintf(stderr, "%s: %s, prompts counted by %s\n", target_->server().c_str(), target_->model().c_str(),
               counter_.how.c_str());
  std::fprintf(stderr, "%zu cells in 5 dimensions, %zu of them done; about %s\n", run_.plan.size(),
               run_.cells.size(), format_duration(rest_s).c_str());
  if (!prompts_->note().empty()) std::fprintf(stderr, "%s\n", prompts_->note().c_str());
}

void ArticleCommand::show_cell(const ArticleProgress& progress) {
  display_.reset();
  const std::string title = "[" + std::to_string(progress.number) + "/" + std::to_string(progress.count) +
                            ", " + format_duration(progress.left_s) + " left] " + progress.cell->id;
  display_ = std::make_unique<RunDisplay>(RunDisplay::Options{title, RunDisplay::TimeLeft::kKnown});
}

Result<bool> ArticleCommand::run_cells() {
  ArticleHooks hooks;
  hooks.on_cell = [this](const ArticleProgress& progress) { show_cell(progress); };
  hooks.on_result = [this](const CellResult& result) -> Result<void> {
    if (!file_) return {};
    return file_->add(result);
  };
  bench_.on_progress = [this](const RunProgress& progress) {
    if (display_) display_->show(progress);
  };
  auto interrupted = run_plan(bench_, run_.plan, hooks, &run_.cells);
  display_.reset();
  return interrupted;
}

// On a thread of its own, while this one hears Ctrl-C.
Result<bool> ArticleCommand::run() {
  Interrupts interrupts;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<bool>> result;
  std::thread runner([&] {
    auto done = [this]() -> Result<bool> {
      RETURN_IF_ERROR(prepare());
      announce();
      return run_cells();
    }();
    const std::lock_guard<std::mutex> lock(mutex);
    result = std::move(done);
    changed.notify_one();
  });
  for (std::unique_lock<std::mutex> lock(mutex); !result;) {
    changed.wait_for(lock, kHearEvery, [&result] { return result.has_value(); });
    if (interrupts.take() == Interrupts::Kind::kNone) continue;
    stop_ = true;
    interrupts.let_through();
  }
  runner.join();
  return std::move(*result);
}

Report ArticleCommand::report(const std::vector<std::string>& args) const {
  Report report = begin_report("article", args, flags_.bench, *target_);
  add_server_watch(*watch_, &report);
  report.server_samples.clear();  // each cell has its own
  if (!flags_.hardware.empty()) report.hardware = flags_.hardware;
  report.started = utc_text(state_.started_unix_s);
  for (const CellResult& cell : run_.cells) report.seconds += cell.seconds;
  report.workload = plan_fingerprint(flags_.options);
  add_article(run_, &report);
  return report;
}

// The tables for the terminal, whose heads need not say at length whose they are.
void print_tables(ArticleRun run) {
  run.owner = {"here", "本机"};
  run.article_owner = {"article", "文章"};
  for (const auto make :
       {latency_section, long_output_section, concurrency_section, structured_section, multi_turn_section}) {
    std::printf("%s\n", section_text(make(run)).c_str());
  }
}

}  // namespace

int run_bench_article(const std::vector<std::string>& args) {
  ArticleFlags o;
  FlagTable flags(
      "bench article",
      "Runs the article's five dimensions against a server: latency, long output, concurrency, structured "
      "output, conversation.",
      "hussar bench article --url http://127.0.0.1:8080 --quick --out report");
  add_flags(&flags, &o);
  if (const auto code = parse_or_exit_code(&flags, "bench article", args)) return *code;
  if (const auto finished = finish_flags(flags, &o); !finished.ok())
    return report_error("bench article", finished.error());
  const std::string out = o.bench.out;
  ArticleCommand command(std::move(o));
  const auto interrupted = command.run();
  if (!interrupted.ok() && interrupted.error().code == ErrorCode::kCancelled) return kExitInterrupted;
  if (!interrupted.ok()) return report_error("bench article", interrupted.error());
  std::vector<std::string> words = {"bench", "article"};
  words.insert(words.end(), args.begin(), args.end());
  Report report = command.report(words);
  report.interrupted = *interrupted;
  if (out.empty()) {
    print_tables(command.measured());
  } else {
    const auto written = write_report(report, records_of(command.measured()), out);
    if (!written.ok()) return report_error("bench article", written.error());
    std::printf("report: %s/index.html\n", out.c_str());
  }
  for (const Text& warning : report.warnings)
    std::fprintf(stderr, "hussar bench article: %s\n", warning.en.c_str());
  if (*interrupted) return kExitInterrupted;
  if (!dimensions_without_success(command.measured()).empty()) return kExitNoSuccess;
  return report.proof.client_limited ? kExitClientLimited : 0;
}

}  // namespace hussar
