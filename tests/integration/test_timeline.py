# SPDX-License-Identifier: GPL-2.0-or-later
"""berth timeline: when what of the last start happened, and what made it as long as it was."""
import json
import pathlib
from xml.etree import ElementTree

from tests.support import registries

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
SLOW = {**SLEEP, "command": ["sh", "-c", "sleep 0.5; touch /tmp/ready; sleep 1000"],
        "healthcheck": {"test": ["CMD", "test", "-e", "/tmp/ready"], "interval": "100ms",
                        "retries": 100}}
CHAIN = {"services": {
    "a": SLOW,
    "b": {**SLOW, "depends_on": {"a": {"condition": "service_healthy"}}},
    "c": {**SLEEP, "depends_on": {"b": {"condition": "service_healthy"}}},
    "d": SLEEP}}


def folder(project):
    return pathlib.Path(project.path)


def chart(project):
    return json.loads(project.run("timeline", "--format", "json").stdout)


def span(row, phase):
    return next(span for span in row["spans"] if span["phase"] == phase)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter()
            if element.tag.endswith("}text")]


def test_chain(berth):
    project = berth.project({"compose.yaml": CHAIN})
    nothing = project.run("timeline", check=False)
    assert nothing.returncode == 1 and "nothing was started yet" in nothing.stderr
    project.run("up", "-d", "--timeline", "start.svg")
    told = chart(project)
    assert told["project"] == project.name and told["command"] == "up"
    assert set(told) == {"project", "command", "time", "duration_ms", "rows", "critical_path"}
    rows = {row["name"].removeprefix(f"{project.name}-"): row for row in told["rows"]}
    a, b, c, d = (rows[f"{name}-1"] for name in "abcd")
    assert span(a, "probing")["end_ms"] <= span(b, "starting")["begin_ms"]
    assert span(b, "probing")["end_ms"] <= span(c, "starting")["begin_ms"]
    assert span(a, "probing")["end_ms"] - span(a, "probing")["begin_ms"] > 400
    assert [s["for"] for s in c["spans"] if "for" in s][-1] == f"{project.name}-b-1 healthy"
    assert span(d, "running")["end_ms"] == told["duration_ms"] > 800
    assert a["critical"] and b["critical"] and c["critical"] and not d["critical"]
    steps = [(step["name"].removeprefix(f"{project.name}-"), step["phase"])
             for step in told["critical_path"]]
    assert steps[-5:] == [("a-1", "starting"), ("a-1", "probing"), ("b-1", "starting"),
                          ("b-1", "probing"), ("c-1", "starting")]
    svg = project.run("timeline", "--format", "svg").stdout
    assert (folder(project) / "start.svg").read_text() == svg
    assert f"{project.name}-c-1" in texts(svg) and 'class="critical"' in svg
    text = project.run("timeline").stdout
    assert f"* {project.name}-a-1 " in text and f"  {project.name}-d-1 " in text
    assert f"{project.name}-c-1 waited " in text and "\033" not in text
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith(("* ", "  ")))
    wrong = project.run("timeline", "--format", "png", check=False)
    assert wrong.returncode == 1 and "there are text, svg and json" in wrong.stderr


def test_every_start_is_told_and_nothing_else(berth):
    project = berth.project({"compose.yaml": {"services": {"d": SLEEP}}})
    project.run("up", "-d")
    first = chart(project)
    again = project.run("up", "-d", "--timeline", "none.svg")
    assert "nothing was started" in again.stderr and not (folder(project) / "none.svg").exists()
    project.run("stop", "-t", "0")
    assert chart(project) == first
    project.run("start")
    assert chart(project)["command"] == "start"
    project.run("restart", "-t", "0")
    told = chart(project)
    assert told["command"] == "restart"
    phases = [s["phase"] for s in told["rows"][0]["spans"] if s["phase"] != "waiting"]
    assert phases == ["stopping", "starting", "running"]
    project.run("up", "-d", "--wait", "--force-recreate", "-t", "0", "--timeline", "anew.svg")
    assert f"{project.name}-d-1" in texts((folder(project) / "anew.svg").read_text())
    failed = project.run("up", "-d", "--force-recreate", "-t", "0", "--timeline", "no/where.svg",
                         check=False)
    assert failed.returncode == 1 and "no/where.svg" in failed.stderr


def test_pulls_and_builds(berth):
    """What had to come first is part of it, and on the path where it was what took the time."""
    host = registries.serve(berth)
    for name in ("one", "two"):
        berth.run("image", "tag", "busybox", f"{host}/{name}:1", cwd="/")
        berth.run("image", "push", f"{host}/{name}:1", cwd="/")
        berth.run("image", "rm", f"{host}/{name}:1", cwd="/")
    project = berth.project({
        "Dockerfile": "FROM busybox\nRUN sleep 1\n",
        "compose.yaml": {"services": {
            "one": {**SLEEP, "image": f"{host}/one:1"},
            "built": {**SLEEP, "image": "made", "build": "."}}}})
    project.run("up", "-d", "--timeline", "start.svg")
    told = chart(project)
    rows = {row["name"].removeprefix(f"{project.name}-"): row for row in told["rows"]}
    pull, build = rows[f"{host}/one:1"]["spans"][0], rows["made"]["spans"][-1]
    assert pull["phase"] == "pulling" and pull["begin_ms"] == 0 and pull["end_ms"] > 0
    assert build["phase"] == "building" and build["end_ms"] - build["begin_ms"] > 1000
    assert rows["made"]["critical"] and told["duration_ms"] > 1000
    assert [s["phase"] for s in rows["one-1"]["spans"]][0] == "pulling"
    assert "building" in [s["phase"] for s in rows["built-1"]["spans"]]
    steps = [(step["name"], step["phase"]) for step in told["critical_path"]]
    assert ("made", "building") in steps and steps.index(("made", "building")) < len(steps) - 1
    assert "made" in texts((folder(project) / "start.svg").read_text())
    text = project.run("timeline").stdout
    assert "building" in text and all(len(line) <= 80 for line in text.splitlines())
    # Alone it is pulled beside the start, from before that began.
    alone = berth.project({"compose.yaml": {"services": {"two": {**SLEEP, "image": f"{host}/two:1"},
                                                         "here": SLEEP}}})
    alone.run("up", "-d")
    told = chart(alone)
    assert "pulling" in [span["phase"] for row in told["rows"] for span in row["spans"]]


def test_attached(berth):
    project = berth.project({"compose.yaml": {"services": {
        "d": {**SLEEP, "command": ["echo", "hello"]}}}})
    project.run("up", "--timeline", "start.svg")
    assert f"{project.name}-d-1" in texts((folder(project) / "start.svg").read_text())
