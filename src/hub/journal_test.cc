#include "hub/journal.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

const Checksum kChecksum{Checksum::Kind::kSha256, std::string(64, 'a')};

std::vector<ByteRange> read(const std::string& lines, int64_t size_bytes = 1000) {
  return read_journal(journal_head(1000, kChecksum) + lines, size_bytes, kChecksum).ranges();
}

TEST(Journal, SaysWhatIsThere) {
  EXPECT_EQ(read(""), std::vector<ByteRange>());
  EXPECT_EQ(read("0 10\n20 30\n10 15\n"), (std::vector<ByteRange>{{0, 15}, {20, 30}}));
  EXPECT_EQ(read("0 1000\n"), (std::vector<ByteRange>{{0, 1000}}));
}

TEST(Journal, BelongsToOneFile) {
  EXPECT_EQ(read("0 10\n", 999), std::vector<ByteRange>());
  const std::string text = journal_head(1000, kChecksum) + "0 10\n";
  const Checksum other{Checksum::Kind::kSha256, std::string(64, 'b')};
  EXPECT_EQ(read_journal(text, 1000, other).total_bytes(), 0);
  EXPECT_EQ(read_journal(text, 1000, kChecksum).total_bytes(), 10);
  // Without a checksum nothing says that the hub still has the same file.
  EXPECT_EQ(read_journal(journal_head(1000, {}) + "0 10\n", 1000, {}).total_bytes(), 0);
}

TEST(Journal, AProcessKilledWhileWritingLeavesATornLine) {
  EXPECT_EQ(read("0 10\n20 3"), (std::vector<ByteRange>{{0, 10}}));
  EXPECT_EQ(read("0 10"), std::vector<ByteRange>());
}

TEST(Journal, NothingBehindAMalformedLineCounts) {
  for (const char* line : {"x", "", "5", "5 ", " 5 9", "9 5", "-1 5", "0 1001", "0 99999999999999999999",
                           "5  9", "5 9 ", "5 9\r", "+5 9"}) {
    EXPECT_EQ(read("0 5\n" + std::string(line) + "\n100 200\n"), (std::vector<ByteRange>{{0, 5}})) << line;
  }
  EXPECT_EQ(read_journal("", 1000, kChecksum).total_bytes(), 0);
  EXPECT_EQ(read_journal("hussar download 2\n", 1000, kChecksum).total_bytes(), 0);
}

}  // namespace
}  // namespace hussar
