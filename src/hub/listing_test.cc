#include "hub/listing.h"

#include <gtest/gtest.h>

#include "hub/catalog.h"

namespace hussar {
namespace {

std::vector<RemoteFile> files(const std::vector<std::string>& paths) {
  std::vector<RemoteFile> all;
  for (const std::string& path : paths) all.push_back({path, 1, {}});
  return all;
}

std::vector<std::string> chosen(const std::vector<std::string>& paths, const std::string& selector = "") {
  const auto result = select_files(files(paths), selector);
  std::vector<std::string> names;
  if (!result.ok()) return {"error: " + result.error().message};
  for (const RemoteFile& file : *result) names.push_back(file.path);
  return names;
}

using Names = std::vector<std::string>;

TEST(SelectFiles, TakesWeightsAndDocumentsOfASafetensorsModel) {
  EXPECT_EQ(chosen({"README.md", "model.safetensors", "config.json", "tokenizer.json", "vocab.json",
                    "onnx/model.onnx", "consolidated.safetensors", "adapter_model.safetensors",
                    "chat_template.jinja", "model.gguf"}),
            (Names{"config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"}));
  EXPECT_EQ(chosen({"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors", "consolidated.safetensors"}),
            (Names{"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
                   "model-00002-of-00002.safetensors"}));
}

TEST(SelectFiles, QuantisationsAreWords) {
  const Names names = {"m-q4_k_m.gguf", "m-Q4_K_S.gguf", "m.IQ4_XS.gguf", "m-q8_0.gguf", "m_f16.gguf"};
  EXPECT_EQ(chosen(names, "q4_k_m"), Names{"m-q4_k_m.gguf"});
  EXPECT_EQ(chosen(names, "q4_k_s"), Names{"m-Q4_K_S.gguf"});
  EXPECT_EQ(chosen(names, "iq4_xs"), Names{"m.IQ4_XS.gguf"});
  EXPECT_EQ(chosen(names, "f16"), Names{"m_f16.gguf"});
  EXPECT_EQ(chosen(names, "m-q8_0.gguf"), Names{"m-q8_0.gguf"});
  for (const char* none : {"q4_k", "q4", "4_xs", "q5_0", "M-Q8_0.gguf", "gguf"}) {
    EXPECT_TRUE(chosen(names, none)[0].starts_with("error: no file matches")) << none;
  }
  EXPECT_TRUE(chosen(names)[0].starts_with("error: several files"));
  EXPECT_TRUE(chosen({"m-q8_0-00001-of-00002.gguf", "m-q8_0-00002-of-00002.gguf"}, "q8_0")[0].starts_with(
      "error: m-q8_0-00001-of-00002.gguf is one of several parts"));
}

TEST(NextPage, IsTheOneMarkedNext) {
  EXPECT_EQ(next_page_url("<https://h/a?cursor=1>; rel=\"next\""), "https://h/a?cursor=1");
  EXPECT_EQ(
      next_page_url("<https://h/b>; rel=\"first\", <https://h/c>; rel=\"next\", <https://h/d>; rel=\"last\""),
      "https://h/c");
  for (const char* none :
       {"", "<", "<https://h/a", "<https://h/a>", "rel=\"next\"", "<https://h/b>; rel=\"last\""}) {
    EXPECT_EQ(next_page_url(none), "") << none;
  }
}

TEST(Catalog, EveryRowHoldsTogether) {
  for (const CatalogRow& row : catalog()) {
    const auto name = parse_model_name(row.name);
    ASSERT_TRUE(name.ok()) << row.name;
    EXPECT_EQ(name->text(), row.name);
    EXPECT_EQ(find_in_catalog(*name), &row) << "a name stands twice: " << row.name;
    for (const std::string_view repository : {row.hugging_face, row.model_scope}) {
      if (repository.empty()) continue;
      EXPECT_TRUE(parse_model_name(repository)->is_repository()) << row.name;
    }
    for (const PinnedFile& pin : row.pins) {
      if (pin.file.empty()) continue;
      EXPECT_TRUE(is_model_file(pin.file)) << row.name;
      EXPECT_TRUE(make_checksum(Checksum::Kind::kSha256, pin.sha256).ok()) << row.name;
    }
    const bool commit = make_checksum(Checksum::Kind::kGitBlobSha1, row.commit).ok();
    EXPECT_TRUE(row.commit.empty() || commit) << row.name;
  }
}

}  // namespace
}  // namespace hussar
