# SPDX-License-Identifier: GPL-2.0-or-later
"""x-berth.schedule: services that run by the calendar, and `berth job`."""
import json

import pytest


def job(command, schedule="*:*:0/1", **more):
    return {"image": "busybox", "init": True, "command": ["sh", "-c", command],
            "x-berth": {"schedule": schedule}, **more}


def assert_each_second(seconds):
    """A second that a busy machine was late for is written by the next one."""
    assert abs(len(seconds) - (seconds[-1] - seconds[0] + 1)) <= 1


def lines(project, service="tick"):
    return project.run("logs", "--no-log-prefix", service).stdout.split()


def test_runs_by_the_calendar(berth):
    project = berth.project({"compose.yaml": {"services": {
        "tick": job("date +%s"),
        "never": job("echo ran", "2100-01-01"),
        "web": {"image": "busybox", "init": True, "command": ["sleep", "1000"]}}}})
    project.run("up", "-d", "--wait")
    states = {row["Service"]: row["State"] for row in project.ps("-a")}
    assert states["web"] == "running" and states["never"] == "created"
    berth.wait_until(lambda: len(lines(project)) >= 3)
    seconds = [int(line) for line in lines(project)]
    assert_each_second(seconds)
    rows = {row["Service"]: row for row in json.loads(project.run("job", "ls", "--format", "json").stdout)}
    assert set(rows) == {"tick", "never"}
    assert rows["never"]["Schedule"] == "2100-01-01" and rows["never"]["Last"] == ""
    assert rows["never"]["Next"].startswith("2100-01-01")
    assert rows["tick"]["Next"] and rows["tick"]["Last"]
    assert project.run("job", "ls", "-q").stdout.split() == ["never", "tick"]


def test_nothing_to_do_and_stop(berth):
    project = berth.project({"compose.yaml": {"services": {"tick": job("echo ran")}}})
    project.run("up", "-d")
    assert project.run("plan").returncode == 0
    berth.wait_until(lambda: lines(project))
    project.run("stop")
    assert json.loads(project.run("job", "ls", "--format", "json").stdout)[0]["Next"] == ""
    count = len(lines(project))
    # Two seconds go by for sure: another project's job counts them.
    clock = berth.project({"compose.yaml": {"services": {"tick": job("echo ran")}}})
    clock.run("up", "-d")
    berth.wait_until(lambda: len(lines(clock)) >= 3)
    assert len(lines(project)) == count
    project.run("start")
    berth.wait_until(lambda: len(lines(project)) > count)


def test_run_now(berth):
    project = berth.project({"compose.yaml": {"services": {
        "nightly": job("echo ran; exit 3", "2100-01-01"),
        "web": {"image": "busybox", "init": True, "command": ["sleep", "1000"]}}}})
    project.run("up", "-d")
    assert project.run("job", "run", "nightly", check=False).returncode == 3
    assert lines(project, "nightly") == ["ran"]
    project.run("job", "run", "-d", "nightly")
    berth.wait_until(lambda: lines(project, "nightly") == ["ran", "ran"])
    failed = project.run("job", "run", "web", check=False)
    assert failed.returncode == 1 and 'service "web" has no schedule' in failed.stderr


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_overlap(berth, overlap):
    project = berth.project({"compose.yaml": {"services": {
        "slow": {**job("echo begin; sleep 2.5; echo end"),
                 "stop_grace_period": "0s",
                 "x-berth": {"schedule": {"calendar": "*:*:0/1", "overlap": overlap}}}}}})
    project.run("up", "-d")
    berth.wait_until(lambda: lines(project, "slow").count("begin") >= 3)
    said = lines(project, "slow")
    if overlap == "replace":
        assert "end" not in said
    else:
        assert said[:5] == ["begin", "end", "begin", "end", "begin"]


def test_the_supervisor_is_killed(berth):
    """Not a run is lost, nor made twice."""
    schedule = {"calendar": "*:*:0/1", "overlap": "queue"}
    project = berth.project({"compose.yaml": {"services": {"tick": job("date +%s", schedule)}}})
    project.run("up", "-d")
    for count in (2, 4, 6):
        berth.wait_until(lambda: len(lines(project)) >= count)
        project.run("ps")
        for pid in project.supervisor_pids():
            berth.kill(pid)
    berth.wait_until(lambda: len(lines(project)) >= 8)
    seconds = [int(line) for line in lines(project)]
    assert_each_second(seconds)


@pytest.mark.parametrize("services, message", [
    ("{a: {image: x, x-berth: {schedule: often}}}", '"often" is no time zone'),
    ("{a: {image: x, x-berth: {schedule: {overlap: skip}}}}", "needs a calendar"),
    ("{a: {image: x, x-berth: {schedule: {calendar: daily, overlap: maybe}}}}", "maybe"),
    ("{a: {image: x, restart: always, x-berth: {schedule: daily}}}", "exclude one another"),
    ("{a: {image: x, x-berth: {schedule: daily}}, b: {image: x, depends_on: [a]}}",
     'depends on "a", which runs only when'),
])
def test_mistakes(berth, services, message):
    project = berth.project({"compose.yaml": f"services: {services}\n"})
    failed = project.run("config", "-q", check=False)
    assert failed.returncode != 0 and message in failed.stderr and "compose.yaml:1:" in failed.stderr
