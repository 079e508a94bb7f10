# SPDX-License-Identifier: GPL-2.0-or-later
"""Who stops containers does not wait behind who starts them."""
import time

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
DEAF = {"image": "busybox", "stop_grace_period": "60s",
        "command": ["sh", "-c", "trap 'echo deaf' TERM; echo up; while :; do sleep 0.05; done"]}
NEVER = {**SLEEP, "healthcheck": {"test": ["CMD", "false"], "interval": "100ms",
                                  "retries": 100000}}


def waiting_up(berth):
    project = berth.project({"compose.yaml": {"services": {
        "db": NEVER, "app": {**SLEEP, "depends_on": {"db": {"condition": "service_healthy"}}}}}})
    client = project.popen("up", "-d", "--wait")
    project.wait_state("db", "starting")
    return project, client


def ends_interrupted(client, by):
    _, err = client.communicate(timeout=5)
    assert client.returncode == 1, err
    assert f'interrupted by "berth {by}"' in err


def test_down_ends_an_up_that_waits(berth):
    project, client = waiting_up(berth)
    assert project.run("down", "-t", "0").seconds < 3
    ends_interrupted(client, "down")
    assert project.ps() == []


def test_stop_ends_an_up_that_waits(berth):
    project, client = waiting_up(berth)
    queued = project.popen("up", "-d")
    time.sleep(0.2)
    assert project.run("stop", "-t", "0").seconds < 3
    ends_interrupted(client, "stop")
    ends_interrupted(queued, "stop")
    assert project.container("db")["State"] == "exited"
    assert project.container("app")["State"] == "created"


def test_up_waits_for_its_turn(berth):
    project, client = waiting_up(berth)
    second = project.popen("up", "-d", "--no-deps", "app")
    time.sleep(0.3)
    assert second.poll() is None and client.poll() is None
    project.run("kill")
    ends_interrupted(client, "kill")
    ends_interrupted(second, "kill")


def test_kill_acts_at_once(berth):
    project = berth.project({"compose.yaml": {"services": {"a": DEAF, "b": SLEEP}}})
    project.run("up", "-d")
    berth.wait_until(lambda: "up" in project.run("logs", "a").stdout)
    stop = project.popen("stop", "a")
    berth.wait_until(lambda: "deaf" in project.run("logs", "a").stdout)
    assert project.run("kill", "a").seconds < 2
    ends_interrupted(stop, "kill")
    assert project.container("a")["ExitCode"] == 137
    assert project.container("b")["State"] == "running"


def test_a_signal_interrupts_nobody(berth):
    project, client = waiting_up(berth)
    assert project.run("kill", "-s", "WINCH", "db").seconds < 2
    time.sleep(0.2)
    assert client.poll() is None
    project.run("down", "-t", "0")
    ends_interrupted(client, "down")


def test_a_second_stop_shortens_the_grace(berth):
    project = berth.project({"compose.yaml": {"services": {"a": DEAF}}})
    project.run("up", "-d")
    berth.wait_until(lambda: "up" in project.run("logs", "a").stdout)
    first = project.popen("stop")
    berth.wait_until(lambda: "deaf" in project.run("logs", "a").stdout)
    second = project.popen("stop", "-t", "1")
    ends_interrupted(first, "stop")
    started = time.monotonic()
    # A longer one does not lengthen it.
    assert project.run("stop", "-t", "30").seconds < 4
    assert time.monotonic() - started < 4
    ends_interrupted(second, "stop")
    assert project.container("a")["ExitCode"] == 137
