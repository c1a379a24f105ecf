"""llama.cpp's side of each row, and that of its fork ik_llama.cpp, by their own programs."""

import json
import os

from . import children, served
from .children import Failure

PROGRAMS = ("llama-bench", "llama-batched-bench", "llama-server", "llama-quantize")


class Llama:
    def __init__(self, name, folder, threads, hussar_binary, waves):
        self.name, self.folder, self.threads = name, folder, threads
        self.hussar_binary, self.waves = hussar_binary, waves
        self.fork = name.startswith("ik")
        missing = [program for program in PROGRAMS if not os.access(os.path.join(folder, program), os.X_OK)]
        if missing:
            raise Failure(f"{folder} has no {', '.join(missing)}")

    def program(self, name):
        return os.path.join(self.folder, name)

    def version(self):
        lines = children.run([self.program("llama-server"), "--version"], both=True).splitlines()
        return next((line.strip() for line in lines if line.startswith("version")), "version unknown")

    def variants(self, row):
        """The fork repacks weights at load only when told to, which pays in some rows."""
        attention = ["flash attention on", "flash attention off"]
        return attention + [f"{one}, repacked" for one in attention] if self.fork else attention

    def measure(self, row, variant, model, seed):
        if row.work == "http":
            return self.serve(row, variant, model, seed)
        return {"tokens_per_second": self.batched(row, variant, model) if row.users > 1 else self.bench(row, variant, model)}

    def bench(self, row, variant, model):
        if row.work == "prefill":
            work = ["-p", row.prompt, "-n", 0]
        elif not self.fork:
            work = ["-p", 0, "-n", row.generate, "-d", row.prompt]
        else:  # which has no depth, but generation after a prompt, whose time it leaves out
            work = ["-p", 0, "-n", 0, "-gp", f"{row.prompt},{row.generate}"] if row.prompt else ["-p", 0, "-n", row.generate]
        flags = ["-fa", int("attention on" in variant), *(["-rtr", 1] if "repacked" in variant else [])]
        out = children.run([self.program("llama-bench"), "-m", model, "-t", self.threads, "-r", 1, "-o", "json", *work, *flags])
        rows = json.loads(out[out.index("["):])
        if len(rows) != 1:
            raise Failure(f"llama-bench of {self.name} measured {len(rows)} rows in place of one")
        return rows[0]["avg_ts"]

    def common(self, variant, model):
        return ["-m", model, "-t", self.threads, "-tb", self.threads, "-fa", "on" if "attention on" in variant else "off",
                *(["-rtr"] if "repacked" in variant else [])]  # fmt: skip

    def batched(self, row, variant, model):
        out = children.run(
            [self.program("llama-batched-bench"), *self.common(variant, model), "-c", row.users * (row.prompt + row.generate), "-b", 2048,
             "-ub", 512, "-npp", row.prompt, "-ntg", row.generate, "-npl", row.users], both=True)  # fmt: skip
        table = [[cell.strip() for cell in line.split("|")] for line in out.splitlines() if line.startswith("|") and "--" not in line]
        if len(table) != 2 or "S_TG t/s" not in table[0]:
            raise Failure(f"llama-batched-bench of {self.name} printed no table: {children.last_words(out)}")
        return float(table[1][table[0].index("S_TG t/s")])

    def serve(self, row, variant, model, seed):
        port = served.free_port()
        command = [self.program("llama-server"), *self.common(variant, model), "--host", "127.0.0.1", "--port", port, "-np", row.users,
                   "-c", 2048 * row.users, "-cram", 0]  # fmt: skip
        with served.serving(command, port, "/health") as url:
            return served.measure(self.hussar_binary, url, row, self.waves, seed, {"cache_prompt": False})

    def requantize(self, source, to):
        """To Q8_0, by a temporary name."""
        children.run([self.program("llama-quantize"), "--allow-requantize", source, f"{to}.part", "Q8_0", self.threads], both=True)
        os.replace(f"{to}.part", to)

    def close(self, but=None):
        """Nothing is left running between two runs."""
