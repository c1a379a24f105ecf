#include "bench/environment.h"

#include <sched.h>
#include <sys/utsname.h>

#include <fstream>

#include "bench/process_watch.h"
#include "bench/refusal_text.h"

namespace hussar {
namespace {

// What stands behind `key` in the first line that begins with it.
std::string value_in_file(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(key.size());
  }
  return "";
}

int64_t total_memory_bytes(const std::string& root) {
  const std::string kilobytes = value_in_file(root + "/proc/meminfo", "MemTotal:");
  return std::strtoll(kilobytes.c_str(), nullptr, 10) * 1024;
}

std::string os_name(const std::string& root) {
  std::string name = value_in_file(root + "/etc/os-release", "PRETTY_NAME=");
  if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  return one_line(name);
}

}  // namespace

JsonObject client_environment(const std::string& version, const std::string& root) {
  JsonObject environment;
  const auto add = [&environment](const char* key, std::string value) {
    if (!value.empty()) environment.emplace_back(key, std::move(value));
  };
  add("cpu", one_line(cpu_name(root)));
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) == 0)
    environment.emplace_back("cores", CPU_COUNT(&usable));
  if (const int64_t bytes = total_memory_bytes(root); bytes > 0)
    environment.emplace_back("memory_bytes", bytes);
  add("os", os_name(root));
  utsname names;
  if (uname(&names) == 0) add("kernel", std::string(names.sysname) + " " + names.release);
  add("hussar_version", version);
  return environment;
}

}  // namespace hussar
