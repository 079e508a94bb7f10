# SPDX-License-Identifier: GPL-2.0-or-later
"""Supervisor and keeper come when asked and leave nothing when they go."""
import os
import random
import time

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def kill_everything(berth, project):
    """As a container runtime around us that is torn down: all processes at once, no file goes."""
    def nobody():
        # Whoever lives may just have started another one.
        pids = [*project.keeper_pids(), *berth.inside_processes()]
        for pid in pids:
            try:
                berth.kill(pid)
            except ProcessLookupError:
                pass
        return not pids

    berth.wait_until(nobody)


def test_down_returns_when_all_is_gone(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "ports": ["8080:80"], "devices": ["/dev/null:/dev/x"]},
                     "b": {**SLEEP, "volumes": ["vol:/v"], "mem_limit": "64m"}},
        "volumes": {"vol": {}}}})
    for _ in range(5):
        project.run("up", "-d")
        project.run("down", "-v", "-t", "0")
        assert berth.leftovers() == []
        assert not os.path.exists(project.runtime_dir)


def test_remove_of_the_last_one_ends_the_supervisor(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    project.run("rm", "-s", "-f", "-v")
    berth.wait_until(lambda: not berth.inside_processes(), 3)
    assert not os.path.exists(project.runtime_dir)
    project.run("up", "-d")
    assert project.container("a")["State"] == "running"


@pytest.mark.parametrize("attempt", range(6))
def test_up_after_everything_was_killed_during_down(berth, attempt):
    """The folder at run time holds the socket, locks and journal of a keeper that is no more."""
    project = berth.project({"compose.yaml": {"services": {
        f"s{n}": {**SLEEP, "ports": [f"{9000 + n}:80"]} for n in range(6)}}})
    project.run("up", "-d")
    client = project.popen("down", "-t", "0")
    time.sleep(random.uniform(0, 0.15))
    kill_everything(berth, project)
    client.wait()
    started = time.monotonic()
    project.run("up", "-d", "--wait")
    assert time.monotonic() - started < 5
    assert [row["State"] for row in project.ps()] == ["running"] * 6


def test_up_after_a_down_that_left_only_rubbish(berth):
    """The new supervisor finishes the removals before anybody has asked it for anything."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    kill_everything(berth, project)
    state = os.path.join(berth.root, "projects", project.name)
    for name in os.listdir(f"{state}/containers"):
        os.rename(f"{state}/containers/{name}", f"{state}/trash/{name}")
    for _ in range(3):
        assert project.run("up", "-d", "--wait").seconds < 5
        assert project.container("a")["State"] == "running"
        kill_everything(berth, project)
        for name in os.listdir(f"{state}/containers"):
            os.rename(f"{state}/containers/{name}", f"{state}/trash/{name}")
