// Where pulled models are kept, and how a word of a command line becomes a model's path.
#pragma once

#include <string>

#include "base/result.h"

namespace hussar {

// $HUSSAR_MODELS, else $XDG_DATA_HOME/hussar/models, else ~/.local/share/hussar/models.
std::string default_models_dir();

// What `model` stands for: a path that is there, else an installed model's file or folder. Errors: kNotFound,
// saying what to do; kInvalid (a broken manifest).
Result<std::string> resolve_model(const std::string& model);

// What a server calls `model`: a file's name without folder and ending, a folder's name, or the name that was
// pulled.
std::string model_label(const std::string& model);

}  // namespace hussar
