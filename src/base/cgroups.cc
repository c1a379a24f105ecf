#include "base/cgroups.h"

#include <fstream>

namespace hussar {

std::vector<std::string> cgroup_folders(std::string_view controller, const std::string& root) {
  std::vector<std::string> folders;
  const std::string mount =
      root + "/sys/fs/cgroup" + (controller.empty() ? "" : "/" + std::string(controller));
  const std::string wanted = "," + std::string(controller) + ",";
  std::ifstream lines(root + "/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {  // "4:memory:/path", or "0::/path" for version 2
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controller.empty() ? controllers != wanted : controllers.find(wanted) == std::string::npos) continue;
    folders.push_back(mount);
    for (std::string path = line.substr(second + 1); path.size() > 1;) {
      folders.push_back(mount + path);
      const size_t end = path.rfind('/');
      path.resize(end == std::string::npos ? 0 : end);
    }
  }
  return folders;
}

}  // namespace hussar
