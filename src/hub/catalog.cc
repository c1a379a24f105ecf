#include "hub/catalog.h"

namespace hussar {
namespace {

// The pins were compared in several public records of the same files; --revision goes past them.
constexpr CatalogRow kCatalog[] = {
    {"qwen2.5-0.5b-instruct",
     "Qwen/Qwen2.5-0.5B-Instruct",
     "Qwen/Qwen2.5-0.5B-Instruct",
     "7ae557604adf67be50417f59c2c2f167def9a775",
     {{{"model.safetensors", "fdf756fa7fcbe7404d5c60e26bff1a0c8b8aa1f72ced49e7dd0210fe288fb7fe"}}}},
    {"qwen2.5-0.5b-instruct-gguf",
     "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
     "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
     "9217f5db79a29953eb74d5343926648285ec7e67",
     {{{"qwen2.5-0.5b-instruct-q4_k_m.gguf",
        "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db"},
       {"qwen2.5-0.5b-instruct-q8_0.gguf",
        "ca59ca7f13d0e15a8cfa77bd17e65d24f6844b554a7b6c12e07a5f89ff76844e"}}}},
    {"qwen2.5-coder-0.5b-instruct",
     "Qwen/Qwen2.5-Coder-0.5B-Instruct",
     "Qwen/Qwen2.5-Coder-0.5B-Instruct",
     "",
     {}},
    {"qwen2.5-coder-0.5b-instruct-gguf",
     "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
     "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
     "",
     {{{"qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"}}}},
    {"qwen3-0.6b",
     "Qwen/Qwen3-0.6B",
     "Qwen/Qwen3-0.6B",
     "c1899de289a04d12100db370d81485cdf75e47ca",
     {{{"model.safetensors", "f47f71177f32bcd101b7573ec9171e6a57f4f4d31148d38e382306f42996874b"}}}},
    {"qwen3-0.6b-gguf",
     "Qwen/Qwen3-0.6B-GGUF",
     "Qwen/Qwen3-0.6B-GGUF",
     "23749fefcc72300e3a2ad315e1317431b06b590a",
     {{{"Qwen3-0.6B-Q8_0.gguf", "9465e63a22add5354d9bb4b99e90117043c7124007664907259bd16d043bb031"}}}},
    {"smollm2-135m-instruct",
     "HuggingFaceTB/SmolLM2-135M-Instruct",
     "HuggingFaceTB/SmolLM2-135M-Instruct",
     "12fd25f77366fa6b3b4b768ec3050bf629380bac",
     {{{"model.safetensors", "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c"}}}},
    {"smollm2-360m-instruct",
     "HuggingFaceTB/SmolLM2-360M-Instruct",
     "HuggingFaceTB/SmolLM2-360M-Instruct",
     "a10cc1512eabd3dde888204e902eca88bddb4951",
     {}},
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
