#include "engine/engine.h"

#include <utility>

#include "engine/engine_loop.h"

namespace hussar {

Result<std::unique_ptr<Engine>> Engine::start(const EngineOptions& options, std::unique_ptr<Backend> backend,
                                              std::unique_ptr<Model> model, ByteTable token_bytes) {
  RETURN_IF_ERROR(validate_options(options));
  const ModelShape& shape = model->config().shape;
  const int32_t vocab_size = shape.vocab_size;
  RETURN_IF_ERROR(backend->reserve(shape, {options.kv_type, options.kv_blocks}, step_limits(options)));
  const Backend::Forward forward = [owned = std::shared_ptr<const Model>(std::move(model))](
                                       Backend& device, const StepShape& step) {
    owned->forward(device, step);
  };
  RETURN_IF_ERROR(backend->prepare_steps(forward));
  EngineParts parts;
  parts.backend = std::move(backend);
  parts.vocab_size = vocab_size;
  parts.token_bytes = std::move(token_bytes);
  parts.forward = forward;
  return start_engine_loop(options, std::move(parts));
}

}  // namespace hussar
