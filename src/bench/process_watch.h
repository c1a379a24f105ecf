// What a local process and its children use, read from /proc: servers often keep their engine in a child.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace hussar {

struct ProcessUse {
  double resident_bytes = 0;  // added up: pages that processes share count in each
  double cpu_cores = -1;      // in use since the last call, threads and children included; -1: the first call
  int64_t processes = 0;
};

// Not thread-safe.
class ProcessWatch {
 public:
  // `root` stands in front of /proc, so that a test can lay out processes in a folder. Errors: kNotFound.
  static Result<ProcessWatch> open(int64_t pid, const std::string& root = "");

  // Nothing once the process has ended, also where another one has its number by now.
  std::optional<ProcessUse> read(TimePoint now);

 private:
  struct Stat {
    int64_t pid = 0, parent = 0;
    uint64_t start_ticks = 0, cpu_ticks = 0;
    bool ended = false;  // a zombie
  };
  ProcessWatch(std::string root, int64_t pid) : root_(std::move(root)), pid_(pid) {}
  std::optional<Stat> read_stat(int64_t pid) const;
  std::vector<Stat> read_tree(const Stat& top) const;
  double resident_bytes(int64_t pid) const;

  std::string root_;
  int64_t pid_;
  uint64_t start_ticks_ = 0;
  std::optional<TimePoint> last_;
  std::map<std::pair<int64_t, uint64_t>, uint64_t> cpu_ticks_;  // (pid, start) -> at the last call
};

// The model name of the CPU and how many logical CPUs there are: "Name (16 logical CPUs)"; empty when
// unknown.
std::string cpu_name(const std::string& root = "");

}  // namespace hussar
