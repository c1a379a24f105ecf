// Files that we own: opened without following links, written so that a reader sees all or nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hussar {

// "PATH: WHAT: reason", from errno, with what to do where a disk is full; kNotFound for ENOENT, else kIo.
Error errno_error(const std::string& path, std::string_view what);

// An open file; closed with the object. A symbolic link as the last part of a path is refused.
class File {
 public:
  static Result<File> open(const std::string& path, int flags);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  int fd() const { return fd_; }
  Result<int64_t> size_bytes() const;
  // All of `bytes` at `offset`, or an error (a full disk says so).
  Result<void> write_at(std::span<const std::byte> bytes, int64_t offset) const;
  Result<void> append(std::string_view text) const;
  Result<void> sync() const;
  // Makes the file `size_bytes` long, with its blocks where the file system can do that.
  Result<void> allocate(int64_t size_bytes) const;

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
};

// Errors: kNotFound, kIo, kTooLarge over `bytes_max`.
Result<std::string> read_small_file(const std::string& path, size_t bytes_max);

// Through a temporary name beside it; on the disk when this returns.
Result<void> write_file_whole(const std::string& path, std::string_view text);

// Renames and makes the rename last.
Result<void> rename_file(const std::string& from, const std::string& to);

// What is still free for this user where `path` is (its nearest folder that exists).
Result<int64_t> free_disk_bytes(const std::string& path);

// What the file takes on the disk; 0 where there is none.
int64_t allocated_bytes(const std::string& path);

bool file_exists(const std::string& path);

}  // namespace hussar
