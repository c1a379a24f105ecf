"""LangChain's ChatOpenAI: a tool that the model calls, and an answer that is an object.

    pip install langchain-openai
    python examples/langchain_tools.py http://127.0.0.1:8080
"""

import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import BaseModel, Field

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


class City(BaseModel):
    """A city and where it is."""
    name: str = Field(max_length=30)
    country: str = Field(max_length=30)


name = OpenAI(base_url=url + "/v1", api_key="none").models.list().data[0].id
model = ChatOpenAI(model=name, base_url=url + "/v1", api_key="none", temperature=0, max_tokens=100)

answer = model.bind_tools([get_weather], tool_choice="get_weather").invoke("What is the weather in Paris?")
for call in answer.tool_calls:
    print(f"calls {call['name']} with {call['args']}: {get_weather.invoke(call['args'])}")

city = model.with_structured_output(City).invoke("Paris is the capital of France. Which city is this about?")
print(f"an object: {city!r}")
