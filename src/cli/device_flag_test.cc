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

TEST(DeviceFlag, TakesANumberOfThreadsOrChoosesIt) {
  EXPECT_EQ((*open_backend({.device = "cpu", .threads = "3"}))->info().threads, 3);
  const auto chosen = open_backend({.device = "cpu", .threads = "auto"});
  ASSERT_TRUE(chosen.ok());
  EXPECT_GE((*chosen)->info().threads, 1);
  EXPECT_EQ((*open_backend({.device = "cpu", .threads = "0"}))->info().threads, (*chosen)->info().threads);
  for (const char* threads : {"", "all", "-1", "1.5", "2x", "1025", " 2"}) {
    const auto backend = open_backend({.device = "cpu", .threads = threads});
    ASSERT_FALSE(backend.ok()) << threads;
    EXPECT_EQ(backend.error().code, ErrorCode::kInvalid) << threads;
    EXPECT_EQ(backend.error().field, "--threads") << threads;
  }
}

TEST(DeviceFlag, TakesTheTypeOfKeysThatTheDeviceIsBestAt) {
  const auto backend = open_backend({.device = "cpu", .threads = "1", .isa = "reference"});
  ASSERT_TRUE(backend.ok());
  EXPECT_EQ(kv_type_of({}, **backend), KvType::kF16);
  EXPECT_EQ(kv_type_of({.kv_type = "bf16"}, **backend), KvType::kBF16);
}

}  // namespace
}  // namespace hussar
