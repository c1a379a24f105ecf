// Reads little-endian values from foreign bytes, never past their end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace hussar {

static_assert(std::endian::native == std::endian::little,
              "model files are little-endian and read as they are");

// A position in a span of bytes. A read that does not fit gives false and moves nothing.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  template <typename T>
  [[nodiscard]] bool read(T* value) {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    if (remaining() < sizeof(T)) return false;
    std::memcpy(value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return true;
  }

  // A view into the bytes themselves.
  [[nodiscard]] bool read_text(uint64_t size_bytes, std::string_view* text) {
    if (remaining() < size_bytes) return false;
    *text = {reinterpret_cast<const char*>(bytes_.data()) + position_, static_cast<size_t>(size_bytes)};
    position_ += static_cast<size_t>(size_bytes);
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace hussar
