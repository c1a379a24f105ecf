#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace hussar {
namespace {

std::string write_file(const std::string& name, const std::string& contents) {
  const std::string path = testing::TempDir() + "hussar_" + std::to_string(getpid()) + "_" + name;
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheFilesBytesAndMoves) {
  const std::string contents(100'000, 'x');
  const std::string path = write_file("bytes", contents);
  auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(text_of(*file), contents);
  MappedFile moved = std::move(*file);
  EXPECT_EQ(text_of(moved), contents);
  EXPECT_TRUE(file->bytes().empty());
  std::remove(path.c_str());
  EXPECT_EQ(text_of(moved), contents) << "a mapping outlives the file's name";
}

TEST(MappedFile, ReleasedPagesKeepTheirContents) {
  std::string contents(50'000, 'a');
  contents[12'345] = 'b';
  const std::string path = write_file("release", contents);
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  file->release_pages(0, contents.size());
  file->release_pages(5'000, 30'000);
  file->release_pages(49'999, 1);
  file->release_pages(100, 0);
  EXPECT_EQ(text_of(*file), contents);
  std::remove(path.c_str());
}

TEST(MappedFile, ErrorsNameThePath) {
  const std::string empty = write_file("empty", "");
  const std::pair<std::string, ErrorCode> cases[] = {{"/nonexistent/model.gguf", ErrorCode::kNotFound},
                                                     {testing::TempDir(), ErrorCode::kIo},
                                                     {empty, ErrorCode::kIo}};
  for (const auto& [path, code] : cases) {
    const auto file = MappedFile::open(path);
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_EQ(file.error().code, code) << file.error().message;
    EXPECT_NE(file.error().message.find(path), std::string::npos) << file.error().message;
  }
  std::remove(empty.c_str());
}

}  // namespace
}  // namespace hussar
