#include "cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include "base/utf8.h"

namespace hussar {

bool LineReader::take_line(std::string* line) {
  const size_t end = pending_.find('\n');
  if (end == std::string::npos && (!ended_ || pending_.empty())) return false;
  *line = replace_invalid_utf8(pending_.substr(0, end));
  pending_.erase(0, end == std::string::npos ? end : end + 1);
  if (line->ends_with('\r')) line->pop_back();
  return true;
}

LineReader::Event LineReader::next(std::string* line) {
  while (!take_line(line)) {
    if (ended_) return Event::kEnd;
    pollfd waiting[2] = {{STDIN_FILENO, POLLIN, 0}, {interrupts_->fd(), POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) continue;
    if (interrupts_->take() != Interrupts::Kind::kNone) return Event::kInterrupted;
    if (waiting[0].revents == 0) continue;
    char buffer[4096];
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    if (count <= 0) {
      ended_ = true;
    } else {
      pending_.append(buffer, static_cast<size_t>(count));
    }
  }
  return Event::kLine;
}

}  // namespace hussar
