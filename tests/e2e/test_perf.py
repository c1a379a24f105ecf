"""`hussar perf`: what it measures, not how fast."""

import json
import subprocess

from conftest import BINARY, MODEL


def test_generation_is_repeated_within_the_context_that_it_needs():
    """Five times 12 tokens behind 8: the sequence begins anew each time, or it would outgrow what was reserved for 20."""
    command = [BINARY, "perf", "--model", MODEL, "--prompt", "16", "--generate", "12", "--depth", "8", "--batch", "1,2", "--repetitions", "4"]
    done = subprocess.run([*command, "--threads", "2", "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["test"] for row in rows] == ["pp16@d8", "tg12@d8", "tg12@d8@b2"]
    assert all(row["min"] <= row["tokens_per_second"] <= row["max"] for row in rows)
