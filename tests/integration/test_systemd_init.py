# SPDX-License-Identifier: GPL-2.0-or-later
"""Containers whose first process is systemd: what they get by themselves, that they boot, are looked
into and stop in order. On machines with control groups of version 2 only: tests/vm."""
import json
import os
import time

import pytest

HELLO = """\
[Service]
ExecStart=/usr/bin/sleep 100000
ExecStop=/usr/bin/touch /data/stopped
"""
UNITS = "etc/systemd/system"
PROGRAMS = [f"/usr/lib/systemd/systemd{name}" for name in ("", "-executor", "-journald", "-shutdown")]


@pytest.fixture
def image(berth):
    if not os.path.exists("/usr/lib/systemd/systemd"):
        pytest.skip("this machine has no systemd to put into an image")
    return berth.image_from_binaries(
        "machine", ["/usr/lib/systemd", "/usr/bin/systemctl",
                    *(path for path in PROGRAMS if os.path.exists(path))],
        {"etc/machine-id": "", "etc/os-release": "ID=machine\n", f"{UNITS}/hello.service": HELLO,
         f"{UNITS}/default.target": "[Unit]\nRequires=basic.target hello.service\n"
                                    "After=basic.target hello.service\nAllowIsolate=yes\n"},
        changes=['CMD ["/usr/lib/systemd/systemd"]'])


def up(berth, **more):
    service = {"image": "machine", "volumes": ["./data:/data"], "stop_grace_period": "60s", **more}
    project = berth.project({"compose.yaml": {"services": {"a": service}}, "data/.keep": ""})
    project.run("up", "-d")
    return project


def booted(project):
    end = time.monotonic() + 60
    while True:
        state = project.exec("a", "systemctl", "is-system-running", check=False)
        if state.stdout.strip() in ("running", "degraded"):
            return state.stdout.strip()
        assert time.monotonic() < end and "not running" not in state.stderr, \
            state.stdout + state.stderr + project.run("logs").stdout
        time.sleep(0.2)


def kind(project, path):
    return project.exec("a", "stat", "-f", "-c", "%T", path).stdout.strip()


def inspect(project):
    return json.loads(project.run("inspect", project.container("a")["ID"]).stdout)[0]


@pytest.mark.usefixtures("image")
def test_boots_and_stops(berth):
    project = up(berth)
    booted(project)
    assert project.exec("a", "cat", "/proc/1/comm").stdout == "systemd\n"
    assert [kind(project, path) for path in ("/run", "/run/lock", "/tmp")] == ["tmpfs"] * 3
    assert kind(project, "/sys/fs/cgroup") in ("cgroup2fs", "cgroup2", "UNKNOWN")
    assert project.exec("a", "systemctl", "is-active", "hello").stdout == "active\n"
    # What it starts is below the container's control group, and seen from outside.
    pids = project.exec("a", "cat", "/sys/fs/cgroup/system.slice/hello.service/cgroup.procs").stdout
    assert pids.split()
    assert "sleep 100000" in project.run("top").stdout
    assert project.exec("a", "sh", "-c", "echo $container").stdout == "berth\n"
    assert inspect(project)["Config"]["StopSignal"] == "SIGRTMIN+3"
    before = time.monotonic()
    project.run("stop", timeout=90)
    assert time.monotonic() - before < 50
    assert os.path.exists(os.path.join(project.path, "data", "stopped"))
    assert "Exited (137)" not in project.run("ps", "-a").stdout
    project.run("start")
    booted(project)
    # Killed while it has groups of its own: nothing stays.
    project.run("kill")


@pytest.mark.usefixtures("image")
def test_supervisor_killed(berth):
    project = up(berth)
    booted(project)
    for pid in project.supervisor_pids():
        berth.kill(pid)
    assert project.exec("a", "systemctl", "is-active", "hello").stdout == "active\n"
    project.run("stop", timeout=90)
    assert os.path.exists(os.path.join(project.path, "data", "stopped"))


@pytest.mark.usefixtures("image")
def test_as_it_is_told(berth):
    project = up(berth, **{"x-berth": {"systemd": False}, "command": ["/usr/lib/systemd/systemd"]})
    assert inspect(project)["Config"].get("StopSignal") is None
    project.run("down", "-t", "0")
    project = up(berth, **{"x-berth": {"systemd": True}, "command": ["sh", "-c", "exec sleep 1000"],
                           "stop_signal": "SIGKILL"})
    assert kind(project, "/run") == "tmpfs"
    assert inspect(project)["Config"]["StopSignal"] == "SIGKILL"
    project.exec("a", "mkdir", "/sys/fs/cgroup/mine")
    project.run("down", "-t", "0")
    bad = berth.project({"compose.yaml": {"services": {"a": {
        "image": "machine", "init": True, "x-berth": {"systemd": True}}}}}, name="bad")
    done = bad.run("up", "-d", check=False)
    assert done.returncode == 1 and "'init: true' is against that" in done.stderr


def test_other_inits_are_left_alone(berth):
    """Others are called so, too, and know nothing of systemd's signals."""
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "command": ["/sbin/init"],
        "volumes": ["./init:/sbin/init"]}}},
        "init": "#!/bin/sh\nexec sleep 1000\n"})
    os.chmod(os.path.join(project.path, "init"), 0o755)
    project.run("up", "-d")
    assert kind(project, "/run") != "tmpfs"
    assert inspect(project)["Config"].get("StopSignal") is None
    project.run("down", "-t", "0")
