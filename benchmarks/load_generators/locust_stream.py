"""Locust users who each wait for a streamed chat answer and ask again. TTFT and each gap between pieces of text are reported as requests of
their own kind, since Locust knows whole requests only. Each sample is appended to $SAMPLES as `kind milliseconds`."""
import json
import os
import time

from locust import HttpUser, constant, events, task

samples = []


@events.quitting.add_listener
def write_samples(**_):
    with open(os.environ["SAMPLES"], "w") as file:
        file.writelines(f"{kind} {ms}\n" for kind, ms in samples)


class StreamingUser(HttpUser):
    wait_time = constant(0)
    body = {"model": "mock", "stream": True, "max_tokens": int(os.environ["OUTPUT_TOKENS"]),
            "messages": [{"role": "user", "content": "word " * int(os.environ["INPUT_TOKENS"])}]}

    def report(self, kind, ms):
        samples.append((kind, ms))
        self.environment.events.request.fire(request_type="SSE", name=kind, response_time=ms, response_length=0, exception=None, context={})

    @task
    def chat(self):
        began = time.perf_counter()
        last = None
        with self.client.post("/v1/chat/completions", json=self.body, stream=True, catch_response=True) as answer:
            for line in answer.iter_lines():
                if not line.startswith(b"data: {"):
                    continue
                choices = json.loads(line[6:])["choices"]
                if not choices or not choices[0]["delta"].get("content"):
                    continue
                now = time.perf_counter()
                self.report("ttft" if last is None else "itl", (now - (began if last is None else last)) * 1000)
                last = now
            answer.success()
        self.report("e2e", (time.perf_counter() - began) * 1000)
