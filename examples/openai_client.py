"""The official openai client: an answer as a stream, and a function that the model calls.

    pip install openai
    python examples/openai_client.py http://127.0.0.1:8080
"""

import json
import sys

from openai import OpenAI

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
client = OpenAI(base_url=url + "/v1", api_key="none")
model = client.models.list().data[0].id

question = [{"role": "user", "content": "What is water made of?"}]
for chunk in client.chat.completions.create(model=model, messages=question, max_tokens=60, temperature=0, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

weather = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}},
                   "required": ["city"], "additionalProperties": False}}}
answer = client.chat.completions.create(
    model=model, messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=[weather],
    tool_choice={"type": "function", "function": {"name": "get_weather"}}, max_tokens=60, temperature=0)
call = answer.choices[0].message.tool_calls[0]
print(f"calls {call.function.name} with {json.loads(call.function.arguments)}")
