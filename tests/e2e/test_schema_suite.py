"""The JSON Schema test suite, draft 2020-12, through the server: a schema is refused by a 400, or no answer passed its check, or the answer is valid
for python's jsonschema. A small model of random weights at temperature 1.5 writes what no sensible model would; benchmarks/structured
asks a real one, too, with more seeds.
"""

import collections
import concurrent.futures
import sys

import pytest
from conftest import ROOT, Server
from wire import post

sys.path.insert(0, str(ROOT / "tests/grammar"))
sys.path.insert(0, str(ROOT / "tests/oracle"))
from make_models import SPECS, write_model  # noqa: E402
from schema_suite import TESTS, exact, groups, python_validator, remotes  # noqa: E402

GROUPS = groups(TESTS)
VALID_SHARE_MIN = 0.75  # of all schemas


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(group, status, answer) of all."""
    model = tmp_path_factory.mktemp("models") / "random.gguf"
    write_model(str(model), SPECS["llama-f32"])
    server = Server("--running-max", "32", model=str(model))

    def ask(group):
        status, _, answer = post(server, "/v1/completions", {
            "prompt": "Write", "max_tokens": 192, "temperature": 1.5, "seed": 1, "structured_outputs": {"json": group.schema}})
        return group, status, answer

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        found = list(pool.map(ask, GROUPS))
    assert server.wait_until_idle()['hussar_kv_blocks{state="used"}'] == 0
    code, output = server.stop()
    assert code == 0, output
    return found


def test_each_is_answered_or_refused_by_name(answers):
    for group, status, answer in answers:
        assert status in (200, 400, 422), (group.name, answer)
        if status == 422:
            assert answer["error"]["code"] == "schema_unsatisfied", (group.name, answer)
        elif status == 400:
            assert answer["error"]["param"] == "structured_outputs.json", group.name
            assert "structured_outputs.json can't be used: " in answer["error"]["message"], group.name
        else:
            assert answer["choices"][0]["finish_reason"] == "stop", (group.name, answer)


def test_no_answer_breaks_its_schema(answers):
    documents, wrong, ends = remotes(), [], collections.Counter()
    for group, status, answer in answers:
        ends[status] += 1
        if status != 200:
            continue
        choice = answer["choices"][0]
        if not python_validator(exact(group.schema), documents).is_valid(exact(choice["text"])):
            wrong.append(f"{group.name}: {choice['text']}")
    print(dict(ends))
    assert wrong == []
    assert ends[200] >= VALID_SHARE_MIN * len(GROUPS)
