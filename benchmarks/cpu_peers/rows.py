"""What is measured, and what the ratio to the best peer should reach."""

import dataclasses
import fnmatch

MODELS = {
    "SmolLM2 Q4_1": "smollm2-135m-instruct-q4_1.gguf",
    "SmolLM2 Q8_0": "smollm2-135m-instruct-q8_0.gguf",
    "Qwen Q4_K_M": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    "Qwen Q8_0": "qwen2.5-coder-0.5b-instruct-q8_0.gguf",
}
REQUANTIZED = {"SmolLM2 Q8_0": "SmolLM2 Q4_1", "Qwen Q8_0": "Qwen Q4_K_M"}  # Q8_0 made of these

ENGINES = ("llama.cpp", "ik_llama.cpp", "OpenVINO")
SERVERS = ("llama.cpp", "ik_llama.cpp")


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    # decode: `generate` tokens of each of `users` sequences behind `prompt` positions. prefill: `prompt` positions of one sequence.
    # requests: `users` requests at once, prompts included. http: `users` who ask again when answered.
    work: str
    model: str
    prompt: int
    generate: int
    users: int
    target: float
    target_without_amx: float = 0  # where it differs
    target_without_ik: float = 0
    ttft_target: float = 0  # the peer's median time to first token is at least so many times ours
    peers: tuple = ENGINES

    def target_here(self, amx, ik):
        if not amx and self.target_without_amx:
            return self.target_without_amx
        return self.target_without_ik if not ik and self.target_without_ik else self.target


def decode(name, model, depth, target, without_ik=0.0):
    return Row(f"decode-{name}@{depth}", "decode", model, depth, 64 if depth else 128, 1, target, target_without_ik=without_ik)


def prefill(name, model, prompt, target, without_amx=0.0):
    return Row(f"prefill-{prompt}-{name}", "prefill", model, prompt, 0, 1, target, target_without_amx=without_amx)


def batch(name, model, target, peers=ENGINES):
    return Row(f"batch-32-{name}", "decode", model, 32, 64, 32, target, peers=peers)


ROWS = [
    decode("smollm2-q4_1", "SmolLM2 Q4_1", 0, 1.05),
    decode("smollm2-q4_1", "SmolLM2 Q4_1", 1024, 1.8),
    decode("qwen-q8_0", "Qwen Q8_0", 0, 1.1),
    decode("qwen-q8_0", "Qwen Q8_0", 1024, 1.35, without_ik=1.9),
    decode("qwen-q4_k_m", "Qwen Q4_K_M", 0, 1.6, without_ik=1.85),
    decode("qwen-q4_k_m", "Qwen Q4_K_M", 1024, 1.5),
    prefill("smollm2-q4_1", "SmolLM2 Q4_1", 512, 2.5, without_amx=2),
    prefill("qwen-q8_0", "Qwen Q8_0", 512, 2.5, without_amx=2),
    prefill("qwen-q4_k_m", "Qwen Q4_K_M", 512, 4),
    prefill("qwen-q8_0", "Qwen Q8_0", 4096, 2),
    batch("smollm2-q4_1", "SmolLM2 Q4_1", 4),
    batch("qwen-q8_0", "Qwen Q8_0", 3),
    batch("qwen-q4_k_m", "Qwen Q4_K_M", 4, peers=("llama.cpp",)),
    Row("requests-32-smollm2-q8_0", "requests", "SmolLM2 Q8_0", 120, 64, 32, 2, peers=("OpenVINO",)),
    Row("requests-32-qwen-q8_0", "requests", "Qwen Q8_0", 120, 64, 32, 2, peers=("OpenVINO",)),
    Row("http-25-smollm2-q4_1", "http", "SmolLM2 Q4_1", 900, 128, 25, 5, ttft_target=6, peers=SERVERS),
    Row("http-10-qwen-q8_0", "http", "Qwen Q8_0", 900, 64, 10, 4, peers=SERVERS),
]


def chosen(patterns):
    """The rows whose names match one of the patterns, all without one; and the patterns that match none."""
    rows = [row for row in ROWS if not patterns or any(fnmatch.fnmatch(row.name, pattern) for pattern in patterns)]
    return rows, [pattern for pattern in patterns if not any(fnmatch.fnmatch(row.name, pattern) for row in ROWS)]
