#include "bench/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hussar {
namespace {

TEST(Format, FiguresHaveThreeDigitsThatCount) {
  EXPECT_EQ(format_figure(0), "0");
  EXPECT_EQ(format_figure(0.0004), "<0.001");
  EXPECT_EQ(format_figure(0.0124), "0.012");
  EXPECT_EQ(format_figure(0.3812), "0.381");
  EXPECT_EQ(format_figure(1.276), "1.28");
  EXPECT_EQ(format_figure(12.54), "12.5");
  EXPECT_EQ(format_figure(610.4), "610");
  EXPECT_EQ(format_figure(131072), "131072");
  EXPECT_EQ(format_figure(-1.5), "-1.50");
  EXPECT_EQ(format_figure(1e300), "1e+300");
}

TEST(Format, RoundingUpToATenKeepsThreeDigits) {
  EXPECT_EQ(format_figure(0.9994), "0.999");
  EXPECT_EQ(format_figure(0.9996), "1.00");
  EXPECT_EQ(format_figure(9.994), "9.99");
  EXPECT_EQ(format_figure(9.996), "10.0");
  EXPECT_EQ(format_figure(99.94), "99.9");
  EXPECT_EQ(format_figure(99.96), "100");
}

TEST(Format, GivenFiguresKeepTheirDigits) {
  EXPECT_EQ(format_given(0.38), "0.38");
  EXPECT_EQ(format_given(8.7), "8.7");
  EXPECT_EQ(format_given(610), "610");
  EXPECT_EQ(format_given(NAN), kNoFigure);
}

TEST(Format, WhatIsNoFigureHasNoUnit) {
  EXPECT_EQ(format_figure(NAN), kNoFigure);
  EXPECT_EQ(format_figure(INFINITY, "ms"), kNoFigure);
  EXPECT_EQ(format_figure(610, "tok/s"), "610 tok/s");
  EXPECT_EQ(format_count(-1), kNoFigure);
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_bytes(-1), kNoFigure);
  EXPECT_EQ(format_bytes(6.2e9), "6.2 GB");
  EXPECT_EQ(format_bytes(std::numeric_limits<double>::infinity()), kNoFigure);
}

TEST(Format, ZeroAndHundredPercentAreExact) {
  EXPECT_EQ(format_percent(0), "0 %");
  EXPECT_EQ(format_percent(1), "100 %");
  EXPECT_EQ(format_percent(1e-6), "<0.01 %");
  EXPECT_EQ(format_percent(-1e-6), ">-0.01 %");
  EXPECT_EQ(format_percent(0.999999), ">99.99 %");
  EXPECT_EQ(format_percent(0.99951), "99.95 %");
  EXPECT_EQ(format_percent(0.012), "1.2 %");
  EXPECT_EQ(format_percent(0.0005), "0.05 %");
  EXPECT_EQ(format_percent(0.97), "97 %");
  EXPECT_EQ(format_percent(0.333), "33.3 %");
  EXPECT_EQ(format_percent(0.09996), "10 %");
  EXPECT_EQ(format_percent(-0.125), "-12.5 %");
  EXPECT_EQ(format_percent(NAN), kNoFigure);
}

TEST(Format, Intervals) {
  EXPECT_EQ(format_interval({1.15, 1.306}), "1.15 \u2013 1.31");
  EXPECT_EQ(format_interval({NAN, NAN}), kNoFigure);
  EXPECT_EQ(format_percent_interval({NAN, 1}), kNoFigure);
  EXPECT_EQ(format_percent_interval({0, 0.0369}), "0 % \u2013 3.69 %");
}

TEST(Format, Durations) {
  EXPECT_EQ(format_duration(2.14), "2.14 s");
  EXPECT_EQ(format_duration(42.4), "42 s");
  EXPECT_EQ(format_duration(59.7), "1 min 00 s");
  EXPECT_EQ(format_duration(125), "2 min 05 s");
  EXPECT_EQ(format_duration(11220), "3 h 07 min");
  EXPECT_EQ(format_duration(-1), kNoFigure);
}

}  // namespace
}  // namespace hussar
