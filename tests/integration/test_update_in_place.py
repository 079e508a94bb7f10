# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes that a container is given while it runs."""
import json
import os
import signal

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def changed(project, **service):
    """The same service otherwise, brought up again; gives what `plan` said and what `up` did."""
    project.write({"compose.yaml": {"services": {"a": service}}})
    plan = project.run("plan", check=False)
    return plan, project.run("up", "-d", check=False)


def labels(project, service="a"):
    row = project.container(service)
    return dict(label.split("=", 1) for label in row["Labels"].split(","))


def test_plan_says_so(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    before = project.container("a")
    plan, up = changed(project, **SLEEP, deploy={"resources": {"limits": {"memory": "64m"}}},
                       labels={"x": "y"})
    assert plan.returncode == 2
    assert f"update container {project.name}-a-1 (deploy.resources.limits, labels changed)" in plan.stdout
    assert '    labels: (none) -> {"x":"y"}\n' in plan.stdout
    assert f" Container {project.name}-a-1 Updating" in up.stderr
    assert f" Container {project.name}-a-1 Updated" in up.stderr
    after = project.container("a")
    assert after["ID"] == before["ID"] and labels(project)["x"] == "y"
    assert project.run("plan").returncode == 0
    # What it was made with besides still needs a new one.
    plan, up = changed(project, **SLEEP, environment={"A": "b"})
    assert "recreate" in up.stderr.lower() and project.container("a")["ID"] != before["ID"]
    assert "x" not in labels(project)


def test_no_recreate_leaves_it(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "labels": {"x": "y"}}}}})
    project.run("up", "-d", "--no-recreate")
    assert "x" not in labels(project)
    before = project.container("a")["ID"]
    project.run("up", "-d", "--force-recreate")
    assert project.container("a")["ID"] != before and labels(project)["x"] == "y"


def limit(berth, project, *names):
    """The value of the first of the group's files that there is, as v1 or v2 has them."""
    name = project.container("a")["ID"]
    for parent, folders, files in os.walk("/sys/fs/cgroup"):
        if os.path.basename(parent).startswith(name) and f"/{project.name}" in parent:
            for file in names:
                if file in files:
                    with open(os.path.join(parent, file), encoding="utf-8") as content:
                        return content.read().split()[0]
    return None


MEMORY = ("memory.max", "memory.limit_in_bytes")
PIDS = ("pids.max",)


def test_limits_up_down_and_gone(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, "mem_limit": "64m"}}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    assert limit(berth, project, *MEMORY) == str(64 << 20)
    for memory in (256, 32):
        _, up = changed(project, **SLEEP, mem_limit=f"{memory}m", pids_limit=50, cpus=0.5)
        assert up.returncode == 0, up.stderr
        assert limit(berth, project, *MEMORY) == str(memory << 20)
        assert limit(berth, project, *PIDS) == "50"
        assert limit(berth, project, "cpu.cfs_quota_us", "cpu.max") == "50000"
    changed(project, **SLEEP)
    assert limit(berth, project, *MEMORY) in ("max", str(0x7ffffffffffff000))
    assert limit(berth, project, *PIDS) == "max"
    assert limit(berth, project, "cpu.cfs_quota_us", "cpu.max") in ("-1", "max")
    assert project.container("a")["ID"] == before


def test_restart_policy(berth):
    service = {**SLEEP, "command": ["sh", "-c", "while [ ! -e /end ]; do sleep 0.05; done; rm /end"]}
    project = berth.project({"compose.yaml": {"services": {"a": service}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    _, up = changed(project, **service, restart="always")
    assert up.returncode == 0
    # It may end before the command has.
    project.exec("a", "touch", "/end", check=False)
    berth.wait_until(lambda: restarts(project) == 1)
    project.wait_state("a", "running")
    assert project.container("a")["ID"] == before


def record(project):
    path = f"{project.sandbox.root}/projects/{project.name}/containers"
    [name] = os.listdir(path)
    with open(f"{path}/{name}/record.json", encoding="utf-8") as file:
        return json.load(file)


def restarts(project):
    return record(project)["restarts"]


def test_healthcheck(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    check = {"test": ["CMD", "test", "-e", "/ok"], "interval": "100ms", "retries": 1}
    changed(project, **SLEEP, healthcheck=check)
    project.wait_state("a", "unhealthy")
    changed(project, **SLEEP, **{"x-berth": {"probe": {"log": "x"}, "interval": "100ms", "retries": 1}})
    changed(project, **SLEEP, **{"x-berth": {"probe": {"file": "/ok"}, "interval": "100ms", "retries": 1}})
    project.exec("a", "touch", "/ok")
    project.wait_state("a", "healthy")
    changed(project, **SLEEP)
    assert project.container("a")["Health"] == ""
    assert project.container("a")["ID"] == before


def test_notify_needs_a_new_one(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    changed(project, **SLEEP, **{"x-berth": {"probe": {"notify": True}}})
    assert project.container("a")["ID"] != before


def test_logging(berth):
    service = {**SLEEP, "command": ["sh", "-c", "i=0; while sleep 0.02; do i=$$((i+1)); echo $$i; done"]}
    project = berth.project({"compose.yaml": {"services": {"a": service}}})
    project.run("up", "-d")
    attached = project.popen("attach", "--no-stdin", "a")
    # From here it is attached: the file that it reads is about to be written anew.
    first = int(attached.stdout.readline())
    before = project.container("a")["ID"]
    changed(project, **service, logging={"driver": "json-file", "options": {"max-size": "1k", "max-file": "4"}})
    berth.wait_until(lambda: len(os.listdir(logs_of(project))) > 1, 20, "it rotates as it is asked to")
    changed(project, **service, logging={"driver": "none"})
    count = len(project.run("logs", "a").stdout.splitlines())
    changed(project, **service)
    berth.wait_until(lambda: len(project.run("logs", "a").stdout.splitlines()) > count + 3)
    assert project.container("a")["ID"] == before
    lines = [int(attached.stdout.readline()) for _ in range(20)]
    assert lines == list(range(first + 1, first + 21)), "who is attached loses nothing"


def logs_of(project):
    path = f"{project.sandbox.root}/projects/{project.name}/containers"
    return f"{path}/{os.listdir(path)[0]}/logs"


def fetched(berth, port):
    """Whether the server answers there, which may only just begin to listen."""
    return berth.wait_until(lambda: berth.get(f"http://127.0.0.1:{port}/", check=False).stdout == "hello\n", 5)


WEB = {"image": "busybox", "init": True, "command": ["sh", "-c", "echo hello > /index.html; exec httpd -f -p 80 -h /"]}


@pytest.mark.parametrize("backend", ("iptables", "nftables"))
def test_ports(berth, backend):
    berth.env["BERTH_FIREWALL"] = backend
    project = berth.project({"compose.yaml": {"services": {"a": {**WEB, "ports": ["8080:80"]}}}})
    project.run("up", "-d")
    before = project.container("a")
    assert fetched(berth, 8080)
    plan, up = changed(project, **WEB, ports=["8080:80", "8081:80", "127.0.0.1:8082:80"])
    assert "(ports changed)" in plan.stdout and up.returncode == 0
    for port in (8080, 8081, 8082):
        assert fetched(berth, port)
    changed(project, **WEB, ports=["8081:80"])
    assert fetched(berth, 8081)
    assert berth.get("http://127.0.0.1:8080/", check=False).returncode != 0
    assert project.container("a")["Publishers"][0]["PublishedPort"] == 8081
    changed(project, **WEB, ports=["80"])
    port = project.run("port", "a", "80").stdout.strip().split(":")[1]
    assert fetched(berth, port)
    changed(project, **WEB, ports=["80"], labels={"x": "y"})
    assert project.run("port", "a", "80").stdout.strip().split(":")[1] == port
    after = project.container("a")
    assert after["ID"] == before["ID"]
    changed(project, **WEB)
    assert berth.get(f"http://127.0.0.1:{port}/", check=False).returncode != 0
    assert project.container("a")["ID"] == before["ID"]


def test_a_port_that_is_taken(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**WEB, "ports": ["8080:80"]}}}})
    project.run("up", "-d")
    listener = berth.popen_command(["python3", "-c", "import socket,time; s=socket.socket(); s.bind(('',8081)); s.listen(); print(1, flush=True); time.sleep(100)"],
                                   stdout=-1)
    listener.stdout.readline()
    _, up = changed(project, **WEB, ports=["8081:80"])
    assert up.returncode == 1 and "8081" in up.stderr and "taken" in up.stderr
    assert fetched(berth, 8080)
    assert record(project)["ports"][0]["port"] == 8080


def test_stopped_one_is_updated_and_started(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**WEB, "ports": ["8080:80"]}}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    project.run("stop", "-t", "0")
    changed(project, **WEB, ports=["8081:80"], mem_limit="64m")
    assert project.container("a")["ID"] == before
    assert fetched(berth, 8081)
    assert limit(berth, project, *MEMORY) == str(64 << 20)


def test_killed_in_the_middle(berth):
    """At each call that changes something: afterwards all of it is as asked for, or nothing is."""
    project = berth.project({"compose.yaml": {"services": {"a": {**WEB, "ports": ["8080:80"]}}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    old, new = ({**WEB, "ports": ["8080:80"], "mem_limit": "64m"},
                {**WEB, "ports": ["8081:80"], "mem_limit": "128m", "labels": {"x": "y"}})
    changed(project, **old)
    [supervisor] = project.supervisor_pids()
    point = berth.crash_point(supervisor, "renameat,renameat2,write,sendmsg")
    changed(project, **new)
    calls = point.close()
    assert calls > 3
    for number in range(1, calls, max(1, calls // 12)):
        changed(project, **old)
        [supervisor] = project.supervisor_pids()
        point = berth.crash_point(supervisor, "renameat,renameat2,write,sendmsg", number)
        project.write({"compose.yaml": {"services": {"a": new}}})
        up = project.popen("up", "-d")
        up.wait(30)
        point.close()
        # The client came back to the next supervisor and asked again.
        assert up.returncode == 0, up.stderr.read()
        assert fetched(berth, 8081)
        assert berth.get("http://127.0.0.1:8080/", check=False).returncode != 0
        assert limit(berth, project, *MEMORY) == str(128 << 20)
        assert labels(project)["x"] == "y" and project.container("a")["ID"] == before
        assert "updating" not in record(project)


def test_killed_in_the_middle_and_nobody_asks_again(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**WEB, "ports": ["8080:80"], "mem_limit": "64m"}}}})
    project.run("up", "-d")
    [supervisor] = project.supervisor_pids()
    # The record is the first thing that it renames for the container; limits come after it.
    for number in range(1, 9):
        point = berth.crash_point(supervisor, "renameat,renameat2", number)
        size = 64 + number
        project.write({"compose.yaml": {"services": {"a": {**WEB, "ports": [f"{8080 + number}:80"], "mem_limit": f"{size}m"}}}})
        up = project.popen("up", "-d")
        berth.wait_until(lambda: up.poll() is not None or not os.path.exists(f"/proc/{supervisor}"), 30)
        up.send_signal(signal.SIGKILL)
        up.wait(10)
        point.close()
        row = project.wait_state("a", "running")
        [supervisor] = project.supervisor_pids()
        port = row["Publishers"][0]["PublishedPort"]
        assert fetched(berth, port)
        made = json.loads(json.dumps(record(project)))
        assert "updating" not in made and made["ports"][0]["port"] == port
        assert limit(berth, project, *MEMORY) == str((port - 8080 + 64) << 20)
