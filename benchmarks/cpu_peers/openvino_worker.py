"""Runs in an interpreter that has openvino_genai: loads a GGUF file, then answers each line of JSON on standard input with one on standard
output.

A line asks for `generate` tokens of each of `sequences` prompts of `prompt` random tokens; the answer says after how many seconds all of
them had their first token, and all tokens. What libraries print goes to standard error.
"""

import json
import os
import random
import sys
import time

import openvino
import openvino_genai as genai

KV_GB = 2
FIRST_ID, LAST_ID = 1000, 20000


def config(generate):
    told = genai.GenerationConfig()
    told.max_new_tokens, told.ignore_eos, told.do_sample = generate, True, False
    return told


def tensor(rows):
    made = openvino.Tensor(openvino.Type.i64, openvino.Shape([len(rows), len(rows[0])]))
    made.data[:] = rows
    return made


class Paged:
    """All prompts fit into the first step."""

    def __init__(self, model, properties):
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size, scheduler.max_num_batched_tokens, scheduler.max_num_seqs = KV_GB, 8192, 64
        scheduler.enable_prefix_caching = False
        self.pipeline = genai.ContinuousBatchingPipeline(model, scheduler, "CPU", properties)

    def run(self, prompts, generate):
        tensors = [tensor([prompt]) for prompt in prompts]
        began = time.perf_counter()
        handles = [self.pipeline.add_request(index, one, config(generate)) for index, one in enumerate(tensors)]
        self.pipeline.step()
        first = time.perf_counter() - began
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()
        spent = time.perf_counter() - began
        return first, spent, sum(len(handle.read_all()[0].generated_ids) for handle in handles)


class Plain:
    def __init__(self, model, properties):
        self.pipeline = genai.LLMPipeline(model, "CPU", **properties, ATTENTION_BACKEND="SDPA")

    def run(self, prompts, generate):
        inputs = genai.TokenizedInputs(tensor(prompts), tensor([[1] * len(prompt) for prompt in prompts]))
        began = time.perf_counter()
        told = self.pipeline.generate(inputs, config(generate))
        spent = time.perf_counter() - began
        return told.perf_metrics.get_ttft().mean / 1e3, spent, sum(map(len, told.tokens))


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if sys.argv[1:] == ["--version"]:
        print(f"openvino_genai {genai.get_version()}", file=answers)
        return
    model, threads, pipeline = sys.argv[1:]
    runner = {"paged": Paged, "plain": Plain}[pipeline](model, {"INFERENCE_NUM_THREADS": int(threads)})
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        work = json.loads(line)
        ids = random.Random(work["seed"])
        prompts = [[ids.randint(FIRST_ID, LAST_ID) for _ in range(work["prompt"])] for _ in range(work["sequences"])]
        first, spent, tokens = runner.run(prompts, work["generate"])
        if tokens != work["sequences"] * work["generate"]:
            sys.exit(f"{tokens} tokens came in place of {work['sequences'] * work['generate']}")
        print(json.dumps({"first_s": first, "all_s": spent}), file=answers, flush=True)


if __name__ == "__main__":
    main()
