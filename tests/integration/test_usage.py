# SPDX-License-Identifier: GPL-2.0-or-later
"""What containers use, and what they are made of: stats, top, volumes, scale."""
import json
import re

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
BUSY = {"image": "busybox", "command": ["sh", "-c", "while :; do :; done"], "mem_limit": "64m"}


@pytest.fixture
def project(berth):
    project = berth.project({"compose.yaml": {
        "services": {"idle": {**SLEEP, "volumes": ["data:/data"]}, "busy": BUSY},
        "volumes": {"data": {"labels": {"x": "y"}}, "other": {}}}})
    project.run("up", "-d")
    return project


def test_stats(project):
    rows = [json.loads(line) for line in
            project.run("stats", "--no-stream", "--format", "json").stdout.splitlines()]
    assert [row["Name"] for row in rows] == [f"{project.name}-busy-1", f"{project.name}-idle-1"]
    busy, idle = rows
    assert set(busy) == {"BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name",
                         "NetIO", "PIDs"}
    assert float(busy["CPUPerc"][:-1]) > 10 > float(idle["CPUPerc"][:-1])
    assert re.fullmatch(r"[\d.]+[KM]?i?B / 64MiB", busy["MemUsage"])
    assert (busy["PIDs"], idle["PIDs"]) == ("1", "2")
    project.run("stop", "-t", "0", "idle")
    table = project.run("stats", "--no-stream", "-a", "--no-trunc").stdout.splitlines()
    assert re.match(r"CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O +PIDS$",
                    table[0])
    assert re.match(rf"[0-9a-f]{{64}} +{project.name}-idle-1 +-- +--", table[2])
    assert len(project.run("stats", "--no-stream", "busy").stdout.splitlines()) == 2
    live = project.popen("stats", "--format", "{{.Name}}")
    assert [live.stdout.readline() for _ in range(3)] == [f"{project.name}-busy-1\n"] * 3


def test_top(project):
    lines = project.run("top").stdout.splitlines()
    assert lines[0].split() == "SERVICE # UID PID PPID C STIME TTY TIME CMD".split()
    idle = [line for line in lines if line.startswith("idle")]
    assert len(idle) == 2 and idle[-1].endswith("sleep 1000") and " root " in idle[-1]
    assert all(line.startswith("busy") for line in project.run("top", "busy").stdout.splitlines()[1:])
    project.run("stop", "-t", "0")
    assert project.run("top").stdout == ""
    unknown = project.run("top", "nosuch", check=False)
    assert unknown.returncode == 1 and "no such service: nosuch" in unknown.stderr


def test_volumes(project):
    assert project.run("volumes").stdout.splitlines()[0].split() == ["DRIVER", "VOLUME", "NAME"]
    row = json.loads(project.run("volumes", "--format", "json").stdout)
    assert (row["Name"], row["Driver"]) == (f"{project.name}_data", "local")
    assert "x=y" in row["Labels"] and row["Mountpoint"].endswith(f"{project.name}_data/_data")
    assert project.run("volumes", "-q", "idle").stdout == f"{project.name}_data\n"
    assert project.run("volumes", "-q", "busy").stdout == ""


def test_scale(project):
    plan = project.run("--dry-run", "scale", "idle=2").stdout
    assert "create container" in plan and "(2 wanted)" in plan
    project.run("scale", "idle=3", "busy=0")
    assert len(project.run("ps", "-q").stdout.splitlines()) == 3
    project.run("scale", "--no-deps", "idle=1")
    assert project.run("ps", "--format", "{{.Name}}").stdout == f"{project.name}-idle-1\n"
    for word, text in (("idle", "invalid scale specifier"), ("idle=x", "can't parse replica value"),
                       ("none=1", "no such service: none")):
        refused = project.run("scale", word, check=False)
        assert refused.returncode == 1 and text in refused.stderr
