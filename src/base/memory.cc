#include "base/memory.h"

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>

#include "base/cgroups.h"

namespace hussar {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
// Version 1 writes "no limit" as a number near 2^63; no machine has as much as this.
constexpr int64_t kLimitMax = int64_t{1} << 60;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<int64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end != text.data() ? std::optional(number) : std::nullopt;
}

// The number behind `key` in lines of "key value".
std::optional<int64_t> number_of(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key) && line.size() > key.size() &&
        (line[key.size()] == ' ' || line[key.size()] == '\t')) {
      return leading_number(std::string_view(line).substr(key.size()));
    }
  }
  return std::nullopt;
}

// The files' names of one version of cgroups.
struct CgroupFiles {
  const char *limit, *usage, *inactive_key, *active_key;
};
constexpr CgroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                                   "total_active_file"};
constexpr CgroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file"};

// What one group leaves; kUnlimited when it sets no limit.
int64_t cgroup_room(const std::string& folder, const CgroupFiles& files) {
  const auto limit = leading_number(read_file(folder + "/" + files.limit));
  const auto usage = leading_number(read_file(folder + "/" + files.usage));
  if (!limit || !usage || *limit > kLimitMax) return kUnlimited;
  const std::string stat = read_file(folder + "/memory.stat");
  const int64_t droppable =
      number_of(stat, files.inactive_key).value_or(0) + number_of(stat, files.active_key).value_or(0);
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, *usage - droppable));
}

int64_t cgroups_room(const std::string& root) {
  int64_t room = kUnlimited;
  for (const std::string& folder : cgroup_folders("", root))
    room = std::min(room, cgroup_room(folder, kVersion2));
  for (const std::string& folder : cgroup_folders("memory", root))
    room = std::min(room, cgroup_room(folder, kVersion1));
  return room;
}

// "Max address space        2048000000           unlimited            bytes": the soft limit comes first.
int64_t address_space_room(const std::string& root) {
  const auto limit = number_of(read_file(root + "/proc/self/limits"), "Max address space");
  const auto used_kib = number_of(read_file(root + "/proc/self/status"), "VmSize:");
  if (!limit || !used_kib) return kUnlimited;
  return std::max<int64_t>(0, *limit - *used_kib * 1024);
}

}  // namespace

int64_t available_memory_bytes(const std::string& root) {
  const auto machine_kib = number_of(read_file(root + "/proc/meminfo"), "MemAvailable:");
  return std::min(
      {machine_kib ? *machine_kib * 1024 : kUnlimited, cgroups_room(root), address_space_room(root)});
}

void return_freed_memory() { malloc_trim(0); }

void give_large_blocks_own_pages() { mallopt(M_MMAP_THRESHOLD, 1 << 20); }

std::string bytes_text(int64_t bytes) {
  const double megabytes = static_cast<double>(bytes) / 1e6;
  char text[32];
  if (megabytes >= 1000) {
    std::snprintf(text, sizeof text, "%.1f GB", megabytes / 1000);
  } else {
    std::snprintf(text, sizeof text, megabytes < 10 ? "%.1f MB" : "%.0f MB", megabytes);
  }
  return text;
}

}  // namespace hussar
