"""The Grafana dashboard asks for metrics that exist, and draws what it says."""

import json
import pathlib
import re
import urllib.request

DASHBOARD = pathlib.Path(__file__).resolve().parents[2] / "deploy/grafana/hussar.json"
NAME = re.compile(r"\b(?:vllm:|hussar_)[a-z0-9_]+")


def queries():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def exposed(server):
    """Every sample's name and the labels that it has."""
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    names = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, _, rest = line.partition("{")
        names.setdefault(name.split(" ")[0], set()).update(re.findall(r'(\w+)="', rest))
    return names


def test_every_query_names_metrics_and_labels_that_exist(server, client):
    client.completions.create(model="test-model", prompt="Once", max_tokens=2)
    try:  # so that refusals have been counted
        client.completions.create(model="test-model", prompt="Once", max_tokens=0)
    except Exception:
        pass
    names = exposed(server)
    seen = 0
    for title, expr in queries():
        asked = NAME.findall(expr)
        assert asked, f"{title} asks for nothing of ours: {expr}"
        for name in asked:
            assert name in names, f"{title} asks for {name}, which does not exist"
            for label in re.findall(r"by \(([a-z_]+)\)", expr):
                assert label in names[name], f"{title} groups {name} by {label}, which it does not have"
            assert "model_name" in names[name]
        seen += 1
    assert seen >= 20


def test_quantiles_are_of_histograms():
    for title, expr in queries():
        if "histogram_quantile" in expr:
            assert all(name.endswith("_bucket") for name in NAME.findall(expr)), title


def test_panels_do_not_overlap():
    taken = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
