# SPDX-License-Identifier: GPL-2.0-or-later
"""`plan`: what `up` would do, with the values that differ; and `graph`: who waits for whom."""

import json


def services(**more):
    return json.dumps({"services": {
        "db": {"image": "busybox", "command": ["sleep", "1000"]},
        "web": {"image": "busybox", "command": ["sleep", "1000"], "depends_on": ["db"], **more},
    }})


def test_plan(berth):
    project = berth.project({"compose.yaml": services(environment={"A": "1", "B": "x"})})
    first = project.run("plan", check=False)
    name = project.name
    assert first.returncode == 2 and first.stderr == ""
    assert first.stdout == f"""\
create network {name}_default (no network yet)
create container {name}-db-1 (no container yet)
create container {name}-web-1 (no container yet)
start container {name}-db-1 (no container yet)
start container {name}-web-1 (no container yet)
5 operations; `berth up` carries them out.
"""
    assert project.run("ls", "-a", "-q").stdout == ""  # it made nothing
    project.run("up", "-d")
    same = project.run("plan")
    assert same.stdout == "Nothing to do: all is as the files say.\n"
    assert json.loads(project.run("plan", "--json").stdout) == {
        "project": name, "changes": False, "operations": []}

    project.write({"compose.yaml": services(environment={"A": "2", "C": ""}, user="nobody")})
    plan = project.run("plan", check=False)
    assert plan.returncode == 2
    lines = plan.stdout.splitlines()
    create = next(i for i, line in enumerate(lines) if line.startswith("create container"))
    assert lines[create].endswith("(environment, user changed)")
    assert lines[create + 1:create + 5] == [
        '    environment.A: "1" -> "2"',
        '    environment.B: "x" -> (none)',
        '    environment.C: (none) -> ""',
        '    user: (none) -> "nobody"',
    ]
    machine = json.loads(project.run("plan", "--json", check=False).stdout)
    made = [o for o in machine["operations"] if o["operation"] == "create_container"]
    assert made[0]["service"] == "web" and made[0]["changes"][0] == {
        "field": "environment.A", "old": "1", "new": "2"}
    assert project.run("plan", "db").returncode == 0
    assert project.run("plan", "--scale", "db=2", "db", check=False).returncode == 2
    unknown = project.run("plan", "nope", check=False)
    assert unknown.returncode == 1 and "no such service: nope" in unknown.stderr
    assert project.container("web")["State"] == "running"


def test_graph(berth):
    project = berth.project({"compose.yaml": """\
services:
  web:
    image: x
    depends_on:
      api: {condition: service_healthy, restart: true}
      cache: {condition: service_started, required: false}
  api: {image: x, depends_on: {init: {condition: service_completed_successfully}}}
  init: {image: x}
  cache: {image: x}
"""})
    assert project.run("graph").stdout == """\
web
├─ api (healthy, restart)
│  └─ init (completed)
└─ cache (started, optional)
"""
    assert project.run("graph", "api").stdout == "api\n└─ init (completed)\n"
    dot = project.run("graph", "--format", "dot").stdout
    assert '\t"web" -> "cache" [label="started, optional", style=dashed];\n' in dot
    mermaid = project.run("graph", "--format", "mermaid").stdout
    assert mermaid.startswith("flowchart LR\n") and '    s0 -->|"completed"| s2\n' in mermaid
    wrong = project.run("graph", "--format", "png", check=False)
    assert wrong.returncode == 1 and "there are tree, dot and mermaid" in wrong.stderr
