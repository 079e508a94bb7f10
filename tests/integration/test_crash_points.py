# SPDX-License-Identifier: GPL-2.0-or-later
"""The supervisor is killed right before one of its system calls: before each of those that others
see, one after the other. Whatever it was at, the command ends as if nothing had happened.

A run of the suite takes some of the points; BERTH_TEST_LONG=1 takes them all."""
import json
import os

import pytest

from tests.support.registries import HOST, BadRegistry

# What the world sees of it: processes, messages, files.
CALLS = "clone3,sendmsg,sendto,recvmsg,write,rename,renameat,renameat2,unlinkat,mkdirat," \
        "pidfd_send_signal"
POINTS = 10
LONG = bool(os.environ.get("BERTH_TEST_LONG"))

BASE = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
SERVICES = {
    "base": BASE,
    "web": {"image": "busybox", "init": True, "ports": ["80"], "restart": "always",
            "command": ["sh", "-c", "echo up; exec sleep 2000"], "volumes": ["data:/data"]},
    "tty": {"image": "busybox", "init": True, "tty": True, "stop_signal": "SIGKILL",
            "command": ["sh", "-c", "echo up; exec sleep 2000"]},
}


LATE = {"image": f"{HOST}/gated:1", "command": ["/busybox/bin/busybox", "sleep", "3000"], "init": True,
        "volumes": [{"type": "image", "source": "busybox", "target": "/busybox"}]}


def compose(services):
    return {"compose.yaml": {"services": services, "volumes": {"data": {}}}}


def bring_up(berth, *services):
    project = berth.project(compose(SERVICES))
    project.run("up", "-d", *services)
    return project


def records(berth, project):
    folder = os.path.join(berth.root, "projects", project.name, "containers")
    rows = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name, "record.json"), encoding="utf-8") as file:
            rows.append(json.load(file))
    return {row["service"]: row for row in rows}


def sleepers(berth, project, what):
    """Of this project only: its control groups tell."""
    found = []
    for pid, line in berth.inside_processes().items():
        if line[:2] != ["sleep", what]:
            continue
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
            if f"/{project.name}/" in file.read():
                found.append(pid)
    return found


def all_run_once(berth, project, lives=1):
    berth.wait_until(lambda: sorted((row["Service"], row["State"]) for row in project.ps()) == [
        (name, "running") for name in sorted(SERVICES)], 30, f"all run: {project.ps()}")
    assert len(sleepers(berth, project, "1000")) == 1
    assert len(sleepers(berth, project, "2000")) == 2
    for name, record in records(berth, project).items():
        assert record["restarts"] == 0, (name, record)
    for name in ("web", "tty"):
        berth.wait_until(lambda: project.run("logs", "--no-log-prefix", name).stdout.split()
                         == ["up"] * lives, 30, f"{name}: {project.run('logs', name).stdout}")
    assert project.exec("web", "nslookup", "-type=a", "tty").returncode == 0


def up(berth, project):
    project.run("up", "-d")


def restart(berth, project):
    project.run("restart", "-t", "5", "web", "tty")


def recreate(berth, project):
    project.run("up", "-d", "--force-recreate", "-t", "5", "web", "tty")


def stop(berth, project):
    project.run("stop", "-t", "5", "web", "tty")


def are_stopped(berth, project):
    """And stay so, though the policy of one is to be restarted always."""
    states = {row["Service"]: row["State"] for row in project.ps("-a")}
    assert states == {"base": "running", "web": "exited", "tty": "exited"}
    assert len(sleepers(berth, project, "1000")) == 1 and not sleepers(berth, project, "2000")
    assert {name: record["restarts"] for name, record in records(berth, project).items()} == {
        "base": 0, "web": 0, "tty": 0}


def start(berth, project):
    project.run("start", "web", "tty")


def scale(berth, project):
    project.run("up", "-d", "--no-recreate", "--scale", "base=3")


def are_three(berth, project):
    assert sorted(row["Name"] for row in project.ps() if row["Service"] == "base"
                  and row["State"] == "running") == [f"{project.name}-base-{n}" for n in (1, 2, 3)]
    assert len(sleepers(berth, project, "1000")) == 3
    project.run("up", "-d", "--scale", "base=1")
    all_run_once(berth, project)


def run_once(berth, project):
    done = project.run("run", "--rm", "-T", "base", "sh", "-c", "echo once; exit 7", check=False)
    assert (done.returncode, done.stdout) == (7, "once\n"), done.stderr


def nothing_else_is_there(berth, project):
    berth.wait_until(lambda: len(project.ps("-a")) == 3, 30, "the one-off is removed")
    all_run_once(berth, project)


def change(berth, project):
    """What takes no new container."""
    services = json.loads(json.dumps(SERVICES))
    services["web"].update(labels={"new": "yes"}, mem_limit="64m")
    project.write(compose(services))
    project.run("up", "-d")


def with_successors(project):
    """Two that take over while the ones before them still run."""
    services = json.loads(json.dumps(SERVICES))
    for name in ("web", "tty"):
        services[name].update(environment={"NEW": "yes"}, deploy={"update_config": {"order": "start-first"}})
    project.write(compose(services))


def hand_over(berth, project):
    before = {row["Service"]: row["ID"] for row in project.ps()}
    with_successors(project)
    project.run("up", "-d", "-t", "5")
    for row in project.ps():
        assert (row["ID"] == before[row["Service"]]) == (row["Service"] == "base"), row
        assert row["Name"] == f"{project.name}-{row['Service']}-1"


def have_taken_over(berth, project):
    all_run_once(berth, project)
    assert project.exec("web", "sh", "-c", "echo $NEW").stdout == "yes\n"
    assert len(os.listdir(os.path.join(berth.root, "projects", project.name, "containers"))) == 3


def serve(berth, project):
    """The image is not here, and comes slowly only the first time."""
    if not hasattr(berth, "registry"):
        berth.registry = BadRegistry(berth)
        berth.ignore_leftover("bad_registry.py")
    berth.run("image", "rm", LATE["image"], cwd="/", check=False)
    project.write(compose({**SERVICES, "late": {**LATE, "depends_on": ["base"]}}))


def pull(berth, project):
    begun = len(berth.registry.requests("gated/blobs"))
    client = project.popen("up", "-d")
    berth.wait_until(lambda: len(berth.registry.requests("gated/blobs")) > begun, 30, "it is pulled")
    berth.registry.open("gated")
    _, stderr = client.communicate(timeout=60)
    assert client.returncode == 0, stderr


def late_runs_too(berth, project):
    berth.wait_until(lambda: {row["Service"]: row["State"] for row in project.ps()} == {
        name: "running" for name in (*SERVICES, "late")}, 30, "all run")
    assert len(os.listdir(os.path.join(berth.root, "projects", project.name, "containers"))) == 4
    project.write(compose(SERVICES))
    project.run("up", "-d", "--remove-orphans", "-t", "0")
    all_run_once(berth, project)


def execute(berth, project):
    done = project.run("exec", "-T", "base", "sh", "-c", "echo once; exit 7", check=False)
    # The client's own descriptors: nothing of what was printed can be lost.
    assert (done.returncode, done.stdout) == (7, "once\n"), done.stderr


def execute_on_terminal(berth, project):
    terminal = project.pty("exec", "base", "sh", "-c", "echo once; read x; exit $x")
    terminal.read_until("once", 30)
    terminal.write("7\n")
    assert terminal.wait(30) == 7
    terminal.close()


def down(berth, project):
    project.run("down", "-v", "-t", "5")


def all_is_gone(berth, project):
    assert project.ps() == []
    assert not sleepers(berth, project, "1000") and not sleepers(berth, project, "2000")
    assert not os.path.exists(f"{berth.root}/volumes/{project.name}_data")
    berth.wait_until(lambda: not project.keeper_pids(), 30)


SCENARIOS = {
    "up": (["base"], up, all_run_once),
    "restart": ([], restart, lambda berth, project: all_run_once(berth, project, 2)),
    "recreate": ([], recreate, all_run_once),
    "exec": ([], execute, all_run_once),
    "exec-tty": ([], execute_on_terminal, all_run_once),
    "down": ([], down, all_is_gone),
    "stop": ([], stop, are_stopped),
    "start": ([], start, lambda berth, project: all_run_once(berth, project, 2)),
    "scale": ([], scale, are_three),
    "run": ([], run_once, nothing_else_is_there),
    "in-place": ([], change, all_run_once),
    "start-first": ([], hand_over, have_taken_over),
    "pull": (["base"], pull, late_runs_too),
}
# What comes before.
PREPARED = {"start": stop, "pull": serve}
# Where something was left behind once: of each run.
KNOWN = {"run": {5}}


def points(total):
    if LONG:
        return range(1, total + 1)
    step = max(1, total // POINTS)
    return range(1 + step // 2, total + 1, step)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_each_point_of(berth, name):
    services, act, check = SCENARIOS[name]
    prepare = PREPARED.get(name, lambda *_: None)
    project = bring_up(berth, *services)
    prepare(berth, project)
    trace = berth.crash_point(*project.supervisor_pids(), CALLS)
    act(berth, project)
    total = trace.close()
    check(berth, project)
    project.run("down", "-v", "-t", "0")
    assert total >= 5
    for number in sorted(KNOWN.get(name, set()).union(points(total))):
        project = bring_up(berth, *services)
        prepare(berth, project)
        trace = berth.crash_point(*project.supervisor_pids(), CALLS, number)
        try:
            act(berth, project)
            trace.close()
            check(berth, project)
        except AssertionError as error:
            raise AssertionError(f"killed at call {number} of {total}: {error}") from error
        project.run("down", "-v", "-t", "0")
        # Of all projects before as well: they share this machine.
        berth.wait_until(lambda: not berth.leftovers(), 30, str(berth.leftovers()))


# The same for the command itself: what it asks and answers, and the files that it makes.
CLIENTS = {
    "up": (lambda berth, project: None, ["up", "-d"], all_run_once),
    "start-first": (lambda berth, project: (up(berth, project), with_successors(project)),
                    ["up", "-d", "-t", "5"], have_taken_over),
    "pull": (lambda berth, project: (serve(berth, project), berth.registry.open("gated")), ["up", "-d"],
             late_runs_too),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_the_client_killed_at_each_point_of(berth, name):
    """Asked once more it ends as if nothing had happened."""
    prepare, words, check = CLIENTS[name]
    trace = os.path.join(berth.base, "client-calls")

    def run(number=None):
        inject = ["-e", f"inject={CALLS}:signal=SIGKILL:when={number}"] if number else []
        return berth.command(["strace", "-qq", "-o", trace, "-e", f"trace={CALLS}", *inject,
                              *berth.program, *words], cwd=project.path, check=False)

    project = bring_up(berth, "base")
    prepare(berth, project)
    done = run()
    assert done.returncode == 0, done.stderr
    with open(trace, encoding="utf-8") as file:
        total = sum(1 for line in file if "(" in line and " resumed>" not in line)
    check(berth, project)
    project.run("down", "-v", "-t", "0")
    assert total >= 3
    for number in points(total):
        project = bring_up(berth, "base")
        prepare(berth, project)
        try:
            run(number)
            project.run(*words)
            check(berth, project)
        except AssertionError as error:
            raise AssertionError(f"killed at call {number} of {total}: {error}") from error
        project.run("down", "-v", "-t", "0")
        berth.wait_until(lambda: not berth.leftovers(), 30, str(berth.leftovers()))
