# SPDX-License-Identifier: GPL-2.0-or-later
"""Records that were cut short, or that somebody else wrote: what else there is goes on."""
import os

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def record_of(berth, project, service):
    ident = project.container(service)["ID"]
    folder = os.path.join(berth.root, "projects", project.name, "containers")
    [name] = [n for n in os.listdir(folder) if n.startswith(ident)]
    return os.path.join(folder, name, "record.json")


def kill_everything(berth, project):
    def nobody():
        pids = [*project.keeper_pids(), *berth.inside_processes()]
        for pid in pids:
            try:
                berth.kill(pid)
            except ProcessLookupError:
                pass
        return not pids

    berth.wait_until(nobody)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x", "service": 5}', "\0" * 100,
                                  '{"name": "x", "service": "a", "project": "../../etc/passwd"}'])
def test_broken_record(berth, text):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP, "b": SLEEP}}})
    project.run("up", "-d")
    record = record_of(berth, project, "a")
    kill_everything(berth, project)
    with open(record, "w", encoding="utf-8") as file:
        file.write(text)
    os.makedirs(os.path.join(berth.root, "projects", project.name, "containers", "alien"))
    assert [row["Service"] for row in project.ps()] == ["b"]
    project.run("up", "-d", "--wait")
    assert sorted(row["Service"] for row in project.ps()) == ["a", "b"]


def test_broken_project(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    kill_everything(berth, project)
    with open(os.path.join(berth.root, "projects", project.name, "project.json"), "w",
              encoding="utf-8") as file:
        file.write('{"name": ')
    assert [row["State"] for row in project.ps()] == ["exited"]
    project.run("up", "-d", "--wait")
