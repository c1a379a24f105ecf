#include "cli/open_model.h"

namespace hussar {

Result<ModelFile> open_model(const std::string& path) {
  auto file = ModelFile::open(path);
  if (file.ok() || file.error().code != ErrorCode::kNotFound) return file;
  return Error{ErrorCode::kNotFound, "there is no file " + path + "; name a model file (GGUF) that is there",
               ""};
}

}  // namespace hussar
