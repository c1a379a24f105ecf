#include "cli/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "base/memory.h"

namespace hussar {
namespace {

constexpr std::chrono::seconds kBetweenLines(2);
constexpr size_t kBarColumns = 30;

}  // namespace

LoadProgress::LoadProgress()
    : terminal_(isatty(STDERR_FILENO) == 1), line_after_(Clock::now() + kBetweenLines) {}

LoadProgress::~LoadProgress() {
  if (terminal_ && percent_shown_ >= 0) std::fputs("\r\x1B[K", stderr);
}

void LoadProgress::show(int64_t done_bytes, int64_t all_bytes) {
  const int64_t percent =
      all_bytes > 0
          ? static_cast<int64_t>(100.0 * static_cast<double>(done_bytes) / static_cast<double>(all_bytes))
          : 100;
  if (percent == percent_shown_) return;
  if (terminal_) {
    const size_t filled = kBarColumns * static_cast<size_t>(percent) / 100;
    const std::string bar = std::string(filled, '#') + std::string(kBarColumns - filled, '.');
    std::fprintf(stderr, "\rloading %3d %% [%s] %s of %s", static_cast<int>(percent), bar.c_str(),
                 bytes_text(done_bytes).c_str(), bytes_text(all_bytes).c_str());
    std::fflush(stderr);
  } else if (Clock::now() >= line_after_) {
    log_line(LogLevel::kInfo, "loading",
             {{"percent", std::to_string(percent)}, {"of", bytes_text(all_bytes)}});
    line_after_ = Clock::now() + kBetweenLines;
  }
  percent_shown_ = percent;
}

}  // namespace hussar
