#include "kernels/cpu/isa.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "kernels/cpu/linear.h"
#include "kernels/cpu/tile_kernels.h"

namespace hussar::cpu {
namespace {

// What the operating system lists of this processor, where it says so.
bool listed(const std::string& flag) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string word; file >> word;) {
    if (word == flag) return true;
  }
  return false;
}

TEST(Isa, DetectionAgreesWithTheOperatingSystem) {
  EXPECT_TRUE(isa_supported(Isa::kReference));
  if (!std::ifstream("/proc/cpuinfo")) GTEST_SKIP() << "no /proc/cpuinfo";
  const bool avx2 = listed("avx2") && listed("fma") && listed("f16c");
  EXPECT_EQ(isa_supported(Isa::kAvx2), avx2);
  EXPECT_EQ(isa_supported(Isa::kAvx512), avx2 && listed("avx512f") && listed("avx512bw") &&
                                             listed("avx512vl") && listed("avx512dq") &&
                                             listed("avx512_vnni") && listed("avx512_bf16"));
  EXPECT_EQ(isa_supported(Isa::kAmx),
            isa_supported(Isa::kAvx512) && listed("amx_tile") && listed("amx_int8") && listed("amx_bf16"));
}

TEST(Isa, IsChosenByName) {
  for (const Isa isa : {Isa::kReference, Isa::kReferenceTiles, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    const auto chosen = choose_isa(isa_name(isa));
    ASSERT_EQ(chosen.ok(), isa_supported(isa));
    if (chosen.ok()) {
      EXPECT_EQ(*chosen, isa);
    } else {
      EXPECT_EQ(chosen.error().code, ErrorCode::kUnsupported);
      EXPECT_NE(chosen.error().message.find("reference"), std::string::npos) << chosen.error().message;
    }
  }
  const auto best = choose_isa("auto");
  ASSERT_TRUE(best.ok());
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (isa_supported(isa)) {
      EXPECT_GE(*best, isa);
    }
  }
}

TEST(Isa, UnknownNamesAreRefused) {
  for (const char* name : {"", "AVX2", "avx", "sse"}) {
    const auto chosen = choose_isa(name);
    ASSERT_FALSE(chosen.ok()) << name;
    EXPECT_EQ(chosen.error().code, ErrorCode::kInvalid);
  }
}

TEST(Isa, EachHasItsOwnKernels) {
  EXPECT_EQ(&linear_kernels(Isa::kReference), &reference::kLinear);
  EXPECT_EQ(&linear_kernels(Isa::kAvx2), &avx2::kLinear);
  EXPECT_EQ(&linear_kernels(Isa::kAvx512), &avx512::kLinear);
  EXPECT_EQ(&linear_kernels(Isa::kAmx), &amx::kLinear);
  EXPECT_EQ(tile_kernels(Isa::kAmx), &amx::kTiles);
  EXPECT_EQ(tile_kernels(Isa::kReferenceTiles), &reference::kTiles);
  EXPECT_EQ(tile_kernels(Isa::kAvx512), nullptr);
  EXPECT_NE(reference::kLinear.linear, avx2::kLinear.linear);
  EXPECT_NE(avx2::kLinear.linear, avx512::kLinear.linear);
  EXPECT_NE(avx512::kLinear.linear, amx::kLinear.linear);
}

}  // namespace
}  // namespace hussar::cpu
