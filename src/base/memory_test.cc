#include "base/memory.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/testing_machine.h"

namespace hussar {
namespace {

class MemoryTest : public TestingMachine {
 protected:
  void put_machine(int64_t available_kib) {
    put("/proc/meminfo", "MemTotal:       24683656 kB\nMemFree:  1 kB\nMemAvailable:   " +
                             std::to_string(available_kib) + " kB\n");
  }
};

TEST_F(MemoryTest, WithoutGroupsTheMachineCounts) {
  put_machine(1000);
  EXPECT_EQ(available_memory_bytes(root_), 1024'000);
  put("/proc/self/cgroup", "0::/\n");
  put("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(available_memory_bytes(root_), 1024'000);
}

TEST_F(MemoryTest, NothingToReadIsNoLimit) {
  EXPECT_EQ(available_memory_bytes(root_), std::numeric_limits<int64_t>::max());
}

TEST_F(MemoryTest, Version2TakesTheTightestOfAllGroupsAround) {
  put_machine(100'000'000);
  put("/proc/self/cgroup", "0::/pod/box\n");
  put("/sys/fs/cgroup/pod/box/memory.max", "max\n");
  put("/sys/fs/cgroup/pod/box/memory.current", "700\n");
  put("/sys/fs/cgroup/pod/memory.max", "1000000\n");
  put("/sys/fs/cgroup/pod/memory.current", "600000\n");
  put("/sys/fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 200000\nactive_file 100000\nfile 300000\n");
  EXPECT_EQ(available_memory_bytes(root_), 700'000);
}

TEST_F(MemoryTest, APathThatIsNotThereFallsBackToTheMount) {
  put_machine(100'000'000);
  put("/proc/self/cgroup", "0::/../host/path\n");
  put("/sys/fs/cgroup/memory.max", "5000\n");
  put("/sys/fs/cgroup/memory.current", "2000\n");
  EXPECT_EQ(available_memory_bytes(root_), 3'000);
}

TEST_F(MemoryTest, Version1ReadsItsOwnNames) {
  put_machine(100'000'000);
  put("/proc/self/cgroup", "5:cpu:/x\n4:hugetlb,memory:/docker/a\n0::/\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "123\n");
  put("/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "10000\n");
  put("/sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes", "9000\n");
  put("/sys/fs/cgroup/memory/docker/a/memory.stat",
      "inactive_file 1\ntotal_inactive_file 2500\ntotal_active_file 500\n");
  EXPECT_EQ(available_memory_bytes(root_), 4'000);
}

TEST_F(MemoryTest, AGroupOverItsLimitLeavesNothing) {
  put_machine(100);
  put("/proc/self/cgroup", "0::/\n");
  put("/sys/fs/cgroup/memory.max", "5000\n");
  put("/sys/fs/cgroup/memory.current", "6000\n");
  EXPECT_EQ(available_memory_bytes(root_), 0);
}

TEST_F(MemoryTest, ALimitOfAddressSpaceCounts) {
  put_machine(100'000'000);
  put("/proc/self/status", "VmPeak:\t     900 kB\nVmSize:\t     500 kB\n");
  put("/proc/self/limits",
      "Max data size             100     unlimited            bytes\n"
      "Max address space         1024000              unlimited            bytes\n");
  EXPECT_EQ(available_memory_bytes(root_), 512'000);
  put("/proc/self/limits", "Max address space         unlimited            unlimited            bytes\n");
  EXPECT_EQ(available_memory_bytes(root_), 102'400'000'000);
}

TEST(BytesText, IsShort) {
  EXPECT_EQ(bytes_text(98'362'432), "98 MB");
  EXPECT_EQ(bytes_text(1'250'000), "1.2 MB");
  EXPECT_EQ(bytes_text(3'019'898'880), "3.0 GB");
}

}  // namespace
}  // namespace hussar
