// --device: what a model runs on, and the backend for it.
#pragma once

#include <memory>
#include <string>

#include "base/flags.h"
#include "base/result.h"
#include "kernels/backend.h"

namespace hussar {

struct DeviceOptions {
  std::string device = "auto";  // "cpu", "cuda:0", or "auto": the first CUDA device where there is one
  std::string kv_type = "auto";
  std::string threads = "auto";  // or a number of them
  std::string isa = "auto";
  double gpu_memory = 0.9;  // share of a CUDA device's memory
};

void add_device_flags(FlagTable* flags, DeviceOptions* options);

// Errors: kInvalid (names no device), and those of the backend that was asked for.
Result<std::unique_ptr<Backend>> open_backend(const DeviceOptions& options);

// What --kv-type says, or what the device is best at.
KvType kv_type_of(const DeviceOptions& options, const Backend& backend);

}  // namespace hussar
