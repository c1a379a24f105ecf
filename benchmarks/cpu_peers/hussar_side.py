"""hussar's side of each row."""

import json
import re

from . import children, served
from .children import Failure

PEAKS = re.compile(r"peaks measured now: (.*)")


class Hussar:
    name = "hussar"

    def __init__(self, binary, threads, isa, waves):
        self.binary, self.threads, self.isa, self.waves = binary, threads, isa, waves

    def version(self):
        return children.run([self.binary, "version"]).strip()

    def common(self):
        return ["--device", "cpu", "--threads", self.threads, "--isa", self.isa]

    def perf(self, *flags):
        return children.run([self.binary, "perf", *self.common(), "--repetitions", 1, *flags])

    def peaks(self, model):
        found = PEAKS.search(self.perf("--model", model, "--prompt", 1, "--generate", 0))
        if not found:
            raise Failure("hussar perf does not tell the machine's peaks")
        return found.group(1)

    def engine_row(self, model, *flags):
        lines = self.perf("--model", model, "--json", *flags).splitlines()
        return json.loads(lines[-1])

    def prefill(self, model, prompt):
        return self.engine_row(model, "--prompt", prompt, "--generate", 0)

    def decode(self, model, depth, generate, users):
        return self.engine_row(model, "--prompt", 0, "--generate", generate, "--depth", depth, "--batch", users)

    def measure(self, row, model, seed):
        if row.work in ("decode", "prefill"):
            told = self.prefill(model, row.prompt) if row.work == "prefill" else self.decode(model, row.prompt, row.generate, row.users)
            return {"tokens_per_second": told["tokens_per_second"], "roofline": told["roofline_fraction"]}
        port = served.free_port()
        # No guesses ahead: greedy answers of a forced length repeat themselves, which would flatter them. No prefix cache, as at the peers.
        command = [self.binary, "serve", "--model", model, *self.common(), "--port", port, "--ctx", 2048, "--kv-tokens", 2048 * row.users,
                   "--running-max", row.users, "--prefix-cache", "off", "--draft-tokens", 0, "--log-level", "warning"]  # fmt: skip
        with served.serving(command, port, "/ready") as url:
            return served.measure(self.binary, url, row, self.waves, seed)

    def served_roof(self, row, model):
        """Output tokens per second if prompts and answers took the least time that the machine's peaks allow the engine: all prompts alone,
        then all answers of all users at once, in the middle of their length."""
        prompt = self.prefill(model, row.prompt)
        answer = self.decode(model, row.prompt + row.generate // 2, 8, row.users)
        prompt_rate, answer_rate = (told["tokens_per_second"] / told["roofline_fraction"] for told in (prompt, answer))
        return row.generate / (row.prompt / prompt_rate + row.generate / answer_rate)
