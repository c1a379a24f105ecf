#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "weights/model_file.h"
#include "weights/testing_gguf.h"

namespace hussar {
namespace {

namespace fs = std::filesystem;

class ModelFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hussar-folder-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  // A file of F32 vectors of two numbers.
  void write_weights(const std::string& name, const std::vector<std::string>& tensors) {
    std::string header = "{";
    for (size_t i = 0; i < tensors.size(); ++i) {
      header += (i > 0 ? ",\"" : "\"") + tensors[i] + R"(":{"dtype":"F32","shape":[2],"data_offsets":[)" +
                std::to_string(8 * i) + "," + std::to_string(8 * i + 8) + "]}";
    }
    testing::ByteWriter file;
    file.text(header + "}");
    for (size_t i = 0; i < tensors.size(); ++i) file.put<float>(static_cast<float>(i)).put<float>(0.5f);
    write(name, {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
  }
  Result<ModelFile> open() { return ModelFile::open(folder_.string()); }
  void expect_refused(const std::string& part, ErrorCode code = ErrorCode::kInvalid) {
    const auto file = open();
    ASSERT_FALSE(file.ok()) << part;
    EXPECT_EQ(file.error().code, code) << file.error().message;
    EXPECT_NE(file.error().message.find(part), std::string::npos) << file.error().message;
  }

  fs::path folder_;
};

TEST_F(ModelFolderTest, ReadsWeightsAndDocuments) {
  write_weights("model.safetensors", {"w.a", "w.b"});
  write("config.json", R"({"model_type":"llama"})");
  write("chat_template.jinja", "{{ messages }}");
  const auto file = open();
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->format(), ModelFormat::kSafetensors);
  EXPECT_TRUE(file->metadata().empty());
  EXPECT_EQ(file->size_bytes(), static_cast<int64_t>(fs::file_size(folder_ / "model.safetensors")));
  ASSERT_NE(file->find_tensor("w.b"), nullptr);
  EXPECT_EQ(file->find_tensor("w.b")->bytes.size(), 8u);
  const auto config = file->read_document("config.json");
  ASSERT_TRUE(config.ok() && config->has_value());
  EXPECT_EQ(*(*config)->find("model_type")->as_string(), "llama");
  const auto tokenizer = file->read_document("tokenizer.json");
  EXPECT_TRUE(tokenizer.ok() && !tokenizer->has_value());
  const auto chat_template = file->read_chat_template();
  ASSERT_TRUE(chat_template.ok() && chat_template->has_value());
  EXPECT_EQ(**chat_template, "{{ messages }}");
  for (const StoredTensor& tensor : file->tensors()) file->release(tensor);
  EXPECT_EQ(file->find_tensor("w.b")->bytes[2], std::byte{0x80});  // 1.0f, read again from the file
}

TEST_F(ModelFolderTest, ReadsShards) {
  write_weights("model-00001-of-00002.safetensors", {"a", "b"});
  write_weights("model-00002-of-00002.safetensors", {"c"});
  write("model.safetensors.index.json", R"({"metadata":{"total_size":24},"weight_map":{
      "c":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors",
      "b":"model-00001-of-00002.safetensors"}})");
  const auto file = open();
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 3u);
  for (const char* name : {"a", "b", "c"}) EXPECT_NE(file->find_tensor(name), nullptr) << name;
}

TEST_F(ModelFolderTest, TheIndexAndTheShardsMustAgree) {
  write_weights("x.safetensors", {"a", "b"});
  const std::string index = "model.safetensors.index.json";
  write(index, R"({"weight_map":{"a":"x.safetensors"}})");
  expect_refused("x.safetensors holds tensor 'b'");
  write(index, R"({"weight_map":{"a":"x.safetensors","b":"x.safetensors","c":"x.safetensors"}})");
  expect_refused("x.safetensors lacks tensor 'c'");
  write(index, R"({"weight_map":{"a":"x.safetensors","b":"y.safetensors"}})");
  expect_refused("x.safetensors holds tensor 'b'");
  write(index, R"({"weight_map":{}})");
  expect_refused("no 'weight_map'");
  for (const char* name : {"../x.safetensors", "/x.safetensors", "..", "x.bin", "a\\\\x.safetensors", ""}) {
    write(index, std::string(R"({"weight_map":{"a":")") + name + "\"}}");
    expect_refused("names a file that is no safetensors file of this folder");
  }
  write(index, R"({"weight_map":{"a":"missing.safetensors"}})");
  expect_refused("missing.safetensors", ErrorCode::kNotFound);
}

TEST_F(ModelFolderTest, SaysWhatIsMissingOrMalformed) {
  expect_refused("there is no model.safetensors", ErrorCode::kNotFound);
  write("tiny.gguf", "GGUF");
  expect_refused("name the GGUF file itself", ErrorCode::kNotFound);
}

TEST_F(ModelFolderTest, ADocumentMustBeAJsonObject) {
  write_weights("model.safetensors", {"a"});
  for (const std::string& text :
       {std::string("{"), std::string("[1]"), std::string(100, '['), std::string()}) {
    write("config.json", text);
    const auto file = open();
    ASSERT_TRUE(file.ok());
    const auto config = file->read_document("config.json");
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_NE(config.error().message.find("config.json"), std::string::npos) << config.error().message;
  }
}

TEST_F(ModelFolderTest, AFifoIsRefusedAndDoesNotHang) {
  ASSERT_EQ(mkfifo((folder_ / "model.safetensors").c_str(), 0600), 0);
  expect_refused("not a regular file", ErrorCode::kIo);
}

TEST_F(ModelFolderTest, OpensALoneFile) {
  write_weights("part.safetensors", {"a"});
  const auto file = ModelFile::open((folder_ / "part.safetensors").string());
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->format(), ModelFormat::kSafetensors);
  write("config.json", "{}");
  const auto config = file->read_document("config.json");
  EXPECT_TRUE(config.ok() && !config->has_value());
}

}  // namespace
}  // namespace hussar
