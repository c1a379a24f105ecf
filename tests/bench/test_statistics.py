"""src/bench/statistics.h against derivations of another kind: exact integers, numerical integration, brute force."""

import functools
import json
import math
import os
import random
import statistics
import subprocess
from fractions import Fraction

import numpy as np
import pytest

BUILD = os.environ.get("HUSSAR_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
SEED = int(os.environ.get("HUSSAR_SEED", "20261122"))


def evaluate(*lines):
    """The answers of statistics_lines, one list of numbers for each line."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([os.path.join(BUILD, "statistics_lines")], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def rng():
    print(f"HUSSAR_SEED={SEED}")
    return random.Random(SEED)


def close(got, expected, relative, absolute=0.0):
    assert got == pytest.approx(expected, rel=relative, abs=absolute)


def test_random_words_are_those_of_the_published_generator():
    mask = (1 << 64) - 1

    def rotate(x, k):
        return ((x << k) | (x >> (64 - k))) & mask

    for seed in (0, 1, 2**62 + 12345):
        state, z = [], seed
        for _ in range(4):
            z = (z + 0x9E3779B97F4A7C15) & mask
            x = z
            x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
            x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
            state.append(x ^ (x >> 31))
        words = []
        for _ in range(50):
            words.append((rotate((state[1] * 5) & mask, 7) * 9) & mask)
            shifted = (state[1] << 17) & mask
            state[2] ^= state[0]
            state[3] ^= state[1]
            state[1] ^= state[2]
            state[0] ^= state[3]
            state[2] ^= shifted
            state[3] = rotate(state[3], 45)
        halves = evaluate(["random", seed, 50])[0]
        assert [high << 32 | low for high, low in zip(halves[::2], halves[1::2])] == words


def test_quantiles_are_numpys(rng):
    lines, expected = [], []
    for _ in range(300):
        samples = sorted(rng.lognormvariate(0, 2) for _ in range(rng.randint(1, 200)))
        q = rng.choice([0, 1, 0.5, 0.9, 0.95, 0.99, 0.999, rng.random()])
        lines.append(["quantile", samples, q])
        expected.append(float(np.quantile(samples, q)))
    for got, want in zip(evaluate(*lines), expected):
        close(got[0], want, 1e-12)


@functools.cache
def exact_binomial_cdfs(n, p):
    """P(B <= k) for k from 0 to n, in whole numbers: p is a double, so it is a fraction."""
    share = Fraction(p)
    rest = share.denominator - share.numerator
    total, cdfs, whole = 0, [], share.denominator**n
    for i in range(n + 1):
        total += math.comb(n, i) * share.numerator**i * rest ** (n - i)
        cdfs.append(total / whole)
    return cdfs


def exact_binomial_cdf(k, n, p):
    return exact_binomial_cdfs(n, p)[k]


def test_binomial_cdf_equals_the_exact_sum(rng):
    lines, expected = [], []
    for _ in range(150):
        n, p = rng.randint(1, 120), rng.choice([0.5, 0.9, 0.99, 0.001, rng.random()])
        k = rng.randint(0, n)
        lines.append(["binomial_cdf", k, n, p])
        expected.append(exact_binomial_cdf(k, n, p))
    for got, want, line in zip(evaluate(*lines), expected, lines):
        # A sum close to 1 is computed as 1 minus the rest: its absolute error counts.
        assert got[0] == pytest.approx(want, rel=1e-12, abs=1e-15), line


def log_sum_cdf(ks, n, p):
    """By adding probabilities outwards from the mode, each from its neighbour by a ratio: no gamma function."""
    mode = int((n + 1) * p)
    reach = int(40 * math.sqrt(n * p * (1 - p))) + 50
    low, high = max(0, mode - reach), min(n, mode + reach)
    up = np.arange(mode, high, dtype=np.float64)
    rising = np.cumprod((n - up) / (up + 1) * (p / (1 - p)))
    down = np.arange(mode, low, -1, dtype=np.float64)
    falling = np.cumprod(down / (n - down + 1) * ((1 - p) / p))
    weights = np.concatenate([falling[::-1], [1.0], rising])
    cumulative = np.cumsum(weights) / weights.sum()
    return [float(cumulative[k - low]) for k in ks]


@pytest.mark.parametrize("n", [10_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.99, 0.999])
def test_binomial_cdf_holds_for_large_counts(n, p):
    sigma = math.sqrt(n * p * (1 - p))
    ks = [round(n * p + z * sigma) for z in (-4, -1.96, -0.5, 0, 1, 1.96, 3)]
    expected = log_sum_cdf(ks, n, p)
    for got, want in zip(evaluate(*[["binomial_cdf", k, n, p] for k in ks]), expected):
        close(got[0], want, 1e-8)


def test_ranks_are_the_tightest_that_hold(rng):
    cases = [(n, q, 0.95) for n in (1, 5, 6, 35, 36, 367, 368, 500) for q in (0.5, 0.9, 0.99)]
    cases += [(rng.randint(1, 300), rng.random(), rng.choice([0.8, 0.9, 0.95, 0.99])) for _ in range(60)]
    for (n, q, confidence), (low, high) in zip(cases, evaluate(*[["ranks", *case] for case in cases])):
        tail = (1 - confidence) / 2
        cumulative = exact_binomial_cdfs(n, q)

        def left_out_below(rank):  # the true quantile lies below the rank-th sample
            return cumulative[rank - 1] if rank >= 1 else 0.0

        def left_out_above(rank):
            return 1 - cumulative[rank - 1] if rank <= n else 0.0

        assert left_out_below(low) <= tail and left_out_above(high) <= tail
        assert low == n + 1 or left_out_below(low + 1) > tail
        assert high == 0 or left_out_above(high - 1) > tail


def test_fewest_samples_for_an_exact_interval():
    # Both ends exist from these counts on: 0.5^n, 0.9^n and 0.99^n fall to 2.5 %.
    for count, q in ((6, 0.5), (36, 0.9), (368, 0.99)):
        (low, high), (_, one_less) = evaluate(["ranks", count, q, 0.95], ["ranks", count - 1, q, 0.95])
        assert low >= 1 and high == count and one_less == count


def t_cdf(t, freedom):
    """P(T <= t) by Gauss-Legendre over the angle: with t = sqrt(f) tan(a) the density becomes cos(a)^(f - 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    panels = 200

    def integral(end):
        # Where f is large everything happens close to 0.
        width = min(end, 60 / math.sqrt(freedom)) / panels
        angles = (np.arange(panels)[:, None] + (nodes + 1) / 2) * width
        return float(np.sum(weights * np.cos(angles) ** (freedom - 1)) * width / 2)

    return 0.5 + integral(math.atan(t / math.sqrt(freedom))) / integral(math.pi / 2) / 2


def test_t_quantiles_undo_the_integral_of_the_density(rng):
    lines = [["t_quantile", p, f] for p in (0.6, 0.9, 0.975, 0.995, 0.9995) for f in (1, 2, 3, 7.5, 30, 1000, 1e6)]
    for (_, p, freedom), got in zip(lines, evaluate(*lines)):
        close(t_cdf(got[0], freedom), p, 1e-9)


def test_t_and_normal_quantiles_of_the_tables():
    # Two-sided 95 % and 99 % as every statistics table prints them.
    table = {(0.975, 1): 12.706, (0.975, 2): 4.303, (0.975, 10): 2.228, (0.975, 30): 2.042, (0.975, 120): 1.980}
    table |= {(0.995, 1): 63.657, (0.995, 5): 4.032, (0.995, 60): 2.660}
    for got, want in zip(evaluate(*[["t_quantile", *key] for key in table]), table.values()):
        assert round(got[0], 3) == want
    points = [0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999]
    for got, p in zip(evaluate(*[["normal_quantile", p] for p in points]), points):
        close(got[0], statistics.NormalDist().inv_cdf(p), 1e-12, 1e-14)


def test_mean_interval(rng):
    samples = [rng.gauss(3, 2) for _ in range(17)]
    half = 2.1199 * statistics.stdev(samples) / math.sqrt(17)  # t of 16 degrees, 97.5 %
    low, high = evaluate(["mean_interval", samples, 0.95])[0]
    close([low, high], [statistics.mean(samples) - half, statistics.mean(samples) + half], 1e-4)
    assert evaluate(["mean_interval", [4.5], 0.95])[0] == [None, None]


def test_wilson_solves_its_equation(rng):
    # Both ends p satisfy |share - p| = z sqrt(p (1 - p) / n).
    z = statistics.NormalDist().inv_cdf(0.975)
    for _ in range(50):
        n = rng.randint(1, 5000)
        k = rng.randint(0, n)
        low, high = evaluate(["wilson", k, n, 0.95])[0]
        assert 0 <= low <= k / n <= high <= 1
        for p in (low, high):
            # At 0 and n the equation's other root is the end itself.
            if not (p in (0, 1) and k in (0, n)):
                close(abs(k / n - p), z * math.sqrt(p * (1 - p) / n), 1e-9, 1e-12)
    assert evaluate(["wilson", 0, 0, 0.95])[0] == [0, 1]


def test_clopper_pearson_leaves_exactly_the_tails(rng):
    for k, n in [(0, 1), (1, 1), (0, 100), (100, 100), (97, 100), (1, 20), (7, 90)]:
        low, high = evaluate(["clopper_pearson", k, n, 0.95])[0]
        if k > 0:
            close(1 - exact_binomial_cdf(k - 1, n, low), 0.025, 1e-10)
        else:
            assert low == 0
        if k < n:
            close(exact_binomial_cdf(k, n, high), 0.025, 1e-10)
        else:
            assert high == 1


def test_newcombe_gives_the_published_example():
    # Newcombe 1998, table II, example (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    low, high = evaluate(["newcombe", 48, 80, 56, 70, 0.95])[0]
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    # ... and 10/10 - 0/20: 0.6791 to 1.
    low, high = evaluate(["newcombe", 0, 20, 10, 10, 0.95])[0]
    assert (round(low, 4), round(high, 4)) == (0.6791, 1.0)


def test_welch_is_students_where_both_samples_are_alike(rng):
    a = [rng.gauss(0, 1) for _ in range(12)]
    b = [x + 5 for x in a]
    # Equal sizes and variances: 22 degrees of freedom, t = 2.0739.
    half = 2.07387 * math.sqrt(2 * statistics.variance(a) / 12)
    close(evaluate(["welch", a, b, 0.95])[0], [5 - half, 5 + half], 1e-5)
    # A single noisy side: its own degrees of freedom alone.
    half = 2.20099 * math.sqrt(statistics.variance(a) / 12)
    difference = 5 - statistics.mean(a)
    close(evaluate(["welch", a, [5.0] * 12, 0.95])[0], [difference - half, difference + half], 1e-5)


def tail_shares(differences, interval):
    """Which share of brute-force differences lies at or below each end; halves of ties."""
    array = np.asarray(differences)
    return [float(np.mean(array < end) + np.mean(array == end) / 2) for end in interval]


RESAMPLES = 20_000
# Both sides draw RESAMPLES times; a share of 2.5 % then has a standard deviation of 0.16 %: five of them.
SHARE_TOLERANCE = 5 * math.sqrt(2 * 0.025 * 0.975 / RESAMPLES)


@pytest.mark.parametrize("statistic", ["mean", "p50", "p90", "p99"])
@pytest.mark.parametrize("sizes", [(40, 65), (501, 400), (1, 300)])
def test_bootstrap_equals_brute_force(statistic, sizes):
    print(f"HUSSAR_SEED={SEED}")
    rng = np.random.default_rng(SEED)
    a, b = rng.lognormal(0, 1, sizes[0]), rng.lognormal(0.2, 1, sizes[1])

    def measure(values):
        return values.mean(axis=1) if statistic == "mean" else np.quantile(values, int(statistic[1:]) / 100, axis=1)

    drawn = [measure(x[rng.integers(0, len(x), (RESAMPLES, len(x)))]) for x in (a, b)]
    interval = evaluate(["bootstrap", a.tolist(), b.tolist(), statistic, RESAMPLES, SEED, 0.95])[0]
    # A quantile's bootstrap distribution is lumpy: an end may stand anywhere within a lump.
    differences = drawn[1] - drawn[0]
    lump = max(np.mean(np.abs(differences - end) <= 1e-9 * abs(end)) for end in interval)
    low, high = tail_shares(differences, interval)
    assert abs(low - 0.025) <= SHARE_TOLERANCE + lump / 2 and abs(high - 0.975) <= SHARE_TOLERANCE + lump / 2


@pytest.mark.parametrize("statistic", ["mean", "p50", "p99"])
def test_bootstrap_of_groups_equals_brute_force(statistic):
    print(f"HUSSAR_SEED={SEED}")
    rng = np.random.default_rng(SEED + 1)
    count = 4000

    def draw_groups(groups, shift):
        sizes = rng.integers(1, 12, groups)
        return [rng.normal(shift + rng.normal(0, 1), 0.2, size) for size in sizes]

    sides = [draw_groups(25, 0), draw_groups(40, 1)]

    def resampled(groups):
        for picks in rng.integers(0, len(groups), (count, len(groups))):
            values = np.concatenate([groups[pick] for pick in picks])
            yield values.mean() if statistic == "mean" else np.quantile(values, int(statistic[1:]) / 100)

    differences = np.array(list(resampled(sides[1]))) - np.array(list(resampled(sides[0])))
    line = ["bootstrap_groups"]
    for groups in sides:
        line += [np.concatenate(groups).tolist(), [len(group) for group in groups]]
    interval = evaluate(line + [statistic, count, SEED, 0.95])[0]
    lump = max(np.mean(np.abs(differences - end) <= 1e-9 * abs(end)) for end in interval)
    low, high = tail_shares(differences, interval)
    tolerance = 5 * math.sqrt(2 * 0.025 * 0.975 / count) + lump / 2
    assert abs(low - 0.025) <= tolerance and abs(high - 0.975) <= tolerance


def covered(make_line, truth, trials):
    intervals = evaluate(*[make_line(trial) for trial in range(trials)])
    return sum(low <= truth <= high for low, high in intervals) / trials


@functools.cache
def trials_of_p99():
    print(f"HUSSAR_SEED={SEED}")
    rng = np.random.default_rng(SEED + 2)
    return [(rng.exponential(1, 400), rng.exponential(1.5, 500)) for _ in range(400)]


@pytest.mark.parametrize("statistic, truth", [("p50", 0.5 * math.log(2)), ("p99", 0.5 * math.log(100))])
def test_bootstrap_intervals_cover_the_truth(statistic, truth):
    # With 400 and 500 exponential samples. Of 95 % nominal, a p99's percentile bootstrap is known to give a little
    # less; below 90 % (minus 3.5 standard deviations of 400 trials) it would not deserve its name.
    def line(trial):
        a, b = trials_of_p99()[trial]
        return ["bootstrap", a.tolist(), b.tolist(), statistic, 1000, trial, 0.95]

    share = covered(line, truth, 400)
    assert 0.90 - 3.5 * math.sqrt(0.9 * 0.1 / 400) < share
    assert share < 0.95 + 3.5 * math.sqrt(0.95 * 0.05 / 400)


def test_the_same_seed_gives_the_same_interval():
    samples = [math.sin(i) for i in range(100)]
    line = ["bootstrap", samples, samples[:50], "p90", 500, 7, 0.95]
    first, again, other = evaluate(line, line, line[:5] + [8, 0.95])
    assert first == again and first != other
