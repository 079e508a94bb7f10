# SPDX-License-Identifier: GPL-2.0-or-later
"""The request `reexec`: the supervisor makes room for the program that lies at its path now."""
import json
import os
import re
import shutil
import socket
import struct

import pytest

from tests.support.user import User

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def ask(project, **request):
    """One request by hand, as a client of another version would send it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{project.runtime_dir}/control.sock")
        text = json.dumps({"id": "0" * 32, **request}).encode()
        connection.sendall(struct.pack("<I", len(text)) + text)
        connection.settimeout(5)
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack("<I", data[:4])[0]:
            part = connection.recv(65536)
            if not part:
                return None
            data += part
        return json.loads(data[4:4 + struct.unpack("<I", data[:4])[0]])


def test_reexec(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "ports": ["8080:80"]},
        "b": {"image": "busybox", "init": True, "command": [
            "sh", "-c", "n=0; while :; do n=$$((n+1)); echo $$n; sleep 0.01; done"]}}}})
    project.run("up", "-d")
    before = {row["Name"]: row["ID"] for row in project.ps()}
    for _ in range(3):
        pids = project.supervisor_pids()
        assert ask(project, request="reexec") == {"reply": "done"}
        berth.wait_until(lambda: project.supervisor_pids() not in ([], pids))
        assert {row["Name"]: row["ID"] for row in project.ps()} == before
    assert ask(project, request="ping")["reply"] == "done"
    lines = project.run("logs", "--no-log-prefix", "b").stdout.split()
    assert lines == [str(n) for n in range(1, len(lines) + 1)]


def test_the_command(berth):
    one, two = (berth.project({"compose.yaml": {"services": {"a": SLEEP}}}) for _ in range(2))
    for project in (one, two):
        project.run("up", "-d")

    def rows():
        listed = json.loads(one.run("supervisor", "ls", "--format", "json").stdout)
        return {row["Name"]: row for row in listed}

    first = rows()
    before = {p.name: (p.supervisor_pids(), [row["ID"] for row in p.ps()]) for p in (one, two)}
    version = first[one.name]["Version"]
    assert one.run("supervisor", "reexec", one.name).stdout == f"{one.name} {version}\n"
    assert one.supervisor_pids() != before[one.name][0]
    assert two.supervisor_pids() == before[two.name][0]
    second = rows()
    assert second[one.name]["Pid"] != first[one.name]["Pid"]
    assert second[one.name]["KeeperPid"] == first[one.name]["KeeperPid"]
    assert second[two.name] == first[two.name]
    assert set(one.run("supervisor", "reexec").stdout.splitlines()) >= {
        f"{p.name} {version}" for p in (one, two)}
    assert two.supervisor_pids() != before[two.name][0]
    assert {p.name: [row["ID"] for row in p.ps()] for p in (one, two)} == {
        name: ids for name, (_, ids) in before.items()}
    failed = one.run("supervisor", "reexec", "nobody", check=False)
    assert failed.returncode == 1 and "project nobody has no supervisor" in failed.stderr
    assert set(one.run("supervisor", "ls", "-q").stdout.split()) >= {one.name, two.name}


@pytest.mark.parametrize("is_user", [False, True])
def test_an_upgrade(berth, is_user):
    """What runs goes on with the old program, and that is said, until it is told to take the new
    one."""
    if is_user:
        alice = User(berth)
        alice.image()
        program, run = alice.program, alice.run
        cwd = alice.project("services: {a: {image: busybox, init: true, command: sleep 1000}}")
    else:
        program, run = shutil.copy(berth.program[0], f"{berth.base}/berth"), berth.run
        cwd = berth.project({"compose.yaml": {"services": {"a": SLEEP}}}).path
        berth.program = [program]

    def listed():
        return run("supervisor", "ls", "--format", "{{.Program}}", cwd=cwd).stdout

    said = run("up", "-d", cwd=cwd)
    assert "upgraded" not in said.stderr and listed() == "current\n"
    before = run("ps", "-q", cwd=cwd).stdout
    shutil.copy2(program, f"{program}.new")
    os.rename(f"{program}.new", program)
    assert listed() == "replaced\n"
    said = run("up", "-d", cwd=cwd)
    assert "`berth supervisor reexec`" in said.stderr
    run("supervisor", "reexec", cwd=cwd)
    assert listed() == "current\n"
    assert "upgraded" not in run("up", "-d", cwd=cwd).stderr
    assert run("ps", "-q", cwd=cwd).stdout == before
    run("down", "-t", "0", cwd=cwd)
    berth.wait_until(lambda: not berth.own_pids_of("__keeper"), 10)


def test_stopping_supervisors(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    failed = project.run("supervisor", "stop", project.name, check=False)
    assert failed.returncode == 1
    assert f"project {project.name}: container {project.name}-a-1 is running" in failed.stderr
    assert project.supervisor_pids()
    project.run("supervisor", "stop", "--containers", project.name)
    berth.wait_until(lambda: project.supervisor_pids() == [])
    assert [row["State"] for row in project.ps("-a")] == ["exited"]
    project.run("start")
    assert [row["State"] for row in project.ps()] == ["running"]


def test_stopping_all_leaves_nothing_in_the_kernel(berth):
    """As before a package is removed; what was stopped can be started again."""
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "networks": ["one", "two"]}, "b": {**SLEEP, "networks": ["two"]},
                     "c": {**SLEEP, "networks": ["three"]}, "d": {**SLEEP, "networks": ["three"]}},
        "networks": {"one": {}, "two": {}, "three": {"driver": "macvlan"}}}})
    project.run("up", "-d")
    berth.run("supervisor", "stop", "--containers", project.name)
    assert "br-" in berth.command(["ip", "-br", "link"]).stdout
    project.run("start")
    berth.run("supervisor", "stop", "--containers")
    berth.wait_until(lambda: project.supervisor_pids() == [])
    links = berth.command(["ip", "-br", "link"]).stdout
    assert not re.search(r"^(br|dm|dp)-", links, re.M), links
    assert "berth" not in berth.command(["nft", "list", "ruleset"]).stdout
    project.run("start")
    assert [row["State"] for row in project.ps()] == ["running"] * 4
    project.exec("a", "ping", "-c", "1", "-W", "5", "b")
    project.exec("c", "ping", "-c", "1", "-W", "5", "d")
    assert "table inet berth" in berth.command(["nft", "list", "ruleset"]).stdout


def test_unknown_requests_and_rubbish(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    pids = project.supervisor_pids()
    assert ask(project, request="no-such")["reply"] == "error"
    assert ask(project, request="converge", options={"goal": "fly"})["reply"] == "error"
    assert ask(project, request="converge", options={})["reply"] == "error"
    assert ask(project, request="exec", container="x" * 5000)["reply"] == "error"
    for rubbish in (b"\xff" * 64, struct.pack("<I", 5) + b"[1,2]", b"\0\0\0\0", b"x"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{project.runtime_dir}/control.sock")
            connection.sendall(rubbish)
    assert ask(project, request="ping")["reply"] == "done"
    assert project.supervisor_pids() == pids
