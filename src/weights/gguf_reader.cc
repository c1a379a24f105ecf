#include "weights/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/dtype.h"
#include "weights/byte_cursor.h"
#include "weights/gguf_types.h"
#include "weights/names.h"

namespace hussar {
namespace {

// The numbers of the format's value types.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};
constexpr uint32_t kGgufTypeCount = 13;

// A key, type and the smallest value; a name, dimension count, one dimension, type and offset.
constexpr uint64_t kKeyEntryBytesMin = 8 + 1 + 4 + 1;
constexpr uint64_t kTensorEntryBytesMin = 8 + 1 + 4 + 8 + 4 + 8;

std::string quoted(std::string_view what, std::string_view name) {
  std::string text(what);
  text.append("'").append(name).append("'");
  return text;
}

class GgufParser {
 public:
  GgufParser(std::span<const std::byte> bytes, const std::string& name)
      : file_bytes_(bytes), cursor_(bytes), name_(name) {}

  Result<GgufContents> parse() {
    RETURN_IF_ERROR(read_header());
    RETURN_IF_ERROR(read_metadata());
    RETURN_IF_ERROR(read_alignment());
    RETURN_IF_ERROR(read_tensor_table());
    RETURN_IF_ERROR(place_tensors());
    return std::move(contents_);
  }

 private:
  Error fail(ErrorCode code, const std::string& what, const char* section) const {
    return Error{code, name_ + ": " + what + " (at byte " + std::to_string(cursor_.position()) + ")",
                 section};
  }
  Error malformed(const std::string& what) const { return fail(ErrorCode::kInvalid, what, section_); }
  Error over_limit(const std::string& what, uint64_t limit) const {
    return fail(ErrorCode::kTooLarge, what + " is over the limit of " + std::to_string(limit), section_);
  }
  Error truncated(const std::string& where) const { return malformed("the file ends inside " + where); }

  Result<void> read_header();
  Result<void> read_metadata();
  Result<void> read_alignment();
  Result<void> read_tensor_table();
  Result<void> place_tensors();

  Result<MetaValue> read_value(GgufType type, const std::string& where);
  Result<MetaValue> read_array(const std::string& where);
  Result<std::string_view> read_string(uint64_t size_bytes_max, const std::string& where);
  Result<bool> read_bool(const std::string& where);
  Result<GgufType> read_type(const std::string& where);
  Result<StoredTensor> read_tensor(uint64_t* offset_bytes);
  Result<int64_t> tensor_size_bytes(const StoredTensor& tensor) const;

  template <typename T>
  Result<int64_t> read_int(const std::string& where);
  template <typename T>
  Result<MetaValue> read_ints(uint64_t count, const std::string& where);
  template <typename T>
  Result<MetaValue> read_floats(uint64_t count, const std::string& where);
  Result<MetaValue> read_bools(uint64_t count, const std::string& where);
  Result<MetaValue> read_strings(uint64_t count, const std::string& where);

  std::span<const std::byte> file_bytes_;
  ByteCursor cursor_;
  const std::string& name_;
  const char* section_ = "header";
  const GgufLimits limits_;
  uint64_t tensor_count_ = 0;
  uint64_t key_count_ = 0;
  uint64_t array_elements_ = 0;
  uint64_t alignment_ = 32;
  std::vector<uint64_t> offsets_;  // [tensors], from the start of the data section
  GgufContents contents_;
};

Result<void> GgufParser::read_header() {
  uint32_t version = 0;
  std::string_view magic;
  if (!cursor_.read_text(4, &magic) || magic != "GGUF") {
    return Error{ErrorCode::kInvalid, name_ + ": not a GGUF file (it does not start with \"GGUF\")",
                 section_};
  }
  if (!cursor_.read(&version)) return truncated("the header");
  if ((version & 0xffff) == 0 && version != 0) {
    return fail(ErrorCode::kUnsupported, "a big-endian GGUF file; convert it to little-endian", section_);
  }
  if (version != 2 && version != 3) {
    return fail(ErrorCode::kUnsupported,
                "GGUF version " + std::to_string(version) +
                    "; only versions 2 and 3 are read, convert the file again",
                section_);
  }
  if (!cursor_.read(&tensor_count_) || !cursor_.read(&key_count_)) return truncated("the header");
  if (key_count_ > limits_.keys_max)
    return over_limit(std::to_string(key_count_) + " metadata keys", limits_.keys_max);
  if (tensor_count_ > limits_.tensors_max) {
    return over_limit(std::to_string(tensor_count_) + " tensors", limits_.tensors_max);
  }
  // No overflow: both counts are within their limits now.
  if (key_count_ * kKeyEntryBytesMin + tensor_count_ * kTensorEntryBytesMin > cursor_.remaining()) {
    return malformed("the header promises more keys and tensors than the file has room for");
  }
  return {};
}

Result<void> GgufParser::read_metadata() {
  section_ = "metadata";
  contents_.metadata.reserve(key_count_);
  for (uint64_t i = 0; i < key_count_; ++i) {
    const std::string entry = "metadata key " + std::to_string(i);
    ASSIGN_OR_RETURN(const std::string_view key, read_string(limits_.key_bytes_max, entry));
    if (!is_printable_name(key))
      return malformed(entry + " is empty, not valid UTF-8 or has control characters");
    const std::string where = quoted("", key);
    ASSIGN_OR_RETURN(const GgufType type, read_type(where));
    ASSIGN_OR_RETURN(MetaValue value, read_value(type, where));
    contents_.metadata.emplace_back(key, std::move(value));
    if (key == "general.alignment" && type != GgufType::kUint32) return malformed(where + " is not a uint32");
    if (cursor_.position() > limits_.metadata_bytes_max) {
      return over_limit("the metadata's size in bytes", limits_.metadata_bytes_max);
    }
  }
  std::vector<std::string_view> keys;
  keys.reserve(contents_.metadata.size());
  for (const auto& [key, value] : contents_.metadata) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  if (twice != keys.end()) return malformed(quoted("metadata key ", *twice) + " stands there twice");
  return {};
}

Result<void> GgufParser::read_alignment() {
  for (const auto& [key, value] : contents_.metadata) {
    if (key != "general.alignment") continue;
    const auto alignment = static_cast<uint64_t>(std::get<int64_t>(value));
    if (alignment < limits_.alignment_min || alignment > limits_.alignment_max ||
        !std::has_single_bit(alignment)) {
      return malformed("general.alignment is " + std::to_string(alignment) + ", not a power of two from " +
                       std::to_string(limits_.alignment_min) + " to " +
                       std::to_string(limits_.alignment_max));
    }
    alignment_ = alignment;
  }
  return {};
}

Result<GgufType> GgufParser::read_type(const std::string& where) {
  uint32_t type = 0;
  if (!cursor_.read(&type)) return truncated(where);
  if (type >= kGgufTypeCount) return malformed(where + " has the unknown value type " + std::to_string(type));
  return static_cast<GgufType>(type);
}

Result<std::string_view> GgufParser::read_string(uint64_t size_bytes_max, const std::string& where) {
  uint64_t size_bytes = 0;
  std::string_view text;
  if (!cursor_.read(&size_bytes)) return truncated(where);
  if (size_bytes > cursor_.remaining()) {
    return malformed(where + " has a string of " + std::to_string(size_bytes) +
                     " bytes, more than the file has left");
  }
  if (size_bytes > size_bytes_max) return over_limit(where + ": a string's length in bytes", size_bytes_max);
  if (!cursor_.read_text(size_bytes, &text)) return truncated(where);
  return text;
}

Result<bool> GgufParser::read_bool(const std::string& where) {
  uint8_t byte = 0;
  if (!cursor_.read(&byte)) return truncated(where);
  if (byte > 1) return malformed(where + " has a boolean that is neither 0 nor 1");
  return byte == 1;
}

template <typename T>
Result<int64_t> GgufParser::read_int(const std::string& where) {
  T value = 0;
  if (!cursor_.read(&value)) return truncated(where);
  if constexpr (std::is_same_v<T, uint64_t>) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return malformed(where + " has an integer above 2^63 - 1");
    }
  }
  return static_cast<int64_t>(value);
}

template <typename T>
Result<MetaValue> GgufParser::read_ints(uint64_t count, const std::string& where) {
  if (count > cursor_.remaining() / sizeof(T)) return truncated("the array " + where);
  std::vector<int64_t> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const int64_t value, read_int<T>(where));
    values.push_back(value);
  }
  return MetaValue(std::move(values));
}

template <typename T>
Result<MetaValue> GgufParser::read_floats(uint64_t count, const std::string& where) {
  if (count > cursor_.remaining() / sizeof(T)) return truncated("the array " + where);
  std::vector<double> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    T value = 0;
    if (!cursor_.read(&value)) return truncated(where);
    values.push_back(static_cast<double>(value));
  }
  return MetaValue(std::move(values));
}

Result<MetaValue> GgufParser::read_bools(uint64_t count, const std::string& where) {
  if (count > cursor_.remaining()) return truncated("the array " + where);
  std::vector<bool> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const bool value, read_bool(where));
    values.push_back(value);
  }
  return MetaValue(std::move(values));
}

Result<MetaValue> GgufParser::read_strings(uint64_t count, const std::string& where) {
  if (count > cursor_.remaining() / sizeof(uint64_t)) return truncated("the array " + where);
  std::vector<std::string> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const std::string_view value, read_string(limits_.string_bytes_max, where));
    values.emplace_back(value);
  }
  return MetaValue(std::move(values));
}

Result<MetaValue> GgufParser::read_array(const std::string& where) {
  ASSIGN_OR_RETURN(const GgufType type, read_type(where));
  uint64_t count = 0;
  if (!cursor_.read(&count)) return truncated(where);
  // The count is bounded by the limit before it is added: the sum can't overflow.
  if (count > limits_.array_elements_max || array_elements_ + count > limits_.array_elements_max) {
    return over_limit(where + ": the count of array elements", limits_.array_elements_max);
  }
  array_elements_ += count;
  switch (type) {
    case GgufType::kUint8:
      return read_ints<uint8_t>(count, where);
    case GgufType::kInt8:
      return read_ints<int8_t>(count, where);
    case GgufType::kUint16:
      return read_ints<uint16_t>(count, where);
    case GgufType::kInt16:
      return read_ints<int16_t>(count, where);
    case GgufType::kUint32:
      return read_ints<uint32_t>(count, where);
    case GgufType::kInt32:
      return read_ints<int32_t>(count, where);
    case GgufType::kUint64:
      return read_ints<uint64_t>(count, where);
    case GgufType::kInt64:
      return read_ints<int64_t>(count, where);
    case GgufType::kFloat32:
      return read_floats<float>(count, where);
    case GgufType::kFloat64:
      return read_floats<double>(count, where);
    case GgufType::kBool:
      return read_bools(count, where);
    case GgufType::kString:
      return read_strings(count, where);
    case GgufType::kArray:
      break;
  }
  return fail(ErrorCode::kUnsupported, where + " is an array of arrays, which no model needs", section_);
}

Result<MetaValue> GgufParser::read_value(GgufType type, const std::string& where) {
  const auto as_value = [](Result<int64_t> value) -> Result<MetaValue> {
    if (!value.ok()) return std::move(value).error();
    return MetaValue(*value);
  };
  switch (type) {
    case GgufType::kUint8:
      return as_value(read_int<uint8_t>(where));
    case GgufType::kInt8:
      return as_value(read_int<int8_t>(where));
    case GgufType::kUint16:
      return as_value(read_int<uint16_t>(where));
    case GgufType::kInt16:
      return as_value(read_int<int16_t>(where));
    case GgufType::kUint32:
      return as_value(read_int<uint32_t>(where));
    case GgufType::kInt32:
      return as_value(read_int<int32_t>(where));
    case GgufType::kUint64:
      return as_value(read_int<uint64_t>(where));
    case GgufType::kInt64:
      return as_value(read_int<int64_t>(where));
    case GgufType::kFloat32: {
      float value = 0;
      if (!cursor_.read(&value)) return truncated(where);
      return MetaValue(static_cast<double>(value));
    }
    case GgufType::kFloat64: {
      double value = 0;
      if (!cursor_.read(&value)) return truncated(where);
      return MetaValue(value);
    }
    case GgufType::kBool: {
      ASSIGN_OR_RETURN(const bool value, read_bool(where));
      return MetaValue(value);
    }
    case GgufType::kString: {
      ASSIGN_OR_RETURN(const std::string_view value, read_string(limits_.string_bytes_max, where));
      return MetaValue(std::string(value));
    }
    case GgufType::kArray:
      return read_array(where);
  }
  return malformed(where + " has an unknown value type");
}

Result<StoredTensor> GgufParser::read_tensor(uint64_t* offset_bytes) {
  const std::string entry = "tensor " + std::to_string(contents_.tensors.size());
  ASSIGN_OR_RETURN(const std::string_view name, read_string(limits_.tensor_name_bytes_max, entry));
  if (!is_printable_name(name))
    return malformed(entry + "'s name is empty, not valid UTF-8 or has control characters");
  const std::string where = quoted("tensor ", name);

  StoredTensor tensor{std::string(name), DType::kF32, {}, {}};
  uint32_t dimensions = 0;
  if (!cursor_.read(&dimensions)) return truncated(where);
  if (dimensions < 1 || dimensions > 4) {
    return malformed(where + " has " + std::to_string(dimensions) + " dimensions, not 1 to 4");
  }
  for (uint32_t i = 0; i < dimensions; ++i) {
    int64_t size = 0;
    if (!cursor_.read(&size)) return truncated(where);
    if (size < 1) return malformed(where + " has a dimension below 1 or above 2^63 - 1");
    tensor.shape.push_back(size);
  }
  // The file names the fastest dimension first.
  std::reverse(tensor.shape.begin(), tensor.shape.end());

  uint32_t type = 0;
  if (!cursor_.read(&type) || !cursor_.read(offset_bytes)) return truncated(where);
  const std::optional<DType> dtype = dtype_of_type_number(type);
  if (!dtype) {
    return fail(ErrorCode::kUnsupported,
                where + " has the type " + tensor_type_text(type) + ", which is not supported", section_);
  }
  tensor.dtype = *dtype;
  return tensor;
}

Result<void> GgufParser::read_tensor_table() {
  section_ = "tensors";
  contents_.tensors.reserve(tensor_count_);
  offsets_.reserve(tensor_count_);
  for (uint64_t i = 0; i < tensor_count_; ++i) {
    uint64_t offset_bytes = 0;
    ASSIGN_OR_RETURN(StoredTensor tensor, read_tensor(&offset_bytes));
    if (offset_bytes % alignment_ != 0) {
      return malformed(quoted("tensor ", tensor.name) + " starts at " + std::to_string(offset_bytes) +
                       ", not a multiple of the alignment " + std::to_string(alignment_));
    }
    contents_.tensors.push_back(std::move(tensor));
    offsets_.push_back(offset_bytes);
  }
  std::vector<std::string_view> names;
  names.reserve(contents_.tensors.size());
  for (const StoredTensor& tensor : contents_.tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return malformed(quoted("tensor ", *twice) + " stands there twice");
  return {};
}

Result<int64_t> GgufParser::tensor_size_bytes(const StoredTensor& tensor) const {
  const DTypeInfo& info = dtype_info(tensor.dtype);
  const std::string where = quoted("tensor ", tensor.name);
  if (tensor.shape.back() % info.block_elements != 0) {
    return malformed(where + " has rows of " + std::to_string(tensor.shape.back()) +
                     " elements, not a multiple of " + std::string(info.name) + "'s block of " +
                     std::to_string(info.block_elements));
  }
  int64_t size_bytes = 0;
  int64_t blocks = tensor.shape.back() / info.block_elements;
  // Elements are counted too, so that every product of dimensions that a caller may form fits 63 bits.
  int64_t elements = tensor.shape.back();
  bool overflow = false;
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
    overflow |= __builtin_mul_overflow(blocks, tensor.shape[i], &blocks);
    overflow |= __builtin_mul_overflow(elements, tensor.shape[i], &elements);
  }
  overflow |= __builtin_mul_overflow(blocks, static_cast<int64_t>(info.block_bytes), &size_bytes);
  if (overflow) return malformed(where + " has dimensions whose product overflows");
  return size_bytes;
}

Result<void> GgufParser::place_tensors() {
  if (contents_.tensors.empty()) return {};
  // position() is at most the file's size and the alignment at most 2^20: no overflow.
  const uint64_t data_begin = (cursor_.position() + alignment_ - 1) / alignment_ * alignment_;
  if (data_begin > file_bytes_.size()) return malformed("the file ends before the tensor data");
  const uint64_t data_bytes = file_bytes_.size() - data_begin;

  struct Extent {
    uint64_t begin, end;
    size_t tensor;
  };
  std::vector<Extent> extents;
  extents.reserve(contents_.tensors.size());
  for (size_t i = 0; i < contents_.tensors.size(); ++i) {
    StoredTensor& tensor = contents_.tensors[i];
    ASSIGN_OR_RETURN(const int64_t size, tensor_size_bytes(tensor));
    const auto size_bytes = static_cast<uint64_t>(size);
    if (offsets_[i] > data_bytes || size_bytes > data_bytes - offsets_[i]) {
      return malformed(quoted("tensor ", tensor.name) + " takes " + std::to_string(size_bytes) +
                       " bytes at offset " + std::to_string(offsets_[i]) + ", but the file has only " +
                       std::to_string(data_bytes) + " bytes of tensor data; it may be truncated");
    }
    tensor.bytes = file_bytes_.subspan(data_begin + offsets_[i], size_bytes);
    extents.push_back({offsets_[i], offsets_[i] + size_bytes, i});
  }
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      return malformed("tensors '" + contents_.tensors[extents[i - 1].tensor].name + "' and '" +
                       contents_.tensors[extents[i].tensor].name + "' overlap");
    }
  }
  return {};
}

}  // namespace

Result<GgufContents> read_gguf(std::span<const std::byte> bytes, const std::string& name) {
  return GgufParser(bytes, name).parse();
}

}  // namespace hussar
