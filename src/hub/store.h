// The folder that pulled models live in, one folder each, and what may be done there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "hub/manifest.h"
#include "hub/names.h"

namespace hussar {

struct InstalledModel {
  Manifest manifest;
  std::string folder;  // path

  // What `serve` opens: the GGUF file, or the folder.
  std::string model_path() const;
  // True where all files of the manifest are there with their lengths.
  bool is_whole() const;
};

// None where nothing (whole) is installed under this name. Errors: kIo, kInvalid (a manifest that is broken).
Result<std::optional<InstalledModel>> find_installed(const std::string& models_dir, const ModelName& name);

// Sorted by name; folders that hold no valid manifest are left out. An absent models_dir holds none.
Result<std::vector<InstalledModel>> list_installed(const std::string& models_dir);

// One process at a time works on a model: held until the object goes.
class ModelLock {
 public:
  // Makes the folder. Errors: kFull where another process holds it, kIo.
  static Result<ModelLock> take(const std::string& models_dir, const ModelName& name);
  const std::string& folder() const { return folder_; }
  // Takes the folder away where nothing but the lock is in it: a pull that brought nothing leaves nothing.
  void remove_empty_folder() const;

 private:
  ModelLock(File file, std::string folder) : file_(std::move(file)), folder_(std::move(folder)) {}
  File file_;
  std::string folder_;
};

struct Removal {
  int64_t bytes = 0;
  std::vector<std::string> left;  // what hussar did not put there, and the folder with it
};

// Takes away what pull put there, also of a download that was cut. Errors: kNotFound, kFull (it is being
// pulled), kIo.
Result<Removal> remove_model(const std::string& models_dir, const ModelName& name);

}  // namespace hussar
