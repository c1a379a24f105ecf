#include "cli/run_display.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/format.h"
#include "cli/pull_progress.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

constexpr std::chrono::seconds kBetweenLines(5);
constexpr std::chrono::milliseconds kShowEvery(200);

std::string latency_text(double p50_ms, double p99_ms) {
  return format_figure(p50_ms, "ms") + " (p99 " + format_figure(p99_ms, "ms") + ")";
}

}  // namespace

std::string progress_text(const RunProgress& progress, RunDisplay::TimeLeft time_left) {
  const double elapsed_s = static_cast<double>(progress.elapsed_ns) / 1e9;
  std::string text = duration_text(static_cast<int64_t>(elapsed_s)) + ", " + std::to_string(progress.sent) +
                     " sent, " + std::to_string(progress.running) + " running, " +
                     std::to_string(progress.errors) + (progress.errors == 1 ? " error" : " errors");
  if (progress.ok > 0 && elapsed_s > 0) {
    text += ", " + format_figure(static_cast<double>(progress.ok) / elapsed_s) + " answers/s";
    if (progress.ttft_p50_ms >= 0) {
      text += ", first token " + latency_text(progress.ttft_p50_ms, progress.ttft_p99_ms);
    }
    text += ", whole " + latency_text(progress.e2e_p50_ms, progress.e2e_p99_ms);
  }
  if (progress.seconds_left >= 0) {
    text += time_left == RunDisplay::TimeLeft::kAtMost ? ", at most " : ", ";
    text += duration_text(static_cast<int64_t>(progress.seconds_left) + 1) + " left";
  }
  return text;
}

RunDisplay::RunDisplay(Options options)
    : terminal_(isatty(STDERR_FILENO) == 1),
      options_(std::move(options)),
      next_line_(Clock::now() + kBetweenLines) {}

RunDisplay::~RunDisplay() {
  if (line_shown_) std::fputs("\r\x1B[K", stderr);
}

void RunDisplay::show(const RunProgress& progress) {
  if (terminal_) {
    // Without wrapping: a line that is too wide is cut at the edge, so that the next one can cover it.
    std::fprintf(stderr, "\r\x1B[?7l%s: %s\x1B[K\x1B[?7h", options_.title.c_str(),
                 progress_text(progress, options_.time_left).c_str());
    std::fflush(stderr);
    line_shown_ = true;
  } else if (Clock::now() >= next_line_) {
    std::fprintf(stderr, "%s: %s\n", options_.title.c_str(),
                 progress_text(progress, options_.time_left).c_str());
    next_line_ = Clock::now() + kBetweenLines;
  }
}

void RunDisplay::note(const std::string& line) {
  std::fprintf(stderr, "%s%s\n", line_shown_ ? "\r\x1B[K" : "", safe_for_terminal(line).c_str());
  line_shown_ = false;
}

ShownRun run_shown(const RunDisplay::Options& display_options, Interrupts* interrupts, LoadOptions options,
                   std::atomic<bool>* stop,
                   const std::function<RunLog(const LoadOptions&, const std::atomic<bool>&)>& run) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<RunLog> log;
  RunProgress latest;
  // Only copies: what is slow about showing happens on this thread.
  options.on_progress = [&](const RunProgress& progress) {
    const std::lock_guard lock(mutex);
    latest = progress;
  };
  std::thread runner([&] {
    RunLog made = run(options, *stop);
    const std::lock_guard lock(mutex);
    log = std::move(made);
    changed.notify_one();
  });
  ShownRun shown;
  RunDisplay display(display_options);
  for (std::unique_lock lock(mutex); !log;) {
    changed.wait_for(lock, kShowEvery, [&log] { return log.has_value(); });
    const RunProgress progress = latest;
    lock.unlock();
    if (interrupts->take() != Interrupts::Kind::kNone) {
      display.note("stopping; what was measured is still reported, a second Ctrl-C ends at once");
      shown.interrupted = true;
      stop->store(true);
      interrupts->let_through();
    }
    if (progress.elapsed_ns > 0) display.show(progress);
    lock.lock();
  }
  runner.join();
  shown.log = std::move(*log);
  return shown;
}

}  // namespace hussar
