#include "kernels/cpu/peaks.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "base/memory.h"
#include "base/types.h"
#include "kernels/cpu/peaks_kernels.h"

namespace hussar::cpu {
namespace {

constexpr int64_t kBufferBytesMax = 1 << 30;  // more than any cache holds
// Short pieces and many: on a busy machine some of them run undisturbed.
constexpr int64_t kSliceBytes = 8 << 20;
constexpr int64_t kReadBytes = int64_t{1280} << 20;
constexpr int32_t kMultiplyPasses = 100;
constexpr int64_t kRounds = 1 << 17;

const PeakKernels& peak_kernels(Isa isa) {
  switch (isa) {
    case Isa::kReference:
    case Isa::kReferenceTiles:
      return reference::kPeaks;
    case Isa::kAvx2:
      return avx2::kPeaks;
    case Isa::kAvx512:
      return avx512::kPeaks;
    case Isa::kAmx:
      return amx::kPeaks;
  }
  CHECK_NOTE(false, "no such ISA");
}

// Whole slices, and no more than there is room for.
int64_t buffer_size(int64_t wanted_bytes) {
  const int64_t fitting = std::min(kBufferBytesMax, available_memory_bytes() / 2);
  return std::max(kSliceBytes, std::min(wanted_bytes, fitting) / kSliceBytes * kSliceBytes);
}

double seconds_since(TimePoint start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

double measure_read_bytes_per_second(Isa isa, ThreadTeam& team, int64_t buffer_bytes) {
  const int64_t size = buffer_size(buffer_bytes);
  void* const memory =
      mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  madvise(memory, static_cast<size_t>(size), MADV_HUGEPAGE);
  auto* const bytes = static_cast<uint8_t*>(memory);
  constexpr int64_t kUnit = 4096;
  team.parallel_for(size / kUnit, [&](int64_t begin, int64_t end) {
    std::memset(bytes + begin * kUnit, 1, static_cast<size_t>((end - begin) * kUnit));
  });
  std::atomic<uint64_t> sink{0};
  double best = 0;
  // At least once through all of it.
  for (int64_t at = 0; at < std::max(size, kReadBytes); at += kSliceBytes) {
    const uint8_t* const slice = bytes + at % size;
    const TimePoint start = Clock::now();
    team.parallel_for(kSliceBytes / kUnit, [&](int64_t begin, int64_t end) {
      sink += peak_kernels(isa).read(slice + begin * kUnit, (end - begin) * kUnit);
    });
    best = std::max(best, static_cast<double>(kSliceBytes) / seconds_since(start));
  }
  munmap(memory, static_cast<size_t>(size));
  return best;
}

double measure_macs_per_second(Isa isa, ThreadTeam& team) {
  std::atomic<int64_t> macs{0};
  double best = 0;
  for (int32_t pass = 0; pass < kMultiplyPasses; pass++) {
    macs = 0;
    const TimePoint start = Clock::now();
    team.run([&](int32_t) { macs += peak_kernels(isa).multiply(kRounds); });
    best = std::max(best, static_cast<double>(macs) / seconds_since(start));
  }
  return best;
}

}  // namespace hussar::cpu
