#include "kernels/cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace hussar::cpu {
namespace {

constexpr Isa kAll[] = {Isa::kAmx, Isa::kAvx512, Isa::kAvx2, Isa::kReference,
                        Isa::kReferenceTiles};  // best first

struct Features {
  bool avx2 = false;
  bool avx512 = false;
  bool amx = false;
};

uint64_t enabled_register_state() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// The tiles' 8 KiB of registers are saved only for processes that asked for them: for all their threads, from
// then on.
bool allow_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

Features detect() {
  Features found;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  const auto bit = [](uint32_t word, int index) { return (word >> index & 1) != 0; };
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return found;
  const bool os_saves = bit(c, 27), fma = bit(c, 12), f16c = bit(c, 29), avx = bit(c, 28);
  if (!os_saves || !avx) return found;
  const uint64_t state = enabled_register_state();
  constexpr uint64_t kYmm = 0x6,
                     kZmm = 0xe6;  // XMM and YMM; and mask registers, ZMM0-15 high halves, ZMM16-31
  if ((state & kYmm) != kYmm || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  found.avx2 = bit(b, 5) && fma && f16c;
  const bool tiles = bit(d, 22) && bit(d, 24) && bit(d, 25);  // BF16, tiles, INT8
  const bool f = bit(b, 16), dq = bit(b, 17), bw = bit(b, 30), vl = bit(b, 31), vnni = bit(c, 11);
  if (a < 1 || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return found;
  const bool bf16 = bit(a, 5);
  found.avx512 = found.avx2 && (state & kZmm) == kZmm && f && dq && bw && vl && vnni && bf16;
  constexpr uint64_t kTiles = 0x60000;  // their configuration and their data
  found.amx = found.avx512 && tiles && (state & kTiles) == kTiles && allow_tiles();
  return found;
}

const Features& features() {
  static const Features found = detect();
  return found;
}

std::string supported_names() {
  std::string names = "auto";
  for (const Isa isa : kAll) {
    if (isa_supported(isa)) names.append(", ").append(isa_name(isa));
  }
  return names;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kReference:
      return "reference";
    case Isa::kReferenceTiles:
      return "reference-tiles";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAmx:
      return "amx";
  }
  CHECK_NOTE(false, "no such ISA");
}

bool isa_supported(Isa isa) {
  switch (isa) {
    case Isa::kReference:
    case Isa::kReferenceTiles:
      return true;
    case Isa::kAvx2:
      return features().avx2;
    case Isa::kAvx512:
      return features().avx512;
    case Isa::kAmx:
      return features().amx;
  }
  CHECK_NOTE(false, "no such ISA");
}

Result<Isa> choose_isa(std::string_view name) {
  for (const Isa isa : kAll) {
    if (name == "auto" && isa_supported(isa)) return isa;
    if (name != isa_name(isa)) continue;
    if (isa_supported(isa)) return isa;
    return Error{ErrorCode::kUnsupported,
                 "this machine has no " + std::string(name) + "; choose one of " + supported_names(), "isa"};
  }
  return Error{ErrorCode::kInvalid,
               "unknown instruction set '" + std::string(name) + "'; choose one of " + supported_names(),
               "isa"};
}

}  // namespace hussar::cpu
