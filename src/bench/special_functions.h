// The distribution functions that confidence intervals stand on, without the C library's gamma (which writes
// a global). Pure. Relative error of a probability: about 1e-9 for counts up to 1e7, 1e-13 for small ones.
#pragma once

#include <cstdint>

namespace hussar {

// Regularised incomplete beta function I_x(a, b); `y` is 1 - x, given apart so that it stays exact where x is
// close to 1. REQUIRES: a > 0, b > 0, x and y in [0, 1].
double incomplete_beta(double a, double b, double x, double y);

// P(B <= k) of a binomial with n trials of probability p. REQUIRES: n >= 0, p in [0, 1].
double binomial_cdf(int64_t k, int64_t n, double p);

// The p-quantiles. REQUIRES: 0 < p < 1; freedom > 0 (need not be whole); a > 0, b > 0.
double normal_quantile(double p);
double student_t_quantile(double p, double freedom);
double beta_quantile(double p, double a, double b);

}  // namespace hussar
