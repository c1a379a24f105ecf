"""The files of a report, read by other programs than those that wrote them: Python's json, csv and html.parser, and the page's script in V8."""
import csv
import html.parser
import io
import json
import os
import pathlib
import re
import subprocess

import py_mini_racer
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
DEMO = pathlib.Path(os.environ.get("HUSSAR_BUILD", ROOT / "build")) / "demo_report"
HOSTILE = "</script><script>document.title='injected'</script>"


def write(kind, folder):
    subprocess.run([DEMO, kind, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def article(tmp_path_factory):
    return write("article", tmp_path_factory.mktemp("article"))


class Page(html.parser.HTMLParser):
    """Scripts with their attributes, and every attribute of every element."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.scripts, self.attributes, self.open, self.inside = [], [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "script":
            self.scripts.append([dict(attrs), ""])
            self.inside = self.scripts[-1]

    def handle_endtag(self, tag):
        if tag == "script":
            self.inside = None

    def handle_data(self, data):
        if self.inside is not None:
            self.inside[1] += data


def page_of(folder):
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def draw(folder):
    """The page's own script, run with the data of the file."""
    data, _, script = [text for _, text in page_of(folder).scripts]
    engine = py_mini_racer.MiniRacer()
    engine.eval((HERE / "fake_page.js").read_text(encoding="utf-8"))
    engine.eval(f"document.getElementById('data').textContent = {json.dumps(data)}; null")
    engine.eval(script + "; null")
    return engine


def shown(engine):
    return json.loads(engine.eval("shown()"))


def test_results_json_is_strict_json(article):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    results = json.loads((article / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert (results["schema"], results["version"], results["kind"]) == ("hussar-bench-results", 1, "article")
    assert len(results["server_samples"]) == 1500
    assert results["server_samples"][0]["gpu_memory_bytes"] is None
    assert results["rows"][0]["extra"] == {"legal_fraction": None}
    assert "sk-secret" not in json.dumps(results)
    histogram = results["self_proof"]["send_lateness_histogram"]
    assert sum(bin["count"] for bin in histogram) == results["self_proof"]["send_lateness_ms"]["count"] == 4001
    assert histogram[0]["from_ms"] is None and histogram[-1]["below_ms"] is None


@pytest.mark.parametrize("document", ["bench-results.md", "bench-results.zh.md"])
def test_every_field_is_documented(article, document):
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    results = json.loads((article / "results.json").read_text(encoding="utf-8"))
    lines = (article / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    row = results["rows"][0]
    objects = {"results.json": results, "target": results["target"], "rows": row, "summary": row["summary"], "distribution": row["summary"]["ttft_ms"],
               "self_proof": results["self_proof"], "server_samples": results["server_samples"][0], "requests.jsonl": json.loads(lines[0])}
    for heading, found in objects.items():
        part = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.S | re.M)[1]
        first_column = re.findall(r"^\| (`[^|]*) \|", part, re.M)
        assert set(re.findall(r"`(\w+)`", " ".join(first_column))) == set(found), heading


def test_requests_are_one_json_object_a_line(article):
    lines = (article / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    first, second = [json.loads(line) for line in lines]
    assert first["chunk_at_ns"] == [80_000_000, 96_000_000] and first["chunk_tokens"] == [1, 1]
    assert HOSTILE in first["text"]
    assert second["outcome"] == "connect_failed" and second["first_token_ns"] is None and "text" not in second


def test_csv_is_rectangular_and_holds_every_table(article):
    text = (article / "tables.csv").read_bytes().decode("utf-8")
    assert text.count("\n") == text.count("\r\n")
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(line) for line in lines} == {len(lines[0])}
    results = json.loads((article / "results.json").read_text(encoding="utf-8"))
    for section in results["sections"]:
        for table in section["tables"]:
            rows = [line for line in lines if line[0] == table["id"]]
            assert [int(row[1]) for row in rows] == list(range(len(table["rows"]) + 1))
            width = len(table["columns"])
            assert rows[0][2 : 2 + width] == [column["en"] for column in table["columns"]]
            for row, cells in zip(rows[1:], table["rows"]):
                assert [cell.removeprefix("'") for cell in row[2 : 2 + width]] == [cell["en"] for cell in cells]
    assert not any(re.match(r"[=@+-](?!\d)", cell) for line in lines for cell in line)


def test_the_page_is_one_file_that_asks_for_nothing(article):
    page = page_of(article)
    assert [attributes for attributes, _ in page.scripts] == [{"type": "application/json", "id": "data"}, {}, {}]
    for tag, name, value in page.attributes:
        if name in ("src", "href", "action", "srcset"):
            assert value.startswith(("#", "data:")), (tag, name, value)
        assert not name.startswith("on"), (tag, name)
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy and "http" not in policy
    style = re.search(r"<style>(.*?)</style>", (article / "index.html").read_text(encoding="utf-8"), re.S)[1]
    assert "url(" not in style and "@import" not in style


def test_the_page_shows_every_table_and_chart(article):
    results = json.loads((article / "results.json").read_text(encoding="utf-8"))
    page = shown(draw(article))
    tables = dict(page["tables"])
    charts = page["charts"]
    for section in results["sections"]:
        assert section["title"]["en"] in page["headings"]
        assert ["#" + section["id"], section["title"]["en"]] in page["contents"]
        for table in section["tables"]:
            drawn = tables["table-" + table["id"]]
            assert drawn["body"] == [[cell["en"] for cell in row] for row in table["rows"]]
        for chart in section["charts"]:
            drawn = next(c for c in charts if chart["title"]["en"] in c["label"])
            assert [s["label"] for s in drawn["series"]] == [s["name"]["en"] for s in chart["series"]]
            for series, wanted in zip(drawn["series"], chart["series"]):
                values = series["data"] if chart["kind"] == "bars" else [point["y"] for point in series["data"]]
                assert values == wanted["y"]
    assert {"server", "self-proof", "environment", "formulas"} <= set(page["ids"])
    assert len(page["ids"]) == len(set(page["ids"]))
    assert all(any(y is not None for series in chart["series"] for y in (p["y"] if isinstance(p, dict) else p for p in series["data"])) for chart in charts)
    assert results["prove_line"] in page["foot"]


def test_an_owner_stands_once_above_its_columns(article):
    head = dict(shown(draw(article))["tables"])["table-latency"]["head"]
    owners, names = [[cell.replace("\u00a0", " ") for cell in row] for row in head]
    assert owners == ["input tokens", "hussar 0.1.0: SmolLM2-135M-Instruct, 2 cores", "article: Qwen2.5-0.5B, 4 x RTX 4090D", "note"]
    assert names == ["TTFT p50, s", "TTFT p99, s", "TTFT warm, s", "total p50, s", "output tokens", "output tok/s", "TTFT, s", "total, s"]


def test_what_a_model_said_is_text_on_the_page(article):
    page = shown(draw(article))
    assert page["text"].count(HOSTILE) == 2  # a cell and a note
    assert page["title"] == "SmolLM2-135M-Instruct · hussar bench"
    assert not {"script", "img"} & set(page["tags"])


def test_the_page_changes_its_language(article):
    engine = draw(article)
    charts = len(shown(engine)["charts"])
    engine.eval("press('中文')")
    page = shown(engine)
    assert page["lang"] == "zh-CN"
    assert "输入长度与延迟" in page["headings"] and "Latency against input length" not in page["headings"]
    assert dict(page["tables"])["table-latency"]["body"][-1][-1].startswith("放不下")
    assert len(page["charts"]) == charts > 0 and any(chart["label"].startswith("折线图") for chart in page["charts"])
    engine.eval("press('EN')")
    engine.eval("press('Dark')")
    assert len(shown(engine)["charts"]) == charts


def test_both_languages_have_the_same_words(article):
    script = page_of(article).scripts[2][1]
    words = {language: set(re.findall(r"(?:^ +|, )(\w+): '", re.search(rf"^  {language}: {{(.*?)^  }},", script, re.S | re.M)[1], re.M)) for language in ("en", "zh")}
    assert words["en"] == words["zh"] and len(words["en"]) > 20
    used = set(re.findall(r"word\('(\w+)'\)", script)) | {"skip"}
    assert used <= words["en"]


def test_a_run_that_the_client_limited_says_so_first(tmp_path):
    page = shown(draw(write("limited", tmp_path)))
    assert len(page["alert"]) == 1
    assert "CLIENT-LIMITED: the client's thread used 98 % of its core" in page["alert"][0]
    assert "interrupted" in page["alert"][0] and HOSTILE in page["alert"][0]


def test_a_run_that_knows_nothing_still_makes_a_page(tmp_path):
    folder = write("bare", tmp_path)
    page = shown(draw(folder))
    assert page["title"] == "Load test · hussar bench" and page["charts"] == [] and page["alert"] == []
    assert (folder / "requests.jsonl").read_bytes() == b""
    json.loads((folder / "results.json").read_text(encoding="utf-8"))


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_the_contrast_that_wcag_asks_for(article, theme):
    style = (article / "index.html").read_text(encoding="utf-8")
    rules = {"light": r":root \{(.*?)\}", "dark": r':root\[data-theme="dark"\] \{(.*?)\}'}
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", re.search(rules[theme], style, re.S)[1]))
    for paper in ("page", "card", "wash"):
        for text in ("ink", "quiet", "accent"):
            assert contrast(colours[text], colours[paper]) >= 4.5, (text, paper)  # WCAG 2.2, 1.4.3
    assert contrast(colours["bad"], colours["bad-wash"]) >= 4.5
    for line in ["reference"] + [f"series-{i}" for i in range(1, 7)]:
        assert contrast(colours[line], colours["card"]) >= 3, line  # 1.4.11
