#include "text/nfc.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <random>
#include <string>

#include "base/utf8.h"

namespace hussar {
namespace {

std::string nfc(std::string_view text) {
  std::string storage;
  return std::string(to_nfc(text, &storage));
}

TEST(Nfc, KnownForms) {
  EXPECT_EQ(nfc(""), "");
  EXPECT_EQ(nfc("plain 你好 é"), "plain 你好 é");
  EXPECT_EQ(nfc("e\u0301x"), "\u00E9x");
  EXPECT_EQ(nfc("\u00E9\u0323"), "\u1EB9\u0301");    // an inert letter that a later mark takes apart
  EXPECT_EQ(nfc("\u1100\u1161\u11A8"), "\uAC01");    // Hangul letters
  EXPECT_EQ(nfc("\uAC00\u11A8"), "\uAC01");          // and half a syllable
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");          // excluded from composition
  EXPECT_EQ(nfc("\u212B \u2126"), "\u00C5 \u03A9");  // singletons
  EXPECT_EQ(nfc("\u0301\u0323"), "\u0323\u0301");    // marks with nothing to stand on
}

TEST(Nfc, TextInNormalFormIsNotCopied) {
  const std::string text = "plain 你好 é";
  std::string storage;
  EXPECT_EQ(to_nfc(text, &storage).data(), text.data());
}

// The whole-string function of the library against our way of looking only where something can change.
TEST(Nfc, EqualsTheLibraryOnRandomText) {
  constexpr unsigned kSeed = 99;
  std::mt19937 random(kSeed);
  const auto random_point = [&]() -> char32_t {
    switch (random() % 9) {
      case 0:
        return 'a' + random() % 26;
      case 1:
        return 0x300 + random() % 0x70;
      case 2:
        return 0xC0 + random() % 0x1C0;
      case 3:
        return 0x1100 + random() % 0x100;
      case 4:
        return 0xAC00 + random() % 0x2BA4;
      case 5:
        return 0x900 + random() % 0x600;
      case 6:
        return 0x1E00 + random() % 0x200;
      case 7:
        return 0x4E00 + random() % 0x5200;
      default: {
        const char32_t c = random() % 0x110000;
        return c >= 0xD800 && c < 0xE000 ? U'x' : c;
      }
    }
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (size_t i = random() % 12; i > 0; --i) append_utf8(random_point(), &text);
    auto* expected = reinterpret_cast<char*>(
        utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>((text + '\0').c_str())));
    const std::string found = nfc(text.substr(0, text.find('\0')));
    ASSERT_EQ(found, expected) << "seed " << kSeed << " round " << round;
    std::free(expected);
  }
}

}  // namespace
}  // namespace hussar
