#include "bench/process_watch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace hussar {
namespace {

// A folder that looks like /proc to the watch.
class FakeProc {
 public:
  FakeProc() {
    char name[] = "/tmp/hussar_proc_XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  const std::string& root() const { return root_; }

  void set(int64_t pid, int64_t parent, uint64_t ticks, uint64_t start, uint64_t pages, char state = 'S') {
    const std::string folder = root_ + "/proc/" + std::to_string(pid);
    std::filesystem::create_directories(folder);
    // The program's name holds what breaks a reader that counts blanks.
    std::ofstream(folder + "/stat") << pid << " (a) b (c) " << state << ' ' << parent
                                    << " 1 1 0 -1 0 0 0 0 0 " << ticks << " 0 77 77 20 0 5 0 " << start
                                    << " 1000000 123 0\n";
    std::ofstream(folder + "/statm") << "5000 " << pages << " 30 1 0 200 0\n";
  }
  void remove(int64_t pid) { std::filesystem::remove_all(root_ + "/proc/" + std::to_string(pid)); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(root_ + "/proc");
    std::ofstream(root_ + "/proc/" + name) << text;
  }

 private:
  std::string root_;
};

const TimePoint kStart{};
TimePoint after(double seconds) {
  return kStart + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

TEST(ProcessWatch, AddsUpAProcessAndItsDescendants) {
  FakeProc proc;
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const uint64_t second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  proc.set(100, 1, 1000, 50, 10);
  proc.set(200, 100, 0, 60, 20);   // a child
  proc.set(300, 200, 0, 70, 40);   // its child
  proc.set(400, 1, 9999, 10, 80);  // a stranger
  auto watch = ProcessWatch::open(100, proc.root());
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  auto use = watch->read(kStart);
  ASSERT_TRUE(use);
  EXPECT_EQ(use->processes, 3);
  EXPECT_EQ(use->resident_bytes, 70 * page);
  EXPECT_EQ(use->cpu_cores, -1) << "nothing to compare with yet";

  proc.set(100, 1, 1000 + second, 50, 10);
  proc.set(200, 100, second, 60, 20);
  proc.remove(300);                       // ended
  proc.set(500, 100, second / 2, 99, 1);  // and another one began
  use = watch->read(after(2));
  ASSERT_TRUE(use);
  EXPECT_EQ(use->processes, 3);
  EXPECT_EQ(use->resident_bytes, 31 * page);
  EXPECT_DOUBLE_EQ(use->cpu_cores, 2.5 / 2);
}

TEST(ProcessWatch, SaysWhenTheProcessHasEnded) {
  FakeProc proc;
  EXPECT_EQ(ProcessWatch::open(100, proc.root()).error().code, ErrorCode::kNotFound);
  proc.set(100, 1, 0, 50, 1);
  auto watch = ProcessWatch::open(100, proc.root());
  ASSERT_TRUE(watch.ok());
  EXPECT_TRUE(watch->read(kStart));
  proc.set(100, 1, 0, 50, 1, 'Z');
  EXPECT_FALSE(watch->read(after(1))) << "a zombie serves nobody";
  proc.set(100, 1, 0, 51, 1);
  EXPECT_FALSE(watch->read(after(2))) << "another process has its number";
  proc.remove(100);
  EXPECT_FALSE(watch->read(after(3)));
}

TEST(ProcessWatch, BrokenFilesAreNoProcess) {
  FakeProc proc;
  proc.set(100, 1, 0, 50, 1);
  for (const char* text : {"", "100", "100 (a) S", "100 (a) S one 1 1 0 -1 0 0 0 0 0 5 5 0 0 0 0 0 0 9 1 1",
                           "100 (a) S 1 1 1 0 -1 0 0 0 0 0 99999999999999999999 5 0 0 0 0 0 0 9 1 1"}) {
    proc.write("100/stat", text);
    EXPECT_FALSE(ProcessWatch::open(100, proc.root()).ok()) << text;
  }
  proc.set(100, 1, 0, 50, 1);
  proc.write("100/statm", "12");
  auto watch = ProcessWatch::open(100, proc.root());
  ASSERT_TRUE(watch.ok());
  EXPECT_EQ(watch->read(kStart)->resident_bytes, 0);
}

TEST(ProcessWatch, SeesARealProcess) {
  int start[2];
  ASSERT_EQ(::pipe(start), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte;
    ::close(start[1]);
    while (::read(start[0], &byte, 1) > 0) {
    }
    ::_exit(0);
  }
  ::close(start[0]);
  auto watch = ProcessWatch::open(child);
  ASSERT_TRUE(watch.ok());
  const auto use = watch->read(Clock::now());
  ASSERT_TRUE(use);
  EXPECT_GT(use->resident_bytes, 0);
  EXPECT_GE(ProcessWatch::open(::getpid())->read(Clock::now())->processes, 2)
      << "the child counts with its parent";
  ::close(start[1]);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(watch->read(Clock::now()));
}

TEST(CpuName, ReadsTheModelAndCountsProcessors) {
  FakeProc proc;
  EXPECT_EQ(cpu_name(proc.root()), "");
  proc.write(
      "cpuinfo",
      "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n\nprocessor\t: 1\nmodel name\t: Fast CPU @ 3 GHz\n");
  EXPECT_EQ(cpu_name(proc.root()), "Fast CPU @ 3 GHz (2 logical CPUs)");
}

}  // namespace
}  // namespace hussar
