// A model as data: metadata and tensors, checked before use. Knows formats, not models.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/json.h"
#include "base/result.h"

namespace hussar {

// A metadata value. Integers of all widths become int64_t (a uint64 above INT64_MAX is refused), floats
// double; an array keeps one of four kinds.
using MetaValue = std::variant<int64_t, double, bool, std::string, std::vector<int64_t>, std::vector<double>,
                               std::vector<bool>, std::vector<std::string>>;

struct StoredTensor {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;        // outermost first: a matrix is [rows, cols]; every dimension >= 1
  std::span<const std::byte> bytes;  // into the mapped file
};

enum class ModelFormat : uint8_t { kGguf, kSafetensors };

// An open model: a GGUF file, or a Hugging Face folder of safetensors files and JSON documents. The spans of
// its tensors live as long as it does.
class ModelFile {
 public:
  // Reads GGUF version 2 or 3 (little-endian), a folder (see read_document() below), or a lone .safetensors
  // file without documents. Every offset, count, dimension product, string length and alignment is checked
  // against the file's size before it is used. Errors: kNotFound, kIo, kInvalid (malformed; says where),
  // kUnsupported (version, tensor type), kTooLarge.
  static Result<ModelFile> open(const std::string& path);

  // The same over bytes that outlive the object; for tests and fuzzing.
  static Result<ModelFile> parse_gguf(std::span<const std::byte> bytes, const std::string& name);

  ModelFile(ModelFile&&) noexcept;
  ModelFile& operator=(ModelFile&&) noexcept;
  ~ModelFile();

  const std::string& path() const;
  ModelFormat format() const;
  int64_t size_bytes() const;  // of the file, or of a folder's weights
  const std::vector<std::pair<std::string, MetaValue>>& metadata() const;  // in the file's order
  const std::vector<StoredTensor>& tensors() const;

  const MetaValue* find(std::string_view key) const;             // null when absent
  const StoredTensor* find_tensor(std::string_view name) const;  // null when absent

  // Reads a JSON file that stands beside a folder's weights: "config.json", "tokenizer.json",
  // "tokenizer_config.json", "generation_config.json". Anew with each call, since a tokenizer's takes 50 MB
  // and is needed once. Thread-safe. Nothing when there is none, and for GGUF, which has metadata() instead.
  // Errors: kIo, kInvalid (no JSON object), kTooLarge (over 64 MB).
  Result<std::optional<Json>> read_document(std::string_view name) const;
  // "chat_template.jinja" beside a folder's weights, likewise. Errors: kIo, kTooLarge (over 1 MB).
  Result<std::optional<std::string>> read_chat_template() const;

  // Typed look-ups. Errors: kInvalid naming the key when it is absent or has another type.
  Result<int64_t> get_int(std::string_view key) const;
  Result<double> get_number(std::string_view key) const;  // a float or an integer
  Result<std::string> get_string(std::string_view key) const;

  // The pages of this tensor were repacked and need not stay resident.
  void release(const StoredTensor& tensor) const;

 private:
  struct Contents;
  explicit ModelFile(std::unique_ptr<Contents> contents);
  std::unique_ptr<Contents> contents_;
};

}  // namespace hussar
