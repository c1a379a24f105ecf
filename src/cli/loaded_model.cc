#include "cli/loaded_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <optional>
#include <utility>

#include "base/byte_table.h"
#include "base/dtype.h"
#include "base/memory.h"
#include "cli/model_text.h"
#include "cli/open_model.h"
#include "cli/version.h"
#include "cli/weights_flag.h"
#include "engine/engine_loop.h"
#include "model/model.h"

namespace hussar {
namespace {

// The type that most weights have; files mix types.
std::string main_format(const ModelFile& file) {
  std::map<DType, int64_t> elements;
  for (const StoredTensor& tensor : file.tensors()) {
    const DTypeInfo& info = dtype_info(tensor.dtype);
    elements[tensor.dtype] +=
        static_cast<int64_t>(tensor.bytes.size()) / info.block_bytes * info.block_elements;
  }
  const auto most = std::max_element(elements.begin(), elements.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  const std::string format = file.format() == ModelFormat::kGguf ? "GGUF" : "safetensors";
  return most == elements.end() ? format : format + " " + std::string(dtype_info(most->first).name);
}

int64_t modified_unix_seconds(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? int64_t{status.st_mtim.tv_sec} : 0;
}

// A template that our interpreter can't run takes chat away, not the whole model.
void compile_template(const ModelText& text, LoadedModel* model) {
  model->template_problem = text.template_problem;
  if (text.chat_template.empty()) {
    if (text.template_problem.empty()) model->template_problem = "the model's chat template is empty";
    return;
  }
  auto compiled = ChatTemplate::compile(text.chat_template, TemplateLimits{});
  if (compiled.ok()) {
    model->chat_template = std::move(*compiled);
  } else {
    model->template_problem = "the model's chat template can't be used: " + compiled.error().message;
  }
}

Result<GenerationConfig> read_generation(const ModelFile& file, const std::string& choice) {
  if (choice == "ignore") return GenerationConfig();
  ASSIGN_OR_RETURN(const std::optional<Json> document, file.read_document("generation_config.json"));
  if (!document) return GenerationConfig();
  auto config = read_generation_config(*document);
  if (config.ok()) return config;
  return Error{config.error().code,
               config.error().message + "; correct it, or add --generation-config ignore", ""};
}

// What needs no weights.
struct TextParts {
  std::unique_ptr<LoadedModel> model;
  ByteTable answer_bytes;  // as Engine::start takes them
};

Result<TextParts> read_text_parts(const ModelFile& file, const ModelConfig& config) {
  ASSIGN_OR_RETURN(ModelText text, read_model_text(file, config.shape.vocab_size));
  ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::create(std::move(text.vocabulary)));
  auto model =
      std::unique_ptr<LoadedModel>(new LoadedModel{.name = config.name,
                                                   .file_stem = std::filesystem::path(file.path()).stem(),
                                                   .architecture = config.architecture,
                                                   .format = main_format(file),
                                                   .file_bytes = file.size_bytes(),
                                                   .file_unix_seconds = modified_unix_seconds(file.path()),
                                                   .context_trained = config.context_trained,
                                                   .kv = {},
                                                   .tokenizer = std::move(tokenizer),
                                                   .chat_template = std::nullopt,
                                                   .template_problem = "",
                                                   .stop_ids = std::move(text.stop_ids),
                                                   .bos_token = std::move(text.bos_token),
                                                   .eos_token = std::move(text.eos_token),
                                                   .generation = {},
                                                   .engine = nullptr});
  compile_template(text, model.get());
  ByteTable answer_bytes(answer_bytes_table(model->tokenizer));
  return TextParts{std::move(model), std::move(answer_bytes)};
}

// Repacked weights take about as much as the stored ones; the process would be killed halfway.
Result<void> check_weights_fit(const ModelFile& file, const Backend& backend) {
  const int64_t left_bytes = backend.memory_left_bytes();
  if (file.size_bytes() <= left_bytes) return {};
  return Error{ErrorCode::kOutOfMemory,
               "too little memory: the model's weights need " + bytes_text(file.size_bytes()) + " and " +
                   bytes_text(left_bytes) + " are left; end other programs or choose a smaller model",
               "--model"};
}

Result<EngineOptions> plan_engine(const ModelLoadOptions& options, const ModelConfig& config,
                                  const Backend& backend, KvPlan* plan) {
  EngineOptions engine;
  engine.kv_type = kv_type_of(options.device, backend);
  engine.running_max = static_cast<int32_t>(options.running_max);
  engine.queue_max = static_cast<int32_t>(options.queue_max);
  engine.queue_tokens_max = options.queue_tokens_max;
  engine.priority_ageing_ms = options.priority_ageing_ms;
  engine.step_tokens_max =
      static_cast<int32_t>(options.step_tokens_max > 0 ? options.step_tokens_max : backend.info().step_rows);
  if (options.step_tokens_max == 0)
    engine.step_tokens_max = std::max(engine.step_tokens_max, engine.running_max);
  engine.itl_ms_max = options.itl_ms_max;
  engine.prefix_cache = options.prefix_cache == "on";
  engine.mask_threads = static_cast<int32_t>(options.mask_threads);
  engine.mask_states_max = options.mask_states_max;
  engine.draft_mode = options.draft_mode == "always" ? DraftMode::kAlways : DraftMode::kWhenFaster;
  engine.draft_tokens_max = static_cast<int32_t>(options.draft_tokens_max);
  engine.mask_wait_us_max = options.mask_wait_us_max;
  if (engine.step_tokens_max < engine.running_max) {
    return Error{ErrorCode::kInvalid, "must be at least --running-max, " + std::to_string(engine.running_max),
                 "--step-tokens"};
  }
  const auto reserve_bytes = [&](int32_t context_max, int32_t blocks) {
    EngineOptions tried = engine;
    tried.context_max = context_max;
    tried.kv_blocks = blocks;
    return backend.reserve_bytes(config.shape, {tried.kv_type, blocks}, step_limits(tried));
  };
  KvWish wish = options.kv;
  if (backend.info().owns_memory) {
    // Nobody else wants the device's memory: room for as many contexts as may run.
    wish.contexts_max = engine.running_max;
    wish.default_share = 1.0;
  }
  ASSIGN_OR_RETURN(*plan, plan_kv(wish, config.context_trained, backend.info().kv_block_tokens,
                                  backend.memory_left_bytes(), reserve_bytes));
  engine.context_max = plan->context_max;
  engine.kv_blocks = plan->blocks;
  return engine;
}

}  // namespace

void add_model_flags(FlagTable* flags, ModelLoadOptions* options) {
  constexpr int64_t kTokensMax = 1'000'000'000;
  flags->add_string("--model", &options->model, "MODEL", "a file, a folder, or a pulled name",
                    FlagTable::kRequired);
  add_device_flags(flags, &options->device);
  flags->add_int("--ctx", &options->kv.context_tokens, 0, kTokensMax, "context tokens; 0: the model's");
  add_weights_flag(flags, &options->weights);
  flags->add_choice("--generation-config", &options->generation_config, {"apply", "ignore"},
                    "what the model's generation_config.json asks for where a request says nothing");
}

ServerContext LoadedModel::server_context(const std::string& served_name) const {
  return {.engine = *engine,
          .tokenizer = tokenizer,
          .chat_template = chat_template ? &*chat_template : nullptr,
          .model_name = served_name,
          .model_summary = name + ", " + format + ", " + bytes_text(file_bytes),
          .version = hussar_version(),
          .stop_ids = stop_ids,
          .bos_token = bos_token,
          .eos_token = eos_token,
          .created_unix_seconds = file_unix_seconds};
}

namespace {

Result<std::unique_ptr<LoadedModel>> load_file(const ModelLoadOptions& options,
                                               const std::function<void(int64_t, int64_t)>& progress) {
  ASSIGN_OR_RETURN(const ModelFile file, open_model(options.model));
  ASSIGN_OR_RETURN(const ModelConfig config, read_model_config(file));
  ASSIGN_OR_RETURN(GenerationConfig generation, read_generation(file, options.generation_config));
  ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend, open_backend(options.device));
  RETURN_IF_ERROR(check_weights_fit(file, *backend));
  // A large vocabulary takes as long as the weights: both at once.
  std::future<Result<TextParts>> text = std::async([&] { return read_text_parts(file, config); });
  auto model = Model::load(file, *backend, weight_choice(options.weights), progress);
  ASSIGN_OR_RETURN(TextParts parts, text.get());
  if (!model.ok()) return std::move(model).error();
  std::unique_ptr<LoadedModel> loaded = std::move(parts.model);
  loaded->generation = std::move(generation);
  ASSIGN_OR_RETURN(const EngineOptions engine, plan_engine(options, config, *backend, &loaded->kv));
  ASSIGN_OR_RETURN(loaded->engine, Engine::start(engine, std::move(backend), std::move(*model),
                                                 std::move(parts.answer_bytes)));
  return loaded;
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> load_model(const ModelLoadOptions& options,
                                                const std::function<void(int64_t, int64_t)>& progress) {
  give_large_blocks_own_pages();
  auto loaded = load_file(options, progress);
  // What the file's metadata took too: its vocabulary stood there in a second copy.
  return_freed_memory();
  return loaded;
}

}  // namespace hussar
