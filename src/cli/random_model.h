// Models of a known shape with random weights, for timing where weights can't be had.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

// A GGUF file in memory: BF16 matrices, the same in every run, and no tokenizer.
struct RandomModel {
  std::vector<std::byte> bytes;
  ModelFile file;  // of the bytes
};

// "qwen2.5-0.5b", "qwen3-0.6b", "smollm2-135m".
std::vector<std::string> random_model_names();

// REQUIRES: one of the names.
Result<RandomModel> make_random_model(std::string_view name);

}  // namespace hussar
