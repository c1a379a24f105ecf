#include "bench/process_watch.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>

namespace hussar {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr size_t kProcessesMax = 1 << 16;

// Empty where it can't be read: a process may end between two reads.
std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return text;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    words.push_back(text.substr(0, text.find_first_of(" \n")));
    text.remove_prefix(words.back().size());
  }
}

template <typename Number>
bool to_number(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<ProcessWatch> ProcessWatch::open(int64_t pid, const std::string& root) {
  ProcessWatch watch(root, pid);
  const auto stat = watch.read_stat(pid);
  if (!stat || stat->ended) {
    return Error{ErrorCode::kNotFound,
                 "there is no process " + std::to_string(pid) + " on this machine (or none that can be seen)",
                 ""};
  }
  watch.start_ticks_ = stat->start_ticks;
  return watch;
}

// Fields of /proc/PID/stat, see proc(5). The second is the program's name in parentheses, which may itself
// contain blanks and parentheses: counting begins behind the last one.
std::optional<ProcessWatch::Stat> ProcessWatch::read_stat(int64_t pid) const {
  const std::string text = read_file(root_ + "/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<std::string_view> fields = words_of(std::string_view(text).substr(name_end + 1));
  constexpr size_t kState = 0, kParent = 1, kUserTicks = 11, kSystemTicks = 12, kStart = 19;
  Stat stat;
  uint64_t user = 0, system = 0;
  if (fields.size() <= kStart || !to_number(fields[kParent], &stat.parent) ||
      !to_number(fields[kUserTicks], &user) || !to_number(fields[kSystemTicks], &system) ||
      !to_number(fields[kStart], &stat.start_ticks)) {
    return std::nullopt;
  }
  stat.pid = pid;
  stat.cpu_ticks = user + system;
  stat.ended = fields[kState] == "Z" || fields[kState] == "X";
  return stat;
}

// The process and what descends from it.
std::vector<ProcessWatch::Stat> ProcessWatch::read_tree(const Stat& top) const {
  std::multimap<int64_t, Stat> by_parent;
  std::error_code failed;
  std::filesystem::directory_iterator entry(root_ + "/proc", failed);
  for (; !failed && entry != std::filesystem::directory_iterator() && by_parent.size() < kProcessesMax;
       entry.increment(failed)) {
    int64_t pid = 0;
    if (!to_number(entry->path().filename().native(), &pid) || pid == top.pid) continue;
    if (const auto stat = read_stat(pid)) by_parent.emplace(stat->parent, *stat);
  }
  std::vector<Stat> tree{top};
  std::set<int64_t> seen{
      top.pid};  // a process whose number was taken anew while we read must not make a ring
  for (size_t i = 0; i < tree.size(); ++i) {
    const auto [begin, end] = by_parent.equal_range(tree[i].pid);
    for (auto child = begin; child != end; ++child) {
      if (seen.insert(child->second.pid).second) tree.push_back(child->second);
    }
  }
  return tree;
}

double ProcessWatch::resident_bytes(int64_t pid) const {
  const std::string text = read_file(root_ + "/proc/" + std::to_string(pid) + "/statm");
  const std::vector<std::string_view> fields = words_of(text);
  uint64_t pages = 0;
  if (fields.size() < 2 || !to_number(fields[1], &pages)) return 0;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::optional<ProcessUse> ProcessWatch::read(TimePoint now) {
  const auto top = read_stat(pid_);
  if (!top || top->ended || top->start_ticks != start_ticks_) return std::nullopt;
  ProcessUse use;
  uint64_t ticks = 0;
  std::map<std::pair<int64_t, uint64_t>, uint64_t> cpu_ticks;
  for (const Stat& process : read_tree(*top)) {
    const auto key = std::pair(process.pid, process.start_ticks);
    const auto before = cpu_ticks_.find(key);
    // A new child's time is all new.
    const uint64_t known = before == cpu_ticks_.end() ? 0 : before->second;
    if (process.cpu_ticks > known) ticks += process.cpu_ticks - known;
    cpu_ticks[key] = process.cpu_ticks;
    use.resident_bytes += resident_bytes(process.pid);
    ++use.processes;
  }
  if (last_ && now > *last_) {
    use.cpu_cores = static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK)) /
                    std::chrono::duration<double>(now - *last_).count();
  }
  last_ = now;
  cpu_ticks_ = std::move(cpu_ticks);
  return use;
}

std::string cpu_name(const std::string& root) {
  std::ifstream file(root + "/proc/cpuinfo");
  std::string name;
  int64_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("processor")) ++count;
    const size_t colon = line.find(": ");
    if (name.empty() && line.starts_with("model name") && colon != std::string::npos)
      name = line.substr(colon + 2);
  }
  if (name.empty()) return "";
  return name + " (" + std::to_string(count) + (count == 1 ? " logical CPU)" : " logical CPUs)");
}

}  // namespace hussar
