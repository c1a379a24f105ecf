#include "grammar/number_automaton.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

namespace hussar {
namespace {

using Kind = NumberFacet::Kind;

bool writes(const NumberFacet& facet, std::string_view text) {
  const std::optional<StringAutomaton> automaton = number_automaton(facet, 5000);
  EXPECT_TRUE(automaton);
  return automaton && automaton->matches(text);
}

NumberFacet range(std::string_view min, std::string_view max, Kind kind = Kind::kAny) {
  NumberFacet facet;
  if (!min.empty()) facet.min = NumberFacet::Bound{Decimal::parse(min), false};
  if (!max.empty()) facet.max = NumberFacet::Bound{Decimal::parse(max), false};
  facet.kind = kind;
  return facet;
}

TEST(Decimal, Parses) {
  EXPECT_EQ(Decimal::parse("-0"), Decimal());
  EXPECT_EQ(Decimal::parse("1.50e2"), (Decimal{false, "150", ""}));
  EXPECT_EQ(Decimal::parse("-12e-3"), (Decimal{true, "", "012"}));
  EXPECT_LT(compare(Decimal::parse("-2"), Decimal::parse("-1.5")), 0);
  EXPECT_LT(compare(Decimal::parse("9"), Decimal::parse("10")), 0);
  EXPECT_EQ(compare(Decimal::parse("1.10"), Decimal::parse("1.1")), 0);
  EXPECT_GT(compare(Decimal::parse("1.101"), Decimal::parse("1.1")), 0);
}

TEST(NumberAutomaton, Ranges) {
  const NumberFacet facet = range("-1.5", "10");
  for (const char* text : {"-1.5", "-1", "0", "0.0", "10", "10.0", "9.999999", "-0.000001"})
    EXPECT_TRUE(writes(facet, text)) << text;
  for (const char* text : {"-1.500001", "10.000001", "11", "100", "-2", "-0", "01", "1.", ".5", ""}) {
    EXPECT_FALSE(writes(facet, text)) << text;
  }
  EXPECT_TRUE(writes(range("1e300", ""), "1" + std::string(300, '0')));
  EXPECT_FALSE(writes(range("1e300", ""), "9" + std::string(299, '0')));
}

TEST(NumberAutomaton, ExcludedBoundsAndValues) {
  NumberFacet facet = range("0", "3", Kind::kInteger);
  facet.min->excluded = true;
  facet.none_of.push_back(Decimal::parse("2"));
  EXPECT_FALSE(writes(facet, "0"));
  EXPECT_TRUE(writes(facet, "1"));
  EXPECT_FALSE(writes(facet, "2"));
  EXPECT_TRUE(writes(facet, "3"));
  EXPECT_FALSE(writes(facet, "1.0"));
  facet = range("", "", Kind::kFraction);
  EXPECT_TRUE(writes(facet, "-0.10"));
  EXPECT_FALSE(writes(facet, "1.0"));
}

TEST(NumberAutomaton, Multiples) {
  NumberFacet facet = range("", "");
  facet.multiples.push_back(*decimal_step(Decimal::parse("0.5")));
  for (const char* text : {"0", "-0.5", "1.5", "2.0", "12"}) EXPECT_TRUE(writes(facet, text)) << text;
  for (const char* text : {"0.3", "1.55", "-0.0"}) EXPECT_FALSE(writes(facet, text)) << text;
  facet = range("10", "", Kind::kInteger);
  facet.multiples.push_back(*decimal_step(Decimal::parse("7")));
  EXPECT_TRUE(writes(facet, "14"));
  EXPECT_FALSE(writes(facet, "7"));
  EXPECT_FALSE(writes(facet, "15"));
}

// Every number of a grid, against arithmetic.
TEST(NumberAutomaton, AgreesWithArithmeticOnRandomRanges) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> hundredths(-1500, 1500);
  for (int round = 0; round < 40; ++round) {
    const int low = hundredths(random);
    const int high = low + std::abs(hundredths(random));
    const auto text_of = [](int value) {
      return std::string(value < 0 ? "-" : "") + std::to_string(std::abs(value) / 100) + "." +
             std::to_string(std::abs(value) % 100 / 10) + std::to_string(std::abs(value) % 10);
    };
    NumberFacet facet = range(text_of(low), text_of(high));
    facet.min->excluded = round % 2 == 0;
    facet.max->excluded = round % 3 == 0;
    const std::optional<StringAutomaton> automaton = number_automaton(facet, 5000);
    ASSERT_TRUE(automaton);
    for (int value = low - 50; value <= high + 50; ++value) {
      const bool inside = (value > low || (value == low && !facet.min->excluded)) &&
                          (value < high || (value == high && !facet.max->excluded));
      const std::string text = text_of(value);
      EXPECT_EQ(automaton->matches(text), inside && text != "-0.00")
          << text << " in " << text_of(low) << ".." << text_of(high);
      EXPECT_EQ(facet.allows(Decimal::parse(text)), inside) << text;
    }
  }
}

}  // namespace
}  // namespace hussar
