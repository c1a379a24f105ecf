#include "cli/device_flag.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "base/log.h"

namespace hussar {
namespace {

constexpr std::string_view kCudaPrefix = "cuda:";

std::optional<int32_t> cuda_ordinal(std::string_view device) {
  if (!device.starts_with(kCudaPrefix)) return std::nullopt;
  const std::string_view digits = device.substr(kCudaPrefix.size());
  int32_t ordinal = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (error != std::errc() || end != digits.data() + digits.size() || ordinal < 0) return std::nullopt;
  return ordinal;
}

// "auto" and "0" are 0: as the backend chooses.
Result<int32_t> parse_threads(std::string_view text) {
  constexpr int32_t kThreadsMax = 1024;
  int32_t threads = 0;
  if (text == "auto") return threads;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error == std::errc() && end == text.data() + text.size() && threads >= 0 && threads <= kThreadsMax)
    return threads;
  return Error{ErrorCode::kInvalid,
               "must be auto or a number from 1 to " + std::to_string(kThreadsMax) + ", not '" +
                   std::string(text) + "'",
               "--threads"};
}

Result<std::unique_ptr<Backend>> open_cpu(const DeviceOptions& options) {
  ASSIGN_OR_RETURN(const int32_t threads, parse_threads(options.threads));
  return make_cpu_backend({.threads = threads, .isa = options.isa});
}

}  // namespace

void add_device_flags(FlagTable* flags, DeviceOptions* options) {
  flags->add_string("--device", &options->device, "DEVICE", "cpu, cuda:0, or auto: a GPU where there is one");
  flags->add_double("--gpu-memory", &options->gpu_memory, 0.05, 1.0, "share of the GPU's memory to take");
  flags->add_string("--threads", &options->threads, "COUNT",
                    "CPU threads, 1 to 1024; auto: one for each core");
  flags->add_choice("--isa", &options->isa, {"auto", "reference", "reference-tiles", "avx2", "avx512", "amx"},
                    "kernels to use");
  flags->add_choice("--kv-type", &options->kv_type, {"auto", "f16", "bf16"},
                    "numbers of the KV cache; auto: bf16 on a GPU and with AMX, else f16");
}

Result<std::unique_ptr<Backend>> open_backend(const DeviceOptions& options) {
  const bool choose_cuda = options.device == "auto" && cuda_device_count() > 0;
  if (options.device == "cpu" || (options.device == "auto" && !choose_cuda)) {
    return open_cpu(options);
  }
  const std::optional<int32_t> ordinal = choose_cuda ? std::optional(0) : cuda_ordinal(options.device);
  if (!ordinal) {
    return Error{ErrorCode::kInvalid,
                 "must be cpu, auto, or cuda:0, cuda:1, ..., not '" + options.device + "'", "--device"};
  }
  auto backend = make_cuda_backend({.ordinal = *ordinal, .memory_share = options.gpu_memory});
  if (backend.ok() || !choose_cuda || backend.error().code != ErrorCode::kUnsupported) return backend;
  log_line(LogLevel::kWarning, "the GPU can't be used, the CPU takes its place",
           {{"why", backend.error().message}});
  return open_cpu(options);
}

KvType kv_type_of(const DeviceOptions& options, const Backend& backend) {
  if (options.kv_type == "auto") return backend.info().kv_type;
  return options.kv_type == "bf16" ? KvType::kBF16 : KvType::kF16;
}

}  // namespace hussar
