// Statistics over samples: percentiles, intervals, tests. Pure functions; sources stand at each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hussar {

struct Interval {
  double low = 0, high = 0;
};

// The q-quantile (0..1) of sorted samples by linear interpolation between order statistics (Hyndman and Fan's
// definition 7, numpy's default). REQUIRES: not empty, sorted.
double quantile(std::span<const double> sorted, double q);

// Distribution-free confidence interval of the q-quantile from order statistics (binomial). Where the samples
// are too few for an end at this confidence, that end is the least or greatest sample and `exact` is false.
struct QuantileInterval {
  Interval interval;
  bool exact = true;
};
QuantileInterval quantile_interval(std::span<const double> sorted, double q, double confidence = 0.95);

double mean(std::span<const double> samples);                                           // REQUIRES: not empty
Interval mean_interval(std::span<const double> samples, double confidence = 0.95);      // Student's t
Interval wilson_interval(int64_t successes, int64_t trials, double confidence = 0.95);  // of a proportion
Interval clopper_pearson(int64_t successes, int64_t trials,
                         double confidence = 0.95);  // exact, of a proportion

// Percentile bootstrap of the difference statistic(b) - statistic(a), with a seeded generator.
enum class Statistic { kMean, kP50, kP90, kP99 };
double value_of(Statistic statistic, std::span<const double> samples);
Interval bootstrap_difference(std::span<const double> a, std::span<const double> b, Statistic statistic,
                              int32_t resamples, uint64_t seed, double confidence = 0.95);

}  // namespace hussar
