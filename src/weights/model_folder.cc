#include "weights/model_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>

#include "weights/names.h"
#include "weights/safetensors_reader.h"

namespace hussar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";
constexpr std::string_view kTemplateFile = "chat_template.jinja";
// The largest tokenizer.json in use, of 256k tokens, has 33 MB.
constexpr size_t kDocumentBytesMax = 64 << 20;
constexpr size_t kTemplateBytesMax = 1 << 20;
constexpr size_t kFilesMax = 1024;

std::string join(const std::string& folder, std::string_view name) {
  return (fs::path(folder) / fs::path(name)).string();
}
bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Result<std::string> read_text(const std::string& path, size_t bytes_max) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (file.bytes().size() > bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 path + " has " + std::to_string(file.bytes().size()) + " bytes, over the limit of " +
                     std::to_string(bytes_max),
                 ""};
  }
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

Result<Json> read_json_file(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, read_text(path, kDocumentBytesMax));
  auto document = parse_json(text, {.bytes_max = kDocumentBytesMax, .depth_max = 64});
  if (document.ok() && document->as_object() != nullptr) return document;
  return Error{ErrorCode::kInvalid,
               path + ": " + (document.ok() ? "is no JSON object" : document.error().message), ""};
}

// The tensors that an index promises, by file, in the order of their names.
using Index = std::map<std::string, std::vector<std::string_view>>;

Result<Index> read_index(const std::string& path, const Json& document) {
  const auto bad = [&](const std::string& what) {
    return Error{ErrorCode::kInvalid, path + ": " + what, ""};
  };
  const Json* map = document.find("weight_map");
  if (map == nullptr || map->as_object() == nullptr || map->as_object()->empty()) {
    return bad("has no 'weight_map' with tensors");
  }
  Index index;
  for (const auto& [tensor, file] : *map->as_object()) {
    const std::string* name = file.as_string();
    if (name == nullptr || !is_plain_file_name(*name) || !name->ends_with(".safetensors")) {
      return bad("'weight_map' names a file that is no safetensors file of this folder");
    }
    index[*name].push_back(tensor);
    if (index.size() > kFilesMax) {
      return Error{ErrorCode::kTooLarge,
                   path + ": names more files than the limit of " + std::to_string(kFilesMax), ""};
    }
  }
  for (auto& [name, tensors] : index) std::sort(tensors.begin(), tensors.end());
  return index;
}

Result<void> add_file(const std::string& path, ModelFolder* folder) {
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::open(path));
  ASSIGN_OR_RETURN(std::vector<StoredTensor> tensors, read_safetensors(mapping.bytes(), path));
  folder->mappings.push_back(std::move(mapping));
  std::move(tensors.begin(), tensors.end(), std::back_inserter(folder->tensors));
  return {};
}

// Each file must hold exactly the tensors that the index says. Then no name can stand there twice either,
// since an object's keys are unique.
Result<void> add_sharded(const std::string& path, ModelFolder* folder) {
  const std::string index_path = join(path, kIndexFile);
  ASSIGN_OR_RETURN(const Json document, read_json_file(index_path));
  ASSIGN_OR_RETURN(const Index index, read_index(index_path, document));
  for (const auto& [file, promised] : index) {
    const size_t before = folder->tensors.size();
    RETURN_IF_ERROR(add_file(join(path, file), folder));
    std::vector<std::string_view> found;
    for (size_t i = before; i < folder->tensors.size(); ++i) found.push_back(folder->tensors[i].name);
    std::sort(found.begin(), found.end());
    if (found == promised) continue;
    const auto [a, b] = std::mismatch(found.begin(), found.end(), promised.begin(), promised.end());
    const bool is_extra = b == promised.end() || (a != found.end() && *a < *b);
    return Error{ErrorCode::kInvalid,
                 index_path + ": " + file + (is_extra ? " holds" : " lacks") + " tensor '" +
                     std::string(is_extra ? *a : *b) + "', which the index " +
                     (is_extra ? "does not place there" : "places there"),
                 ""};
  }
  return {};
}

Error no_weights(const std::string& path) {
  std::string hint = "; a model folder has config.json, tokenizer.json and model.safetensors";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.path().extension() == ".gguf")
      hint = "; name the GGUF file itself, such as " + entry.path().string();
  }
  return Error{ErrorCode::kNotFound,
               path + ": there is no " + std::string(kSingleFile) + " in this folder" + hint, ""};
}

}  // namespace

Result<ModelFolder> read_model_folder(const std::string& path) {
  ModelFolder folder;
  if (const std::string single = join(path, kSingleFile); is_there(single)) {
    RETURN_IF_ERROR(add_file(single, &folder));
  } else if (is_there(join(path, kIndexFile))) {
    RETURN_IF_ERROR(add_sharded(path, &folder));
  } else {
    return no_weights(path);
  }
  return folder;
}

Result<std::optional<Json>> read_folder_document(const std::string& path, std::string_view name) {
  const std::string file = join(path, name);
  if (!is_there(file)) return std::optional<Json>();
  ASSIGN_OR_RETURN(Json document, read_json_file(file));
  return std::optional<Json>(std::move(document));
}

Result<std::optional<std::string>> read_folder_template(const std::string& path) {
  const std::string file = join(path, kTemplateFile);
  if (!is_there(file)) return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string text, read_text(file, kTemplateBytesMax));
  return std::optional<std::string>(std::move(text));
}

Result<ModelFolder> read_safetensors_file(const std::string& path) {
  ModelFolder folder;
  RETURN_IF_ERROR(add_file(path, &folder));
  return folder;
}

}  // namespace hussar
