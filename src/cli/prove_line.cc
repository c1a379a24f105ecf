#include "cli/prove_line.h"

#include <filesystem>

#include "base/files.h"
#include "cli/environment_variable.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

constexpr size_t kLineBytesMax = 4096;

// Empty where there is no home.
std::string cache_folder() {
  if (const std::string cache = environment_variable("XDG_CACHE_HOME"); cache.starts_with('/'))
    return cache + "/hussar";
  const std::string home = environment_variable("HOME");
  return home.empty() ? "" : home + "/.cache/hussar";
}

std::string line_path() { return cache_folder() + "/bench-prove.txt"; }

}  // namespace

std::string stored_prove_line() {
  if (!cache_folder().empty()) {
    const auto text = read_small_file(line_path(), kLineBytesMax);
    if (text.ok()) {
      const std::string line = text->substr(0, text->find('\n'));
      if (!line.empty()) return "hussar bench prove, " + safe_for_terminal(line);
    }
  }
  return "The load generator was not proved on this machine: run 'hussar bench prove'";
}

Result<void> store_prove_line(const std::string& line) {
  if (cache_folder().empty()) return Error{ErrorCode::kNotFound, "no HOME to keep the result in", ""};
  std::error_code error;
  std::filesystem::create_directories(cache_folder(), error);
  if (error) return Error{ErrorCode::kIo, cache_folder() + ": " + error.message(), ""};
  return write_file_whole(line_path(), line.substr(0, kLineBytesMax - 1) + "\n");
}

}  // namespace hussar
