// Opens the model file that a command line names.
#pragma once

#include <string>

#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

// Errors: as ModelFile::open; a missing file's says what to do.
Result<ModelFile> open_model(const std::string& path);

}  // namespace hussar
