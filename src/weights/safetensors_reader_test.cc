#include "weights/safetensors_reader.h"

#include <gtest/gtest.h>

#include "weights/testing_gguf.h"

namespace hussar {
namespace {

using testing::ByteWriter;

std::vector<std::byte> file_of(const std::string& header, size_t data_bytes) {
  return ByteWriter().text(header).zeros(data_bytes).bytes();
}
Result<std::vector<StoredTensor>> read(const std::string& header, size_t data_bytes) {
  const std::vector<std::byte> bytes = file_of(header, data_bytes);
  auto result = read_safetensors(bytes, "file");
  if (result.ok()) {
    for (StoredTensor& tensor : *result) tensor.bytes = {};  // the bytes end here
  }
  return result;
}
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

TEST(SafetensorsReader, ReadsTensorsInTheOrderOfTheirBytes) {
  const std::string header = R"({"__metadata__":{"format":"pt"},)" + entry("b", "F32", "[2]", "[12,20]") +
                             "," + entry("a", "BF16", "[3,2]", "[0,12]") + "," +
                             entry("s", "F16", "[]", "[20,22]") + "}   ";
  std::vector<std::byte> bytes = file_of(header, 22);
  bytes[8 + header.size() + 12] = std::byte{7};
  const auto tensors = read_safetensors(bytes, "file");
  ASSERT_TRUE(tensors.ok()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].dtype, DType::kBF16);
  EXPECT_EQ((*tensors)[0].shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ((*tensors)[0].bytes.size(), 12u);
  EXPECT_EQ((*tensors)[1].bytes.front(), std::byte{7});
  EXPECT_EQ((*tensors)[2].shape, (std::vector<int64_t>{1}));  // a scalar
}

TEST(SafetensorsReader, AnEmptyTableIsValid) {
  EXPECT_TRUE(read("{}", 0).ok());
  EXPECT_TRUE(read(R"({"__metadata__":null})", 0).ok());
}

TEST(SafetensorsReader, RefusesWhatIsWrong) {
  const std::string good = entry("a", "F32", "[2]", "[0,8]");
  const struct {
    std::string header;
    size_t data_bytes;
    std::string message;
    ErrorCode code = ErrorCode::kInvalid;
  } cases[] = {
      {"[]", 0, "does not start with '{'"},
      {" {}", 0, "does not start with '{'"},
      {"{" + good, 8, "not valid JSON"},
      {"{" + good + "," + good + "}", 8, "not valid JSON"},  // a name twice
      {"{\"a\xff\":1}", 0, "not valid JSON"},
      {"{\"a\":" + std::string(2000, '['), 0, "not valid JSON", ErrorCode::kTooLarge},
      {R"({"__metadata__":[]})", 0, "'__metadata__' is no object"},
      {R"({"__metadata__":{"a":1}})", 0, "'__metadata__' has a value that is no string"},
      {"{" + entry("", "F32", "[2]", "[0,8]") + "}", 8, "name is empty"},
      {"{" + entry("a\\n", "F32", "[2]", "[0,8]") + "}", 8, "control characters"},
      {R"({"a":1})", 0, "no string as 'dtype'"},
      {"{" + entry("a", "F99", "[2]", "[0,8]") + "}", 8, "does not know"},
      {"{" + entry("a", "I64", "[1]", "[0,8]") + "}", 8, "I64, which is not supported",
       ErrorCode::kUnsupported},
      {"{" + entry("a", "F32", "2", "[0,8]") + "}", 8, "no list as 'shape'"},
      {"{" + entry("a", "F32", "[2.0]", "[0,8]") + "}", 8, "no integer from 0"},
      {"{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8, "no integer from 0"},
      {"{" + entry("a", "F32", "[9223372036854775808]", "[0,8]") + "}", 8, "no integer from 0"},
      {"{" + entry("a", "F32", "[0]", "[0,0]") + "}", 0, "dimension of 0", ErrorCode::kUnsupported},
      {"{" + entry("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") + "}", 8, "9 dimensions"},
      {"{" + entry("a", "F32", "[4294967296,4294967296]", "[0,8]") + "}", 8, "product overflows"},
      {"{" + entry("a", "F32", "[2]", "[0]") + "}", 8, "'data_offsets'"},
      {"{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8, "'data_offsets'"},
      {"{" + entry("a", "F32", "[2]", "[-8,0]") + "}", 8, "'data_offsets'"},
      {"{" + entry("a", "F32", "[2]", "[0,9]") + "}", 9, "its shape needs 8"},
      {"{" + entry("a", "F32", "[2]", "[0,8]") + "}", 7, "may be truncated"},
      {"{" + entry("a", "F32", "[2]", "[0,8]") + "}", 9, "the tensors end at 8"},
      {"{" + entry("a", "F32", "[2]", "[1,9]") + "}", 9, "a hole or an overlap"},
      {"{" + good + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12, "a hole or an overlap"},
      {"{" + good + "," + entry("b", "F32", "[2]", "[9,17]") + "}", 17, "a hole or an overlap"},
  };
  for (const auto& c : cases) {
    const auto result = read(c.header, c.data_bytes);
    ASSERT_FALSE(result.ok()) << c.header;
    EXPECT_EQ(result.error().code, c.code) << c.header << ": " << result.error().message;
    EXPECT_NE(result.error().message.find(c.message), std::string::npos) << result.error().message;
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
  }
}

TEST(SafetensorsReader, RefusesALengthThatIsNotThere) {
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 20, uint64_t{1} << 40, ~uint64_t{0}}) {
    const auto bytes = ByteWriter().put<uint64_t>(length).raw("{}").bytes();
    EXPECT_FALSE(read_safetensors(bytes, "file").ok()) << length;
  }
  for (size_t size = 0; size < 10; ++size) {
    EXPECT_FALSE(read_safetensors(ByteWriter().zeros(size).bytes(), "file").ok()) << size;
  }
}

}  // namespace
}  // namespace hussar
