# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices by name: what CDI specifications say comes into the container."""
import json

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
SPEC = {
    "cdiVersion": "0.6.0", "kind": "vendor.com/gpu",
    "containerEdits": {"env": ["EVERY=device"]},
    "devices": [
        {"name": "0", "containerEdits": {
            "env": ["GPU=zero"],
            "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null", "fileMode": 0o644,
                             "permissions": "rw"}],
            "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/vendor/name",
                        "options": ["ro", "bind"]}]}},
        {"name": "all", "containerEdits": {
            "deviceNodes": [{"path": "/dev/odd", "type": "c", "major": 1, "minor": 5}]}}]}


def up(berth, check=True, **more):
    # /run is the sandbox's own.
    berth.command(["sh", "-c", "mkdir -p /run/cdi && cat > /run/cdi/v.json"],
                  input=json.dumps(SPEC))
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, **more}}}})
    return project, project.run("up", "-d", check=check)


def test_by_name(berth):
    project, _ = up(berth, devices=["vendor.com/gpu=0"], init=False)
    environment = project.exec("a", "cat", "/proc/1/environ").stdout.split("\0")
    assert "GPU=zero" in environment and "EVERY=device" in environment
    assert project.exec("a", "stat", "-c", "%F %a %t:%T", "/dev/gpu0").stdout == \
        "character special file 644 1:3\n"
    assert project.exec("a", "sh", "-c", "echo x > /dev/gpu0; cat /vendor/name").stdout
    assert project.exec("a", "sh", "-c", "echo x > /vendor/name", check=False).returncode != 0


def test_gpus_and_reservations(berth):
    project, _ = up(berth, gpus="all", deploy={"resources": {"reservations": {"devices": [
        {"driver": "vendor", "device_ids": ["0"], "capabilities": ["gpu"]}]}}})
    assert project.exec("a", "stat", "-c", "%t:%T", "/dev/odd").stdout == "1:5\n"
    assert project.exec("a", "stat", "-c", "%t:%T", "/dev/gpu0").stdout == "1:3\n"


def test_specifications_that_are_none(berth):
    """They are told in the log, and are no reason to refuse what others say."""
    berth.command(["sh", "-c", "mkdir -p /run/cdi && cd /run/cdi && echo '{\"kind\": [' > a.json && "
                               "echo '[1, {}]' > b.yaml && echo 'devices: {name: [x]}' > c.yaml && "
                               "head -c 5000 /dev/urandom > d.json && : > e.json"])
    project, _ = up(berth, devices=["vendor.com/gpu=0"])
    assert project.exec("a", "test", "-c", "/dev/gpu0").returncode == 0
    with open(f"{project.runtime_dir}/supervisor.log", encoding="utf-8") as file:
        assert "CDI: /var/run/cdi/a.json" in file.read()


def test_unknown(berth):
    _, result = up(berth, check=False, devices=["vendor.com/gpu=7"])
    assert result.returncode == 1
    assert "unresolvable CDI device vendor.com/gpu=7" in result.stderr
