"""A Hugging Face folder from the outside: its tokenizer, template, end tokens and defaults, and files that don't belong together."""

import json
import subprocess
import sys

import pytest
import tokenizers
from conftest import BINARY, NAME, ROOT

sys.path.insert(0, str(ROOT / "tests/oracle"))
from make_models import SPECS, write_folder  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "small-model"
    write_folder(str(path), SPECS["qwen2-f32"], seed=3)
    return path


def change(path, **members):
    document = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(document | members))


def run(command, folder, *words):
    done = subprocess.run([BINARY, command, "--model", str(folder), *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_tokens_are_those_of_tokenizers(folder):
    text = "The riders' horses 123 drank  water — 好的 e\u0301 <|im_end|>\n\n"
    hf = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    code, output, errors = run("tokenize", folder, "--ids", "--special", "--", text)
    assert code == 0, errors
    assert [int(i) for i in output.split()] == hf.encode(text).ids


def test_the_models_defaults_fill_what_a_request_leaves_out(folder, start_server):
    change(folder / "generation_config.json", do_sample=False, temperature=0.9, max_new_tokens=7, repetition_penalty=50, num_beams=2)
    server = start_server(model=str(folder))
    assert "defaults temperature 0, repetition_penalty 50, max_tokens 7 (generation_config.json)" in server.output()
    assert "num_beams" in server.output()

    def answer(**fields):
        choice = server.client.completions.create(model=NAME, prompt="There are hills", **fields)
        return choice.usage.completion_tokens, choice.choices[0].text

    ignore_eos = {"ignore_eos": True}
    default = answer(extra_body=ignore_eos)
    assert default[0] == 7
    assert default == answer(temperature=0, max_tokens=7, extra_body={"repetition_penalty": 50} | ignore_eos)
    assert default != answer(extra_body={"repetition_penalty": 1} | ignore_eos)
    assert answer(max_tokens=9, extra_body=ignore_eos)[0] == 9
    chat = server.client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": "Hello"}])
    assert 1 <= chat.usage.completion_tokens <= 7


def test_the_defaults_can_be_ignored(folder, start_server):
    change(folder / "generation_config.json", temperature=-3, max_new_tokens=7)
    code, _, errors = run("serve", folder, "--port", "0")
    assert code == 2
    assert errors == ("hussar serve: generation_config.json: temperature must be between 0 and 2, not -3; correct it, or add "
                      "--generation-config ignore\n")
    server = start_server("--generation-config", "ignore", "--default-max-tokens", "5", model=str(folder))
    assert "generation_config.json" not in server.output()
    answer = server.client.completions.create(model=NAME, prompt="There", extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 5


def test_chat_takes_the_defaults_and_its_flags_go_first(folder):
    change(folder / "generation_config.json", do_sample=False, max_new_tokens=1)
    change(folder / "config.json", eos_token_id=None)

    def chat(*flags):
        done = subprocess.run([BINARY, "chat", "--model", str(folder), *flags], input="hello\n", capture_output=True, text=True, timeout=60,
                              errors="replace")
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    short, notes = chat()
    assert "generation_config.json: temperature 0, max_tokens 1; flags go first" in notes
    longer, _ = chat("--max-tokens", "8")
    assert len(longer) > len(short) and longer.startswith(short.rstrip("\n\ufffd"))
    ignored, notes = chat("--generation-config", "ignore", "--max-tokens", "8", "--temperature", "0")
    assert "generation_config.json" not in notes and ignored == longer


def test_end_tokens_of_all_documents_end_an_answer(folder, start_server):
    change(folder / "generation_config.json", eos_token_id=[5, 2])
    server = start_server(model=str(folder))
    for token in (0, 2, 5):  # by its name, from the documents
        answer = server.client.completions.create(model=NAME, prompt="There", max_tokens=3, logit_bias={str(token): 100})
        assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (1, "stop"), token
    answer = server.client.completions.create(model=NAME, prompt="There", max_tokens=3, logit_bias={"6": 100})
    assert answer.usage.completion_tokens == 3


@pytest.mark.parametrize(
    "file, members, said",
    [
        ("config.json", {"eos_token_id": 319}, "config.json: eos_token_id is 319, but tokenizer.json has 319 tokens"),
        ("tokenizer_config.json", {"eos_token": "</s>"}, 'eos_token is "</s>", which tokenizer.json does not have'),
        ("tokenizer_config.json", {"added_tokens_decoder": {"1": {"content": "<s>"}}}, "the two files belong to different models"),
        ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}, 'normalizer is {"type":"Lowercase"}'),
        ("tokenizer.json", {"added_tokens": [{"id": 7, "content": "x", "special": True}]}, 'added_tokens gives "x" the id 7, but model.vocab'),
        ("tokenizer.json", {"added_tokens": [{"id": 7, "content": "<x>", "special": True}]}, 'the token "<x>" has the id 7 of the token'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_line(folder, file, members, said):
    change(folder / file, **members)
    code, _, errors = run("serve", folder, "--port", "0")
    assert code == 2 and errors.count("\n") == 1 and said in errors, errors


def test_a_tokenizer_with_more_tokens_than_rows_is_refused(folder, tmp_path):
    other = tmp_path / "other"
    bigger = SPECS["qwen2-f32"]
    write_folder(str(other), type(bigger)(**{**vars(bigger), "merges": bigger.merges + 3}), seed=3)
    (folder / "tokenizer.json").write_bytes((other / "tokenizer.json").read_bytes())
    code, _, errors = run("serve", folder, "--port", "0")
    assert code == 2
    assert "the tokenizer has 322 tokens, but the embedding has only 319 rows" in errors and errors.count("\n") == 1


def test_rows_without_a_token_stand_for_no_text(folder, tmp_path, start_server):
    other = tmp_path / "other"
    smaller = SPECS["qwen2-f32"]
    write_folder(str(other), type(smaller)(**{**vars(smaller), "merges": smaller.merges - 3}), seed=3)
    (folder / "tokenizer.json").write_bytes((other / "tokenizer.json").read_bytes())
    server = start_server(model=str(folder))
    answer = server.client.completions.create(model=NAME, prompt="There", max_tokens=4, logit_bias={"318": 100})
    assert (answer.usage.completion_tokens, answer.choices[0].text) == (4, "")


def test_a_folder_without_a_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    code, _, errors = run("tokenize", folder, "x")
    assert code == 2 and "no tokenizer.json" in errors


@pytest.mark.parametrize("scaling, context", [
    ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}, 8192),
    ({"type": "linear", "factor": 4.0}, 2048),
])  # fmt: skip
def test_the_start_says_how_long_contexts_may_be(folder, start_server, scaling, context):
    change(folder / "config.json", rope_scaling=scaling)
    server = start_server(model=str(folder))
    assert f"at most {context} a request" in server.output()
    # Behind what the model was first trained for.
    answer = server.client.completions.create(model=NAME, prompt=[7] * (context - 8), max_tokens=8, extra_body={"ignore_eos": True})
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (context - 8, 8)
    code, _, errors = run("serve", folder, "--port", "0", "--ctx", str(context + 1))
    assert code == 2 and f"{context + 1} is more than the {context} tokens" in errors
