// The bootstrap half of statistics.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "bench/random.h"
#include "bench/statistics.h"

namespace hussar {
namespace {

double quantile_of(Statistic statistic) {
  switch (statistic) {
    case Statistic::kP90:
      return 0.9;
    case Statistic::kP99:
      return 0.99;
    default:
      return 0.5;
  }
}

std::vector<double> sorted_copy(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

double resampled_mean(std::span<const double> samples, Random* random) {
  double sum = 0;
  for (size_t i = 0; i < samples.size(); ++i) sum += samples[random->below(samples.size())];
  return sum / static_cast<double>(samples.size());
}

// A resample of n values is n uniforms, each cut to an index into the sorted samples; cutting keeps the
// order, so the resample's k-th value stands at the index of the k-th uniform. That one is a beta(k, n + 1 -
// k), and the next, given it, the least of the n - k uniforms above it.
double resampled_quantile(std::span<const double> sorted, double q, Random* random) {
  const size_t count = sorted.size();
  const double n = static_cast<double>(count), position = q * (n - 1);
  const double rank = std::floor(position) + 1, fraction = position - std::floor(position);
  const auto value_at = [&](double uniform) {
    return sorted[std::min(static_cast<size_t>(uniform * n), count - 1)];
  };
  const double uniform = random->beta(rank, n + 1 - rank);
  const double value = value_at(uniform);
  if (fraction == 0 || rank >= n) return value;
  const double next = 1 - (1 - uniform) * std::pow(1 - random->uniform(), 1 / (n - rank));
  return std::lerp(value, value_at(next), fraction);
}

// The percentile interval of draw_b() - draw_a().
template <typename DrawA, typename DrawB>
Interval percentile_interval(int32_t resamples, double confidence, DrawA draw_a, DrawB draw_b) {
  CHECK(resamples > 0);
  std::vector<double> differences(static_cast<size_t>(resamples));
  for (double& difference : differences) {
    const double a = draw_a();
    difference = draw_b() - a;
  }
  std::sort(differences.begin(), differences.end());
  const double tail = (1 - confidence) / 2;
  return {quantile(differences, tail), quantile(differences, 1 - tail)};
}

// Draws statistics of resamples of whole groups.
class GroupResampler {
 public:
  GroupResampler(const GroupedSamples& samples, Statistic statistic)
      : statistic_(statistic), sizes_(samples.group_sizes), sums_(sizes_.size()), times_(sizes_.size()) {
    CHECK(!samples.values.empty());
    size_t at = 0;
    for (size_t group = 0; group < sizes_.size(); ++group) {
      for (int64_t i = 0; i < sizes_[group]; ++i, ++at) {
        CHECK(at < samples.values.size());
        sums_[group] += samples.values[at];
        sorted_.push_back({samples.values[at], group});
      }
    }
    CHECK(at == samples.values.size());
    std::sort(sorted_.begin(), sorted_.end(), [](const Item& x, const Item& y) { return x.value < y.value; });
  }

  double draw(Random* random) {
    std::fill(times_.begin(), times_.end(), 0);
    for (size_t i = 0; i < times_.size(); ++i) ++times_[random->below(times_.size())];
    double count = 0, sum = 0;
    for (size_t group = 0; group < times_.size(); ++group) {
      count += static_cast<double>(times_[group] * sizes_[group]);
      sum += static_cast<double>(times_[group]) * sums_[group];
    }
    return statistic_ == Statistic::kMean ? sum / count : weighted_quantile(count);
  }

 private:
  struct Item {
    double value;
    size_t group;
  };

  // Of the values, each as often as its group was drawn, `count` in all.
  double weighted_quantile(double count) const {
    const double position = quantile_of(statistic_) * (count - 1);
    const int64_t index = static_cast<int64_t>(position);
    int64_t passed = 0;
    double lower = sorted_.back().value;
    bool found = false;
    for (const Item& item : sorted_) {
      const int64_t times = times_[item.group];
      if (times == 0) continue;
      passed += times;
      if (!found && passed > index) {
        lower = item.value;
        found = true;
      }
      if (passed > index + 1) return std::lerp(lower, item.value, position - static_cast<double>(index));
    }
    return lower;
  }

  Statistic statistic_;
  std::span<const int64_t> sizes_;
  std::vector<double> sums_;    // [group]
  std::vector<int64_t> times_;  // [group], of the resample at hand
  std::vector<Item> sorted_;
};

}  // namespace

double value_of(Statistic statistic, std::span<const double> samples) {
  if (statistic == Statistic::kMean) return mean(samples);
  return quantile(sorted_copy(samples), quantile_of(statistic));
}

Interval bootstrap_difference(std::span<const double> a, std::span<const double> b, Statistic statistic,
                              int32_t resamples, uint64_t seed, double confidence) {
  CHECK(!a.empty() && !b.empty());
  Random random(seed);
  if (statistic == Statistic::kMean) {
    return percentile_interval(
        resamples, confidence, [&] { return resampled_mean(a, &random); },
        [&] { return resampled_mean(b, &random); });
  }
  const std::vector<double> sorted_a = sorted_copy(a), sorted_b = sorted_copy(b);
  const double q = quantile_of(statistic);
  return percentile_interval(
      resamples, confidence, [&] { return resampled_quantile(sorted_a, q, &random); },
      [&] { return resampled_quantile(sorted_b, q, &random); });
}

Interval bootstrap_difference(const GroupedSamples& a, const GroupedSamples& b, Statistic statistic,
                              int32_t resamples, uint64_t seed, double confidence) {
  Random random(seed);
  GroupResampler of_a(a, statistic), of_b(b, statistic);
  return percentile_interval(
      resamples, confidence, [&] { return of_a.draw(&random); }, [&] { return of_b.draw(&random); });
}

}  // namespace hussar
