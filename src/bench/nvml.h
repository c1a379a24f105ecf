// GPU memory, power and utilisation through NVIDIA's management library, loaded at run time: no build needs
// it, and a machine without it lacks these figures only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace hussar {

// Of all GPUs together; -1 where no GPU tells.
struct GpuUse {
  double memory_bytes = -1, memory_total_bytes = -1, power_w = -1;
  double utilisation = -1;  // 0 to 1, the mean
};

class Nvml {
 public:
  // `library` is a name that the loader searches for, or a path. Errors, one line each: kNotFound (no such
  // library), kUnsupported (a function is missing in it), kIo (it does not start, or there is no GPU).
  static Result<std::unique_ptr<Nvml>> open(const std::string& library = "libnvidia-ml.so.1");
  virtual ~Nvml() = default;

  virtual std::string names() const = 0;  // "NVIDIA H100 80GB HBM3", "2 x ..."
  virtual GpuUse read() = 0;
};

}  // namespace hussar
