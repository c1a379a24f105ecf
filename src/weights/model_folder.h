// Reads a Hugging Face model folder: safetensors files and the JSON documents beside them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "weights/model_file.h"

namespace hussar {

struct ModelFolder {
  std::vector<MappedFile> mappings;   // one for each file of weights
  std::vector<StoredTensor> tensors;  // of all files; names are unique
  std::vector<std::pair<std::string, Json>> documents;
  std::optional<std::string> chat_template;
};

// Reads model.safetensors, or the files that model.safetensors.index.json names: the index and the files must
// agree on which tensor stands where. Of the documents of ModelFile::document() those that are there. Errors:
// kNotFound (no weights), kIo, kInvalid (names the file), kUnsupported, kTooLarge (a document over 64 MB,
// more than 1,024 files).
Result<ModelFolder> read_model_folder(const std::string& path);

// One safetensors file alone, without documents.
Result<ModelFolder> read_safetensors_file(const std::string& path);

}  // namespace hussar
