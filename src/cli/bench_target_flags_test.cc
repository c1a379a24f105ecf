#include "cli/bench_target_flags.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hussar {
namespace {

Result<BenchTargetFlags> finish(std::vector<std::string> args) {
  args.insert(args.begin(), {"--url", "http://127.0.0.1:1"});
  BenchTargetFlags o;
  FlagTable flags("bench load", "", "");
  add_bench_target_flags(&flags, &o);
  if (const auto parsed = flags.parse(args); !parsed.ok()) return parsed.error();
  if (const auto finished = finish_bench_target_flags(&o); !finished.ok()) return finished.error();
  return o;
}

TEST(BenchTargetFlagsTest, HeadersAreTakenApart) {
  const auto o = finish({"--header", "X-Tenant: red: blue", "--header", "A:b", "--no-keepalive"});
  ASSERT_TRUE(o.ok()) << o.error().message;
  ASSERT_EQ(o->target.headers.size(), 2u);
  EXPECT_EQ(o->target.headers[0].name, "X-Tenant");
  EXPECT_EQ(o->target.headers[0].value, "red: blue");
  EXPECT_EQ(o->target.headers[1].value, "b");
  EXPECT_FALSE(o->target.keep_alive);
  for (const char* bad : {"nothing", ": x"}) EXPECT_EQ(finish({"--header", bad}).error().field, "--header");
}

TEST(BenchTargetFlagsTest, AKeyComesFromAFile) {
  const auto path = std::filesystem::temp_directory_path() / ("bench_key." + std::to_string(getpid()));
  std::ofstream(path) << "  secret \n";
  const auto o = finish({"--api-key-file", path});
  ASSERT_TRUE(o.ok()) << o.error().message;
  EXPECT_EQ(o->target.api_key, "secret");
  EXPECT_EQ(finish({"--api-key-file", path, "--api-key", "other"}).error().field, "--api-key");
  std::ofstream(path) << "\n";
  EXPECT_EQ(finish({"--api-key-file", path}).error().field, "--api-key-file");
  std::filesystem::remove(path);
  EXPECT_EQ(finish({"--api-key-file", path}).error().code, ErrorCode::kNotFound);
}

TEST(BenchTargetFlagsTest, TimesAreWrittenInUtc) {
  EXPECT_EQ(utc_text(1'715'324'400.9), "2024-05-10T07:00:00Z");
}

}  // namespace
}  // namespace hussar
