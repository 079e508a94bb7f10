# SPDX-License-Identifier: GPL-2.0-or-later
"""up --ports auto: two checkouts of one project side by side, each with ports of its own."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from tests.support.registries import HOST, BadRegistry

WEB = {"image": "busybox", "init": True,
       "command": ["sh", "-c", "hostname > /index.html; exec httpd -f -p 80 -h /"]}
SLEEP = {"image": "busybox", "init": True, "command": ["sleep", "1000"]}
LISTEN = ["python3", "-c", "import socket, time; s = socket.create_server(('', 8080)); "
          "print('ready', flush=True); time.sleep(1000)"]
AUTO = {"BERTH_PORTS": "auto"}


def published(project, service="web"):
    row = project.container(service)
    return sorted({(each["URL"], each["PublishedPort"], each["Protocol"])
                   for each in row["Publishers"] if each["PublishedPort"]})


def memories(berth):
    try:
        return os.listdir(f"{berth.root}/ports")
    except FileNotFoundError:
        return []


def ports(project, service="web"):
    return {port for _, port, _ in published(project, service)}


def answers(berth, project, port):
    name = project.exec("web", "hostname").stdout
    berth.wait_until(
        lambda: berth.get(f"http://127.0.0.1:{port}/", check=False).stdout == name)


def test_two_checkouts(berth):
    compose = {"compose.yaml": {"services": {"web": {**WEB, "ports": ["8080:80"]}}}}
    main, other = berth.project(compose), berth.project(compose)
    assert "published at" not in main.run("up", "-d", "--ports", "auto").stderr
    result = other.run("up", "-d", "--ports", "auto")
    assert (f"service web: port 8080/tcp is already taken on 0.0.0.0, by the berth project "
            f"{main.name}; published at 8081\n") in result.stderr
    answers(berth, main, 8080)
    answers(berth, other, 8081)
    assert other.run("port", "web", "80").stdout == "0.0.0.0:8081\n"
    assert other.run("url", "web").stdout == "http://127.0.0.1:8081\n"
    assert ports(main) == {8080} and ports(other) == {8081}

    # Stable: nothing to do, however it is said, and after the first one has gone, too.
    before = other.container("web")["ID"]
    for project in (main, other):
        assert "published at" not in project.run("up", "-d", env=AUTO).stderr
        project.run("plan", env=AUTO)
        project.run("plan", "--ports", "auto")
    main.run("down", "-t", "0")
    other.run("plan")
    other.run("up", "-d")
    other.run("down", "-t", "0")
    other.run("up", "-d")
    assert ports(other) == {8081}

    assert other.run("plan", "--ports", "fixed", check=False).returncode == 2
    other.run("up", "-d", "--ports", "fixed")
    assert ports(other) == {8080} and other.container("web")["ID"] != before
    other.run("plan")
    assert os.listdir(f"{berth.root}/ports") == []


def test_kinds_of_ports(berth):
    """Ranges, UDP, addresses and IPv6: what of it is taken moves, and only that."""
    service = {**SLEEP, "ports": ["9000-9001:9000-9001", "5353:53/udp", "5353:53/tcp",
                                  "127.0.0.1:7000:70", "[::1]:7001:71", "6000-6001:60", "65"]}
    compose = {"compose.yaml": {"services": {"web": service}}}
    main, other, third = (berth.project(compose) for _ in range(3))
    main.run("create", env=AUTO)
    main.run("up", "-d", env=AUTO)
    other.run("create", "--ports", "auto")
    result = other.run("up", "-d", env=AUTO)
    assert "published at" not in result.stderr
    moved = {(target["TargetPort"], target["Protocol"], target["URL"]): target["PublishedPort"]
             for target in other.container("web")["Publishers"]}
    assert moved[9000, "tcp", "0.0.0.0"] == 9002 and moved[9001, "tcp", "0.0.0.0"] == 9003
    assert moved[53, "udp", "::"] == moved[53, "tcp", "::"] == 5354
    assert moved[70, "tcp", "127.0.0.1"] == 7002 and moved[71, "tcp", "::1"] == 7003
    assert moved[60, "tcp", "0.0.0.0"] == 6001
    # The range has no free port left.
    result = third.run("up", "-d", env=AUTO)
    assert "ports 6000-6001/tcp are all taken on 0.0.0.0; published at 6002-6003" in result.stderr
    third.run("plan")
    assert 6002 in ports(third)


def test_words(berth):
    project = berth.project({"compose.yaml": {"services": {
        "web": {**SLEEP, "ports": ["8080:80"]}}}})
    for args, env, why in ((["--ports", "some"], {}, 'invalid --ports "some"'),
                           ([], {"BERTH_PORTS": "some"}, 'invalid BERTH_PORTS "some"')):
        result = project.run("up", "-d", *args, env=env, check=False)
        assert result.returncode == 1 and f"{why}: must be auto or fixed" in result.stderr
    holder = berth.popen_command(LISTEN, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "ready\n"
    assert project.run("up", "-d", check=False).returncode == 1
    # A plan remembers nothing.
    assert "published at 8081" in project.run("plan", env=AUTO, check=False).stderr
    assert not os.path.exists(f"{berth.root}/ports")
    assert "published at 8081" in project.run("up", "-d", env=AUTO).stderr
    holder.kill()
    holder.wait(10)
    # A memory that makes no sense is none.
    [name] = os.listdir(f"{berth.root}/ports")
    for text, port in (("{", 8080), (json.dumps({"web :8080/tcp": "8081-99999"}), 8080),
                       (json.dumps({"web :8080/tcp": "9000"}), 9000)):
        with open(f"{berth.root}/ports/{name}", "w") as file:
            file.write(text)
        project.run("up", "-d")
        assert ports(project) == {port}, text


THIEF = f"""#!/bin/sh
case "$*" in *" up "*) ;; *) exit 1;; esac
cd "$(dirname "$0")"
python3 -c "{LISTEN[2]}" > ready 2>&1 < /dev/null &
echo $! > pid
until grep -q ready ready; do sleep 0.05; done
"""


@pytest.mark.parametrize("pulling", [False, True], ids=["", "pulling"])
@pytest.mark.parametrize("detach", [True, False], ids=["detached", "attached"])
def test_taken_after_the_choice(berth, detach, pulling):
    """What `up` waits for takes the port that it had found free."""
    services = {"thief": {"provider": {"type": "thief"}},
                "web": {**SLEEP, "ports": ["8080:80"], "depends_on": ["thief"]}}
    if pulling:
        registry = BadRegistry(berth)
        # Its image has no program: that comes out of another one.
        services["slow"] = {"image": f"{HOST}/gated:1", "ports": ["8080:80"], "stop_grace_period": "0s",
                            "command": ["/busybox/bin/busybox", "sleep", "1000"], "volumes": [
                                {"type": "image", "source": "busybox", "target": "/busybox"}]}
        services["web"]["ports"] = ["8090:80"]
    project = berth.project({"bin/thief": THIEF, "compose.yaml": {"services": services}})
    berth.command(["chmod", "+x", f"{project.path}/bin/thief"])
    env = {"PATH": f"{project.path}/bin:{berth.env['PATH']}"}
    up = project.popen("up", "--ports", "auto", *(["-d"] if detach else []), env=env)
    project.wait_state("web", "running", 30)
    if pulling:
        assert ports(project) == {8090}
        registry.open("gated")
        project.wait_state("slow", "running", 30)
        assert ports(project, "slow") == {8081}
    else:
        assert ports(project) == {8081}
    if not detach:
        up.send_signal(signal.SIGINT)
    _, stderr = up.communicate(timeout=30)
    assert "published at 8081\n" in stderr and up.returncode in (0, 130), stderr
    with open(f"{project.path}/bin/pid") as file:
        berth.command(["kill", file.read().strip()])


def test_memory_goes_with_the_project(berth):
    compose = {"compose.yaml": {"services": {"web": {**SLEEP, "ports": ["8080:80"]}}}}
    main, *others = (berth.project(compose) for _ in range(4))
    main.run("up", "-d")
    for other in others:
        other.run("up", "-d", env=AUTO)
    assert len(memories(berth)) == 3
    others[0].run("down", "-t", "0")
    others[0].run("--dry-run", "down", "-v")
    assert len(memories(berth)) == 3
    others[0].run("down", "-v")
    assert len(memories(berth)) == 2
    # Also without the file, ...
    berth.run("-p", others[1].name, "down", "-v", "-t", "0", cwd="/")
    assert len(memories(berth)) == 1
    # ... and of a folder that is no more with the next choice.
    berth.run("-p", others[2].name, "down", "-t", "0", cwd="/")
    shutil.rmtree(others[2].path)
    others[0].run("up", "-d", env=AUTO)
    assert ports(others[0]) == {8081} and len(memories(berth)) == 1
