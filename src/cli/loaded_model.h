// From a model file to a running engine: what `serve` and `chat` share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/result.h"
#include "cli/device_flag.h"
#include "cli/kv_plan.h"
#include "engine/engine.h"
#include "kernels/backend.h"
#include "server/generation_defaults.h"
#include "server/server.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace hussar {

struct ModelLoadOptions {
  std::string model;
  DeviceOptions device;
  std::string weights = "auto";
  std::string generation_config = "apply";
  KvWish kv;
  int64_t running_max = 64;
  int64_t queue_max = 256;
  int64_t queue_tokens_max = 4 << 20;
  int64_t priority_ageing_ms = 1000;
  int64_t step_tokens_max = 0;  // 0: what suits the device
  int64_t itl_ms_max = 0;       // 0: no bound
  std::string prefix_cache = "on";
  int64_t mask_threads = 2;
  int64_t draft_tokens_max = 8;
  std::string draft_mode = "faster";  // or "always"
  int64_t mask_wait_us_max = 2000;
  int64_t mask_states_max = 50'000'000;
};

// The flags that serve and chat share.
void add_model_flags(FlagTable* flags, ModelLoadOptions* options);

// A model that is ready to answer. The engine ends with it.
struct LoadedModel {
  std::string name;       // as the file calls itself
  std::string file_stem;  // the file's name without folder and ".gguf"
  std::string architecture;
  std::string format;  // "GGUF Q4_1": the type of most of its weights
  int64_t file_bytes = 0;
  int64_t file_unix_seconds = 0;
  int32_t context_trained = 0;
  KvPlan kv;
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat_template;
  std::string template_problem;  // why there is none, for people
  std::vector<TokenId> stop_ids;
  std::string bos_token, eos_token;
  GenerationConfig generation;  // empty when it is to be ignored
  std::unique_ptr<Engine> engine;

  int64_t kv_tokens() const { return int64_t{kv.blocks} * engine->device().kv_block_tokens; }
  // For encode_messages and the server; refers to this object.
  ServerContext server_context(const std::string& served_name) const;
};

// Errors: those of every step, each one line that says what to do where there is something to do.
Result<std::unique_ptr<LoadedModel>> load_model(const ModelLoadOptions& options,
                                                const std::function<void(int64_t, int64_t)>& progress);

}  // namespace hussar
