#include "hub/manifest.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

const std::string kSha256(64, 'a');

Manifest example() {
  return {"owner/model:q8_0",     "https://huggingface.co",
          "owner/model",          "0123",
          "2026-01-31T12:00:00Z", {{"model-q8_0.gguf", 1'000'000'000'000, kSha256}}};
}

TEST(Manifest, ReadsWhatItWrites) {
  const auto read = parse_manifest(write_manifest(example()));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->name, "owner/model:q8_0");
  EXPECT_EQ(read->source, "https://huggingface.co");
  EXPECT_EQ(read->repository, "owner/model");
  EXPECT_EQ(read->revision, "0123");
  EXPECT_EQ(read->pulled_at, "2026-01-31T12:00:00Z");
  ASSERT_EQ(read->files.size(), 1U);
  EXPECT_EQ(read->size_bytes(), 1'000'000'000'000);
  EXPECT_EQ(read->gguf_file(), "model-q8_0.gguf");
}

TEST(Manifest, AFolderIsTheModelWhereItsFilesAreSafetensors) {
  Manifest manifest = example();
  manifest.files = {{"config.json", 2, kSha256}, {"model.safetensors", 5, kSha256}};
  EXPECT_EQ(manifest.gguf_file(), "");
  EXPECT_EQ(manifest.size_bytes(), 7);
}

TEST(Manifest, FilesThatLeaveTheFolderAreRefused) {
  for (const char* name :
       {"../x.gguf", "/x.gguf", "a/x.gguf", "", ".x.gguf", "manifest.json", ".lock", "x.sh"}) {
    Manifest manifest = example();
    manifest.files[0].name = name;
    EXPECT_FALSE(parse_manifest(write_manifest(manifest)).ok()) << name;
  }
}

TEST(Manifest, EveryFieldIsChecked) {
  const std::string good = write_manifest(example());
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"format\":1", "\"format\":2"},
                                                        {"\"format\":1,", ""},
                                                        {"\"name\":\"owner", "\"nome\":\"owner"},
                                                        {"\"revision\":\"0123\"", "\"revision\":123"},
                                                        {"1000000000000", "-1"},
                                                        {"1000000000000", "1.5"},
                                                        {kSha256, "zz"},
                                                        {"\"files\":[", "\"files\":[1,"}}) {
    std::string bad = good;
    const size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    EXPECT_FALSE(parse_manifest(bad).ok()) << bad;
  }
  for (const char* text : {"", "[]", "null", "{}", "{\"format\":1}"})
    EXPECT_FALSE(parse_manifest(text).ok()) << text;
  Manifest none = example();
  none.files.clear();
  EXPECT_FALSE(parse_manifest(write_manifest(none)).ok());
}

}  // namespace
}  // namespace hussar
