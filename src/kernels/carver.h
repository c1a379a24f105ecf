// Layouts of workspaces.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hussar {

// Cuts a buffer into arrays, each on a border of kBorderBytes. Started with null it only counts, so that the
// size and the layout of a workspace are written down once.
template <int64_t kBorderBytes>
class BorderCarver {
 public:
  explicit BorderCarver(std::byte* base) : base_(base) {}

  template <typename T>
  T* take(int64_t count) {
    std::byte* place = base_ == nullptr ? nullptr : base_ + used_bytes_;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    used_bytes_ += (bytes + kBorderBytes - 1) / kBorderBytes * kBorderBytes;
    return reinterpret_cast<T*>(place);
  }
  int64_t used_bytes() const { return used_bytes_; }

 private:
  std::byte* base_;
  int64_t used_bytes_ = 0;
};

}  // namespace hussar
