#include "bench/special_functions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace hussar {
namespace {

// ln(gamma(z)) - [(z - 1/2) ln z - z + ln(2 pi) / 2]: what Stirling's formula leaves. From 16 on by its
// series (DLMF 5.11.1), below by the recurrence gamma(z + 1) = z gamma(z).
double stirling_rest(double z) {
  double rest = 0;
  for (; z < 16; z += 1) rest += (z + 0.5) * std::log1p(1 / z) - 1;
  const double w = 1 / (z * z);
  return rest + (1.0 / 12 - w * (1.0 / 360 - w * (1.0 / 1260 - w * (1.0 / 1680 - w / 1188)))) / z;
}

// x^a y^b / (a B(a, b)), with the large terms of the gammas cancelled by hand.
double beta_front(double a, double b, double x, double y) {
  const double sum = a + b;
  const double exponent = a * std::log(x * (sum / a)) + b * std::log(y * (sum / b)) + stirling_rest(sum) -
                          stirling_rest(a) - stirling_rest(b);
  return std::exp(exponent) * std::sqrt(b / (2 * std::numbers::pi * a * sum));
}

// The continued fraction of I_x(a, b) (DLMF 8.17.22) by Lentz's method. Converges within about
// sqrt(max(a, b)) steps where x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kEpsilon = 4e-16;
  constexpr int kStepsMax = 1'000'000;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), product = d;
  for (int m = 1; m < kStepsMax; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    product *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    product *= d * c;
    if (std::abs(d * c - 1) <= kEpsilon) break;
  }
  return product;
}

// The root of a rising `excess` in [low, high], to the last bit that bisection can tell.
template <typename Function>
double bisect(double low, double high, Function excess) {
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (excess(middle) < 0 ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

// P(T > t) of Student's t, for t >= 0.
double student_t_tail(double t, double freedom) {
  const double sum = freedom + t * t;
  return incomplete_beta(freedom / 2, 0.5, freedom / sum, t * t / sum) / 2;
}

}  // namespace

double incomplete_beta(double a, double b, double x, double y) {
  DCHECK(a > 0 && b > 0 && x >= 0 && y >= 0);
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  if (x <= (a + 1) / (a + b + 2)) return beta_front(a, b, x, y) * beta_fraction(a, b, x);
  return 1 - beta_front(b, a, y, x) * beta_fraction(b, a, y);
}

double binomial_cdf(int64_t k, int64_t n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incomplete_beta(static_cast<double>(n - k), static_cast<double>(k) + 1, 1 - p, p);
}

double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1 - p);
  // The lower tail alone: there erfc keeps its relative precision.
  return bisect(-40, 0, [p](double z) { return std::erfc(-z / std::numbers::sqrt2) / 2 - p; });
}

double student_t_quantile(double p, double freedom) {
  if (p < 0.5) return -student_t_quantile(1 - p, freedom);
  const double tail = 1 - p;
  double high = 1;
  while (student_t_tail(high, freedom) > tail && high < 1e300) high *= 2;
  return bisect(0, high, [&](double t) { return tail - student_t_tail(t, freedom); });
}

double beta_quantile(double p, double a, double b) {
  return bisect(0, 1, [&](double x) { return incomplete_beta(a, b, x, 1 - x) - p; });
}

}  // namespace hussar
