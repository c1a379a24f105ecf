#include "cli/device_flag.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(DeviceFlag, RefusesWhatNamesNoDevice) {
  for (const char* device : {"", "gpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:0x", "CPU"}) {
    const auto backend = open_backend({.device = device});
    ASSERT_FALSE(backend.ok()) << device;
    EXPECT_EQ(backend.error().code, ErrorCode::kInvalid) << device;
    EXPECT_EQ(backend.error().field, "--device") << device;
  }
}

TEST(DeviceFlag, SaysThatADeviceIsNotThere) {
  const auto backend = open_backend({.device = "cuda:99"});
  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().field, "--device");
  EXPECT_NE(backend.error().message.find(cuda_device_count() == 0 ? "cpu" : "cuda:"), std::string::npos);
}

TEST(DeviceFlag, TakesTheTypeOfKeysThatTheDeviceIsBestAt) {
  const auto backend = open_backend({.device = "cpu", .threads = 1});
  ASSERT_TRUE(backend.ok());
  EXPECT_EQ(kv_type_of({}, **backend), KvType::kF16);
  EXPECT_EQ(kv_type_of({.kv_type = "bf16"}, **backend), KvType::kBF16);
}

}  // namespace
}  // namespace hussar
