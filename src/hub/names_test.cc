#include "hub/names.h"

#include <gtest/gtest.h>

#include <set>

namespace hussar {
namespace {

TEST(ModelName, TakesCatalogNamesAndRepositories) {
  const auto plain = parse_model_name("Qwen2.5-0.5B-Instruct-GGUF:Q8_0");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->text(), "qwen2.5-0.5b-instruct-gguf:q8_0");
  EXPECT_FALSE(plain->is_repository());
  const auto repository = parse_model_name("Qwen/Qwen3-0.6B:Qwen3-0.6B-Q8_0.gguf");
  ASSERT_TRUE(repository.ok());
  EXPECT_TRUE(repository->is_repository());
  EXPECT_EQ(repository->text(), "Qwen/Qwen3-0.6B:Qwen3-0.6B-Q8_0.gguf");
  EXPECT_EQ(repository->folder(), "Qwen+Qwen3-0.6B@Qwen3-0.6B-Q8_0.gguf");
}

TEST(ModelName, RefusesWhatCouldLeaveItsFolder) {
  for (const char* name :
       {"",           "/",       "..",   "../x",  "a/..", "a/../b", "a//b",  "a/b/c",   "/a/b",
        "a/",         ".hidden", "a/.b", "-flag", "a/-b", "a b",    "a:b:c", "a:",      "a:../b",
        "a:b/c.gguf", "a\\b",    "a\nb", "a%2fb", "~a",   "a@b",    "a+b",   "\xC3\xA9"}) {
    EXPECT_FALSE(parse_model_name(name).ok()) << name;
  }
  EXPECT_FALSE(parse_model_name(std::string("a\0b", 3)).ok());
  EXPECT_FALSE(parse_model_name(std::string(97, 'a')).ok());
  EXPECT_TRUE(parse_model_name(std::string(96, 'a')).ok());
}

TEST(ModelName, DifferentNamesHaveDifferentFolders) {
  std::set<std::string> folders;
  const char* const names[] = {"a", "a/b", "a:b", "a/b:c", "a-b", "a--b", "a/b-c", "a-b/c", "a.b/c", "a_b"};
  for (const char* name : names) {
    const auto parsed = parse_model_name(name);
    ASSERT_TRUE(parsed.ok()) << name;
    EXPECT_TRUE(folders.insert(parsed->folder()).second) << name;
    EXPECT_EQ(parsed->folder().find('/'), std::string::npos);
  }
}

TEST(FileName, OnlyPlainOnesAreSafe) {
  for (const char* name :
       {"model.safetensors", "model-00001-of-00002.safetensors", "a_b.gguf", "config.json"}) {
    EXPECT_TRUE(is_safe_file_name(name)) << name;
  }
  for (const char* name : {"", ".", "..", ".x", "-x", "a/b", "/a", "a\\b", "a b", "a\tb", "a:b", "a*", "a'b",
                           "a\"b", "a$b", "a`b", "\x7F", "\xC3\xA9"}) {
    EXPECT_FALSE(is_safe_file_name(name)) << name;
  }
  EXPECT_FALSE(is_safe_file_name(std::string("a\0b", 3)));
  EXPECT_TRUE(is_safe_file_name(std::string(200, 'a')));
  EXPECT_FALSE(is_safe_file_name(std::string(201, 'a')));
}

TEST(Path, HostileOnesAreKnown) {
  for (const char* path :
       {"", "/a", "a/", "a//b", "..", "a/..", "../a", "a/../b", "./a", "a/.", "a\nb", "a\x7F"}) {
    EXPECT_TRUE(is_hostile_path(path)) << path;
  }
  for (const char* path : {"a", "a/b.c", ".gitattributes", "a/.b", "...", "a b", "caf\xC3\xA9", "a..b"}) {
    EXPECT_FALSE(is_hostile_path(path)) << path;
  }
  EXPECT_TRUE(is_hostile_path(std::string(1025, 'a')));
}

TEST(Revision, IsBranchTagOrCommit) {
  for (const char* text : {"main", "refs/pr/1", "v1.0", "0123abcdef"})
    EXPECT_TRUE(is_safe_revision(text)) << text;
  for (const char* text : {"", "-x", "a b", "a..b", "a?b", "a#b", "a%20"})
    EXPECT_FALSE(is_safe_revision(text)) << text;
  EXPECT_FALSE(is_safe_revision(std::string(129, 'a')));
}

TEST(Url, EscapesAllButUnreserved) {
  EXPECT_EQ(escape_url("a/b c?d#e&f=g%", Slash::kKeep), "a/b%20c%3Fd%23e%26f%3Dg%25");
  EXPECT_EQ(escape_url("refs/pr/1", Slash::kEscape), "refs%2Fpr%2F1");
  EXPECT_EQ(escape_url("A-z_0.9~", Slash::kEscape), "A-z_0.9~");
  EXPECT_EQ(escape_url("\xC3\xA9", Slash::kEscape), "%C3%A9");
}

}  // namespace
}  // namespace hussar
