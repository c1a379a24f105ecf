#include "cli/pull_progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/memory.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

constexpr std::chrono::seconds kBetweenLines(5);
constexpr std::chrono::seconds kRateWindow(8);
constexpr size_t kBarColumns = 24;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string rate_text(double bytes_per_second) {
  char text[32];
  if (bytes_per_second < 1e6) {
    std::snprintf(text, sizeof text, "%.0f KB/s", bytes_per_second / 1e3);
  } else {
    std::snprintf(text, sizeof text, bytes_per_second < 1e7 ? "%.1f MB/s" : "%.0f MB/s",
                  bytes_per_second / 1e6);
  }
  return text;
}

std::string duration_text(int64_t seconds) {
  char text[48];
  if (seconds < 60) {
    std::snprintf(text, sizeof text, "%d s", static_cast<int>(seconds));
  } else if (seconds < 3600) {
    std::snprintf(text, sizeof text, "%d min %02d s", static_cast<int>(seconds / 60),
                  static_cast<int>(seconds % 60));
  } else {
    std::snprintf(text, sizeof text, "%lld h %02d min", static_cast<long long>(seconds / 3600),
                  static_cast<int>(seconds / 60 % 60));
  }
  return text;
}

PullDisplay::PullDisplay()
    : terminal_(isatty(STDERR_FILENO) == 1), line_after_(Clock::now() + kBetweenLines) {}

PullDisplay::~PullDisplay() {
  if (bar_shown_) std::fputs("\r\x1B[K", stderr);
}

double PullDisplay::bytes_per_second(int64_t received_bytes) {
  const TimePoint now = Clock::now();
  samples_.push_back({now, received_bytes});
  while (samples_.size() > 2 && now - samples_.front().at > kRateWindow) samples_.pop_front();
  const double span = seconds(now - samples_.front().at);
  if (span < 0.5) return 0;
  return std::max<double>(0, static_cast<double>(received_bytes - samples_.front().bytes)) / span;
}

void PullDisplay::show(const PullProgress& progress) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t all = progress.all_bytes;
  if (all <= 0) return;
  const int64_t done = std::clamp<int64_t>(progress.download.done_bytes, 0, all);
  const double rate = bytes_per_second(done - progress.download.resumed_bytes);
  const int percent = static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(all));
  std::string text = bytes_text(done) + " of " + bytes_text(all);
  if (done == all) {
    text += ", checking";
  } else if (rate > 0) {
    const double left_s = static_cast<double>(all - done) / rate;
    text += ", " + rate_text(rate);
    if (left_s < 1e6) text += ", " + duration_text(static_cast<int64_t>(left_s) + 1) + " left";
  }
  if (terminal_) {
    const size_t filled = kBarColumns * static_cast<size_t>(percent) / 100;
    const std::string bar = std::string(filled, '#') + std::string(kBarColumns - filled, '.');
    std::fprintf(stderr, "\r%3d %% [%s] %s\x1B[K", percent, bar.c_str(), text.c_str());
    std::fflush(stderr);
    bar_shown_ = true;
  } else if (Clock::now() >= line_after_) {
    std::fprintf(stderr, "%3d %%  %s\n", percent, text.c_str());
    line_after_ = Clock::now() + kBetweenLines;
  }
}

void PullDisplay::note(const std::string& line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::fprintf(stderr, "%s%s\n", bar_shown_ ? "\r\x1B[K" : "", safe_for_terminal(line).c_str());
}

}  // namespace hussar
