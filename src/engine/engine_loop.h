// The engine behind engine.h, over any backend and any forward pass: tests run it without a model file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/byte_table.h"
#include "base/result.h"
#include "engine/engine.h"
#include "kernels/backend.h"

namespace hussar {

struct EngineParts {
  std::unique_ptr<Backend> backend;  // reserved already, for step_limits(options)
  Backend::Forward forward;          // owns what it needs
  int32_t vocab_size = 0;
  ByteTable token_bytes;  // by token id; ids beyond its end have none
};

// Errors: kInvalid, naming the option that is out of range.
Result<void> validate_options(const EngineOptions& options);

// The steps that an engine with these options makes.
StepLimits step_limits(const EngineOptions& options);

// Starts the engine thread. REQUIRES: the options are valid.
std::unique_ptr<Engine> start_engine_loop(const EngineOptions& options, EngineParts parts);

}  // namespace hussar
