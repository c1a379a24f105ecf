#include "hub/digest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace hussar {
namespace {

const std::string kAbcSha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string kAbcGit = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";  // git hash-object

class DigestFile : public testing::Test {
 protected:
  DigestFile() { std::ofstream(path_) << "abc"; }
  ~DigestFile() override { ::unlink(path_.c_str()); }
  const std::string path_ = testing::TempDir() + "hussar_digest_" + std::to_string(getpid());
  std::atomic<bool> stop_ = false;
};

TEST_F(DigestFile, KnowsBothKinds) {
  for (const auto& [kind, hex] :
       {std::pair{Checksum::Kind::kSha256, kAbcSha256}, {Checksum::Kind::kGitBlobSha1, kAbcGit}}) {
    const auto right = digest_file(path_, {kind, hex}, stop_);
    ASSERT_TRUE(right.ok());
    EXPECT_TRUE(right->matches);
    EXPECT_EQ(right->sha256, kAbcSha256);
    EXPECT_EQ(right->size_bytes, 3);
    const auto wrong = digest_file(path_, {kind, std::string(hex.size(), '0')}, stop_);
    ASSERT_TRUE(wrong.ok());
    EXPECT_FALSE(wrong->matches);
  }
}

TEST_F(DigestFile, StopsWhenAsked) {
  stop_ = true;
  const auto digest = digest_file(path_, {}, stop_);
  ASSERT_FALSE(digest.ok());
  EXPECT_EQ(digest.error().code, ErrorCode::kCancelled);
}

TEST(Checksum, IsHexOfTheRightLength) {
  EXPECT_EQ(make_checksum(Checksum::Kind::kGitBlobSha1, "ABCDEF" + std::string(34, '0'))->hex,
            "abcdef" + std::string(34, '0'));
  EXPECT_FALSE(make_checksum(Checksum::Kind::kSha256, std::string(40, '0')).ok());
  EXPECT_FALSE(make_checksum(Checksum::Kind::kGitBlobSha1, std::string(39, '0') + "g").ok());
  EXPECT_FALSE(make_checksum(Checksum::Kind::kSha256, "").ok());
}

}  // namespace
}  // namespace hussar
