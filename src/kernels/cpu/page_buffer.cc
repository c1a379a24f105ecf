#include "kernels/cpu/page_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace hussar::cpu {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// The number in a file that holds only one; `missing` when there is no such file or it says "max".
int64_t read_number(const std::string& path, int64_t missing) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return missing;
  long long number = 0;
  const bool read = std::fscanf(file, "%lld", &number) == 1;
  std::fclose(file);
  return read ? number : missing;
}

int64_t kernel_available_bytes() {
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (file == nullptr) return kUnlimited;
  char line[256];
  long long kib = -1;
  while (kib < 0 && std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::sscanf(line, "MemAvailable: %lld kB", &kib) != 1) kib = -1;
  }
  std::fclose(file);
  return kib < 0 ? kUnlimited : kib * 1024;
}

// What the control group in `folder` leaves. Its file cache counts as free, as in MemAvailable: the kernel
// gives it up before it refuses.
int64_t group_left_bytes(const std::string& folder) {
  const int64_t limit = read_number(folder + "/memory.max", kUnlimited);
  if (limit == kUnlimited) return kUnlimited;
  int64_t cache = 0;
  if (std::FILE* file = std::fopen((folder + "/memory.stat").c_str(), "re"); file != nullptr) {
    char name[64];
    long long value = 0;
    while (std::fscanf(file, "%63s %lld", name, &value) == 2) {
      if (std::strcmp(name, "inactive_file") == 0 || std::strcmp(name, "active_file") == 0) cache += value;
    }
    std::fclose(file);
  }
  return std::max<int64_t>(0, limit - read_number(folder + "/memory.current", 0) + cache);
}

// The least that is left by the process's control group (version 2) and those above it. Inside a container
// its own group looks like the root.
int64_t groups_left_bytes() {
  std::string group;
  if (std::FILE* file = std::fopen("/proc/self/cgroup", "re"); file != nullptr) {
    char line[4096];
    while (std::fgets(line, sizeof(line), file) != nullptr) {
      if (std::strncmp(line, "0::", 3) != 0) continue;
      group.assign(line + 3);
      while (!group.empty() && (group.back() == '\n' || group.back() == '/')) group.pop_back();
    }
    std::fclose(file);
  }
  int64_t left = kUnlimited;
  for (;;) {
    left = std::min(left, group_left_bytes("/sys/fs/cgroup" + group));
    if (group.empty()) return left;
    group.resize(group.find_last_of('/') == std::string::npos ? 0 : group.find_last_of('/'));
  }
}

Error out_of_memory(std::string_view purpose, int64_t asked_bytes, int64_t free_bytes) {
  return Error{ErrorCode::kOutOfMemory,
               std::string(purpose) + " needs " + std::to_string(asked_bytes) + " bytes, and " +
                   std::to_string(free_bytes) + " bytes are free",
               ""};
}

}  // namespace

int64_t available_memory_bytes() { return std::min(kernel_available_bytes(), groups_left_bytes()); }

Result<PageBuffer> PageBuffer::create(int64_t size_bytes, std::string_view purpose, ThreadTeam& team) {
  CHECK(size_bytes >= 0);
  PageBuffer buffer;
  if (size_bytes == 0) return buffer;
  const int64_t free_bytes = available_memory_bytes();
  if (size_bytes > free_bytes) return out_of_memory(purpose, size_bytes, free_bytes);
  void* memory = mmap(nullptr, static_cast<size_t>(size_bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return out_of_memory(purpose, size_bytes, free_bytes);
  buffer.data_ = static_cast<std::byte*>(memory);
  buffer.size_bytes_ = size_bytes;
  // Fewer entries of the address cache; a kernel that refuses only costs speed.
  static_cast<void>(madvise(memory, static_cast<size_t>(size_bytes), MADV_HUGEPAGE));
  constexpr int64_t kPageBytes = 4096;
  team.parallel_for((size_bytes + kPageBytes - 1) / kPageBytes, [&](int64_t begin, int64_t end) {
    for (int64_t page = begin; page < end; page++) {
      static_cast<volatile std::byte*>(buffer.data_)[page * kPageBytes] = std::byte{0};
    }
  });
  return buffer;
}

PageBuffer::PageBuffer(PageBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

PageBuffer& PageBuffer::operator=(PageBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(size_bytes_));
}

}  // namespace hussar::cpu
