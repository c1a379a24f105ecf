#include "bench/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/utf8.h"

namespace hussar {
namespace {

// As NVIDIA documents its C interface (NVML API Reference Guide): only what is called here.
using Device = struct OpaqueDevice*;
constexpr int kSuccess = 0;
struct MemoryInfo {
  unsigned long long total, free, used;  // bytes
};
struct Utilization {
  unsigned int gpu, memory;  // percent
};
constexpr unsigned int kNameBytes = 96;
constexpr unsigned int kDevicesMax = 64;

class NvmlImpl final : public Nvml {
 public:
  NvmlImpl() = default;
  ~NvmlImpl() override {
    if (started_) shutdown_();
    if (library_ != nullptr) ::dlclose(library_);
  }
  NvmlImpl(const NvmlImpl&) = delete;
  NvmlImpl& operator=(const NvmlImpl&) = delete;

  Result<void> load(const std::string& library) {
    library_ = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) return Error{ErrorCode::kNotFound, library + " is not on this machine", ""};
    bool complete = true;
    const auto find = [&](const char* name, auto* function) {
      *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(::dlsym(library_, name));
      complete = complete && *function != nullptr;
    };
    find("nvmlInit_v2", &init_);
    find("nvmlShutdown", &shutdown_);
    find("nvmlDeviceGetCount_v2", &get_count_);
    find("nvmlDeviceGetHandleByIndex_v2", &get_handle_);
    find("nvmlDeviceGetName", &get_name_);
    find("nvmlDeviceGetMemoryInfo", &get_memory_);
    find("nvmlDeviceGetPowerUsage", &get_power_);
    find("nvmlDeviceGetUtilizationRates", &get_utilization_);
    if (!complete) return Error{ErrorCode::kUnsupported, library + " lacks functions that are needed", ""};
    return {};
  }

  Result<void> find_devices() {
    const int status = init_();
    if (status != kSuccess) {
      return Error{ErrorCode::kIo, "NVML does not start (its error " + std::to_string(status) + ")", ""};
    }
    started_ = true;
    unsigned int count = 0;
    if (get_count_(&count) != kSuccess) count = 0;
    for (unsigned int i = 0; i < std::min(count, kDevicesMax); ++i) {
      Device device = nullptr;
      if (get_handle_(i, &device) == kSuccess) devices_.push_back(device);
    }
    if (devices_.empty()) return Error{ErrorCode::kIo, "NVML shows no GPU", ""};
    return {};
  }

  std::string names() const override {
    std::map<std::string, int> counts;
    for (const Device device : devices_) {
      std::array<char, kNameBytes> name{};
      const bool named = get_name_(device, name.data(), kNameBytes - 1) == kSuccess && name[0] != '\0';
      ++counts[named ? replace_invalid_utf8(name.data()) : "GPU without a name"];
    }
    std::string text;
    for (const auto& [name, count] : counts) {
      text += (text.empty() ? "" : " + ") + (count > 1 ? std::to_string(count) + " x " : "") + name;
    }
    return text;
  }

  GpuUse read() override {
    GpuUse use;
    const auto add = [](double value, double* sum) { *sum = std::max(*sum, 0.0) + value; };
    double busy = 0;
    int busy_known = 0;
    for (const Device device : devices_) {
      MemoryInfo memory{};
      if (get_memory_(device, &memory) == kSuccess) {
        add(static_cast<double>(memory.used), &use.memory_bytes);
        add(static_cast<double>(memory.total), &use.memory_total_bytes);
      }
      unsigned int milliwatts = 0;
      if (get_power_(device, &milliwatts) == kSuccess) add(milliwatts / 1e3, &use.power_w);
      Utilization utilization{};
      if (get_utilization_(device, &utilization) == kSuccess) {
        busy += utilization.gpu / 1e2;
        ++busy_known;
      }
    }
    if (busy_known > 0) use.utilisation = busy / busy_known;
    return use;
  }

 private:
  void* library_ = nullptr;
  bool started_ = false;
  std::vector<Device> devices_;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*get_count_)(unsigned int*) = nullptr;
  int (*get_handle_)(unsigned int, Device*) = nullptr;
  int (*get_name_)(Device, char*, unsigned int) = nullptr;
  int (*get_memory_)(Device, MemoryInfo*) = nullptr;
  int (*get_power_)(Device, unsigned int*) = nullptr;
  int (*get_utilization_)(Device, Utilization*) = nullptr;
};

}  // namespace

Result<std::unique_ptr<Nvml>> Nvml::open(const std::string& library) {
  auto nvml = std::make_unique<NvmlImpl>();
  RETURN_IF_ERROR(nvml->load(library));
  RETURN_IF_ERROR(nvml->find_devices());
  return std::unique_ptr<Nvml>(std::move(nvml));
}

}  // namespace hussar
