// Memory taken and touched once, before the first step, so that no step can meet a page fault or run out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "kernels/carver.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {

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

using Carver = BorderCarver<64>;  // a cache line

}  // namespace hussar::cpu
