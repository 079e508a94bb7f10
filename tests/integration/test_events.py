# SPDX-License-Identifier: GPL-2.0-or-later
"""`events` of a project and of the machine, as they happen."""
import json
import re
import signal

import pytest


class Listener:
    def __init__(self, where, *args):
        self.sandbox = getattr(where, "sandbox", where)
        self.process = where.popen(*args)
        self.lines = []

    def until(self, test):
        while not self.lines or not test(self.lines[-1]):
            line = self.process.stdout.readline()
            assert line, f"ended after {self.lines}"
            self.lines.append(line.rstrip("\n"))
        return self.lines

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 130


def sleeps(**more):
    return {"image": "busybox", "init": True, "command": ["sleep", "1000"], **more}


@pytest.fixture
def project(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sleeps(labels={"tier": "back"}), "b": sleeps()}}})
    project.run("up", "-d")
    return project


def test_a_recreate(project):
    """In docker's order, each in one line that is there at once."""
    old = project.run("ps", "-q", "a").stdout.strip()
    listener = Listener(project, "events", "--json", "a", "--since", "1h")
    listener.until(lambda line: json.loads(line)["action"] == "start")
    listener.lines.clear()
    project.run("up", "-d", "--force-recreate")
    listener.until(lambda line: json.loads(line)["action"] == "start")
    new = project.run("ps", "-q", "a").stdout.strip()
    rows = [json.loads(line) for line in listener.lines]
    assert [(row["action"], row["id"]) for row in rows] == [
        ("create", new), ("kill", old), ("die", old), ("stop", old), ("destroy", old),
        ("rename", new), ("start", new)]
    assert all(row["service"] == "a" and row["type"] == "container" for row in rows)
    assert all(row["attributes"]["tier"] == "back" for row in rows)
    assert rows[1]["attributes"]["signal"] == "15" and rows[2]["attributes"]["exitCode"] == "143"
    listener.stop()


def test_a_line_of_text(project):
    project.run("kill", "-s", "WINCH", "a")
    listener = Listener(project, "events", "--since", "1h")
    line = listener.until(lambda line: " kill " in line)[-1]
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{6}} container kill \w{{64}} "
                        rf"\(image=busybox, name={project.name}-a-1, signal=28, tier=back\)", line)
    listener.stop()


def test_a_service_in_a_crash_loop(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "restart": "always", "command": ["sh", "-c", "exit 3"]}}}})
    project.run("create")
    listener = Listener(project, "events", "--json", "--since", "1h")
    project.run("start")
    listener.until(lambda line: sum('"die"' in line for line in listener.lines) == 3)
    rows = [json.loads(line) for line in listener.lines]
    assert [row["action"] for row in rows] == ["create"] + ["start", "die"] * 3
    assert {row["attributes"].get("exitCode") for row in rows if row["action"] == "die"} == {"3"}
    listener.stop()


def test_of_the_machine(berth, project):
    """docker's line, with the labels by which other tools know whose container it is."""
    listener = Listener(berth, "system", "events", "--since", "1h", "--filter", "type=container",
                        "--filter", "label=tier=back", "--filter", "event=start",
                        "--filter", f"label=com.docker.compose.project={project.name}")
    [line] = listener.until(lambda line: True)
    compose = (f"com.docker.compose.container-number=1, com.docker.compose.oneoff=False, "
               f"com.docker.compose.project={project.name}, com.docker.compose.service=a")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) container start \w{64} "
        rf"\({re.escape(compose)}, image=busybox, name={project.name}-a-1, tier=back\)", line)
    project.run("restart", "-t", "0")
    listener.until(lambda line: len(listener.lines) == 2)
    listener.stop()
    none = berth.run("system", "events", "--since", "1h", "--until", "1s",
                     "--filter", "label=tier=front")
    assert none.stdout == ""


def test_a_single_container_is_no_project_s(berth):
    berth.run("container", "run", "-d", "--name", "box", "-l", "x=y", "busybox", "sleep", "1000")
    listener = Listener(berth, "system", "events", "--since", "1h", "--format", "json",
                        "--filter", "container=box")
    rows = [json.loads(line) for line in
            listener.until(lambda line: json.loads(line)["Action"] == "start")]
    assert rows[-1]["Actor"]["Attributes"] == {"image": "busybox", "name": "box", "x": "y"}
    listener.stop()
    berth.run("container", "rm", "-f", "box")


@pytest.mark.parametrize("command", [["events", "--json"], ["system", "events", "--format", "json"]])
def test_a_listener_keeps_nobody(project, command):
    """What is taken down or told to end goes, and tells its listeners all of it before."""
    sandbox = project.sandbox
    listener = Listener(project, *command, "--since", "1h")
    listener.until(lambda line: sum('"start"' in line for line in listener.lines) == 2)
    keeper, = project.keeper_pids()
    project.run("down", "-t", "0")
    assert keeper not in project.keeper_pids()
    listener.until(lambda line: sum('"destroy"' in line for line in listener.lines) == 2)
    project.run("up", "-d")
    listener.until(lambda line: sum('"start"' in line for line in listener.lines) == 4)
    sandbox.kill(project.keeper_pids()[0], signal.SIGTERM)
    listener.until(lambda line: sum('"die"' in line for line in listener.lines) == 4)
    assert sandbox.wait_until(lambda: not project.keeper_pids(), 20, "the keeper has left")
    project.run("start")
    listener.until(lambda line: sum('"start"' in line for line in listener.lines) == 6)
    listener.stop()
    project.run("down", "-t", "0")


def test_a_listener_that_does_not_read(project):
    """More is told than the socket between takes."""
    listener = Listener(project, "events", "--json", "--since", "1h")
    listener.until(lambda line: True)
    listener.process.send_signal(signal.SIGSTOP)
    long = {"labels": {f"label{i}": "x" * 2000 for i in range(20)}}
    project.write({"compose.yaml": {"services": {"a": sleeps(**long), "b": sleeps(**long)}}})
    project.run("up", "-d", "-t", "0")
    project.run("down", "-t", "0")
    assert project.sandbox.wait_until(lambda: not project.keeper_pids(), 20, "the keeper has left")
    listener.process.send_signal(signal.SIGCONT)
    listener.until(lambda line: "label19" in line)
    listener.stop()
