# SPDX-License-Identifier: GPL-2.0-or-later
"""Client, supervisor, keeper, prober and whatever else of berth there is are killed at once, in the
midst of a command. The next one heals all of it, and in the end nothing is left.

A run of the suite takes some moments of each command; BERTH_TEST_LONG=1 takes many."""

import os
import time

import pytest

from tests.support import registries
from tests.support.sandbox import wait_until

LONG = bool(os.environ.get("BERTH_TEST_LONG"))
MOMENTS = 40 if LONG else 4

SERVICES = {
    "base": {"image": "busybox", "command": ["sleep", "1000"], "init": True,
             "healthcheck": {"test": "true", "interval": "100ms"}},
    "web": {"image": "busybox", "command": ["sleep", "2000"], "init": True, "ports": ["80"],
            "restart": "always", "volumes": ["data:/data"],
            "depends_on": {"base": {"condition": "service_healthy"}}},
}
DOCKERFILE = """\
FROM busybox
RUN --network=default echo one > /one; sleep 0.05
COPY noise /noise
RUN rm /noise && sleep 0.05
"""


def prepare_nothing(berth, project):
    pass


def prepare_up(berth, project):
    project.run("up", "-d")


def prepare_registry(berth, project):
    if not berth.pids_of("docker-registry"):
        registries.serve(berth)
        berth.run("image", "tag", "busybox", f"{registries.HOST}/base:1")
        berth.run("image", "push", "-q", f"{registries.HOST}/base:1")
    berth.run("image", "rm", "-f", f"{registries.HOST}/base:1", check=False)


SCENARIOS = {
    "up": (prepare_nothing, ["up", "-d"]),
    "recreate": (prepare_up, ["up", "-d", "--force-recreate", "-t", "0"]),
    "down": (prepare_up, ["down", "-v", "-t", "0"]),
    "run": (prepare_nothing, ["run", "--rm", "-T", "base", "sh", "-c", "echo once; sleep 0.05"]),
    "exec": (prepare_up, ["exec", "-T", "base", "sh", "-c", "echo once; sleep 0.05"]),
    "build": (prepare_nothing, ["image", "build", "--no-cache", "-t", "built", "."]),
    "pull": (prepare_registry, ["image", "pull", "-q", f"{registries.HOST}/base:1"]),
}


def kill_all(berth):
    """Also what another one of them starts just now."""
    program = os.stat(berth.program[0])

    def victims():
        found = []
        for pid in berth.inside_processes():
            try:
                there = os.stat(f"/proc/{pid}/exe")
            except OSError:
                continue
            if (there.st_dev, there.st_ino) == (program.st_dev, program.st_ino):
                found.append(pid)
        return found

    def are_dead():
        pids = victims()
        for pid in pids:
            berth.kill(pid)
        return not pids

    wait_until(are_dead, 10, "all of berth is dead", 0.002)


def states(project):
    """But for a one-off, which is kept for a while: its client might come back for its exit."""
    return [row["State"] for row in project.ps() if "-run-" not in row["Name"]]


def sleepers(berth):
    lines = [line for line in berth.inside_processes().values() if line[0] == "sleep"]
    return sorted(line[1] for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_all_killed(berth, name):
    prepare, command = SCENARIOS[name]
    project = berth.project({"compose.yaml": {"services": SERVICES, "volumes": {"data": {}}},
                             "Dockerfile": DOCKERFILE, "noise": os.urandom(1 << 20)})
    prepare(berth, project)
    started = time.monotonic()
    project.run(*command)
    seconds = time.monotonic() - started
    project.run("down", "-v", "-t", "0")
    for number in range(MOMENTS):
        prepare(berth, project)
        client = project.popen(*command)
        time.sleep(seconds * (number + 0.5) / MOMENTS)
        kill_all(berth)
        client.communicate(timeout=30)
        what = f"killed after {number + 0.5} of {MOMENTS} parts of {seconds:.3f} s"
        if command[0] == "image":
            project.run(*command, timeout=30)
        project.run("up", "-d", timeout=30)
        wait_until(lambda: states(project) == ["running"] * 2, 10,
                   f"{what}: {project.ps()}")
        wait_until(lambda: sleepers(berth) == ["1000", "2000"], 10,
                   f"{what}: each runs once: {sleepers(berth)}")
        assert project.exec("web", "echo", "well").stdout == "well\n", what
        project.run("down", "-v", "-t", "0", timeout=30)
        wait_until(lambda: not [line for line in berth.leftovers() if "registry" not in line], 10,
                   f"{what}: {berth.leftovers()}")
    for folder in ("layers", "images/blobs/sha256", "build"):
        path = os.path.join(berth.root, folder)
        left = [name for name in os.listdir(path) if name.startswith((".new", ".tmp"))] \
            if os.path.isdir(path) else []
        assert not left, left
