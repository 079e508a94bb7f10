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


def test_networks_and_volumes_that_differ(berth):
    def file(network, volume):
        return json.dumps({
            "services": {"a": {"image": "busybox", "command": ["sleep", "1000"],
                               "stop_grace_period": "0s", "volumes": ["data:/data"]}},
            "networks": {"default": network}, "volumes": {"data": volume}})

    project = berth.project({"compose.yaml": file(
        {"labels": {"a": "1"}, "ipam": {"config": [{"subnet": "10.77.1.0/24"}]}}, {})})
    project.run("up", "-d")
    project.write({"compose.yaml": file({"internal": True, "labels": {"a": "2"}, "ipam": {
        "config": [{"subnet": "10.77.2.0/24"}]}}, {"labels": {"b": "x"}})})
    plan = project.run("plan", check=False)
    lines = plan.stdout.splitlines()
    gone = lines.index(f"remove network {project.name}_default (its options changed)")
    assert lines[gone + 1:gone + 4] == [
        '    internal: (none) -> true',
        '    ipam.config: [{"subnet":"10.77.1.0/24"}] -> [{"subnet":"10.77.2.0/24"}]',
        '    labels.a: "1" -> "2"',
    ]
    assert "made with other options than the file has now (labels)" in plan.stderr
    machine = json.loads(project.run("plan", "--json", check=False).stdout)
    removed = next(o for o in machine["operations"] if o["operation"] == "remove_network")
    assert removed["changes"][0] == {"field": "internal", "old": None, "new": True}
    project.run("up", "-d")
    assert "10.77.2." in project.run("exec", "-T", "a", "ip", "address").stdout


def test_images_that_up_would_get(berth):
    """Nothing is pulled or built, and each is an operation with its cause."""
    project = berth.project({"compose.yaml": {"services": {
        "app": {"build": {"dockerfile_inline": "FROM busybox\nENV A=1\n"},
                "command": ["sleep", "1000"], "stop_grace_period": "0s"},
        "web": {"image": "localhost:1/team/web:1", "depends_on": ["app"]},
        "tool": {"image": "localhost:1/team/tool", "pull_policy": "never"},
        "data": {"image": "busybox", "volumes": [
            {"type": "image", "source": "localhost:1/team/data", "target": "/data"}]},
    }}})
    name = project.name
    plan = project.run("plan", "web", "data", check=False)
    assert plan.returncode == 2 and plan.stderr == ""
    assert plan.stdout.splitlines()[:3] == [
        "pull image localhost:1/team/web:1 (no image yet)",
        "pull image localhost:1/team/data (no image yet)",
        f"build image {name}-app (no image yet)",
    ]
    assert plan.stdout.endswith("10 operations; `berth up` carries them out.\n")
    machine = json.loads(project.run("plan", "--json", "app", check=False).stdout)
    assert machine["changes"] and machine["operations"][0] == {
        "operation": "build_image", "object": f"Image {name}-app", "name": f"{name}-app",
        "service": "app", "cause": "no image yet", "after": []}
    create = next(o for o in machine["operations"] if o["operation"] == "create_container")
    assert 0 in create["after"]
    dry = project.run("--dry-run", "up", "-d", "web").stdout
    assert dry.startswith("pull image localhost:1/team/web:1 (no image yet)\n")
    never = project.run("plan", "tool", check=False)
    assert never.returncode == 1 and "image localhost:1/team/tool is not here" in never.stderr
    without = project.run("plan", "--no-build", "app", check=False)
    assert without.returncode == 1 and f"image {name}-app is not here" in without.stderr
    assert f"{name}-app" not in berth.run("image", "ls", cwd="/").stdout

    project.run("up", "-d", "app")
    again = project.run("plan", "app")
    assert again.stdout == "Nothing to do: all is as the files say.\n"
    build = project.run("plan", "--build", "app")  # exits with 0: it may be the same
    assert build.stdout == f"""\
build image {name}-app (--build; what runs it is made anew if it is another one)
Nothing to do, unless an image turns out to be another one.
"""
    refresh = json.loads(project.run("plan", "--json", "--build", "app").stdout)
    assert not refresh["changes"] and refresh["operations"][0]["refresh"]
    policy = project.run("plan", "--pull", "always", "data", check=False).stdout
    assert "pull image busybox (--pull always)" in policy
    override = "services: {data: {pull_policy: daily}, app: {pull_policy: build}}"
    project.write({"compose.override.yaml": override})
    assert "(pull_policy: build; what runs it" in project.run("plan", "app").stdout


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
    machine = json.loads(project.run("graph", "--format", "json").stdout)
    assert machine["project"] == project.name
    assert machine["services"][0] == {"name": "api", "image": "x", "replicas": 1}
    assert [(e["from"], e["to"]) for e in machine["edges"]] == [
        ("api", "init"), ("web", "api"), ("web", "cache")]
    assert machine["edges"][1] == {"from": "web", "to": "api", "condition": "service_healthy",
                                   "restart": True, "required": True, "present": True}
    assert machine["edges"][2]["required"] is False
    wrong = project.run("graph", "--format", "png", check=False)
    assert wrong.returncode == 1 and "there are tree, dot, mermaid and json" in wrong.stderr
