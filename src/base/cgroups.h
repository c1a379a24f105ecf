// Where the limits on this process's container stand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hussar {

// The folders of the group that this process is in and of all groups around it, the mount's first; each of
// them may have a limit. `controller` is one of version 1, or empty for version 2. Inside a container the
// path may be the host's and not be there; the mount's folder is then the container's own. Nothing where
// there are no such groups. `root` stands in front of /proc and /sys, so that a test can lay out a machine in
// a folder.
std::vector<std::string> cgroup_folders(std::string_view controller, const std::string& root = "");

}  // namespace hussar
