#include "kernels/cpu/peaks.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cpu/peaks_kernels.h"

namespace hussar::cpu {
namespace {

TEST(Peaks, AreOfThisWorld) {
  auto team = ThreadTeam::create(1);
  ASSERT_TRUE(team.ok());
  const auto isa = choose_isa("auto");
  ASSERT_TRUE(isa.ok());
  const double bytes = measure_read_bytes_per_second(*isa, **team, 16 << 20),
               macs = measure_macs_per_second(*isa, **team);
  EXPECT_GT(bytes, 1e8);
  EXPECT_LT(bytes, 1e12);
  EXPECT_GT(macs, 1e8);
  EXPECT_LT(macs, 1e13);
}

// A loop that the compiler cut short would promise too much.
TEST(Peaks, ReadingTouchesEveryByte) {
  alignas(64) uint8_t bytes[4096] = {};
  for (const PeakKernels* kernels : {&reference::kPeaks, &avx2::kPeaks}) {
    if (kernels == &avx2::kPeaks && !isa_supported(Isa::kAvx2)) continue;
    for (size_t i = 0; i < sizeof(bytes); i += 61) {
      bytes[i] = 1;
      EXPECT_NE(kernels->read(bytes, sizeof(bytes)), 0u) << i;
      bytes[i] = 0;
    }
    EXPECT_EQ(kernels->read(bytes, sizeof(bytes)), 0u);
  }
}

}  // namespace
}  // namespace hussar::cpu
