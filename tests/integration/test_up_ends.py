# SPDX-License-Identifier: GPL-2.0-or-later
"""When an attached `up` ends, and with which code: what CI jobs are made of."""
import re

import pytest

STAYS = {"image": "busybox", "init": True, "command": ["sh", "-c", "echo up; exec sleep 1000"],
         "stop_grace_period": "1s"}


def ends(code, **more):
    return {"image": "busybox", "command": ["sh", "-c", f"echo here; exit {code}"], **more}


def project_of(berth, **services):
    return berth.project({"compose.yaml": {"services": services}})


@pytest.mark.parametrize("flags, code", [
    (["--abort-on-container-exit"], 3),
    (["--abort-on-container-exit", "tests"], 3),
    (["--abort-on-container-failure"], 3),
    (["--exit-code-from", "tests"], 3),
    (["--exit-code-from", "db", "-t", "0"], 137),
    (["--abort-on-container-exit", "--attach", "tests"], 3),
    (["tests"], 0),
    (["--no-attach", "db"], 0),
])
def test_code(berth, flags, code):
    db = {**STAYS, "init": False, "command": ["sh", "-c", "trap '' TERM; echo up; sleep 1000"]}
    project = project_of(berth, tests=ends(3, depends_on=["db"]), db=db)
    done = project.run("up", *flags, check=False)
    assert done.returncode == code
    assert "tests-1 exited with code 3\n" in done.stdout


def test_a_clean_end(berth):
    project = project_of(berth, tests=ends(0), db=STAYS)
    done = project.run("up", "--abort-on-container-exit", check=False)
    assert done.returncode == 0 and "Aborting on container exit" in done.stderr
    assert project.container("db")["State"] == "exited"


def test_the_first_that_ends_decides(berth):
    """Not those that are stopped because of it."""
    second = {**STAYS, "command": ["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done"]}
    project = project_of(berth, second=second, first=ends(4, depends_on=["second"]))
    assert project.run("up", "--abort-on-container-exit", check=False).returncode == 4


@pytest.mark.parametrize("flags, migrate", [
    (["--no-attach", "migrate"], {}), ([], {"attach": False}), (["--attach", "tests"], {}),
    (["tests"], {})])
def test_whose_end_is_no_reason(berth, flags, migrate):
    """Services that are not attached to come and go, as with docker compose."""
    tests = ends(5, depends_on={"migrate": {"condition": "service_completed_successfully"}})
    project = project_of(berth, tests=tests, migrate=ends(0, **migrate))
    done = project.run("up", "--abort-on-container-exit", *flags, check=False)
    assert done.returncode == 5
    assert re.search(r"^tests-1 +\| here$", done.stdout, re.M)
    assert "migrate-1" not in done.stdout


def test_only_what_takes_part_is_attached_to(berth):
    project = project_of(berth, a=ends(0, depends_on=["dep"]), dep=ends(0), other=STAYS)
    project.run("up", "-d", "other")
    done = project.run("up", "--attach-dependencies", "a")
    assert re.search("^Attaching to (a-1|dep-1|a-1, dep-1)$", done.stdout, re.M)
    assert "other-1" not in done.stdout
    assert project.container("other")["State"] == "running"
