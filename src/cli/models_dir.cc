#include "cli/models_dir.h"

#include <filesystem>

#include "cli/environment_variable.h"
#include "hub/catalog.h"
#include "hub/store.h"

namespace hussar {
namespace {

namespace fs = std::filesystem;

bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

std::string default_models_dir() {
  if (const std::string own = environment_variable("HUSSAR_MODELS"); !own.empty()) return own;
  if (const std::string data = environment_variable("XDG_DATA_HOME"); data.starts_with('/'))
    return data + "/hussar/models";
  const std::string home = environment_variable("HOME");
  return (home.empty() ? "/var/lib" : home + "/.local/share") + "/hussar/models";
}

Result<std::string> resolve_model(const std::string& model) {
  if (is_there(model)) return model;
  const auto name = parse_model_name(model);
  // "models/file.gguf" could be a repository by its form, but is far more likely a path.
  if (!name.ok() || model.ends_with(".gguf") || model.ends_with(".safetensors")) {
    if (!name.ok() || name->selector.empty()) {
      return Error{
          ErrorCode::kNotFound,
          "there is no file " + model +
              "; name a model file (GGUF) or folder that is there, or a model as 'hussar list' shows it",
          ""};
    }
  }
  ASSIGN_OR_RETURN(const auto installed, find_installed(default_models_dir(), *name));
  if (installed) return installed->model_path();
  return Error{ErrorCode::kNotFound,
               "there is no file " + model + " and no model of this name; 'hussar pull " + name->text() +
                   "' brings it, 'hussar list' shows what is there",
               ""};
}

std::string model_label(const std::string& model) {
  if (!is_there(model)) {
    const auto name = parse_model_name(model);
    return name.ok() ? name->text() : model;
  }
  // Links are not followed: what a cache of downloads links to has a checksum for a name.
  fs::path path = fs::absolute(model).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? path.filename().string() : path.stem().string();
}

}  // namespace hussar
