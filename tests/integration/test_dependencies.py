# SPDX-License-Identifier: GPL-2.0-or-later
"""depends_on: the three conditions, their order, and what happens when they do not come true."""
import datetime
import json
import time

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def sh(script, **more):
    return {"image": "busybox", "command": ["sh", "-c", script], **more}


def needs(service, condition, **more):
    return {"depends_on": {service: {"condition": f"service_{condition}", **more}}}


def test_healthy_is_waited_for(berth):
    check = {"test": ["CMD", "test", "-e", "/tmp/ready"], "interval": "100ms", "retries": 50}
    project = berth.project({"compose.yaml": {"services": {
        "db": sh("sleep 0.5; touch /tmp/ready; sleep 1000", healthcheck=check, init=True),
        "app": {**SLEEP, **needs("db", "healthy")}}}})
    up = project.run("up", "-d")
    assert up.seconds > 0.5
    assert project.container("db")["Health"] == "healthy"
    assert up.stderr.index("db-1 Healthy") < up.stderr.index("app-1 Started")


def test_probes_start_at_once(berth):
    """Docker's first probe comes after a whole interval: 30 seconds by default."""
    project = berth.project({"compose.yaml": {"services": {
        "db": {**SLEEP, "healthcheck": {"test": ["CMD", "true"]}},
        "app": {**SLEEP, **needs("db", "healthy")}}}})
    assert project.run("up", "-d").seconds < 5


def test_completed_is_waited_for(berth):
    project = berth.project({"compose.yaml": {"services": {
        "init": sh("sleep 0.5; echo done > /shared/state", volumes=["vol:/shared"]),
        "app": {**SLEEP, "volumes": ["vol:/shared"], **needs("init", "completed_successfully")}},
        "volumes": {"vol": {}}}})
    up = project.run("up", "-d", "--wait")
    assert f"{project.name}-init-1 Exited" in up.stderr
    assert project.exec("app", "cat", "/shared/state").stdout == "done\n"


def test_failed_one_shot(berth):
    project = berth.project({"compose.yaml": {"services": {
        "init": sh("exit 4"), "app": {**SLEEP, **needs("init", "completed_successfully")}}}})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert "service \"init\" didn't complete successfully: exit 4" in up.stderr
    assert project.container("app")["State"] == "created"


def test_unhealthy_dependency(berth):
    check = {"test": ["CMD", "false"], "interval": "100ms", "retries": 2}
    project = berth.project({"compose.yaml": {"services": {
        "db": {**SLEEP, "healthcheck": check}, "app": {**SLEEP, **needs("db", "healthy")}}}})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert f"dependency failed to start: container {project.name}-db-1 is unhealthy" in up.stderr


def test_unhealthy_says_why(berth):
    for test, timeout, why in (
            ("false; nonexistent-tool x", "30s",
             "its last check exited 127: /bin/sh: nonexistent-tool: not found"),
            (["CMD", "no-such-program"], "30s", "its check could not be run: "),
            (["CMD", "sleep", "50"], "100ms", "its last check took longer than 100ms")):
        check = {"test": test, "interval": "100ms", "timeout": timeout, "retries": 1}
        project = berth.project({"compose.yaml": {"services": {
            "db": {**SLEEP, "healthcheck": check}, "app": {**SLEEP, **needs("db", "healthy")}}}})
        name = f"container {project.name}-db-1 is unhealthy: {why}"
        up = project.run("up", "-d", check=False)
        assert up.returncode == 1
        assert f"dependency failed to start: {name}" in up.stderr
        assert f" Container {project.name}-db-1 Error dependency failed to start: {name}" in up.stderr
        up = project.run("up", "-d", "--wait", "db", check=False)
        assert up.returncode == 1 and name in up.stderr


def test_dependency_that_exits(berth):
    check = {"test": ["CMD", "false"], "interval": "10s"}
    project = berth.project({"compose.yaml": {"services": {
        "db": sh("sleep 0.2; exit 3", healthcheck=check),
        "app": {**SLEEP, **needs("db", "healthy")}}}})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert f"dependency failed to start: container {project.name}-db-1 exited (3)" in up.stderr


def test_optional_dependency(berth):
    project = berth.project({"compose.yaml": {"services": {
        "init": sh("exit 4"),
        "app": {**SLEEP, **needs("init", "completed_successfully", required=False)}}}})
    up = project.run("up", "-d")
    assert "optional dependency" in up.stderr and "failed to start" in up.stderr
    assert project.container("app")["State"] == "running"


def test_no_healthcheck(berth):
    project = berth.project({"compose.yaml": {"services": {
        "db": SLEEP, "app": {**SLEEP, **needs("db", "healthy")}}}})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert f"container {project.name}-db-1 has no healthcheck configured" in up.stderr
    assert project.ps() == []


def test_order_of_stopping_is_the_reverse(berth):
    stop = "trap 'date +%s%N > /log/NAME; exit 0' TERM; while :; do sleep 0.05; done"
    services = {}
    for name, before in (("a", None), ("b", "a"), ("c", "b")):
        services[name] = sh(stop.replace("NAME", name), volumes=["./log:/log"])
        if before:
            services[name]["depends_on"] = [before]
    project = berth.project({"compose.yaml": {"services": services}, "log/.keep": ""})
    project.run("up", "-d")
    project.run("stop")
    times = {}
    for name in "abc":
        with open(f"{project.path}/log/{name}", encoding="utf-8") as file:
            times[name] = int(file.read().replace("%N", "0").strip())
    assert times["c"] <= times["b"] <= times["a"]
    rows = {row["Service"]: row for row in project.ps()}
    assert all(row["ExitCode"] == 0 for row in rows.values())


def test_up_of_one_takes_what_it_needs(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": SLEEP, "b": {**SLEEP, "depends_on": ["a"]}, "c": SLEEP}}})
    project.run("up", "-d", "b")
    assert sorted(row["Service"] for row in project.ps()) == ["a", "b"]


def test_wait_timeout(berth):
    check = {"test": ["CMD", "false"], "interval": "100ms", "retries": 1000}
    project = berth.project({"compose.yaml": {"services": {
        "db": {**SLEEP, "healthcheck": check}}}})
    begin = time.monotonic()
    up = project.run("up", "-d", "--wait", "--wait-timeout", "1", check=False)
    assert up.returncode == 1
    assert 0.9 < time.monotonic() - begin < 5
    assert "application not healthy after 1s: still waiting for Container" in up.stderr, up.stderr
    assert f"{project.name}-db-1; see" in up.stderr
    assert project.container("db")["State"] == "running"


def test_wait_fails_on_exit(berth):
    project = berth.project({"compose.yaml": {"services": {"a": sh("sleep 0.1; exit 5")}}})
    up = project.run("up", "--wait", check=False)
    assert up.returncode == 1
    assert "exited (5)" in up.stderr


def test_restart_true_follows_its_dependency(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": SLEEP, "b": {**SLEEP, "depends_on": {"a": {"condition": "service_started",
                                                        "restart": True}}}}}})
    project.run("up", "-d")
    done = project.run("restart", "-t", "0", "a")
    assert f"Container {project.name}-b-1 Started" in done.stderr


MISSING = ["no-such-program"]


def waiting(berth, **b):
    """b waits for a, which is healthy once /tmp/ok is there; what is to be seen meanwhile."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "healthcheck": {"test": "test -e /tmp/ok", "interval": "100ms",
                                       "start_period": "60s", "retries": 1}},
        "b": {"image": "busybox", "command": ["sleep", "2000"], "init": True,
              "depends_on": {"a": {"condition": "service_healthy"}}, **b}}}})
    up = project.popen("up", "-d")
    project.wait_state("a", "starting")
    berth.wait_until(lambda: project.container("b"), 30)
    # Its birth is made ready meanwhile: a clone of the supervisor that waits.
    if b.get("command") != MISSING:
        berth.wait_until(lambda: len(berth.pids_of("__supervisor", project.name)) == 2, 30)
    return project, up


def unseen(berth, project):
    row = project.container("b")
    assert (row["State"], row["Status"], row["Publishers"]) == ("created", "Created", []), row
    assert not berth.pids_of("sleep", "2000")
    events = project.run("events", "--json", "--since", "10m", "--until", "0s").stdout
    assert not [row for row in map(json.loads, events.splitlines())
                if (row["service"], row["action"]) == ("b", "start")]
    assert project.run("exec", "-T", "b", "true", check=False).returncode == 1
    assert project.run("top", "b", check=False).stdout.strip() == ""
    assert project.run("logs", "b").stdout == ""


def test_made_ready_is_not_started(berth):
    project, up = waiting(berth, ports=["8088:80"])
    unseen(berth, project)
    begun = time.time()
    project.exec("a", "touch", "/tmp/ok")
    assert up.wait(30) == 0
    project.wait_state("b", "running")
    [row] = json.loads(project.run("container", "inspect", f"{project.name}-b-1").stdout)
    started = datetime.datetime.fromisoformat(row["State"]["StartedAt"][:26].rstrip("Z"))
    assert started.replace(tzinfo=datetime.timezone.utc).timestamp() >= begun - 0.01


def test_made_ready_and_its_supervisor_killed(berth):
    project, up = waiting(berth)
    [supervisor] = project.supervisor_pids()
    berth.kill(supervisor)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], [supervisor]), 30)
    unseen(berth, project)
    project.exec("a", "touch", "/tmp/ok")
    assert up.wait(30) == 0
    assert project.container("b")["State"] == "running"


def test_made_ready_in_vain(berth):
    """What it would have had is free again: its port, and its name in the network."""
    project, up = waiting(berth, ports=["8088:80"])
    project.run("kill", "a")
    assert up.wait(30) == 1
    assert project.container("b")["State"] == "created"
    berth.wait_until(lambda: berth.command(["sh", "-c", "grep -q :1F98 /proc/net/tcp*"],
                                           check=False).returncode == 1, 30)
    project.run("rm", "-f", "b")
    project.run("up", "-d", "--no-deps", "b")
    assert project.container("b")["State"] == "running"


def test_made_ready_and_without_its_program(berth):
    project, up = waiting(berth, command=MISSING)
    assert project.container("b")["State"] == "created"
    project.exec("a", "touch", "/tmp/ok")
    _, stderr = up.communicate(timeout=30)
    assert up.returncode == 1
    assert 'exec: "no-such-program": executable file not found in $PATH' in stderr
    assert project.container("b")["State"] == "created"


def test_made_ready_and_stopped(berth):
    project, up = waiting(berth)
    project.run("down", "-t", "0")
    assert up.wait(30) != 0


def test_who_waits_for_a_crash_loop_is_told(berth):
    project = berth.project({"compose.yaml": {"services": {
        "loop": {**SLEEP, "command": ["sh", "-c", "exit 3"], "restart": "always"}}}})
    waits = project.run("up", "-d", "--wait", "--wait-timeout", "6", check=False)
    assert waits.returncode == 1
    assert waits.stderr.count(f"container {project.name}-loop-1 exits again and again (3)") == 1
    assert "berth logs loop" in waits.stderr
