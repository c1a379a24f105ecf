#include "cli/perf_bench.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(PerfBench, ListsEveryCombinationByName) {
  const PerfSweep sweep{.prompts = {512, 0}, .generates = {128}, .depths = {0, 1024}, .batches = {1, 8}};
  std::vector<std::string> names;
  for (const PerfTest& test : list_perf_tests(sweep)) names.push_back(test.name());
  EXPECT_EQ(names, (std::vector<std::string>{"pp512", "tg128", "tg128@b8", "pp512@d1024", "tg128@d1024",
                                             "tg128@d1024@b8"}));
}

}  // namespace
}  // namespace hussar
