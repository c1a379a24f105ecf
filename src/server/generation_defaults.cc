#include "server/generation_defaults.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "server/fields.h"

namespace hussar {
namespace {

// The ranges are those of the request fields.
struct NumberRule {
  const char* name;
  std::optional<double> GenerationDefaults::*to;
  double min, max;
};
constexpr NumberRule kNumbers[] = {
    {"temperature", &GenerationDefaults::temperature, 0, 2},
    {"top_p", &GenerationDefaults::top_p, 0, 1},
    {"min_p", &GenerationDefaults::min_p, 0, 1},
    {"repetition_penalty", &GenerationDefaults::repetition_penalty, 0.01, 100},
};
struct IntegerRule {
  const char* name;
  const char* field;
  std::optional<int64_t> GenerationDefaults::*to;
  int64_t min, max;
};
constexpr IntegerRule kIntegers[] = {
    {"top_k", "top_k", &GenerationDefaults::top_k, -1, 1 << 30},
    {"max_new_tokens", "max_tokens", &GenerationDefaults::tokens_max, 1, 1 << 30},
};

// What else of the file could change an answer, with the values that ask for nothing.
constexpr std::pair<std::string_view, std::string_view> kUnsupported[] = {
    {"typical_p", "[1]"},
    {"top_h", "[]"},
    {"epsilon_cutoff", "[0]"},
    {"eta_cutoff", "[0]"},
    {"diversity_penalty", "[0]"},
    {"encoder_repetition_penalty", "[1]"},
    {"length_penalty", "[1]"},
    {"no_repeat_ngram_size", "[0]"},
    {"encoder_no_repeat_ngram_size", "[0]"},
    {"num_beams", "[1]"},
    {"num_beam_groups", "[1]"},
    {"penalty_alpha", "[0]"},
    {"min_length", "[0]"},
    {"min_new_tokens", "[0]"},
    {"bad_words_ids", "[[]]"},
    {"suppress_tokens", "[[]]"},
    {"begin_suppress_tokens", "[[]]"},
    {"forced_bos_token_id", "[]"},
    {"forced_eos_token_id", "[]"},
    {"sequence_bias", "[{}]"},
    {"exponential_decay_length_penalty", "[]"},
    {"guidance_scale", "[1]"},
    {"stop_strings", "[[]]"},
};

const Json* find_value(const Json& document, std::string_view name) {
  const Json* value = document.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<GenerationConfig> read(const Json& document) {
  if (document.as_object() == nullptr)
    return Error{ErrorCode::kInvalid, "must hold an object, not " + std::string(document.type_name()), ""};
  GenerationConfig config;
  for (const NumberRule& rule : kNumbers) {
    const Json* value = find_value(document, rule.name);
    if (value == nullptr) continue;
    ASSIGN_OR_RETURN(config.defaults.*rule.to, read_number(rule.name, *value, rule.min, rule.max));
  }
  for (const IntegerRule& rule : kIntegers) {
    const Json* value = find_value(document, rule.name);
    if (value == nullptr) continue;
    ASSIGN_OR_RETURN(config.defaults.*rule.to, read_int(rule.name, *value, rule.min, rule.max));
  }
  if (const Json* value = find_value(document, "do_sample")) {
    ASSIGN_OR_RETURN(const bool do_sample, read_bool("do_sample", *value));
    if (!do_sample) config.defaults.temperature = 0;
  }
  for (const auto& [name, neutral] : kUnsupported) {
    const Json* value = find_value(document, name);
    if (value != nullptr && !check_neutral(name, *value, neutral).ok()) config.unsupported.emplace_back(name);
  }
  return config;
}

}  // namespace

Result<GenerationConfig> read_generation_config(const Json& document) {
  auto config = read(document);
  if (config.ok()) return config;
  return Error{config.error().code, "generation_config.json: " + config.error().message,
               "generation_config.json"};
}

std::string defaults_text(const GenerationDefaults& defaults) {
  std::string text;
  const auto add = [&](const char* name, double number) {
    char shown[64];
    std::snprintf(shown, sizeof shown, "%s%s %.10g", text.empty() ? "" : ", ", name, number);
    text += shown;
  };
  for (const NumberRule& rule : kNumbers) {
    if (const auto& value = defaults.*rule.to) add(rule.name, *value);
  }
  for (const IntegerRule& rule : kIntegers) {
    if (const auto& value = defaults.*rule.to) add(rule.field, static_cast<double>(*value));
  }
  return text;
}

}  // namespace hussar
