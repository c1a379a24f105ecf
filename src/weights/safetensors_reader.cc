#include "weights/safetensors_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/dtype.h"
#include "base/json.h"
#include "weights/byte_cursor.h"
#include "weights/names.h"

namespace hussar {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr SafetensorsLimits kLimits;

// The format's types that are no weights of ours; a name outside of both lists is no type at all.
constexpr std::array<std::string_view, 20> kOtherTypes = {
    "BOOL", "F4",  "F6_E2M3", "F6_E3M2", "U8",  "I8",  "F8_E5M2", "F8_E4M3", "F8_E5M2FNUZ", "F8_E4M3FNUZ",
    "I16",  "U16", "F8_E8M0", "I32",     "U32", "F64", "I64",     "U64",     "C64",         "C128"};

std::optional<DType> dtype_of_name(std::string_view name) {
  if (name == "F32") return DType::kF32;
  if (name == "F16") return DType::kF16;
  if (name == "BF16") return DType::kBF16;
  return std::nullopt;
}

struct PlacedTensor {
  StoredTensor tensor;
  uint64_t begin = 0, end = 0;  // in the data behind the header
};

class SafetensorsParser {
 public:
  SafetensorsParser(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Result<std::vector<StoredTensor>> parse() {
    ASSIGN_OR_RETURN(const Json header, read_header());
    std::vector<PlacedTensor> placed;
    for (const auto& [key, value] : *header.as_object()) {
      if (key == "__metadata__") {
        RETURN_IF_ERROR(check_metadata(value));
        continue;
      }
      ASSIGN_OR_RETURN(PlacedTensor tensor, read_tensor(key, value));
      placed.push_back(std::move(tensor));
    }
    if (placed.size() > kLimits.tensors_max) {
      return Error{ErrorCode::kTooLarge,
                   name_ + ": " + std::to_string(placed.size()) + " tensors are over the limit of " +
                       std::to_string(kLimits.tensors_max),
                   "header"};
    }
    return place(std::move(placed));
  }

 private:
  Error malformed(const std::string& what) const {
    return Error{ErrorCode::kInvalid, name_ + ": " + what, "header"};
  }

  Result<Json> read_header();
  Result<void> check_metadata(const Json& value) const;
  Result<PlacedTensor> read_tensor(const std::string& key, const Json& value) const;
  Result<void> read_shape(const std::string& where, const Json* value, StoredTensor* tensor) const;
  Result<uint64_t> size_of(const std::string& where, const StoredTensor& tensor) const;
  Result<std::vector<StoredTensor>> place(std::vector<PlacedTensor> placed) const;

  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::span<const std::byte> data_;
};

Result<Json> SafetensorsParser::read_header() {
  ByteCursor cursor(bytes_);
  uint64_t header_bytes = 0;
  if (!cursor.read(&header_bytes)) {
    return malformed("not a safetensors file (shorter than the 8 bytes of the header's length)");
  }
  if (header_bytes > kLimits.header_bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 name_ + ": not a safetensors file, or its header of " + std::to_string(header_bytes) +
                     " bytes is over the limit of " + std::to_string(kLimits.header_bytes_max),
                 "header"};
  }
  std::string_view text;
  if (!cursor.read_text(header_bytes, &text)) {
    return malformed("the header's length is " + std::to_string(header_bytes) + " bytes, but only " +
                     std::to_string(cursor.remaining()) + " follow; the file may be truncated");
  }
  if (text.empty() || text.front() != '{') return malformed("the header does not start with '{'");
  data_ = bytes_.subspan(kLengthBytes + header_bytes);
  auto header = parse_json(text, {.bytes_max = kLimits.header_bytes_max, .depth_max = 8});
  if (!header.ok()) {
    Error error = header.error();
    error.message = name_ + ": the header is not valid JSON: " + error.message;
    return error;
  }
  return header;
}

// What programs note about a file: strings by name, or null.
Result<void> SafetensorsParser::check_metadata(const Json& value) const {
  if (value.is_null()) return {};
  const JsonObject* notes = value.as_object();
  if (notes == nullptr) return malformed("'__metadata__' is no object");
  for (const auto& [key, note] : *notes) {
    if (note.as_string() == nullptr) return malformed("'__metadata__' has a value that is no string");
  }
  return {};
}

Result<void> SafetensorsParser::read_shape(const std::string& where, const Json* value,
                                           StoredTensor* tensor) const {
  const JsonArray* sizes = value == nullptr ? nullptr : value->as_array();
  if (sizes == nullptr) return malformed(where + " has no list as 'shape'");
  if (sizes->size() > kLimits.dimensions_max) {
    return malformed(where + " has " + std::to_string(sizes->size()) + " dimensions, more than " +
                     std::to_string(kLimits.dimensions_max));
  }
  for (const Json& item : *sizes) {
    const int64_t* size = item.as_int();
    if (size == nullptr || *size < 0) {
      return malformed(where + " has a dimension that is no integer from 0 to 2^63 - 1");
    }
    if (*size == 0) {
      return Error{ErrorCode::kUnsupported, name_ + ": " + where + " has a dimension of 0", tensor->name};
    }
    tensor->shape.push_back(*size);
  }
  if (tensor->shape.empty()) tensor->shape.push_back(1);
  return {};
}

Result<uint64_t> SafetensorsParser::size_of(const std::string& where, const StoredTensor& tensor) const {
  int64_t bytes = dtype_info(tensor.dtype).block_bytes;
  for (const int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) {
      return malformed(where + " has dimensions whose product overflows");
    }
  }
  return static_cast<uint64_t>(bytes);
}

Result<PlacedTensor> SafetensorsParser::read_tensor(const std::string& key, const Json& value) const {
  if (!is_printable_name(key) || key.size() > kLimits.tensor_name_bytes_max) {
    return malformed("a tensor's name is empty, too long or has control characters");
  }
  const std::string where = "tensor '" + key + "'";
  PlacedTensor placed;
  placed.tensor.name = key;
  const Json* type = value.find("dtype");
  const std::string* type_name = type == nullptr ? nullptr : type->as_string();
  if (type_name == nullptr) return malformed(where + " has no string as 'dtype'");
  const std::optional<DType> dtype = dtype_of_name(*type_name);
  if (!dtype) {
    if (std::find(kOtherTypes.begin(), kOtherTypes.end(), *type_name) == kOtherTypes.end()) {
      return malformed(where + " has a 'dtype' that the format does not know");
    }
    return Error{ErrorCode::kUnsupported,
                 name_ + ": " + where + " has the type " + *type_name +
                     ", which is not supported; F32, F16 and BF16 are",
                 key};
  }
  placed.tensor.dtype = *dtype;
  RETURN_IF_ERROR(read_shape(where, value.find("shape"), &placed.tensor));
  ASSIGN_OR_RETURN(const uint64_t size_bytes, size_of(where, placed.tensor));

  const Json* offsets = value.find("data_offsets");
  const JsonArray* range = offsets == nullptr ? nullptr : offsets->as_array();
  const bool pair = range != nullptr && range->size() == 2;
  const int64_t* begin = pair ? (*range)[0].as_int() : nullptr;
  const int64_t* end = pair ? (*range)[1].as_int() : nullptr;
  if (begin == nullptr || end == nullptr || *begin < 0 || *end < *begin) {
    return malformed(where + " has no rising pair of byte positions as 'data_offsets'");
  }
  placed.begin = static_cast<uint64_t>(*begin);
  placed.end = static_cast<uint64_t>(*end);
  if (placed.end > data_.size()) {
    return malformed(where + " ends at byte " + std::to_string(placed.end) + " of the data, which has only " +
                     std::to_string(data_.size()) + "; the file may be truncated");
  }
  if (placed.end - placed.begin != size_bytes) {
    return malformed(where + " takes " + std::to_string(placed.end - placed.begin) +
                     " bytes, but its shape needs " + std::to_string(size_bytes));
  }
  placed.tensor.bytes = data_.subspan(placed.begin, size_bytes);
  return placed;
}

Result<std::vector<StoredTensor>> SafetensorsParser::place(std::vector<PlacedTensor> placed) const {
  std::sort(placed.begin(), placed.end(),
            [](const PlacedTensor& a, const PlacedTensor& b) { return a.begin < b.begin; });
  uint64_t expected = 0;
  std::vector<StoredTensor> tensors;
  tensors.reserve(placed.size());
  for (PlacedTensor& p : placed) {
    if (p.begin != expected) {
      return malformed("tensor '" + p.tensor.name + "' starts at byte " + std::to_string(p.begin) +
                       " of the data, not at " + std::to_string(expected) +
                       " where the one before it ends: a hole or an overlap");
    }
    expected = p.end;
    tensors.push_back(std::move(p.tensor));
  }
  if (expected != data_.size()) {
    return malformed("the data have " + std::to_string(data_.size()) + " bytes, but the tensors end at " +
                     std::to_string(expected));
  }
  return tensors;
}

}  // namespace

Result<std::vector<StoredTensor>> read_safetensors(std::span<const std::byte> bytes,
                                                   const std::string& name) {
  return SafetensorsParser(bytes, name).parse();
}

}  // namespace hussar
