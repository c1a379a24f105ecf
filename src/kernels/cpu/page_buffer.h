// Memory taken and touched once, before the first step, so that no step can meet a page fault or run out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {

// Bytes that this process can still take: the least of what the kernel calls available and what the limits of
// its cgroups leave.
int64_t available_memory_bytes();

// Zeroed pages, all resident. Move-only.
class PageBuffer {
 public:
  // Errors: kOutOfMemory, naming `purpose`, what was asked for and what is free. The kernel hands out more
  // than it has and ends the process later, so the free memory is looked at first.
  static Result<PageBuffer> create(int64_t size_bytes, std::string_view purpose, ThreadTeam& team);

  PageBuffer() = default;
  PageBuffer(PageBuffer&& other) noexcept;
  PageBuffer& operator=(PageBuffer&& other) noexcept;
  ~PageBuffer();

  std::byte* data() const { return data_; }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t size_bytes_ = 0;
};

// Cuts a buffer into arrays, each on a border of 64 bytes. Started with null it only counts, so that the size
// and the layout of a workspace are written down once.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  template <typename T>
  T* take(int64_t count) {
    std::byte* place = base_ == nullptr ? nullptr : base_ + used_bytes_;
    used_bytes_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return reinterpret_cast<T*>(place);
  }
  int64_t used_bytes() const { return used_bytes_; }

 private:
  std::byte* base_;
  int64_t used_bytes_ = 0;
};

}  // namespace hussar::cpu
