#include "grammar/json_schema_number.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace hussar {
namespace {

// A number that owns its digits.
struct Number {
  explicit Number(const std::string& text) {
    digits.reserve(text.size());
    EXPECT_TRUE(parse_decimal(text, &digits, &view)) << text;
  }
  Number(const Number&) = delete;
  std::string digits;
  DecimalView view;
};

int compared(const std::string& a, const std::string& b) { return compare(Number(a).view, Number(b).view); }
bool multiple(const std::string& a, const std::string& b) {
  return is_multiple_of(Number(a).view, Number(b).view);
}

TEST(SchemaNumber, HasOneFormForEachValue) {
  const std::string same[][4] = {{"1", "1.0", "10e-1", "0.01E+2"},
                                 {"0", "-0", "0.000", "-0e5"},
                                 {"-120", "-1.2e2", "-120.0", "-12e1"},
                                 {"100000000000000000000000", "1e23", "1.00e+23", "0.1e24"}};
  for (const auto& spellings : same) {
    for (const std::string& spelling : spellings) {
      EXPECT_EQ(Number(spelling).view, Number(spellings[0]).view) << spelling;
      EXPECT_EQ(compared(spelling, spellings[0]), 0) << spelling;
    }
  }
  EXPECT_FALSE(Number("1").view == Number("1.0000000000000000000000000000001").view);
  EXPECT_FALSE(Number("12345678910111213141516171819202122232425262728293031").view ==
               Number("12345678910111213141516171819202122232425262728293032").view);
}

TEST(SchemaNumber, KnowsIntegers) {
  for (const char* text : {"0", "5", "-5.0", "1.5e1", "1e308"})
    EXPECT_TRUE(Number(text).view.is_integer()) << text;
  for (const char* text : {"0.5", "15e-1", "1e-300"}) EXPECT_FALSE(Number(text).view.is_integer()) << text;
}

TEST(SchemaNumber, ComparesWithoutRounding) {
  EXPECT_LT(compared("-1", "0"), 0);
  EXPECT_LT(compared("-2", "-1.5"), 0);
  EXPECT_GT(compared("0.1", "0.09"), 0);
  EXPECT_GT(compared("18446744073709551616", "18446744073709551615"), 0);
  EXPECT_LT(compared("0.1", "0.1000000000000000055511151231257827"), 0);
  EXPECT_GT(compared("1e1000000000", "9e999999999"), 0);
  EXPECT_LT(compared("-1e1000000000", "1e-1000000000"), 0);
}

TEST(SchemaNumber, MultiplesAreExact) {
  EXPECT_TRUE(multiple("0.07", "0.01"));
  EXPECT_TRUE(multiple("19.99", "0.01"));
  EXPECT_FALSE(multiple("19.995", "0.01"));
  EXPECT_TRUE(multiple("1e308", "0.5"));
  EXPECT_FALSE(multiple("1e308", "0.123456789"));
  EXPECT_TRUE(multiple("0", "7"));
  EXPECT_TRUE(multiple("-21", "7"));
  EXPECT_TRUE(multiple("1e1000000000", "8"));
  EXPECT_FALSE(multiple("1e1000000000", "3"));
  EXPECT_TRUE(multiple("999999999999999999999999999999", "999999999999999"));
  EXPECT_FALSE(multiple("5", "10"));
  EXPECT_TRUE(multiple("123456789012345678000", "123456789012345678"));
}

TEST(SchemaNumber, IntegersAreClamped) {
  EXPECT_EQ(clamped_integer(Number("0").view, 9), 0U);
  EXPECT_EQ(clamped_integer(Number("120").view, 1000), 120U);
  EXPECT_EQ(clamped_integer(Number("1e1000000000").view, 77), 77U);
  EXPECT_EQ(clamped_integer(Number("18446744073709551615").view, UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(clamped_integer(Number("18446744073709551614").view, UINT64_MAX), UINT64_MAX - 1);
  EXPECT_EQ(clamped_integer(Number("18446744073709551616").view, UINT64_MAX), UINT64_MAX);
}

TEST(SchemaNumber, AnExponentBeyondAllBoundsIsRefused) {
  std::string digits;
  DecimalView view;
  EXPECT_TRUE(parse_decimal("1e99999999999999999", &digits, &view));
  EXPECT_FALSE(parse_decimal("1e100000000000000001", &digits, &view));
  EXPECT_FALSE(parse_decimal("1e-99999999999999999999999999", &digits, &view));
}

// Against integers, to which numbers of few digits can be scaled.
TEST(SchemaNumber, EqualsIntegerArithmeticOnRandomNumbers) {
  constexpr unsigned kSeed = 20261125;
  std::mt19937 random(kSeed);
  constexpr int kScale = 6;
  const auto any = [&](int64_t* scaled) {
    const auto coefficient = static_cast<int64_t>(random() % 2000) - 1000;
    const int places = static_cast<int>(random() % (kScale + 1));
    *scaled = coefficient;
    for (int i = places; i < kScale; ++i) *scaled *= 10;
    return std::to_string(coefficient) + "e-" + std::to_string(places);
  };
  for (int round = 0; round < 50'000; ++round) {
    int64_t a = 0, b = 0;
    const std::string text_a = any(&a), text_b = any(&b);
    const int order = a < b ? -1 : a > b ? 1 : 0;
    ASSERT_EQ(compared(text_a, text_b), order) << text_a << " " << text_b << " seed " << kSeed;
    ASSERT_EQ(Number(text_a).view == Number(text_b).view, order == 0) << text_a << " " << text_b;
    if (b <= 0) continue;
    ASSERT_EQ(multiple(text_a, text_b), a % b == 0) << text_a << " " << text_b << " seed " << kSeed;
  }
}

}  // namespace
}  // namespace hussar
