# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of the supervisor, the client, the keeper, at any moment: nothing is lost."""
import os
import random
import resource
import subprocess
import time

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def sh(script, **more):
    return {"image": "busybox", "command": ["sh", "-c", script], **more}


def kill_if_there(berth, pid):
    try:
        berth.kill(pid)
    except ProcessLookupError:
        pass


def kill_supervisor(berth, project):
    """Kills it and waits until another one is there."""
    before = project.supervisor_pids()
    for pid in before:
        kill_if_there(berth, pid)
    berth.wait_until(lambda: [p for p in project.supervisor_pids() if p not in before], 10,
                     "the keeper starts another supervisor")


def test_steady_state(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "ports": ["8080:80"], "restart": "always"},
        "b": {**SLEEP, "healthcheck": {"test": ["CMD", "true"], "interval": "200ms"}}}}})
    project.run("up", "-d", "--wait")
    before = {row["Name"]: row["ID"] for row in project.ps()}
    sleeps = sorted(berth.pids_of("sleep", "1000"))
    for _ in range(3):
        kill_supervisor(berth, project)
        rows = project.ps()
        assert {row["Name"]: row["ID"] for row in rows} == before
        assert all(row["State"] == "running" for row in rows)
    assert sorted(berth.pids_of("sleep", "1000")) == sleeps
    project.wait_state("b", "healthy")
    assert project.exec("a", "nslookup", "-type=a", "b").returncode == 0


def test_log_flood(berth):
    count = 400000
    project = berth.project({"compose.yaml": {"services": {"a": sh(
        f"seq 1 {count}; sleep 1000", init=True,
        logging={"options": {"max-size": "100m"}})}}})
    project.run("up", "-d")
    for _ in range(3):
        time.sleep(random.uniform(0.01, 0.15))
        kill_supervisor(berth, project)

    def last_line():
        return project.run("logs", "--no-log-prefix", "--tail", "1").stdout.strip()

    berth.wait_until(lambda: last_line() == str(count), 30)
    lines = project.run("logs", "--no-log-prefix").stdout.split()
    assert lines == [str(n) for n in range(1, count + 1)]


@pytest.mark.parametrize("delay_ms", [0, 3, 8, 15, 25, 40, 60, 90])
def test_during_up(berth, delay_ms):
    services = {f"s{n}": {**SLEEP, "ports": [f"{9000 + n}:80"]} for n in range(8)}
    project = berth.project({"compose.yaml": {"services": services}})
    client = project.popen("up", "-d")
    berth.wait_until(project.supervisor_pids, 5, interval=0.001)
    time.sleep(delay_ms / 1000)
    for pid in project.supervisor_pids():
        kill_if_there(berth, pid)
    out, err = client.communicate(timeout=30)
    assert client.returncode == 0, err
    rows = project.ps()
    assert len(rows) == 8 and all(row["State"] == "running" for row in rows)
    # Not one process more than there are containers.
    assert len([p for p, line in berth.inside_processes().items() if line[0] == "sleep"]) == 8


@pytest.mark.parametrize("delay_ms", [0, 5, 15, 40])
def test_during_down(berth, delay_ms):
    project = berth.project({"compose.yaml": {"services": {
        f"s{n}": {**SLEEP, "ports": [f"{9000 + n}:80"]} for n in range(8)}}})
    project.run("up", "-d")
    client = project.popen("down", "-t", "1")
    time.sleep(delay_ms / 1000)
    for pid in project.supervisor_pids():
        kill_if_there(berth, pid)
    out, err = client.communicate(timeout=30)
    assert client.returncode == 0, err
    assert project.ps() == []


@pytest.mark.parametrize("delay_ms", [5, 20, 50])
def test_client_killed_during_up(berth, delay_ms):
    project = berth.project({"compose.yaml": {"services": {
        f"s{n}": SLEEP for n in range(8)}}})
    client = project.popen("up", "-d")
    time.sleep(delay_ms / 1000)
    client.kill()
    client.wait()
    project.run("up", "-d")
    rows = project.ps()
    assert len(rows) == 8 and all(row["State"] == "running" for row in rows)
    assert len([p for p, line in berth.inside_processes().items() if line[0] == "sleep"]) == 8


def test_exit_while_the_supervisor_is_dead(berth):
    """A status that the kernel reports when nobody but the keeper is there."""
    project = berth.project({"compose.yaml": {"services": {"a": sh(
        "while [ ! -e /tmp/go ]; do sleep 0.02; done; echo last words; exit 23")}}})
    project.run("up", "-d")
    [supervisor] = project.supervisor_pids()
    project.exec("a", "sh", "-c", "(sleep 0.3; touch /tmp/go) >/dev/null 2>&1 &")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for pid in project.supervisor_pids():
            kill_if_there(berth, pid)
        time.sleep(0.02)
    row = project.wait_state("a", "exited")
    assert row["ExitCode"] == 23
    assert project.run("logs", "--no-log-prefix").stdout == "last words\n"
    assert supervisor not in project.supervisor_pids()


def test_keeper_killed(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": SLEEP, "b": sh("sleep 2; exit 3")}}})
    project.run("up", "-d")
    before = {row["Service"]: row["ID"] for row in project.ps()}
    sleeps = berth.pids_of("sleep", "1000")
    for pid in project.keeper_pids():
        berth.kill(pid)
    berth.wait_until(lambda: not project.supervisor_pids())
    row = project.container("a")
    assert (row["State"], row["ID"]) == ("running", before["a"])
    assert berth.pids_of("sleep", "1000") == sleeps
    assert project.exec("a", "echo", "hi").stdout == "hi\n"
    project.wait_state("b", "exited")
    project.run("stop", "-t", "0", "a")
    assert project.container("a")["State"] == "exited"


def test_names_and_ports_after_the_keeper(berth):
    """What only the keeper had is made anew for containers that run on: the sockets of their name
    server, those that hold published ports, and the pipes of their output."""
    berth.python_image()
    server = ["python3", "-u", "-c", "import http.server as h; print('serving'); h.HTTPServer("
              "('', 80), h.SimpleHTTPRequestHandler).serve_forever()"]
    project = berth.project({"compose.yaml": {"services": {
        "web": {"image": "python", "command": server, "ports": ["8080:80"], "init": True},
        "old": {**SLEEP, "links": ["web:site"]}}}})
    project.run("up", "-d")
    fetch = ["wget", "-q", "-O", "-", "http://web/etc/hostname"]
    berth.wait_until(lambda: project.exec("old", *fetch, check=False).returncode == 0)
    for _ in range(2):
        for pid in project.keeper_pids():
            berth.kill(pid)
        berth.wait_until(lambda: not project.supervisor_pids())
        assert project.container("old")["State"] == "running"
        address = project.exec("web", "hostname", "-i").stdout.split()[0]
        for name in ("web", "site"):
            assert address in project.exec("old", "nslookup", name).stdout
        project.exec("old", *fetch)
        berth.get("http://127.0.0.1:8080/etc/hostname")
        taken = berth.command(["/usr/bin/python3", "-c", "import socket;"
                               "socket.create_server(('', 8080))"], check=False)
        assert "Address already in use" in taken.stderr
    assert "serving" in project.run("logs", "--no-log-prefix", "web").stdout


def test_two_ups_at_once(berth):
    project = berth.project({"compose.yaml": {"services": {f"s{n}": SLEEP for n in range(5)}}})
    clients = [project.popen("up", "-d") for _ in range(4)]
    for client in clients:
        out, err = client.communicate(timeout=30)
        assert client.returncode == 0, err
    assert len(project.ps()) == 5
    # A keeper that came too late, and what tidies up, may be on their way out.
    berth.wait_until(lambda: len(berth.inside_processes())
                     == len({*berth.pids_of("sleep", "1000")}) + 2, 30)


def test_up_and_down_at_once(berth):
    project = berth.project({"compose.yaml": {"services": {f"s{n}": SLEEP for n in range(5)}}})
    for _ in range(3):
        clients = [project.popen("up", "-d"), project.popen("down", "-t", "0")]
        for client in clients:
            out, err = client.communicate(timeout=30)
            # The down does not wait for an up that came first.
            assert client.returncode == 0 or 'interrupted by "berth down"' in err, err
    project.run("down", "-t", "0")


def test_reexec(berth):
    """SIGKILL is the worst case of replacing the binary: nothing is lost on a restart."""
    project = berth.project({"compose.yaml": {"services": {"a": sh(
        "n=0; while :; do n=$$((n+1)); echo $$n; sleep 0.01; done")}}})
    project.run("up", "-d")
    for _ in range(3):
        time.sleep(0.2)
        kill_supervisor(berth, project)
    lines = project.run("logs", "--no-log-prefix").stdout.split()
    assert lines == [str(n) for n in range(1, len(lines) + 1)]


def test_full_disk(berth):
    berth.command(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", berth.runtime_dir])
    berth.ignore_leftover(f"mount: {berth.runtime_dir}")
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    root = f"{berth.base}/small"
    berth.command(["sh", "-c", f"mkdir {root}; mount -t tmpfs -o size=16m tmpfs {root}; "
                   f"cp -a {berth.root}/. {root}/; head -c 64m /dev/zero > {root}/fill || true"])
    berth.ignore_leftover(f"mount: {root}")
    failed = project.run("up", "-d", check=False, env={"BERTH_ROOT": root})
    assert failed.returncode == 1
    assert "No space left on device" in failed.stderr
    berth.command(["rm", f"{root}/fill"])
    project.run("up", "-d", env={"BERTH_ROOT": root})
    project.run("down", "-t", "0", env={"BERTH_ROOT": root})


def test_read_only_state(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    berth.command(["mount", "--bind", "-o", "ro", berth.root, berth.root])
    berth.command(["mount", "-o", "remount,bind,ro", berth.root])
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "Read-only file system" in failed.stderr and berth.root in failed.stderr
    berth.command(["umount", berth.root])


def test_image_that_vanishes(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "restart": "always"}}}})
    project.run("up", "-d")
    in_use = berth.run("image", "rm", "busybox", check=False)
    assert in_use.returncode == 1
    assert "container " + project.name + "-a-1 is using its referenced image" in in_use.stderr
    assert project.container("a")["State"] == "running"


def test_layers_that_vanish(berth):
    """Where berth did not remove them: said, with what to do, and all goes on when they are back."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "restart": "always"}, "b": sh("sleep 0.1; exit 1", restart="always")}}})
    archive = os.path.join(berth.home, "saved.tar")
    berth.run("image", "save", "-o", archive, "busybox")
    project.run("up", "-d")
    log = f"{project.runtime_dir}/supervisor.log"
    berth.command(["sh", "-c", f"mkdir {berth.base}/gone; mv {berth.root}/layers/* {berth.base}/gone"])
    berth.wait_until(lambda: "is missing: pull or load the image again" in open(log).read())
    kill_supervisor(berth, project)
    assert project.exec("a", "echo", "on").stdout == "on\n"
    project.run("stop", "-t", "0", "b")
    failed = project.run("start", "b", check=False)
    assert failed.returncode == 1
    assert "is missing: pull or load the image again" in failed.stderr
    assert [row["State"] for row in project.ps() if row["Service"] == "a"] == ["running"]
    berth.run("image", "load", "-i", archive)
    project.run("start", "b")


def test_a_hanging_probe_does_not_outlive_its_supervisor(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, "healthcheck": {
        "test": ["CMD", "sleep", "3000"], "timeout": "1h", "interval": "1h"}}}}})
    project.run("up", "-d")
    for _ in range(2):
        berth.wait_until(lambda: len(berth.pids_of("sleep", "3000")) == 1, 30)
        before = berth.pids_of("sleep", "3000")
        kill_supervisor(berth, project)
        berth.wait_until(lambda old=before: len(berth.pids_of("sleep", "3000")) == 1
                         and berth.pids_of("sleep", "3000") != old, 30, "another one at work")


def test_killed_prober(berth):
    """What it ran ends with it, and is run again; it is gone with the last health check."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "healthcheck": {"test": ["CMD", "true"], "interval": "100ms", "retries": 1}},
        "b": {**SLEEP, "healthcheck": {
            "test": ["CMD", "sleep", "3000"], "timeout": "1h", "interval": "1h"}}}}})
    project.run("up", "-d")
    project.wait_state("a", "healthy")
    for _ in range(2):
        berth.wait_until(lambda: len(berth.pids_of("sleep", "3000")) == 1, 30)
        before = berth.pids_of("sleep", "3000")
        [prober] = berth.own_pids_of("__prober", project.name)
        berth.kill(prober)
        berth.wait_until(lambda old=before: len(berth.pids_of("sleep", "3000")) == 1
                         and berth.pids_of("sleep", "3000") != old, 30, "another one at work")
    assert project.container("a")["Health"] == "healthy"
    assert project.container("b")["Health"] == "starting"
    project.exec("a", "rm", "/bin/true")
    project.wait_state("a", "unhealthy")
    project.run("kill")
    berth.wait_until(lambda: not berth.own_pids_of("__prober", project.name), 30)


@pytest.mark.parametrize("call, number", (("openat", 2), ("openat", 5), ("openat", 9),
                                          ("unlinkat", 1), ("unlinkat", 3)))
def test_killed_while_it_rotates_a_log(berth, call, number):
    """As it makes the next file, and as it removes the oldest."""
    files = 50 if call == "openat" else 5
    project = berth.project({"compose.yaml": {"services": {"a": sh(
        "read x; seq 1 30000; sleep 1000", init=True, stdin_open=True,
        logging={"options": {"max-size": "100k", "max-file": str(files)}})}}})
    project.run("up", "-d")
    [supervisor] = project.supervisor_pids()
    trace = berth.crash_point(supervisor, call, number)
    attached = project.popen("attach", "a", stdin=subprocess.PIPE)
    attached.stdin.write("go\n")
    attached.stdin.flush()
    berth.wait_until(lambda: project.supervisor_pids() not in ([], [supervisor]), 30, "was killed")
    trace.close()

    def lines():
        return project.run("logs", "--no-log-prefix").stdout.split()

    berth.wait_until(lambda: lines()[-1:] == ["30000"], 60)
    kept = lines()
    assert kept == [str(n) for n in range(30001 - len(kept), 30001)]
    assert len(kept) == 30000 if call == "openat" else 8000 < len(kept) < 12000
    [container] = os.listdir(f"{berth.root}/projects/{project.name}/containers")
    assert len(os.listdir(f"{berth.root}/projects/{project.name}/containers/{container}/logs")) \
        <= files
    attached.kill()
    attached.communicate()


@pytest.mark.parametrize("command", (["up"], ["logs", "-f"], ["exec", "a", "sleep", "3000"],
                                     ["attach", "b"]))
def test_client_killed_with_a_stream_in_its_hands(berth, command):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("echo ready; exec sleep 1000", init=True),
        "b": sh("echo ready; read x; echo got $$x; exec sleep 1000", init=True, tty=True,
                stdin_open=True)}}})
    if command != ["up"]:
        project.run("up", "-d")
    terminal = project.pty(*command)
    if command[0] in ("up", "logs"):
        terminal.read_until("ready", 30)
    if command[0] == "exec":
        # Not the client, whose command line has these words as well.
        berth.wait_until(lambda: [line for line in berth.inside_processes().values()
                                  if "3000" in line and "exec" not in line], 30)
    if command[0] == "attach":
        terminal.write("it\r")
        terminal.read_until("got it", 30)
    supervisors = project.supervisor_pids()
    berth.kill(terminal.process.inner_pid())
    terminal.close()
    # An `up` killed at the first word of one service goes on with the other.
    for service in ("a", "b"):
        project.wait_state(service, "running", 60)
    assert project.exec("a", "echo", "hi").stdout == "hi\n"
    assert project.supervisor_pids() == supervisors
    # As with the engine: what runs in the container is not its client's.
    assert len(berth.pids_of("sleep", "3000")) == (1 if command[0] == "exec" else 0)
    assert "ready" in project.run("logs", "b").stdout


def test_a_keeper_that_has_no_room(berth):
    services = {f"s{n}": SLEEP for n in range(3)}
    project = berth.project({"compose.yaml": {"services": services}})
    project.run("up", "-d", "s0")
    [keeper] = project.keeper_pids()
    used = len(os.listdir(f"/proc/{keeper}/fd"))
    limits = resource.prlimit(keeper, resource.RLIMIT_NOFILE)
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, (used + 1, limits[1]))
    project.run("up", "-d", "s1", check=False)
    done = project.run("up", "-d", "s2", check=False)
    assert done.returncode == 1
    assert "Too many open files" in done.stderr, done.stderr
    with open(f"{project.runtime_dir}/supervisor.log", encoding="utf-8") as file:
        assert "raise the hard limit" in file.read()
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, limits)
    project.run("rm", "-sf", "s1")
    project.run("up", "-d")
    kill_supervisor(berth, project)
    assert all(row["State"] == "running" for row in project.ps())
    assert len(project.ps()) == 3
