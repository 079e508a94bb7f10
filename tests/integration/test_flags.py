# SPDX-License-Identifier: GPL-2.0-or-later
"""Flags that no other test has a story for, each used once: what it changes."""
import glob
import json
import os
import re
import signal

import pytest

from tests.support import registries

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True, "stop_grace_period": "0s"}
SAYS = {"image": "busybox", "init": True, "stop_grace_period": "0s",
        "command": ["sh", "-c", "echo here is $$HOSTNAME; sleep 1000"]}


@pytest.fixture
def singles(berth):
    """For containers without a project, whose supervisors go when they do."""
    yield
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def stack(**services):
    return {"compose.yaml": {"services": services}}


def test_of_the_project(berth):
    project = berth.project({"sub/compose.yaml": "services: {a: {image: x, build: .}}\n"})
    shown = project.run("--project-directory", "/srv", "-f", "sub/compose.yaml", "config")
    assert "context: /srv\n" in shown.stdout
    project.write({"compose.yaml": "services: {a: {image: x, networks: [nowhere]}}\n"})
    assert project.run("config", check=False).returncode == 1
    assert "nowhere" in project.run("config", "--no-consistency").stdout


def test_ps_and_port(berth):
    project = berth.project(stack(a={**SLEEP, "ports": ["18070:53/udp", "18071:53"]}, b=SLEEP))
    project.run("up", "-d")
    project.run("stop", "b")
    assert project.run("ps", "--services").stdout.split() == ["a"]
    assert project.run("ps", "--services", "--status", "exited").stdout.split() == ["b"]
    assert project.run("port", "--protocol", "udp", "a", "53").stdout.endswith(":18070\n")
    assert project.run("port", "a", "53").stdout.endswith(":18071\n")
    assert project.run("exec", "--no-tty", "a", "tty", check=False).stdout == "not a tty\n"


@pytest.mark.parametrize("flags, expect", [
    ([], {"a", "b", "dep"}),
    (["--attach", "a"], {"a"}),
    (["--no-attach", "a"], {"b", "dep"}),
    (["a"], {"a"}),
    (["--attach-dependencies", "a"], {"a", "dep"}),
])
def test_whose_output_up_shows(berth, flags, expect):
    end = {**SAYS, "command": ["sh", "-c", "echo here it is"]}
    project = berth.project(stack(a={**end, "depends_on": ["dep"]}, b=end, dep=end))
    done = project.run("up", "--timestamps", *flags)
    rows = re.findall(r"^(\w+)-1 +\| (\S+) here it is$", done.stdout, re.M)
    assert {name for name, _ in rows} == expect
    assert all(re.match(r"\d{4}-\d\d-\d\dT", when) for _, when in rows)


def test_up_ends_with_the_first_that_fails(berth):
    project = berth.project(stack(
        fine={**SAYS, "command": ["true"]}, stays=SLEEP,
        bad={**SAYS, "command": ["sh", "-c", "sleep 0.5; exit 5"]}))
    assert project.run("up", "--abort-on-container-failure", check=False).returncode == 5
    assert project.container("stays")["State"] == "exited"


def test_plan(berth):
    project = berth.project(stack(a={**SLEEP, "depends_on": ["dep"], "volumes": ["/anonymous"]}, dep=SLEEP))

    def plan(*words):
        done = project.run("plan", *words, check=False)
        assert done.returncode in (0, 2)
        return done.stdout if done.returncode else ""

    assert "start container" not in plan("--no-start") and "create container" in plan("--no-start")
    assert "dep-1" not in plan("--no-deps", "a")
    project.run("up", "-d")
    assert plan() == plan("--renew-anon-volumes") == ""
    assert len(re.findall("^create container", plan("--force-recreate"), re.M)) == 2
    assert "dep-1" in plan("--always-recreate-deps", "a")
    project.write(stack(a={**SLEEP, "hostname": "other"}))
    assert "hostname" in plan() and "dep-1" not in plan()
    assert plan("--no-recreate") == ""
    assert "remove container" in plan("--no-recreate", "--remove-orphans")


def test_pull_and_push(berth):
    host = registries.serve(berth)
    project = berth.project({
        "compose.yaml": {"services": {
            "made": {"image": f"{host}/made:1", "build": ".", "depends_on": ["dep"]},
            "dep": {"image": f"{host}/dep:1", "build": "."},
            "none": {"image": f"{host}/nothing:1"}}},
        "Dockerfile": "FROM busybox\nLABEL a=1\n"})
    project.run("build")
    assert "dep:1 Pushed" not in project.run("push", "made").stderr
    assert "dep:1 Pushed" in project.run("push", "--include-deps", "made").stderr
    project.write({"compose.prod.yaml": {"services": {
        "away": {"image": "127.0.0.1:1/x:1", "build": "."}, "made": {}}}})
    two = ["-f", "compose.yaml", "-f", "compose.prod.yaml"]
    project.run(*two, "build")
    env = {"BERTH_REGISTRIES": os.path.join(project.path, "registries.json")}
    project.write({"registries.json": json.dumps({"max-download-attempts": 1})})
    assert project.run(*two, "push", check=False, env=env).returncode == 1
    assert "127.0.0.1:1" in project.run(*two, "push", "--ignore-push-failures", env=env).stderr
    assert project.run("pull", check=False, env=env).returncode == 1
    assert "nothing" in project.run("pull", "--ignore-pull-failures", env=env).stderr
    assert "made:1 Pulled" not in project.run("pull", "--ignore-buildable", "--include-deps", "made").stderr
    assert "dep:1 " in project.run("pull", "--include-deps", "made").stderr
    assert "dep:1 " not in project.run("pull", "made").stderr


def test_run_and_wait(berth):
    project = berth.project({"compose.yaml": {"services": {
        "app": {"image": "built", "build": "."}, "end": {**SAYS, "command": ["true"]}, "old": SLEEP}},
        "Dockerfile": "FROM busybox\nRUN echo noisy\n"})
    project.run("up", "-d", "old")
    services = {"app": {"image": "built", "build": "."}, "end": {**SAYS, "command": ["sleep", "1"]}}
    project.write({"compose.yaml": {"services": services}})
    done = project.run("run", "--rm", "--build", "--quiet-build", "--remove-orphans", "app", "true")
    assert "noisy" not in done.stderr and project.ps("-a") == []
    project.run("up", "-d", "end")
    project.run("wait", "--down-project", "end")
    assert project.ps("-a") == []


def test_images(berth):
    folder = berth.project({"Dockerfile": "FROM busybox AS base\nRUN echo a > /a\nFROM base\nRUN echo b > /b\n"})
    folder.run("image", "build", "--iidfile", "id", "--label", "made=here", "-t", "x:1", ".")
    with open(f"{folder.path}/id") as file:
        number = file.read().strip()
    seen = json.loads(folder.run("image", "inspect", "x:1").stdout)[0]
    assert seen["Id"] == number and seen["Config"]["Labels"] == {"made": "here"}
    again = folder.run("--progress", "plain", "image", "build", "--no-cache-filter", "base", "-t", "x:1", ".")
    assert "#1 CACHED" not in again.stderr
    platform = f"{seen['Os']}/{seen['Architecture']}"
    folder.run("image", "build", "--platform", platform, "-t", "x:1", ".")
    lines = folder.run("image", "history", "--human=false", "--no-trunc", "x:1").stdout.splitlines()
    assert "echo b > /b" in lines[1] and re.search(r"\d{4}-\d\d-\d\dT", lines[1])
    assert len(folder.run("image", "history", "-q", "x:1").stdout.splitlines()) == len(lines) - 1
    folder.run("image", "import", "--platform", "linux/s390x", ".", "foreign:1")
    assert json.loads(folder.run("image", "inspect", "foreign:1").stdout)[0]["Architecture"] == "s390x"
    host = registries.serve(berth)
    folder.run("image", "tag", "x:1", f"{host}/x:1")
    folder.run("image", "push", f"{host}/x:1")
    folder.run("image", "pull", "--platform", platform, f"{host}/x:1")
    bad = folder.run("image", "pull", "--platform", "linux/s390x", f"{host}/x:1", check=False)
    assert bad.returncode == 1 and "s390x" in bad.stderr


def test_networks(berth, singles):
    folder = berth.project({"env": "FROM_FILE=yes\n"})
    folder.run("network", "create", "--attachable", "--internal", "--subnet", "10.99.0.0/24", "--gateway",
               "10.99.0.9", "--ip-range", "10.99.0.128/25", "-o", "com.docker.network.driver.mtu=1400",
               "--label", "mine=1", "--aux-address", "nas=10.99.0.130", "mine")
    folder.run("network", "create", "--ipv6", "--subnet", "fd99::/64", "--subnet", "10.98.0.0/24", "six")
    seen = json.loads(folder.run("network", "inspect", "mine").stdout)[0]
    assert (seen["Internal"], seen["Attachable"]) == (True, True)
    assert seen["IPAM"]["Config"][0] == {"Subnet": "10.99.0.0/24", "Gateway": "10.99.0.9",
                                         "IPRange": "10.99.0.128/25",
                                         "AuxiliaryAddresses": {"nas": "10.99.0.130"}}
    assert seen["Options"]["com.docker.network.driver.mtu"] == "1400"
    folder.run("container", "run", "-d", "--init", "--name", "box", "--network", "mine", "busybox", "sleep", "99")
    folder.run("network", "connect", "--ip6", "fd99::77", "--driver-opt",
               "com.docker.network.endpoint.ifname=six0", "six", "box")
    inside = folder.run("container", "exec", "--env-file", "env", "box", "sh", "-c",
                        "echo $FROM_FILE; ip -6 addr show six0; ip link show eth0; ip route").stdout
    assert inside.startswith("yes\n") and "fd99::77/64" in inside and "mtu 1400" in inside
    assert re.search(r"10\.99\.0\.(12[89]|1[3-9]\d|2\d\d)\b", inside)
    folder.run("rm", "-f", "box")
    assert "mine" not in folder.run("network", "prune", "-f", "--filter", "label=other").stdout
    assert "mine" in folder.run("network", "prune", "-f", "--filter", "label=mine=1").stdout
    folder.run("network", "rm", "six")
    folder.run("network", "create", "--ipv4=false", "--ipv6", "only6")
    assert [":" in row["Subnet"] for row in
            json.loads(folder.run("network", "inspect", "only6").stdout)[0]["IPAM"]["Config"]] == [True]
    folder.run("network", "rm", "only6")


def test_start_and_stay(berth, singles):
    """Nothing of what a container writes is missed, its exit code and its streams are its own."""
    folder = berth.project({})
    folder.run("container", "create", "--name", "box", "busybox", "sh", "-c",
               "echo out; echo err >&2; sleep 0.2; echo late; exit 3")
    for words in (["--attach"], ["-a", "--detach-keys", "ctrl-x"]):
        done = folder.run("container", "start", *words, "box", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (3, "out\nlate\n", "err\n")
    folder.run("container", "rm", "box")
    folder.run("container", "create", "-i", "--name", "reads", "busybox", "sh", "-c",
               "read -r line; echo it is $line")
    done = folder.run("container", "start", "--interactive", "reads", input="typed\n")
    assert done.stdout == "it is typed\n"
    folder.run("container", "create", "-i", "--name", "copies", "busybox", "sh", "-c", "sleep 0.3; cat; echo end")
    for text in ("", "a\nb"):
        done = folder.run("container", "start", "-i", "copies", input=text, timeout=60)
        assert done.stdout == text + "end\n"
    folder.run("container", "create", "--init", "--name", "deaf", "busybox", "sh", "-c",
               "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    stays = folder.popen("container", "start", "-a", "deaf")
    assert stays.stdout.readline() == "ready\n"
    berth.kill(stays.inner_pid(), signal.SIGTERM)
    assert stays.wait(30) == 9
    two = folder.run("container", "start", "-a", "reads", "deaf", check=False)
    assert two.returncode == 1 and "multiple containers" in two.stderr
    folder.run("container", "rm", "reads", "deaf", "copies")


def test_units_without_systemd(berth):
    """What systemd then does of it is shown on machines that have it (tests/vm)."""
    project = berth.project(stack(a=SLEEP))
    refused = project.run("systemd", "enable", "--user", check=False)
    assert refused.returncode == 1 and "without --user" in refused.stderr
    refused = project.run("systemd", "status", "--user", "--format", "json", check=False)
    assert refused.returncode == 1 and "systemd" in refused.stderr
    refused = project.run("systemd", "disable", "--user", check=False)
    assert refused.returncode == 1 and "without --user" in refused.stderr


def test_what_has_no_effect_is_told_by_what_makes_it(berth):
    """Not once more by every command after it."""
    project = berth.project(stack(a={**SLEEP, "cpu_count": 2, "network_mode": "host", "ports": ["80:80"]}))
    told = r"cpu_count has no effect here.*\n.*ports has no effect here|ports.*\n.*cpu_count"
    for command in ("config", "up -d", "up -d", "create"):
        assert re.search(told, project.run(*command.split()).stderr), command
    for command in ("ps", "logs", "exec -T a true", "restart -t 0", "top", "port a 80", "stop -t 0",
                    "start", "kill", "rm -f", "images", "down"):
        assert "no effect" not in project.run(*command.split(), check=False).stderr, command
