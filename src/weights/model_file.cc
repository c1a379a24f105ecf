#include "weights/model_file.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <optional>
#include <system_error>

#include "base/mapped_file.h"
#include "weights/gguf_reader.h"
#include "weights/model_folder.h"

namespace hussar {
namespace {

// Indices of `items`, sorted by name: a hash table of foreign names could be flooded with collisions.
template <typename Items, typename NameOf>
std::vector<uint32_t> sorted_index(const Items& items, NameOf name_of) {
  std::vector<uint32_t> index(items.size());
  std::iota(index.begin(), index.end(), 0u);
  std::sort(index.begin(), index.end(),
            [&](uint32_t a, uint32_t b) { return name_of(items[a]) < name_of(items[b]); });
  return index;
}

template <typename Items, typename NameOf>
auto find_by_name(const Items& items, const std::vector<uint32_t>& index, std::string_view name,
                  NameOf name_of) -> decltype(&items[0]) {
  const auto at =
      std::lower_bound(index.begin(), index.end(), name,
                       [&](uint32_t i, std::string_view wanted) { return name_of(items[i]) < wanted; });
  if (at == index.end() || name_of(items[*at]) != name) return nullptr;
  return &items[*at];
}

std::string_view key_of(const std::pair<std::string, MetaValue>& entry) { return entry.first; }
std::string_view name_of_tensor(const StoredTensor& tensor) { return tensor.name; }

}  // namespace

struct ModelFile::Contents {
  std::string path;
  bool is_folder = false;
  ModelFormat format = ModelFormat::kGguf;
  int64_t size_bytes = 0;
  std::vector<MappedFile> mappings;  // none for bytes that the caller keeps
  std::vector<std::pair<std::string, MetaValue>> metadata;
  std::vector<StoredTensor> tensors;
  std::vector<uint32_t> key_index, tensor_index;
};

ModelFile::ModelFile(std::unique_ptr<Contents> contents) : contents_(std::move(contents)) {}
ModelFile::ModelFile(ModelFile&&) noexcept = default;
ModelFile& ModelFile::operator=(ModelFile&&) noexcept = default;
ModelFile::~ModelFile() = default;

Result<ModelFile> ModelFile::open(const std::string& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  if (is_folder || path.ends_with(".safetensors")) {
    ASSIGN_OR_RETURN(ModelFolder folder, is_folder ? read_model_folder(path) : read_safetensors_file(path));
    auto contents = std::make_unique<Contents>();
    contents->path = path;
    contents->format = ModelFormat::kSafetensors;
    for (const MappedFile& file : folder.mappings) {
      contents->size_bytes += static_cast<int64_t>(file.bytes().size());
    }
    contents->mappings = std::move(folder.mappings);
    contents->tensors = std::move(folder.tensors);
    contents->is_folder = is_folder;
    contents->tensor_index = sorted_index(contents->tensors, name_of_tensor);
    return ModelFile(std::move(contents));
  }
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::open(path));
  ASSIGN_OR_RETURN(ModelFile file, parse_gguf(mapping.bytes(), path));
  file.contents_->mappings.push_back(std::move(mapping));
  return file;
}

Result<ModelFile> ModelFile::parse_gguf(std::span<const std::byte> bytes, const std::string& name) {
  ASSIGN_OR_RETURN(GgufContents gguf, read_gguf(bytes, name));
  auto contents = std::make_unique<Contents>();
  contents->path = name;
  contents->size_bytes = static_cast<int64_t>(bytes.size());
  contents->metadata = std::move(gguf.metadata);
  contents->tensors = std::move(gguf.tensors);
  contents->key_index = sorted_index(contents->metadata, key_of);
  contents->tensor_index = sorted_index(contents->tensors, name_of_tensor);
  return ModelFile(std::move(contents));
}

const std::string& ModelFile::path() const { return contents_->path; }
ModelFormat ModelFile::format() const { return contents_->format; }
int64_t ModelFile::size_bytes() const { return contents_->size_bytes; }
const std::vector<std::pair<std::string, MetaValue>>& ModelFile::metadata() const {
  return contents_->metadata;
}
const std::vector<StoredTensor>& ModelFile::tensors() const { return contents_->tensors; }

const MetaValue* ModelFile::find(std::string_view key) const {
  const auto* entry = find_by_name(contents_->metadata, contents_->key_index, key, key_of);
  return entry == nullptr ? nullptr : &entry->second;
}

const StoredTensor* ModelFile::find_tensor(std::string_view name) const {
  return find_by_name(contents_->tensors, contents_->tensor_index, name, name_of_tensor);
}

Result<std::optional<Json>> ModelFile::read_document(std::string_view name) const {
  if (!contents_->is_folder) return std::optional<Json>();
  return read_folder_document(contents_->path, name);
}

Result<std::optional<std::string>> ModelFile::read_chat_template() const {
  if (!contents_->is_folder) return std::optional<std::string>();
  return read_folder_template(contents_->path);
}

namespace {

Error wrong_value(const ModelFile& file, std::string_view key, const MetaValue* value, const char* wanted) {
  return Error{
      ErrorCode::kInvalid,
      file.path() + ": metadata key '" + std::string(key) + "' is " + (value == nullptr ? "missing" : wanted),
      std::string(key)};
}

}  // namespace

Result<int64_t> ModelFile::get_int(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value != nullptr && std::holds_alternative<int64_t>(*value)) return std::get<int64_t>(*value);
  return wrong_value(*this, key, value, "not an integer");
}

Result<double> ModelFile::get_number(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value != nullptr && std::holds_alternative<double>(*value)) return std::get<double>(*value);
  if (value != nullptr && std::holds_alternative<int64_t>(*value)) {
    return static_cast<double>(std::get<int64_t>(*value));
  }
  return wrong_value(*this, key, value, "not a number");
}

Result<std::string> ModelFile::get_string(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value != nullptr && std::holds_alternative<std::string>(*value)) return std::get<std::string>(*value);
  return wrong_value(*this, key, value, "not a string");
}

void ModelFile::release(const StoredTensor& tensor) const {
  const std::less_equal<const std::byte*> not_after;  // a total order, as < between objects is not
  for (const MappedFile& mapping : contents_->mappings) {
    const std::span<const std::byte> all = mapping.bytes();
    if (!not_after(all.data(), tensor.bytes.data())) continue;
    if (!not_after(tensor.bytes.data() + tensor.bytes.size(), all.data() + all.size())) continue;
    mapping.release_pages(static_cast<size_t>(tensor.bytes.data() - all.data()), tensor.bytes.size());
    return;
  }
}

}  // namespace hussar
