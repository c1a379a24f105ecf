// For tests only: writes GGUF files in memory, right ones and wrong ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hussar::testing {

// Appends raw little-endian values; the tests spell out the format with it.
class ByteWriter {
 public:
  template <typename T>
  ByteWriter& put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    return copy(&value, sizeof(T));
  }
  ByteWriter& raw(std::string_view text) { return copy(text.data(), text.size()); }
  ByteWriter& text(std::string_view text) { return put<uint64_t>(text.size()).raw(text); }
  ByteWriter& append(const ByteWriter& other) { return copy(other.bytes_.data(), other.bytes_.size()); }
  ByteWriter& pad_to_multiple(size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  ByteWriter& zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  ByteWriter& copy(const void* from, size_t count) {
    const size_t at = bytes_.size();
    bytes_.resize(at + count);
    if (count > 0) std::memcpy(bytes_.data() + at, from, count);
    return *this;
  }

  std::vector<std::byte> bytes_;
};

// The pieces of a file; a test changes one of them and writes the whole.
class GgufBuilder {
 public:
  uint32_t version = 3;
  size_t alignment = 32;

  GgufBuilder& key_uint32(std::string_view key, uint32_t value) { return key_value<uint32_t>(key, 4, value); }
  GgufBuilder& key_float32(std::string_view key, float value) { return key_value<float>(key, 6, value); }
  GgufBuilder& key_string(std::string_view key, std::string_view value) {
    return key_raw(key, 8, ByteWriter().text(value));
  }
  // `body` is what follows the type's number.
  GgufBuilder& key_raw(std::string_view key, uint32_t type, const ByteWriter& body) {
    metadata_.text(key).put<uint32_t>(type).append(body);
    ++keys_;
    return *this;
  }
  template <typename T>
  GgufBuilder& key_value(std::string_view key, uint32_t type, T value) {
    return key_raw(key, type, ByteWriter().put<T>(value));
  }

  // `dimensions` in the file's order, the row's length first; the data follow the last tensor's.
  GgufBuilder& tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                      const std::vector<std::byte>& data) {
    data_.pad_to_multiple(alignment);
    tensor_raw(name, dimensions, type, data_.bytes().size());
    data_.raw({reinterpret_cast<const char*>(data.data()), data.size()});
    return *this;
  }
  GgufBuilder& tensor_raw(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                          uint64_t offset_bytes) {
    table_.text(name).put<uint32_t>(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t size : dimensions) table_.put<uint64_t>(size);
    table_.put<uint32_t>(type).put<uint64_t>(offset_bytes);
    ++tensors_;
    return *this;
  }
  GgufBuilder& data_zeros(size_t count) {
    data_.zeros(count);
    return *this;
  }

  std::vector<std::byte> build() const { return build_with_counts(tensors_, keys_); }
  std::vector<std::byte> build_with_counts(uint64_t tensors, uint64_t keys) const {
    ByteWriter out = head(tensors, keys);
    if (tensors_ > 0) out.pad_to_multiple(alignment);
    return out.append(data_).bytes();
  }
  // Header, metadata and tensor table.
  size_t head_bytes() const { return head(tensors_, keys_).bytes().size(); }

 private:
  ByteWriter head(uint64_t tensors, uint64_t keys) const {
    ByteWriter out;
    out.raw("GGUF").put<uint32_t>(version).put<uint64_t>(tensors).put<uint64_t>(keys);
    return out.append(metadata_).append(table_);
  }

  ByteWriter metadata_, table_, data_;
  uint64_t keys_ = 0, tensors_ = 0;
};

}  // namespace hussar::testing
