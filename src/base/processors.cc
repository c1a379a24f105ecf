#include "base/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

#include "base/cgroups.h"

namespace hussar {
namespace {

constexpr int32_t kProcessorsMax = 1 << 16;  // more are no list of processors

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Takes a number off the front of the text.
template <typename Number>
bool take_number(std::string_view* text, Number* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

bool take(std::string_view* text, char character) {
  if (!text->starts_with(character)) return false;
  text->remove_prefix(1);
  return true;
}

void trim_end(std::string_view* text) {
  while (text->ends_with('\n') || text->ends_with(' ')) text->remove_suffix(1);
}

}  // namespace

std::vector<int32_t> parse_processor_list(std::string_view text) {
  trim_end(&text);
  std::vector<int32_t> processors;
  while (!text.empty()) {
    int32_t first = 0;
    if (!take_number(&text, &first)) return {};
    int32_t last = first;
    if (take(&text, '-') && !take_number(&text, &last)) return {};
    const int32_t least = processors.empty() ? 0 : processors.back() + 1;
    if (first < least || last < first || last >= kProcessorsMax) return {};
    for (int32_t processor = first; processor <= last; processor++) processors.push_back(processor);
    if (!text.empty() && (!take(&text, ',') || text.empty())) return {};
  }
  return processors;
}

std::optional<double> parse_cpu_max(std::string_view text) {
  trim_end(&text);
  int64_t quota_us = 0, period_us = 0;
  if (!take_number(&text, &quota_us) || !take(&text, ' ') || !take_number(&text, &period_us))
    return std::nullopt;
  if (!text.empty() || quota_us <= 0 || period_us <= 0) return std::nullopt;
  return static_cast<double>(quota_us) / static_cast<double>(period_us);
}

std::vector<int32_t> allowed_processors() {
  const size_t bytes = CPU_ALLOC_SIZE(kProcessorsMax);
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(kProcessorsMax),
                                                             [](cpu_set_t* s) { CPU_FREE(s); });
  if (set == nullptr) return {};
  CPU_ZERO_S(bytes, set.get());
  if (sched_getaffinity(0, bytes, set.get()) != 0) return {};
  std::vector<int32_t> processors;
  for (int32_t processor = 0; processor < kProcessorsMax; processor++) {
    if (CPU_ISSET_S(static_cast<size_t>(processor), bytes, set.get())) processors.push_back(processor);
  }
  return processors;
}

double granted_processors(const std::string& root) {
  double granted = std::numeric_limits<double>::infinity();
  for (const std::string& folder : cgroup_folders("", root)) {
    granted = std::min(granted, parse_cpu_max(read_file(folder + "/cpu.max")).value_or(granted));
  }
  return granted;
}

int32_t count_cores(std::span<const int32_t> processors, const std::string& root) {
  std::set<int32_t> cores;  // each by its first processor
  for (const int32_t processor : processors) {
    const std::vector<int32_t> siblings = parse_processor_list(read_file(
        root + "/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/thread_siblings_list"));
    cores.insert(siblings.empty() ? processor : siblings.front());
  }
  return static_cast<int32_t>(cores.size());
}

int32_t count_memory_nodes(std::span<const int32_t> processors, const std::string& root) {
  const std::string folder = root + "/sys/devices/system/node";
  int32_t count = 0;
  for (const int32_t node : parse_processor_list(read_file(folder + "/online"))) {
    const std::vector<int32_t> own =
        parse_processor_list(read_file(folder + "/node" + std::to_string(node) + "/cpulist"));
    count += std::ranges::any_of(
        processors, [&](int32_t processor) { return std::ranges::binary_search(own, processor); });
  }
  return std::max(1, count);
}

int32_t within_grant(int32_t count, double granted) {
  return std::max(1, granted < count ? static_cast<int32_t>(granted) : count);
}

}  // namespace hussar
