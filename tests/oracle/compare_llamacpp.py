"""Compares hussar's greedy answers with llama.cpp's on 20 English and Chinese prompts, over HTTP, and judges each difference by the oracle.

    python compare_llamacpp.py MODEL.gguf --llama-server PATH [--hussar build/hussar] [--tokens 16]

Both servers get the same token ids: each prompt as plain text, or as a user's message in ChatML with --chat (what both checked models were
tuned for). Where the answers part, the numpy oracle computes at full precision what the next token should be: two
choices with nearly the same logit are a tie that rounding decides, and a choice well below the best one is an error of whoever made it.
--agree-min N ends with 1 when fewer than N prompts agree.
"""

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import gguf
import numpy as np
from make_models import byte_alphabet
from numpy_oracle import Oracle

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a village at the foot of the mountains,",
    "def fibonacci(n):\n    \"\"\"Returns the n-th Fibonacci number.\"\"\"\n",
    "Water boils at a lower temperature on a mountain because",
    "The three most important things to know about sailing are",
    "#include <stdio.h>\n\nint main(void) {\n",
    "Dear Sir or Madam,\n\nI am writing to",
    "Q: What is the difference between a list and a tuple in Python?\nA:",
    "1, 1, 2, 3, 5, 8, 13,",
    "In the year 1492,",
    "中国的首都是",
    "从前有一个小女孩，她住在森林旁边的",
    "请用一句话解释什么是人工智能：",
    "今天天气很好，我们一起去",
    "学习编程最重要的是",
    "北京到上海的高铁大约需要",
    "问：水的化学式是什么？\n答：",
    "春天来了，花园里的花",
    "下面是一个用Python写的排序函数：\n",
    "Translate to Chinese: \"Good morning, how are you?\"\n翻译：",
]


def post(port, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        sys.exit(f"{path} answered {error.code}: {error.read().decode(errors='replace')}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(command, port, seconds=120):
    """Runs a server until the block ends; waits until it says that it is healthy."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{' '.join(command)} did not start")
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


class Vocabulary:
    def __init__(self, path):
        fields = gguf.GGUFReader(path).fields
        self.spellings = fields["tokenizer.ggml.tokens"].contents()
        self.eos = fields["tokenizer.ggml.eos_token_id"].contents()
        byte_of = {character: byte for byte, character in byte_alphabet().items()}
        kinds = fields["tokenizer.ggml.token_type"].contents()
        self.bytes = [
            bytes(byte_of[c] for c in spelling) if kind == gguf.TokenType.NORMAL else spelling.encode()
            for spelling, kind in zip(self.spellings, kinds)
        ]
        self.id_of_bytes = {data: token for token, data in enumerate(self.bytes)}

    def id_of_shown(self, shown):
        """The id of a token as OpenAI's log-probabilities spell it: its text, or "bytes:\\xe4\\xb8" where it is no whole text."""
        if shown.startswith("bytes:\\x"):
            data = bytes(int(pair, 16) for pair in re.findall(r"\\x([0-9a-f]{2})", shown))
        else:
            data = shown.encode()
        return self.id_of_bytes[data]

    def text(self, token):
        return repr(self.bytes[token].decode(errors="backslashreplace"))


def hussar_answer(port, vocabulary, prompt, count):
    body = {"prompt": prompt, "max_tokens": count, "temperature": 0, "logprobs": 0}
    choice = post(port, "/v1/completions", body)["choices"][0]
    ids = [vocabulary.id_of_shown(shown) for shown in choice["logprobs"]["tokens"]]
    ended = choice["finish_reason"] == "stop" and vocabulary.eos not in ids[-1:]
    return ids + [vocabulary.eos] if ended else ids


def llama_answer(port, vocabulary, prompt, count):
    body = {"prompt": prompt, "n_predict": count, "temperature": 0, "return_tokens": True, "cache_prompt": False}
    answer = post(port, "/completion", body)
    ids = answer["tokens"]
    return ids + [vocabulary.eos] if answer["stop_type"] == "eos" and vocabulary.eos not in ids[-1:] else ids


def as_sent(text, chat):
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" if chat else text


def collect(options, vocabulary):
    """(prompt ids, hussar's ids, llama.cpp's ids) of each prompt; one server at a time, so that both have the whole machine."""
    texts = [as_sent(text, options.chat) for text in PROMPTS]
    port = free_port()
    command = [options.llama_server, "-m", options.model, "--port", str(port), "-t", str(options.threads), "-c", "512", "-np", "1"]
    with running(command, port):
        prompts = [post(port, "/tokenize", {"content": text, "parse_special": True})["tokens"] for text in texts]
        peers = [llama_answer(port, vocabulary, prompt, options.tokens) for prompt in prompts]
    port = free_port()
    command = [options.hussar, "serve", "--model", options.model, "--port", str(port), "--threads", str(options.threads), "--ctx", "512"]
    with running(command, port):
        if not options.chat:
            for text, prompt in zip(texts, prompts):
                mine = post(port, "/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]
                if mine != prompt:
                    print(f"tokenizers differ on {text!r}: hussar {mine}, llama.cpp {prompt}")
        ours = [hussar_answer(port, vocabulary, prompt, options.tokens) for prompt in prompts]
    return zip(prompts, ours, peers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--llama-server", required=True)
    parser.add_argument("--hussar", default=os.path.join(os.path.dirname(__file__), "..", "..", "build", "hussar"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--chat", action="store_true")
    parser.add_argument("--agree-min", type=int, default=0)
    options = parser.parse_args()

    vocabulary = Vocabulary(options.model)
    agreed, oracle = 0, None
    for text, (prompt, ours, theirs) in zip(PROMPTS, collect(options, vocabulary)):
        if ours == theirs:
            agreed += 1
            print(f"same      {text!r}")
            continue
        oracle = oracle or Oracle(options.model, np.float32)
        at = next(i for i, (a, b) in enumerate(zip(ours + [vocabulary.eos], theirs + [vocabulary.eos])) if a != b)
        a, b = (ours + [vocabulary.eos])[at], (theirs + [vocabulary.eos])[at]
        logits = oracle.forward(prompt + ours[:at]).logits[-1]
        best = int(logits.argmax())
        print(
            f"differs   {text!r} at token {at}: hussar {vocabulary.text(a)}, {logits[best] - logits[a]:.3f} below the oracle's best; "
            f"llama.cpp {vocabulary.text(b)}, {logits[best] - logits[b]:.3f} below; the best is {vocabulary.text(best)}; "
            f"margin {abs(logits[a] - logits[b]):.3f}, deviation of all logits {logits.std():.2f}",
            flush=True,
        )
    print(f"{agreed} of {len(PROMPTS)} agree on the first {options.tokens} tokens")
    if agreed < options.agree_min:
        sys.exit(1)


if __name__ == "__main__":
    main()
