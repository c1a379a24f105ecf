#include "kernels/cpu/page_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/memory.h"

namespace hussar::cpu {
namespace {

Error out_of_memory(std::string_view purpose, int64_t asked_bytes, int64_t free_bytes) {
  return Error{ErrorCode::kOutOfMemory,
               std::string(purpose) + " needs " + std::to_string(asked_bytes) + " bytes, and " +
                   std::to_string(free_bytes) + " bytes are free",
               ""};
}

}  // namespace

Result<PageBuffer> PageBuffer::create(int64_t size_bytes, std::string_view purpose, ThreadTeam& team) {
  CHECK(size_bytes >= 0);
  PageBuffer buffer;
  if (size_bytes == 0) return buffer;
  const int64_t free_bytes = available_memory_bytes();
  if (size_bytes > free_bytes) return out_of_memory(purpose, size_bytes, free_bytes);
  void* memory = mmap(nullptr, static_cast<size_t>(size_bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return out_of_memory(purpose, size_bytes, free_bytes);
  buffer.data_ = static_cast<std::byte*>(memory);
  buffer.size_bytes_ = size_bytes;
  // Fewer entries of the address cache; a kernel that refuses only costs speed.
  static_cast<void>(madvise(memory, static_cast<size_t>(size_bytes), MADV_HUGEPAGE));
  // Pieces go round the members, and so over the nodes' memory where there are several: any member reads any
  // of the keys and values, and a layer's own would else all lie in one node.
  constexpr int64_t kPageBytes = 4096, kPieceBytes = 2 << 20;  // of a huge page
  team.run([&](int32_t member) {
    for (int64_t piece = member * kPieceBytes; piece < size_bytes; piece += team.size() * kPieceBytes) {
      for (int64_t at = piece; at < std::min(size_bytes, piece + kPieceBytes); at += kPageBytes)
        static_cast<volatile std::byte*>(buffer.data_)[at] = std::byte{0};
    }
  });
  return buffer;
}

PageBuffer::PageBuffer(PageBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

PageBuffer& PageBuffer::operator=(PageBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(size_bytes_));
}

}  // namespace hussar::cpu
