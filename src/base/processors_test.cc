#include "base/processors.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/cgroups.h"
#include "base/testing_machine.h"

namespace hussar {
namespace {

using List = std::vector<int32_t>;

class ProcessorsTest : public TestingMachine {
 protected:
  void put_siblings(int32_t processor, const std::string& list) {
    put("/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/thread_siblings_list",
        list + "\n");
  }
};

TEST(ProcessorList, ReadsNumbersAndRanges) {
  EXPECT_EQ(parse_processor_list("0\n"), List({0}));
  EXPECT_EQ(parse_processor_list("0-3,8,10-11\n"), List({0, 1, 2, 3, 8, 10, 11}));
  for (const char* wrong :
       {"", "\n", "x", "1,", ",1", "1-", "3-1", "1,1", "2,1", "0-99999999", "1;2", "-1"}) {
    EXPECT_EQ(parse_processor_list(wrong), List()) << wrong;
  }
}

TEST(CpuMax, ReadsTheQuotaInProcessors) {
  EXPECT_EQ(parse_cpu_max("150000 100000\n"), 1.5);
  EXPECT_EQ(parse_cpu_max("200000 50000"), 4.0);
  for (const char* none : {"", "max 100000\n", "100000", "0 100000", "1 0", "-1 100000", "1 2 3"}) {
    EXPECT_FALSE(parse_cpu_max(none).has_value()) << none;
  }
}

TEST_F(ProcessorsTest, TheTightestOfAllGroupsAroundCounts) {
  EXPECT_EQ(granted_processors(root_), std::numeric_limits<double>::infinity());
  put("/proc/self/cgroup", "5:cpu:/elsewhere\n0::/pod/box\n");
  EXPECT_EQ(granted_processors(root_), std::numeric_limits<double>::infinity());
  put("/sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/pod/cpu.max", "250000 100000\n");
  EXPECT_EQ(granted_processors(root_), 2.5);
  put("/sys/fs/cgroup/pod/box/cpu.max", "300000 100000\n");
  EXPECT_EQ(granted_processors(root_), 2.5);
  put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(granted_processors(root_), 0.5);
}

TEST_F(ProcessorsTest, APathThatIsNotThereFallsBackToTheMount) {
  put("/proc/self/cgroup", "0::/../host/path\n");
  put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(granted_processors(root_), 3.0);
}

TEST_F(ProcessorsTest, GroupsOfVersion1AreFoundByTheirController) {
  put("/proc/self/cgroup", "4:hugetlb,memory:/a/b\n3:memoryless:/c\n0::/d\n");
  const std::string mount = root_ + "/sys/fs/cgroup";
  EXPECT_EQ(cgroup_folders("memory", root_),
            (std::vector<std::string>{mount + "/memory", mount + "/memory/a/b", mount + "/memory/a"}));
  EXPECT_EQ(cgroup_folders("", root_), (std::vector<std::string>{mount, mount + "/d"}));
}

TEST_F(ProcessorsTest, ThreadsOfOneCoreCountOnce) {
  for (const int32_t processor : {0, 4}) put_siblings(processor, "0,4");
  for (const int32_t processor : {1, 5}) put_siblings(processor, "1,5");
  for (const int32_t processor : {2, 3}) put_siblings(processor, "2-3");
  EXPECT_EQ(count_cores(List{0, 1, 2, 3, 4, 5}, root_), 3);
  EXPECT_EQ(count_cores(List{4, 5}, root_), 2) << "a mask may hold a core's second thread alone";
  EXPECT_EQ(count_cores(List{2, 3}, root_), 1);
  EXPECT_EQ(count_cores(List{0, 4, 6, 7}, root_), 3) << "of 6 and 7 nothing is known";
}

TEST_F(ProcessorsTest, NodesWithoutAProcessorOfOursDoNotCount) {
  EXPECT_EQ(count_memory_nodes(List{0, 1}, root_), 1);
  put("/sys/devices/system/node/online", "0-2\n");
  put("/sys/devices/system/node/node0/cpulist", "0-3\n");
  put("/sys/devices/system/node/node1/cpulist", "4-7\n");
  put("/sys/devices/system/node/node2/cpulist", "\n");  // memory alone
  EXPECT_EQ(count_memory_nodes(List{0, 1}, root_), 1);
  EXPECT_EQ(count_memory_nodes(List{1, 6}, root_), 2);
}

TEST(WithinGrant, RoundsDownToAtLeastOne) {
  EXPECT_EQ(within_grant(8, std::numeric_limits<double>::infinity()), 8);
  EXPECT_EQ(within_grant(8, 3.9), 3);
  EXPECT_EQ(within_grant(2, 2.0), 2);
  EXPECT_EQ(within_grant(2, 0.5), 1);
  EXPECT_EQ(within_grant(0, 4), 1);
}

TEST(AllowedProcessors, HasTheOneThatThisRunsOn) {
  const List allowed = allowed_processors();
  ASSERT_FALSE(allowed.empty());
  EXPECT_TRUE(std::ranges::is_sorted(allowed));
  EXPECT_LE(static_cast<long>(allowed.size()), sysconf(_SC_NPROCESSORS_CONF));
}

}  // namespace
}  // namespace hussar
