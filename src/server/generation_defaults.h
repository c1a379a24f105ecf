// What a model's generation_config.json asks for: the values of request fields that a request leaves out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hussar {

// Absent ones are the server's own.
struct GenerationDefaults {
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int64_t> top_k, tokens_max;
};

struct GenerationConfig {
  GenerationDefaults defaults;
  std::vector<std::string> unsupported;  // settings that change an answer and that we don't have
};

// As vLLM reads the file: a temperature counts whether do_sample is there or not, but do_sample: false asks
// for the likeliest token. Errors: kInvalid (a value that no request may have; names it).
Result<GenerationConfig> read_generation_config(const Json& document);

// For people: "temperature 0.7, top_k 20"; empty when there are none.
std::string defaults_text(const GenerationDefaults& defaults);

}  // namespace hussar
