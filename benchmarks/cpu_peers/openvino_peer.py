"""OpenVINO GenAI's side of each row: a process of its interpreter for each row and pipeline, since compiling takes long, asked for a run at
a time."""

import contextlib
import json
import pathlib
import subprocess
import tempfile

from . import children
from .children import Failure

WORKER = pathlib.Path(__file__).parent / "openvino_worker.py"


class Worker:
    def __init__(self, python, model, threads, pipeline):
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log}
        self.process = children.start([python, WORKER, model, threads, pipeline], text=True, **pipes)
        self.answer()  # once it has compiled

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise Failure(f"OpenVINO: {children.last_words(self.log.read())}")
        return json.loads(line)

    def run(self, **work):
        with contextlib.suppress(BrokenPipeError):  # it ended: answer() says why
            self.process.stdin.write(json.dumps(work) + "\n")
            self.process.stdin.flush()
        return self.answer()

    def close(self):
        children.stop(self.process)
        self.log.close()


class OpenVino:
    name = "OpenVINO"

    def __init__(self, python, threads):
        self.python, self.threads = python, threads
        self.workers = {}

    def version(self):
        return children.run([self.python, WORKER, "--version"]).strip().splitlines()[-1]

    def variants(self, row):
        """ContinuousBatchingPipeline, and LLMPipeline without paged attention, which takes all sequences as one batch."""
        return ["paged", "plain"]

    def measure(self, row, variant, model, seed):
        generate = {"decode": row.generate + 1, "prefill": 1, "requests": row.generate}[row.work]
        work = {"sequences": row.users, "prompt": max(1, row.prompt), "generate": generate}
        if variant not in self.workers:
            self.workers[variant] = Worker(self.python, model, self.threads, variant)
            self.workers[variant].run(**work, seed=0)  # warms up
        told = self.workers[variant].run(**work, seed=seed)
        if row.work == "prefill":
            rate = row.prompt / told["first_s"]
        elif row.work == "decode":
            rate = row.users * row.generate / (told["all_s"] - told["first_s"])
        else:
            rate = row.users * row.generate / told["all_s"]
        return {"tokens_per_second": rate, **told}

    def close(self, but=None):
        """Ends all processes but that of one variant; after each row, all of them."""
        for variant in [one for one in self.workers if one != but]:
            self.workers.pop(variant).close()
