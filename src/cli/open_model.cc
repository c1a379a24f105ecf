#include "cli/open_model.h"

#include "cli/models_dir.h"

namespace hussar {

Result<ModelFile> open_model(const std::string& model) {
  ASSIGN_OR_RETURN(const std::string path, resolve_model(model));
  return ModelFile::open(path);
}

}  // namespace hussar
