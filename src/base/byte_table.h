// Many short strings of bytes, by number, in two allocations: a vector of strings takes several times as
// much.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace hussar {

class ByteTable {
 public:
  ByteTable() = default;
  ByteTable(std::initializer_list<std::string_view> entries) {
    for (const std::string_view entry : entries) add(entry);
  }
  explicit ByteTable(std::span<const std::string> entries) {
    ends_.reserve(entries.size());
    for (const std::string& entry : entries) add(entry);
    bytes_.shrink_to_fit();
  }

  // REQUIRES: all entries together have fewer than 4 GiB.
  void add(std::string_view entry) {
    bytes_ += entry;
    CHECK(bytes_.size() <= UINT32_MAX);
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  size_t size() const { return ends_.size(); }
  // Valid until the next add(). REQUIRES: index < size().
  std::string_view operator[](size_t index) const {
    const size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(bytes_).substr(begin, ends_[index] - begin);
  }

 private:
  std::string bytes_;  // of all entries, one after the other
  std::vector<uint32_t> ends_;
};

}  // namespace hussar
