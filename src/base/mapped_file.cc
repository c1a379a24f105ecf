#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace hussar {
namespace {

Error io_error(const std::string& path, const char* what) {
  const ErrorCode code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  return Error{code, path + ": " + what + ": " + std::strerror(errno), ""};
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hang us
  if (fd < 0) return io_error(path, "cannot open");
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    Error error = io_error(path, "cannot stat");
    ::close(fd);
    return error;
  }
  if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
    ::close(fd);
    return Error{ErrorCode::kIo, path + ": not a regular file with contents", ""};
  }
  const auto size_bytes = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) {
    Error error = io_error(path, "cannot map");
    ::close(fd);
    return error;
  }
  ::close(fd);
  return MappedFile(static_cast<const std::byte*>(data), size_bytes);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

void MappedFile::release_pages(size_t offset_bytes, size_t size_bytes) const {
  // Inwards to whole pages: a neighbour's bytes on a shared page stay resident. A private read-only mapping
  // is read again from the file when it is touched, so that this is a hint about memory and nothing else.
  const size_t page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t first = (offset_bytes + page_bytes - 1) / page_bytes * page_bytes;
  const size_t last = std::min(offset_bytes + size_bytes, size_bytes_) / page_bytes * page_bytes;
  if (first >= last) return;
  ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

}  // namespace hussar
