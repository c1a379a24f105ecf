// A file mapped read-only into memory. Move-only; the mapping ends with the object.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace hussar {

class MappedFile {
 public:
  // Errors: kNotFound, kIo (a directory, no permission, an empty file, mmap failed), each naming the path.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

  // Tells the kernel that the pages of [offset, offset + size) are not needed again soon (they were
  // repacked). Never changes the contents.
  void release_pages(size_t offset_bytes, size_t size_bytes) const;

 private:
  MappedFile(const std::byte* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace hussar
