// Layouts of workspaces.
#pragma once

#include <algorithm>
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
    std::byte* place = base_ == nullptr ? nullptr : base_ + place_bytes_;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    place_bytes_ += (bytes + kBorderBytes - 1) / kBorderBytes * kBorderBytes;
    used_bytes_ = std::max(used_bytes_, place_bytes_);
    return reinterpret_cast<T*>(place);
  }
  int64_t used_bytes() const { return used_bytes_; }

  // Where the next array will begin, counted from the buffer's begin.
  int64_t place_bytes() const { return place_bytes_; }
  // The next arrays lie over those taken since `place_bytes`: they are never in use at the same time.
  void go_back(int64_t place_bytes) { place_bytes_ = place_bytes; }

 private:
  std::byte* base_;
  int64_t place_bytes_ = 0;
  int64_t used_bytes_ = 0;
};

}  // namespace hussar
