#include "hub/catalog.h"

namespace hussar {
namespace {

constexpr CatalogRow kCatalog[] = {
    {"qwen2.5-0.5b-instruct", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct", "", "", ""},
    {"qwen2.5-0.5b-instruct-gguf", "Qwen/Qwen2.5-0.5B-Instruct-GGUF", "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
     "9217f5db79a29953eb74d5343926648285ec7e67", "qwen2.5-0.5b-instruct-q4_k_m.gguf",
     "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db"},
    {"qwen2.5-coder-0.5b-instruct", "Qwen/Qwen2.5-Coder-0.5B-Instruct", "Qwen/Qwen2.5-Coder-0.5B-Instruct",
     "", "", ""},
    {"qwen2.5-coder-0.5b-instruct-gguf", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
     "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "", "", ""},
    {"qwen3-0.6b", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "", "", ""},
    {"qwen3-0.6b-gguf", "Qwen/Qwen3-0.6B-GGUF", "Qwen/Qwen3-0.6B-GGUF", "", "", ""},
    {"smollm2-135m-instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct",
     "", "", ""},
    {"smollm2-360m-instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct",
     "", "", ""},
};

}  // namespace

std::span<const CatalogRow> catalog() { return kCatalog; }

const CatalogRow* find_in_catalog(const ModelName& name) {
  for (const CatalogRow& row : kCatalog) {
    if (row.name == name.base) return &row;
  }
  return nullptr;
}

Result<std::string> repository_of(const ModelName& name, HubKind hub) {
  if (name.is_repository()) return name.base;
  const CatalogRow* row = find_in_catalog(name);
  if (row == nullptr) {
    std::string known;
    for (const CatalogRow& other : kCatalog) known += (known.empty() ? "" : ", ") + std::string(other.name);
    return Error{ErrorCode::kNotFound,
                 "no model is called '" + name.base + "'; known are " + known +
                     ", and any owner/repository of the hub",
                 ""};
  }
  const std::string_view repository = hub == HubKind::kHuggingFace ? row->hugging_face : row->model_scope;
  if (!repository.empty()) return std::string(repository);
  return Error{ErrorCode::kNotFound, "'" + name.base + "' is not known to be on this hub; leave --from out",
               ""};
}

}  // namespace hussar
