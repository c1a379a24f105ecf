#include "weights/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <limits>

#include "weights/testing_gguf.h"

namespace hussar {
namespace {

using testing::ByteWriter;
using testing::GgufBuilder;

constexpr uint32_t kTypeF32 = 0, kTypeQ40 = 2, kTypeQ4K = 12;

std::vector<std::byte> zeros(size_t count) { return std::vector<std::byte>(count); }

// One of each kind of value, and two tensors.
GgufBuilder valid_file() {
  GgufBuilder file;
  file.key_string("general.architecture", "llama");
  file.key_value<uint8_t>("u8", 0, 200);
  file.key_value<int8_t>("i8", 1, -3);
  file.key_value<uint16_t>("u16", 2, 60000);
  file.key_value<int16_t>("i16", 3, -30000);
  file.key_uint32("u32", 4000000000u);
  file.key_value<int32_t>("i32", 5, -2000000000);
  file.key_float32("f32", 0.5f);
  file.key_value<uint8_t>("bool", 7, 1);
  file.key_value<uint64_t>("u64", 10, uint64_t{1} << 62);
  file.key_value<int64_t>("i64", 11, std::numeric_limits<int64_t>::min());
  file.key_value<double>("f64", 12, -1e300);
  file.key_raw("ints", 9, ByteWriter().put<uint32_t>(5).put<uint64_t>(2).put<int32_t>(-7).put<int32_t>(9));
  file.key_raw("floats", 9, ByteWriter().put<uint32_t>(6).put<uint64_t>(1).put<float>(2.5f));
  file.key_raw("bools", 9, ByteWriter().put<uint32_t>(7).put<uint64_t>(2).put<uint8_t>(1).put<uint8_t>(0));
  file.key_raw("strings", 9, ByteWriter().put<uint32_t>(8).put<uint64_t>(2).text("a").text(""));
  file.tensor("matrix", {64, 3}, kTypeQ40, zeros(2 * 18 * 3));
  file.tensor("vector", {5}, kTypeF32, zeros(20));
  return file;
}

Result<ModelFile> parse(const std::vector<std::byte>& bytes) {
  return ModelFile::parse_gguf(bytes, "test.gguf");
}

// The error's message, or nothing when the file was accepted.
std::string message_of(const GgufBuilder& file, ErrorCode expected = ErrorCode::kInvalid) {
  const std::vector<std::byte> bytes = file.build();
  const Result<ModelFile> result = parse(bytes);
  if (result.ok()) return "";
  EXPECT_EQ(static_cast<int>(result.error().code), static_cast<int>(expected)) << result.error().message;
  return result.error().message;
}

void expect_part(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nwanted part: " << part;
}

TEST(ModelFile, ReadsEveryKindOfValue) {
  const std::vector<std::byte> bytes = valid_file().build();
  const Result<ModelFile> file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(*file->get_string("general.architecture"), "llama");
  EXPECT_EQ(*file->get_int("u8"), 200);
  EXPECT_EQ(*file->get_int("i8"), -3);
  EXPECT_EQ(*file->get_int("u16"), 60000);
  EXPECT_EQ(*file->get_int("i16"), -30000);
  EXPECT_EQ(*file->get_int("u32"), 4000000000);
  EXPECT_EQ(*file->get_int("i32"), -2000000000);
  EXPECT_EQ(*file->get_number("f32"), 0.5);
  EXPECT_EQ(*file->get_number("u8"), 200.0);
  EXPECT_EQ(*file->get_int("u64"), int64_t{1} << 62);
  EXPECT_EQ(*file->get_int("i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(*file->get_number("f64"), -1e300);
  EXPECT_EQ(std::get<bool>(*file->find("bool")), true);
  EXPECT_EQ(std::get<std::vector<int64_t>>(*file->find("ints")), (std::vector<int64_t>{-7, 9}));
  EXPECT_EQ(std::get<std::vector<double>>(*file->find("floats")), (std::vector<double>{2.5}));
  EXPECT_EQ(std::get<std::vector<bool>>(*file->find("bools")), (std::vector<bool>{true, false}));
  EXPECT_EQ(std::get<std::vector<std::string>>(*file->find("strings")), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(file->find("missing"), nullptr);
  EXPECT_EQ(file->metadata().front().first, "general.architecture");
  EXPECT_EQ(file->size_bytes(), static_cast<int64_t>(bytes.size()));
}

TEST(ModelFile, ReadsTensorsOutermostDimensionFirst) {
  GgufBuilder builder;
  builder.tensor("matrix", {32, 3}, kTypeQ40, zeros(18 * 3));
  std::vector<std::byte> marked(20);
  marked[0] = std::byte{42};
  builder.tensor("vector", {5}, kTypeF32, marked);
  const std::vector<std::byte> bytes = builder.build();
  const Result<ModelFile> file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 2u);
  const StoredTensor* matrix = file->find_tensor("matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->shape, (std::vector<int64_t>{3, 32}));
  EXPECT_EQ(matrix->dtype, DType::kQ4_0);
  EXPECT_EQ(matrix->bytes.size(), 54u);
  const StoredTensor* vector = file->find_tensor("vector");
  ASSERT_NE(vector, nullptr);
  EXPECT_EQ(vector->bytes.size(), 20u);
  EXPECT_EQ(vector->bytes[0], std::byte{42});
  EXPECT_EQ(file->find_tensor("other"), nullptr);
}

TEST(ModelFile, LookupsNameTheKeyAndWhatIsWrong) {
  const std::vector<std::byte> bytes = valid_file().build();
  const Result<ModelFile> file = parse(bytes);
  ASSERT_TRUE(file.ok());
  expect_part(file->get_int("no.such.key").error().message, "'no.such.key' is missing");
  expect_part(file->get_int("f32").error().message, "'f32' is not an integer");
  expect_part(file->get_number("strings").error().message, "'strings' is not a number");
  expect_part(file->get_string("u8").error().message, "'u8' is not a string");
}

TEST(ModelFile, RefusesWhatIsNoGguf) {
  const std::vector<std::byte> other = ByteWriter().raw("GGML").zeros(60).bytes();
  expect_part(parse(other).error().message, "not a GGUF file");
  const std::vector<std::byte> empty;
  expect_part(parse(empty).error().message, "not a GGUF file");
}

TEST(ModelFile, RefusesOtherVersionsAndByteOrders) {
  for (const uint32_t version : {0u, 1u, 4u, 99u}) {
    GgufBuilder file;
    file.version = version;
    expect_part(message_of(file, ErrorCode::kUnsupported), "GGUF version " + std::to_string(version));
  }
  GgufBuilder version2;
  version2.version = 2;
  EXPECT_EQ(message_of(version2), "");
  GgufBuilder big_endian;
  big_endian.version = 3u << 24;
  expect_part(message_of(big_endian, ErrorCode::kUnsupported), "big-endian");
}

TEST(ModelFile, RefusesCountsThatTheFileHasNoRoomFor) {
  const GgufBuilder file = valid_file();
  for (const uint64_t count : {uint64_t{100}, uint64_t{65536}}) {
    expect_part(parse(file.build_with_counts(count, 16)).error().message, "more keys and tensors than");
    expect_part(parse(file.build_with_counts(2, count)).error().message, "more keys and tensors than");
  }
  for (const uint64_t count : {uint64_t{65537}, uint64_t{1} << 60, ~uint64_t{0}}) {
    EXPECT_EQ(parse(file.build_with_counts(count, 16)).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(parse(file.build_with_counts(2, count)).error().code, ErrorCode::kTooLarge);
  }
}

TEST(ModelFile, RefusesStringsThatTheFileHasNoRoomFor) {
  for (const uint64_t size : {uint64_t{1000}, uint64_t{1} << 40, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    GgufBuilder value;
    value.key_raw("k", 8, ByteWriter().put<uint64_t>(size).zeros(64));
    expect_part(message_of(value), "more than the file has left");
    GgufBuilder element;
    element.key_raw("k", 9, ByteWriter().put<uint32_t>(8).put<uint64_t>(1).put<uint64_t>(size).zeros(64));
    expect_part(message_of(element), "more than the file has left");
  }
  GgufBuilder long_key;
  long_key.key_uint32(std::string(65536, 'k'), 1);
  expect_part(message_of(long_key, ErrorCode::kTooLarge), "limit of 65535");
}

TEST(ModelFile, RefusesBadKeys) {
  for (const std::string& key :
       {std::string(), std::string("a\xff"), std::string("a\nb"), std::string("a\0b", 3)}) {
    GgufBuilder file;
    file.key_uint32(key, 1);
    expect_part(message_of(file), "metadata key 0 is empty, not valid UTF-8 or has control characters");
  }
  GgufBuilder twice;
  twice.key_uint32("a", 1).key_uint32("b", 1).key_uint32("a", 2);
  expect_part(message_of(twice), "metadata key 'a' stands there twice");
}

TEST(ModelFile, RefusesBadValues) {
  GgufBuilder type;
  type.key_value<uint64_t>("k", 13, 0);
  expect_part(message_of(type), "unknown value type 13");
  GgufBuilder boolean;
  boolean.key_value<uint8_t>("k", 7, 2);
  expect_part(message_of(boolean), "neither 0 nor 1");
  GgufBuilder booleans;
  booleans.key_raw("k", 9, ByteWriter().put<uint32_t>(7).put<uint64_t>(1).put<uint8_t>(255));
  expect_part(message_of(booleans), "neither 0 nor 1");
  GgufBuilder wide;
  wide.key_value<uint64_t>("k", 10, uint64_t{1} << 63);
  expect_part(message_of(wide), "above 2^63 - 1");
}

TEST(ModelFile, RefusesBadArrays) {
  GgufBuilder nested;
  nested.key_raw("k", 9, ByteWriter().put<uint32_t>(9).put<uint64_t>(1).put<uint32_t>(0).put<uint64_t>(0));
  expect_part(message_of(nested, ErrorCode::kUnsupported), "array of arrays");
  for (const uint32_t type : {0u, 5u, 6u, 7u, 8u, 10u, 12u}) {
    GgufBuilder beyond_end;
    beyond_end.key_raw("k", 9, ByteWriter().put<uint32_t>(type).put<uint64_t>(4000000).zeros(64));
    expect_part(message_of(beyond_end), "the file ends inside the array 'k'");
    GgufBuilder huge;
    huge.key_raw("k", 9, ByteWriter().put<uint32_t>(type).put<uint64_t>(~uint64_t{0}).zeros(64));
    expect_part(message_of(huge, ErrorCode::kTooLarge), "count of array elements");
  }
  // Each array is within the limit, their sum is not.
  GgufBuilder together;
  for (const char* key : {"a", "b", "c"}) {
    together.key_raw(key, 9, ByteWriter().put<uint32_t>(0).put<uint64_t>(2000000).zeros(2000000));
  }
  expect_part(message_of(together, ErrorCode::kTooLarge), "'c': the count of array elements");
}

TEST(ModelFile, RefusesBadAlignment) {
  for (const uint32_t alignment : {0u, 1u, 4u, 24u, 33u, 1u << 21, ~0u}) {
    GgufBuilder file;
    file.key_uint32("general.alignment", alignment);
    expect_part(message_of(file), "general.alignment is " + std::to_string(alignment));
  }
  GgufBuilder other_type;
  other_type.key_value<int32_t>("general.alignment", 5, 32);
  expect_part(message_of(other_type), "'general.alignment' is not a uint32");
  GgufBuilder wide;
  wide.alignment = 4096;
  wide.key_uint32("general.alignment", 4096)
      .tensor("t", {4}, kTypeF32, zeros(16))
      .tensor("u", {4}, kTypeF32, zeros(16));
  EXPECT_EQ(message_of(wide), "");
}

TEST(ModelFile, RefusesBadTensorNames) {
  for (const std::string& name : {std::string(), std::string("\xc3\x28"), std::string("a\x1b[31m")}) {
    GgufBuilder file;
    file.tensor(name, {4}, kTypeF32, zeros(16));
    expect_part(message_of(file), "tensor 0's name is empty, not valid UTF-8 or has control characters");
  }
  GgufBuilder at_limit;
  at_limit.tensor(std::string(64, 'n'), {4}, kTypeF32, zeros(16));
  EXPECT_EQ(message_of(at_limit), "");
  GgufBuilder too_long;
  too_long.tensor(std::string(65, 'n'), {4}, kTypeF32, zeros(16));
  expect_part(message_of(too_long, ErrorCode::kTooLarge), "limit of 64");
  GgufBuilder twice;
  twice.tensor("a", {4}, kTypeF32, zeros(16)).tensor("a", {4}, kTypeF32, zeros(16));
  expect_part(message_of(twice), "tensor 'a' stands there twice");
}

TEST(ModelFile, RefusesBadShapes) {
  GgufBuilder none;
  none.tensor("t", {}, kTypeF32, zeros(16));
  expect_part(message_of(none), "'t' has 0 dimensions");
  GgufBuilder five;
  five.tensor("t", {1, 1, 1, 1, 1}, kTypeF32, zeros(16));
  expect_part(message_of(five), "'t' has 5 dimensions");
  for (const uint64_t size : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}}) {
    GgufBuilder file;
    file.tensor("t", {4, size}, kTypeF32, zeros(16));
    expect_part(message_of(file), "'t' has a dimension below 1");
  }
  GgufBuilder part_of_block;
  part_of_block.tensor("t", {33, 2}, kTypeQ40, zeros(72));
  expect_part(message_of(part_of_block), "'t' has rows of 33 elements, not a multiple of Q4_0's block of 32");
  GgufBuilder part_of_super_block;
  part_of_super_block.tensor("t", {128, 2}, kTypeQ4K, zeros(144));
  expect_part(message_of(part_of_super_block), "not a multiple of Q4_K's block of 256");
}

TEST(ModelFile, RefusesProductsThatOverflow) {
  const uint64_t large = uint64_t{1} << 32;
  // The product of the dimensions, the bytes, and both wrapped round to something small again.
  const std::vector<std::vector<uint64_t>> shapes = {{large, large},
                                                     {large, large, large, large},
                                                     {uint64_t{1} << 62, 1},
                                                     {4, (uint64_t{1} << 62) + 1},
                                                     {3, large, large}};
  for (const auto& shape : shapes) {
    GgufBuilder file;
    file.tensor("t", shape, kTypeF32, zeros(64));
    expect_part(message_of(file), "'t' has dimensions whose product overflows");
  }
  GgufBuilder quantized;
  quantized.tensor("t", {uint64_t{1} << 62, 4}, kTypeQ40, zeros(64));
  expect_part(message_of(quantized), "'t' has dimensions whose product overflows");
}

TEST(ModelFile, RefusesBadOffsets) {
  for (const uint64_t offset : {uint64_t{1}, uint64_t{16}, ~uint64_t{0}}) {
    GgufBuilder file;
    file.tensor_raw("t", {4}, kTypeF32, offset).data_zeros(64);
    expect_part(message_of(file), "not a multiple of the alignment 32");
  }
  for (const uint64_t offset : {uint64_t{64}, uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0} - 31}) {
    GgufBuilder file;
    file.tensor_raw("t", {4}, kTypeF32, offset).data_zeros(64);
    expect_part(message_of(file), "but the file has only 64 bytes of tensor data");
  }
  GgufBuilder overlap;
  overlap.tensor_raw("b", {16}, kTypeF32, 32).tensor_raw("a", {16}, kTypeF32, 0).data_zeros(128);
  expect_part(message_of(overlap), "tensors 'a' and 'b' overlap");
  GgufBuilder same;
  same.tensor_raw("a", {4}, kTypeF32, 0).tensor_raw("b", {4}, kTypeF32, 0).data_zeros(32);
  expect_part(message_of(same), "overlap");
}

TEST(ModelFile, NamesTheTypeThatIsNotSupported) {
  GgufBuilder known;
  known.tensor("blk.0.w", {256}, 10, zeros(84));
  expect_part(message_of(known, ErrorCode::kUnsupported), "tensor 'blk.0.w' has the type Q2_K");
  for (const uint32_t type : {4u, 5u, 1000u, ~0u}) {
    GgufBuilder unknown;
    unknown.tensor("t", {256}, type, zeros(84));
    expect_part(message_of(unknown, ErrorCode::kUnsupported), "the type number " + std::to_string(type));
  }
}

TEST(ModelFile, RefusesEveryTruncation) {
  const std::vector<std::byte> whole = valid_file().build();
  for (size_t size = 0; size < whole.size(); ++size) {
    // A vector of its own, so that a sanitizer sees a read past its end.
    const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<ModelFile> result = parse(part);
    EXPECT_FALSE(result.ok()) << "cut to " << size << " of " << whole.size() << " bytes";
  }
}

// Whatever a changed file still says must be true of its bytes.
void expect_consistent(const ModelFile& file, const std::vector<std::byte>& bytes) {
  for (const StoredTensor& tensor : file.tensors()) {
    ASSERT_GE(tensor.bytes.data(), bytes.data());
    ASSERT_LE(tensor.bytes.data() + tensor.bytes.size(), bytes.data() + bytes.size());
    int64_t elements = 1;
    for (const int64_t size : tensor.shape) elements *= size;
    const DTypeInfo& info = dtype_info(tensor.dtype);
    ASSERT_EQ(static_cast<int64_t>(tensor.bytes.size()), elements / info.block_elements * info.block_bytes);
  }
}

TEST(ModelFile, SurvivesEveryChangedByteOfTheHead) {
  const GgufBuilder builder = valid_file();
  const std::vector<std::byte> whole = builder.build();
  for (size_t at = 0; at < builder.head_bytes(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::vector<std::byte> changed = whole;
      changed[at] = static_cast<std::byte>(value);
      const Result<ModelFile> result = parse(changed);
      if (result.ok()) expect_consistent(*result, changed);
    }
  }
}

TEST(ModelFile, SurvivesExtremeNumbersAnywhere) {
  const GgufBuilder builder = valid_file();
  const std::vector<std::byte> whole = builder.build();
  const uint64_t extremes[] = {0,
                               1,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               uint64_t{1} << 32,
                               ~uint64_t{0} >> 1,
                               uint64_t{1} << 63,
                               ~uint64_t{0},
                               ~uint64_t{0} - 31};
  for (size_t at = 0; at + 8 <= builder.head_bytes(); ++at) {
    for (const uint64_t value : extremes) {
      std::vector<std::byte> changed = whole;
      std::memcpy(changed.data() + at, &value, sizeof(value));
      const Result<ModelFile> result = parse(changed);
      if (result.ok()) expect_consistent(*result, changed);
    }
  }
}

TEST(ModelFile, OpensAFileAndReleasesPages) {
  const std::string path = ::testing::TempDir() + "/model_file_test_" + std::to_string(::getpid()) + ".gguf";
  GgufBuilder builder;
  std::vector<std::byte> data(64 << 10, std::byte{7});
  builder.tensor("t", {16, 1024}, kTypeF32, data);
  const std::vector<std::byte> bytes = builder.build();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  Result<ModelFile> file = ModelFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  // Moving the file moves no tensor.
  ModelFile moved = std::move(*file);
  const StoredTensor* tensor = moved.find_tensor("t");
  ASSERT_NE(tensor, nullptr);
  moved.release(*tensor);
  EXPECT_EQ(tensor->bytes[40000], std::byte{7});
  std::remove(path.c_str());
}

TEST(ModelFile, SaysWhichFileIsMissing) {
  const Result<ModelFile> file = ModelFile::open("/nonexistent/model.gguf");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  expect_part(file.error().message, "/nonexistent/model.gguf");
}

}  // namespace
}  // namespace hussar
