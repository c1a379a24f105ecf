#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "bench/special_functions.h"

namespace hussar {
namespace {

double variance(std::span<const double> samples, double center) {
  double sum = 0;
  for (const double sample : samples) sum += (sample - center) * (sample - center);
  return sum / static_cast<double>(samples.size() - 1);
}

}  // namespace

double quantile(std::span<const double> sorted, double q) {
  CHECK(!sorted.empty() && q >= 0 && q <= 1);
  const double position = q * static_cast<double>(sorted.size() - 1);
  const size_t below = std::min(static_cast<size_t>(position), sorted.size() - 1);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

RankInterval quantile_ranks(int64_t count, double q, double confidence) {
  const double tail = (1 - confidence) / 2;
  // The number of samples below the true quantile is binomial. Of ranks r in [0, count + 1], the first for
  // which `beyond` holds; it holds for all greater ones.
  const auto first_rank = [count](auto beyond) {
    int64_t low = 0, high = count + 1;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      beyond(middle) ? high = middle : low = middle + 1;
    }
    return low;
  };
  RankInterval ranks;
  ranks.low = first_rank([&](int64_t rank) { return binomial_cdf(rank, count, q) > tail; });
  ranks.high = first_rank([&](int64_t rank) { return 1 - binomial_cdf(rank - 1, count, q) <= tail; });
  return ranks;
}

QuantileInterval quantile_interval(std::span<const double> sorted, double q, double confidence) {
  CHECK(!sorted.empty());
  const int64_t count = static_cast<int64_t>(sorted.size());
  const RankInterval ranks = quantile_ranks(count, q, confidence);
  const auto at = [&](int64_t rank) {
    return sorted[static_cast<size_t>(std::clamp(rank, int64_t{1}, count)) - 1];
  };
  return {{at(ranks.low), at(ranks.high)}, ranks.low >= 1 && ranks.high <= count};
}

double mean(std::span<const double> samples) {
  CHECK(!samples.empty());
  double sum = 0;
  for (const double sample : samples) sum += sample;
  return sum / static_cast<double>(samples.size());
}

Interval mean_interval(std::span<const double> samples, double confidence) {
  const double center = mean(samples);
  if (samples.size() < 2) {
    constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    return {kUnknown, kUnknown};
  }
  const double count = static_cast<double>(samples.size());
  const double error = std::sqrt(variance(samples, center) / count);
  const double half = error * student_t_quantile((1 + confidence) / 2, count - 1);
  return {center - half, center + half};
}

Interval wilson_interval(int64_t successes, int64_t trials, double confidence) {
  CHECK(successes >= 0 && successes <= trials);
  if (trials == 0) return {0, 1};
  const double n = static_cast<double>(trials), p = static_cast<double>(successes) / n;
  const double z = normal_quantile((1 + confidence) / 2);
  const double center = p + z * z / (2 * n), scale = 1 + z * z / n;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // At the ends the formula gives exactly 0 and 1, but for rounding.
  return {successes == 0 ? 0 : (center - half) / scale, successes == trials ? 1 : (center + half) / scale};
}

Interval clopper_pearson(int64_t successes, int64_t trials, double confidence) {
  CHECK(successes >= 0 && successes <= trials);
  if (trials == 0) return {0, 1};
  const double tail = (1 - confidence) / 2;
  const double k = static_cast<double>(successes), rest = static_cast<double>(trials - successes);
  return {successes == 0 ? 0 : beta_quantile(tail, k, rest + 1),
          successes == trials ? 1 : beta_quantile(1 - tail, k + 1, rest)};
}

Interval newcombe_difference(int64_t successes_a, int64_t trials_a, int64_t successes_b, int64_t trials_b,
                             double confidence) {
  CHECK(trials_a > 0 && trials_b > 0);
  const double a = static_cast<double>(successes_a) / static_cast<double>(trials_a);
  const double b = static_cast<double>(successes_b) / static_cast<double>(trials_b);
  const Interval of_a = wilson_interval(successes_a, trials_a, confidence);
  const Interval of_b = wilson_interval(successes_b, trials_b, confidence);
  return {b - a - std::hypot(b - of_b.low, of_a.high - a), b - a + std::hypot(of_b.high - b, a - of_a.low)};
}

Interval welch_difference(std::span<const double> a, std::span<const double> b, double confidence) {
  CHECK(a.size() >= 2 && b.size() >= 2);
  const double mean_a = mean(a), mean_b = mean(b);
  const double count_a = static_cast<double>(a.size()), count_b = static_cast<double>(b.size());
  const double error_a = variance(a, mean_a) / count_a, error_b = variance(b, mean_b) / count_b;
  const double error = error_a + error_b, difference = mean_b - mean_a;
  if (error <= 0) return {difference, difference};
  // Satterthwaite, from shares of the error, so that tiny variances don't underflow when squared.
  const double share_a = error_a / error, share_b = error_b / error;
  const double freedom = 1 / (share_a * share_a / (count_a - 1) + share_b * share_b / (count_b - 1));
  const double half = std::sqrt(error) * student_t_quantile((1 + confidence) / 2, freedom);
  return {difference - half, difference + half};
}

}  // namespace hussar
