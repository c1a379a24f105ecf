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

// Distribution-free confidence interval of the q-quantile from order statistics: each end is left out with at
// most half of 1 - confidence by the exact binomial (David and Nagaraja, Order Statistics, 7.1). Where the
// samples are too few for an end at this confidence, that end is the least or greatest sample and `exact` is
// false. REQUIRES: not empty, sorted.
struct QuantileInterval {
  Interval interval;
  bool exact = true;
};
QuantileInterval quantile_interval(std::span<const double> sorted, double q, double confidence = 0.95);
// The same as ranks, from 1; `low` 0 or `high` count + 1 where the samples are too few.
struct RankInterval {
  int64_t low = 0, high = 0;
};
RankInterval quantile_ranks(int64_t count, double q, double confidence);

double mean(std::span<const double> samples);  // REQUIRES: not empty
// Student's t. NaN ends for a single sample, which says nothing of its spread. REQUIRES: not empty.
Interval mean_interval(std::span<const double> samples, double confidence = 0.95);

// Of a proportion; [0, 1] for no trials. REQUIRES: 0 <= successes <= trials.
Interval wilson_interval(int64_t successes, int64_t trials, double confidence = 0.95);
Interval clopper_pearson(int64_t successes, int64_t trials, double confidence = 0.95);  // exact

// Of the difference of two proportions, b - a: Newcombe's hybrid of two Wilson intervals (Statistics in
// Medicine 17, 1998, method 10). REQUIRES: as wilson_interval; trials > 0.
Interval newcombe_difference(int64_t successes_a, int64_t trials_a, int64_t successes_b, int64_t trials_b,
                             double confidence = 0.95);

// Of the difference of two means, b - a, with unequal variances (Welch, 1947; Satterthwaite's degrees of
// freedom). REQUIRES: at least 2 samples each.
Interval welch_difference(std::span<const double> a, std::span<const double> b, double confidence = 0.95);

// Percentile bootstrap (Efron) of the difference statistic(b) - statistic(a), with a seeded generator: the
// same seed gives the same interval. REQUIRES: not empty.
//
// Time: a quantile of a resample is drawn as what it is, an order statistic of uniforms (a beta), so that a
// resample costs the same for any number of samples; a mean costs one step a sample.
enum class Statistic { kMean, kP50, kP90, kP99 };
double value_of(Statistic statistic, std::span<const double> samples);
Interval bootstrap_difference(std::span<const double> a, std::span<const double> b, Statistic statistic,
                              int32_t resamples, uint64_t seed, double confidence = 0.95);

// Samples that came in groups, as the gaps between tokens come in requests: those of one group resemble each
// other, so a resample draws whole groups. `group_sizes` add up to the number of values, in their order.
struct GroupedSamples {
  std::span<const double> values;
  std::span<const int64_t> group_sizes;
};
// One step a sample and resample. REQUIRES: not empty; group sizes positive, their sum right.
Interval bootstrap_difference(const GroupedSamples& a, const GroupedSamples& b, Statistic statistic,
                              int32_t resamples, uint64_t seed, double confidence = 0.95);

}  // namespace hussar
