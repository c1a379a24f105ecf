"""Locust against hussar: users who ask the same question, think for one to three seconds, and ask again.

    pip install locust
    locust -f examples/locustfile.py --headless --users 10 --spawn-rate 10 --run-time 60s --host http://127.0.0.1:8080
"""

from locust import HttpUser, between, events, task


@events.init_command_line_parser.add_listener
def add_arguments(parser):
    parser.add_argument("--max-new-tokens", type=int, default=512, help="of each answer")


class ModelUser(HttpUser):
    wait_time = between(1, 3)

    @task
    def complete(self):
        payload = {"prompt": "解释牛顿三大定律并举例说明。",
                   "max_new_tokens": self.environment.parsed_options.max_new_tokens}
        with self.client.post("/v1/completions", json=payload, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code}: {response.text[:200]}")
            elif not isinstance(response.json()["text"], str) or response.json()["ttft"] <= 0:
                response.failure("an answer without text or time to first token")
