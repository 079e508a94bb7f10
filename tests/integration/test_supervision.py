# SPDX-License-Identifier: GPL-2.0-or-later
"""Restart policies, health checks, out-of-memory kills, stopping."""
import json
import os
import time

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def sh(script, **more):
    return {"image": "busybox", "command": ["sh", "-c", script], **more}


def one(berth, service):
    project = berth.project({"compose.yaml": {"services": {"a": service}}})
    project.run("up", "-d")
    return project


def log_lines(project, *args):
    return project.run("logs", "--no-log-prefix", *args).stdout.splitlines()


def test_no_restart_by_default(berth):
    project = one(berth, sh("exit 7"))
    assert project.wait_state("a", "exited")["ExitCode"] == 7


def test_always_restarts_with_back_off(berth):
    project = one(berth, sh("echo run; exit 0", restart="always"))
    berth.wait_until(lambda: len(log_lines(project)) >= 4, 10)
    times = [line.split()[0] for line in project.run("logs", "-t", "--no-log-prefix")
             .stdout.splitlines()]
    seconds = [float(t[17:29]) + 60 * float(t[14:16]) for t in times[:4]]
    gaps = [b - a for a, b in zip(seconds, seconds[1:])]
    # 100 ms, 200 ms, 400 ms: never earlier.
    assert gaps[0] >= 0.09 and gaps[1] >= 0.19 and gaps[2] >= 0.39, gaps
    assert project.container("a")["State"] in ("running", "restarting")


def test_on_failure_with_a_maximum(berth):
    project = one(berth, sh("echo run; exit 3", restart="on-failure:2"))
    row = project.wait_state("a", "exited")
    assert row["ExitCode"] == 3
    berth.wait_until(lambda: len(log_lines(project)) == 3, 5)


def test_back_off_and_its_reset(berth):
    """It doubles, and begins anew after a run that was long enough; so does the count of attempts."""
    script = "echo >>/n; test $$(wc -l </n) != 4 || sleep 1.2; exit 3"
    policy = {"condition": "any", "window": "1s"}
    project = berth.project({"compose.yaml": {"services": {
        "a": sh(script, deploy={"restart_policy": {**policy, "max_attempts": 4}}),
        "b": sh("exit 3", deploy={"restart_policy": {"condition": "on-failure", "delay": "50ms",
                                                     "max_attempts": 2}})}}})
    project.run("up", "-d")

    def delays(service):
        with open(f"{project.runtime_dir}/supervisor.log", encoding="utf-8") as file:
            return [line.split()[-1] for line in file if f"-{service}-1: exited (3), restarting" in line]

    project.wait_state("b", "exited")
    project.wait_state("a", "exited", 20)
    assert delays("a") == ["100ms", "200ms", "400ms", "100ms", "200ms", "400ms", "800ms"]
    assert delays("b") == ["50ms", "50ms"]


def test_on_failure_leaves_success_alone(berth):
    project = one(berth, sh("echo run; exit 0", restart="on-failure"))
    project.wait_state("a", "exited")
    assert log_lines(project) == ["run"]


@pytest.mark.parametrize("policy", ("unless-stopped", "always"))
def test_a_manual_stop_is_remembered(berth, policy):
    project = one(berth, {**SLEEP, "restart": policy})
    project.run("stop", "-t", "0")
    [supervisor] = project.supervisor_pids()
    berth.kill(supervisor)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], [supervisor]))
    assert project.container("a")["State"] == "exited"


def test_killed_from_inside_is_restarted(berth):
    project = one(berth, {**SLEEP, "restart": "unless-stopped"})
    [pid] = [pid for pid in berth.pids_of("sleep", "1000") if berth.inside_processes()[pid][0] ==
             "sleep"]
    berth.kill(pid)
    berth.wait_until(lambda: [p for p in berth.pids_of("sleep", "1000") if p != pid], 10)
    project.wait_state("a", "running")


def test_stop_signal_and_grace(berth):
    project = one(berth, sh("trap 'echo got it; exit 5' USR1; while :; do sleep 0.05; done",
                            stop_signal="SIGUSR1", stop_grace_period="5s"))
    berth.wait_until(lambda: project.container("a")["State"] == "running")
    time.sleep(0.1)
    stopped = project.run("stop")
    assert stopped.seconds < 4
    assert project.container("a")["ExitCode"] == 5
    assert log_lines(project) == ["got it"]


def test_a_deaf_container_is_killed_after_the_grace(berth):
    project = one(berth, sh("trap '' TERM; echo up; while :; do sleep 0.05; done",
                            stop_grace_period="1s"))
    berth.wait_until(lambda: log_lines(project))
    stopped = project.run("stop")
    assert 0.9 < stopped.seconds < 4
    assert project.container("a")["ExitCode"] == 137


def recorded_states(project):
    folder = os.path.join(project.sandbox.root, "projects", project.name, "containers")
    states = {}
    for name in os.listdir(folder):
        try:
            with open(os.path.join(folder, name, "record.json"), encoding="utf-8") as file:
                record = json.load(file)
        except FileNotFoundError:
            continue  # it is being made
        states[record["service"]] = (record["state"], record["restarts"])
    return states


@pytest.mark.parametrize("command", ("stop", "down"))
def test_stop_while_its_policy_starts_it(berth, command):
    """The kernel keeps signals from a first process that has no handlers yet: it is asked later."""
    berth.env["ASAN_OPTIONS"] += ":detect_leaks=0"  # it cannot when traced
    again = {**sh("test -e /tmp/was && exec sleep 1000; touch /tmp/was; read line; exit 1"),
             "init": True, "restart": "on-failure", "stdin_open": True}
    project = one(berth, again)
    project.wait_state("a", "running")
    births = berth.slow_births(project.supervisor_pids()[0], 400000)
    [pid] = [pid for pid, line in berth.inside_processes().items() if line[:2] == ["sh", "-c"]]
    berth.kill(pid)
    berth.wait_until(lambda: recorded_states(project) == {"a": ("starting", 1)})
    stopped = project.run(command)
    births.close()
    assert stopped.seconds < 5  # its grace is 10 seconds
    if command == "stop":
        assert project.container("a")["ExitCode"] == 143


def test_health_goes_both_ways(berth):
    project = one(berth, {**SLEEP, "healthcheck": {"test": "test -e /tmp/ok", "interval": "100ms",
                                                   "retries": 2}})
    project.wait_state("a", "unhealthy")
    project.exec("a", "touch", "/tmp/ok")
    project.wait_state("a", "healthy")
    project.exec("a", "rm", "/tmp/ok")
    row = project.wait_state("a", "unhealthy")
    assert row["State"] == "running"
    assert "(unhealthy)" in row["Status"]


def test_health_timeout(berth):
    project = one(berth, {**SLEEP, "healthcheck": {"test": ["CMD", "sleep", "60"], "timeout": "200ms",
                                                   "interval": "100ms", "retries": 2}})
    project.wait_state("a", "unhealthy")
    berth.wait_until(lambda: len(berth.pids_of("sleep", "60")) <= 1)


def test_start_period_forgives(berth):
    project = one(berth, {**SLEEP, "healthcheck": {
        "test": ["CMD", "false"], "interval": "100ms", "retries": 1, "start_period": "60s",
        "start_interval": "100ms"}})
    time.sleep(1)
    assert project.container("a")["Health"] == "starting"


def test_dead_health_command(berth):
    """A check that cannot even be executed makes unhealthy, and says why."""
    project = one(berth, {**SLEEP, "healthcheck": {"test": ["CMD", "no-such-program"],
                                                   "interval": "100ms", "retries": 1}})
    project.wait_state("a", "unhealthy")
    [row] = json.loads(project.run("container", "inspect", f"{project.name}-a-1").stdout)
    first = row["State"]["Health"]["Log"][0]
    assert first["ExitCode"] == 127
    assert 'exec: "no-such-program": executable file not found in $PATH' in first["Output"]


def freezer_of(pid):
    """The file that freezes the group of process @pid, and the words for it."""
    with open(f"/proc/{pid}/cgroup") as file:
        groups = {line.split(":")[1]: line.strip().split(":", 2)[2] for line in file}
    if groups.get("", "/") != "/":
        root = "/sys/fs/cgroup/unified"
        root = root if os.path.isdir(root) else "/sys/fs/cgroup"
        return f"{root}{groups['']}/cgroup.freeze", "1", "0"
    return f"/sys/fs/cgroup/freezer{groups['freezer']}/freezer.state", "FROZEN", "THAWED"


def test_health_of_a_frozen_container_holds_up_no_other(berth):
    """A check that does not even get to its execve: not by berth's doing, which would pause it."""
    check = {"interval": "100ms", "timeout": "300ms", "retries": 1}
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "command": ["sleep", "4321"], "scale": 3,
              "healthcheck": {"test": ["CMD", "true"], **check}},
        "b": {**SLEEP, "healthcheck": {"test": ["CMD-SHELL", "echo x >>/checks"], **check,
                                       "timeout": "20s"}}}}})
    project.run("up", "-d", "--wait")
    frozen = {freezer_of(pid) for pid in berth.pids_of("sleep", "4321")}
    assert len(frozen) == 3

    def checks():
        return int(project.exec("b", "sh", "-c", "wc -l </checks").stdout)

    try:
        for path, word, _ in frozen:
            with open(path, "w") as file:
                file.write(word)
        for _ in range(3):
            before = checks()
            berth.wait_until(lambda old=before: checks() >= old + 5, 20, "b is looked at")
        assert project.container("b")["Health"] == "healthy"
    finally:
        for path, _, word in frozen:
            with open(path, "w") as file:
                file.write(word)
    for number in range(1, 4):
        project.wait_state("a", "healthy", number=number)


def test_health_of_many_words(berth):
    """More than fits into one packet; and what it writes is cut, not waited for."""
    project = one(berth, {**SLEEP, "environment": {f"V{n}": "x" * 1000 for n in range(60)},
                          "healthcheck": {"test": "seq 1 100000; sleep 5 & [ $${#V59} = 1000 ]",
                                          "interval": "1s", "retries": 1}})
    project.wait_state("a", "healthy")
    [row] = json.loads(project.run("container", "inspect", f"{project.name}-a-1").stdout)
    [first, *_] = row["State"]["Health"]["Log"]
    assert first["ExitCode"] == 0
    assert first["Output"].startswith("1\n2\n3\n") and len(first["Output"]) == 4096


def test_health_that_never_stops_talking(berth):
    """It is ended in time, and keeps no other waiting."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "healthcheck": {"test": ["CMD", "yes"], "timeout": "300ms",
                                       "interval": "100ms", "retries": 3}},
        "b": {**SLEEP, "healthcheck": {"test": ["CMD", "true"], "interval": "100ms"}}}}})
    project.run("up", "-d")
    project.wait_state("b", "healthy")
    project.wait_state("a", "unhealthy", 30)
    assert project.container("b")["Health"] == "healthy"


def test_out_of_memory_is_reported(berth):
    # The check never passes: `up --wait` waits for it until the kernel has done its work.
    project = one(berth, sh("head -c 200m /dev/zero | tail", mem_limit="16m", memswap_limit="16m",
                            healthcheck={"test": ["CMD", "false"], "interval": "1h"}))
    row = project.wait_state("a", "exited", 60)
    assert row["Status"].startswith("Exited (") and row["Status"].endswith("ago (OOM killed)")
    assert "the kernel killed it for lack of memory" in open(
        f"{project.runtime_dir}/supervisor.log", encoding="utf-8").read()
    waited = project.run("up", "-d", "--wait", check=False)
    assert waited.returncode == 1
    assert "the kernel killed it for lack of memory" in waited.stderr


def test_pids_limit(berth):
    project = one(berth, {**SLEEP, "pids_limit": 8})
    done = project.exec("a", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait",
                        check=False)
    assert done.returncode != 0
    assert "fork" in done.stderr


def test_wait_command(berth):
    project = berth.project({"compose.yaml": {"services": {"a": sh("sleep 0.5; exit 9")}}})
    project.run("up", "-d")
    done = project.run("wait", "a", check=False)
    assert done.returncode == 9
