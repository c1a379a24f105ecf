// Opens the model that a command line names.
#pragma once

#include <string>

#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

// `model` is a path, or the name of a model that was pulled. Errors: as ModelFile::open; where there is
// neither, kNotFound says what to do.
Result<ModelFile> open_model(const std::string& model);

}  // namespace hussar
