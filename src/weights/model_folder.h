// Reads a Hugging Face model folder: safetensors files and the JSON documents beside them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

struct ModelFolder {
  std::vector<MappedFile> mappings;   // one for each file of weights
  std::vector<StoredTensor> tensors;  // of all files; names are unique
};

// Reads model.safetensors, or the files that model.safetensors.index.json names: the index and the files must
// agree on which tensor stands where. Errors: kNotFound (no weights), kIo, kInvalid (names the file),
// kUnsupported, kTooLarge (more than 1,024 files).
Result<ModelFolder> read_model_folder(const std::string& path);

// As ModelFile::read_document() and read_chat_template().
Result<std::optional<Json>> read_folder_document(const std::string& path, std::string_view name);
Result<std::optional<std::string>> read_folder_template(const std::string& path);

// One safetensors file alone.
Result<ModelFolder> read_safetensors_file(const std::string& path);

}  // namespace hussar
