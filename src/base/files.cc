#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace hussar {
namespace {

constexpr mode_t kFileMode = 0644;
constexpr size_t kFirstReadBytes = 16 << 10;

}  // namespace

Error errno_error(const std::string& path, std::string_view what) {
  const int number = errno;
  std::string message = path + ": " + std::string(what) + ": " + std::strerror(number);
  if (number == ENOSPC || number == EDQUOT) message += "; make room and try again";
  return {number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, std::move(message), ""};
}

Result<File> File::open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kFileMode);
  if (fd < 0) return errno_error(path, "cannot open");
  File file(fd, path);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno_error(path, "cannot stat");
  if (!S_ISREG(status.st_mode)) return Error{ErrorCode::kIo, path + ": not a regular file", ""};
  return file;
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<int64_t> File::size_bytes() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return errno_error(path_, "cannot stat");
  return int64_t{status.st_size};
}

Result<void> File::write_at(std::span<const std::byte> bytes, int64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(path_, "cannot write");
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += done;
  }
  return {};
}

Result<void> File::append(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t done = ::write(fd_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(path_, "cannot write");
    text.remove_prefix(static_cast<size_t>(done));
  }
  return {};
}

Result<void> File::sync() const {
  if (::fdatasync(fd_) != 0) return errno_error(path_, "cannot write to the disk");
  return {};
}

Result<void> File::allocate(int64_t size_bytes) const {
  // posix_fallocate would write every block where the file system can't reserve them.
  if (size_bytes > 0 && ::fallocate(fd_, 0, 0, size_bytes) == 0) return {};
  if (size_bytes > 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
    return errno_error(path_, "cannot reserve its size");
  }
  if (::ftruncate(fd_, size_bytes) != 0) return errno_error(path_, "cannot set its size");
  return {};
}

Result<std::string> read_small_file(const std::string& path, size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno_error(path, "cannot open");
  std::string text;
  size_t size = 0;
  ssize_t got = 0;
  do {
    if (size == text.size())
      text.resize(std::min(bytes_max + 1, std::max<size_t>(kFirstReadBytes, 2 * size)));
    got = ::read(fd, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<size_t>(got);
  } while (size <= bytes_max && (got > 0 || (got < 0 && errno == EINTR)));
  const Error failed = errno_error(path, "cannot read");
  ::close(fd);
  if (got < 0) return failed;
  if (size > bytes_max) {
    return Error{ErrorCode::kTooLarge, path + ": longer than " + std::to_string(bytes_max) + " bytes", ""};
  }
  text.resize(size);
  return text;
}

Result<void> write_file_whole(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".partial";
  {
    ASSIGN_OR_RETURN(const File file, File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    RETURN_IF_ERROR(file.append(text));
    RETURN_IF_ERROR(file.sync());
  }
  return rename_file(temporary, path);
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return errno_error(to, "cannot take its name");
  const std::string folder = std::filesystem::path(to).parent_path().string();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error(folder, "cannot open");
  const int failed = ::fsync(fd);
  const Error error = errno_error(folder, "cannot write to the disk");
  ::close(fd);
  // Some file systems have no fsync for folders: the rename stands all the same.
  if (failed != 0 && errno != EINVAL) return error;
  return {};
}

Result<int64_t> free_disk_bytes(const std::string& path) {
  std::filesystem::path at = std::filesystem::absolute(path);
  std::error_code ignored;
  while (!std::filesystem::exists(at, ignored) && at.has_relative_path()) at = at.parent_path();
  struct statvfs status {};
  if (::statvfs(at.c_str(), &status) != 0) return errno_error(at.string(), "cannot ask for free space");
  return static_cast<int64_t>(status.f_bavail) * static_cast<int64_t>(status.f_frsize);
}

int64_t allocated_bytes(const std::string& path) {
  struct stat status {};
  constexpr int64_t kStatBlockBytes = 512;
  return ::lstat(path.c_str(), &status) == 0 ? int64_t{status.st_blocks} * kStatBlockBytes : 0;
}

bool file_exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace hussar
