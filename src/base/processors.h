// How many threads this process can keep busy: its processors, the cores that they belong to, and what its
// container grants of them. `root` stands in front of /proc and /sys, so that a test can lay out a machine in
// a folder.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

// "0-3,8,10-11", ascending. Nothing where it is no such list.
std::vector<int32_t> parse_processor_list(std::string_view text);

// cpu.max of a cgroup: "150000 100000" is 1.5 processors. Nothing for "max 100000", which sets no limit, and
// for what is no such line.
std::optional<double> parse_cpu_max(std::string_view text);

// This thread's affinity mask; empty where the system doesn't tell.
std::vector<int32_t> allowed_processors();

// The least that the cgroup (version 2) of this process and those around it grant, in processors; infinity
// where none sets a limit.
double granted_processors(const std::string& root = "");

// Cores that have at least one of these processors. A processor whose core is unknown counts as one.
int32_t count_cores(std::span<const int32_t> processors, const std::string& root = "");

// NUMA nodes that have at least one of these processors; 1 where the system tells of none.
int32_t count_memory_nodes(std::span<const int32_t> processors, const std::string& root = "");

// `count` cut down to what is granted, rounded down: threads that wait for each other would all stand still
// while one of them has used up the grant. At least 1.
int32_t within_grant(int32_t count, double granted);

}  // namespace hussar
