#include "bench/environment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hussar {
namespace {

const Json* member(const JsonObject& object, std::string_view key) {
  for (const auto& [name, value] : object) {
    if (name == key) return &value;
  }
  return nullptr;
}

TEST(EnvironmentTest, NamesTheMachine) {
  const auto root = std::filesystem::temp_directory_path() / ("environment_test." + std::to_string(getpid()));
  std::filesystem::create_directories(root / "proc");
  std::filesystem::create_directories(root / "etc");
  std::ofstream(root / "proc/cpuinfo") << "processor\t: 0\nmodel name\t: Fast CPU\n";
  std::ofstream(root / "proc/meminfo") << "MemFree:  5 kB\nMemTotal:       2048 kB\n";
  std::ofstream(root / "etc/os-release") << "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
  const JsonObject environment = client_environment("1.2.3", root);
  std::filesystem::remove_all(root);
  EXPECT_EQ(*member(environment, "cpu")->as_string(), "Fast CPU (1 logical CPU)");
  EXPECT_EQ(*member(environment, "memory_bytes")->as_int(), 2048 * 1024);
  EXPECT_EQ(*member(environment, "os")->as_string(), "Debian GNU/Linux 12");
  EXPECT_EQ(*member(environment, "hussar_version")->as_string(), "1.2.3");
  EXPECT_GE(*member(environment, "cores")->as_int(), 1);
}

TEST(EnvironmentTest, LeavesOutWhatCannotBeRead) {
  const JsonObject environment = client_environment("1.2.3", "/nonexistent");
  EXPECT_EQ(member(environment, "cpu"), nullptr);
  EXPECT_EQ(member(environment, "memory_bytes"), nullptr);
  EXPECT_EQ(member(environment, "os"), nullptr);
}

}  // namespace
}  // namespace hussar
