"""From runs to a row's verdict."""

import math
import statistics

CONFIDENCE = 0.95
PEAK_SHARE = 0.6  # of the machine's peak is enough where the target lies beyond the peak


def lower_bound(ratios):
    """The lower 95 % bound of the median ratio, or None for fewer than five.

    Free of assumptions about how the ratios are distributed: each of n independent ratios lies below the true median with probability 1/2,
    so the number of those that do is binomial, and the k-th smallest lies above the median only if fewer than k do. k is the largest number
    for which that has a probability of at most 5 %: the 6th smallest of 20.
    """
    count = len(ratios)
    below, rank = 0.0, 0
    while True:
        below += math.comb(count, rank) / 2**count
        if below > 1 - CONFIDENCE:
            break
        rank += 1
    return sorted(ratios)[rank - 1] if rank else None


def compare(ours, theirs):
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), lower_bound(ratios)


def verdict(ratio, bound, target):
    if bound is None:
        return "too few runs"
    return "yes" if ratio >= target and bound > 1 else "no"


def prefill_verdict(reached, bound, target, peer, ours, roofline):
    """The machine's peak may make the ratio impossible: then 60 % of the peak is enough."""
    impossible = target * peer > ours / roofline
    return f"yes, {PEAK_SHARE:.0%} of the peak" if reached == "no" and bound > 1 and impossible and roofline >= PEAK_SHARE else reached
