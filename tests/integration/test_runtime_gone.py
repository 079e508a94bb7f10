# SPDX-License-Identifier: GPL-2.0-or-later
"""The runtime folder is removed under what runs, by somebody who tidies up or with a session: the
next command finds everything again, and no container notices."""

import os
import shutil

import pytest

from tests.support.sandbox import wait_until
from tests.support.user import UID, User

SERVICES = {
    "web": {"image": "busybox", "init": True, "command": ["httpd", "-f", "-p", "80", "-h", "/etc"],
            "ports": ["18080:80"]},
    "client": {"image": "busybox", "init": True,
               "command": ["sh", "-c", "echo up; exec sleep 1000"]},
}


@pytest.fixture
def alice(berth):
    return User(berth)


def remove(path):
    """What is still at work in there may make a file just now."""
    def is_gone():
        shutil.rmtree(path, ignore_errors=True)
        return not os.path.exists(path)

    wait_until(is_gone, 10, f"{path} is removed")


def ids(rows):
    return sorted((row["ID"], row["State"]) for row in rows)


def test_removed(berth):
    """With an exec under way, somebody who follows the log, and a neighbour of another project."""
    project = berth.project({"compose.yaml": {"services": SERVICES}})
    project.run("up", "-d")
    other = berth.project({"compose.yaml": {
        "services": {"other": {**SERVICES["client"], "networks": ["shared"]}},
        "networks": {"shared": {"external": True, "name": f"{project.name}_default"}}}})
    other.run("up", "-d")
    before, others = ids(project.ps()), ids(other.ps())
    follower = project.popen("logs", "-f", "--no-log-prefix", "client")
    session = project.popen("exec", "-T", "client", "sh", "-c", "echo begun; read x; exit $x",
                            stdin=-1)
    assert session.stdout.readline() == "begun\n"
    for name in os.listdir(berth.runtime_dir):
        remove(os.path.join(berth.runtime_dir, name))
    names = berth.run("supervisor", "ls", "-q").stdout.split()
    assert sorted(names) == sorted([project.name, other.name])
    assert (ids(project.ps()), ids(other.ps())) == (before, others)
    assert session.communicate("7\n", timeout=20)[0] == "" and session.returncode == 7
    assert "root:" in berth.get("http://127.0.0.1:18080/passwd").stdout
    wait_until(lambda: "root:" in project.exec("client", "wget", "-qO-", "http://web/passwd").stdout,
               10, "a service by name")
    wait_until(lambda: other.exec("other", "nslookup", "-type=a", "web", check=False).returncode == 0,
               10, "and of another project")
    assert len(project.keeper_pids()) == len(project.supervisor_pids()) == 1
    other.run("down", "-t", "0")
    project.run("down", "-t", "0")
    assert follower.communicate(timeout=10)[0] == "up\n"


@pytest.mark.parametrize("is_killed", [False, True])
def test_socket_removed(berth, is_killed):
    """Also where a new supervisor makes all anew by itself."""
    project = berth.project({"compose.yaml": {"services": SERVICES}})
    project.run("up", "-d")
    before = ids(project.ps())
    os.unlink(f"{project.runtime_dir}/control.sock")
    if is_killed:
        remove(project.runtime_dir)
        [pid] = project.supervisor_pids()
        berth.kill(pid)
        wait_until(lambda: os.path.exists(f"{project.runtime_dir}/control.sock"), 10, "a socket")
        assert os.path.exists(f"{project.runtime_dir}/keeper.lock")
    assert project.exec("client", "echo", "well").stdout == "well\n"
    assert ids(project.ps()) == before
    project.run("restart", "-t", "0")
    project.run("down", "-t", "0")


def test_elsewhere(berth):
    """A supervisor whose socket is somewhere else is not done over."""
    project = berth.project({"compose.yaml": {"services": SERVICES}})
    project.run("up", "-d")
    said = project.run("down", check=False, env={"BERTH_RUNTIME_DIR": f"{berth.base}/another"})
    assert said.returncode == 1 and "another BERTH_RUNTIME_DIR" in said.stderr
    assert [row["State"] for row in project.ps()] == ["running"] * 2
    project.run("down", "-t", "0")


STACK = """
services:
  web: {image: busybox, init: true, command: "httpd -f -p 80 -h /etc", ports: ["18080:80"]}
  client: {image: busybox, init: true, command: sleep 1000}
"""


def all_is_well(alice, cwd, before):
    assert alice.run("ps", "-q", cwd=cwd, timeout=20).stdout == before
    wait_until(lambda: "root:" in alice.run("exec", "-T", "client", "wget", "-qO-",
                                            "http://web/passwd", cwd=cwd, check=False).stdout,
               10, "a service by name")
    assert "root:" in alice.berth.get("http://127.0.0.1:18080/passwd").stdout
    assert len(alice.holders()) == len(alice.berth.own_pids_of("__keeper")) == 1
    other = alice.project("services: {a: {image: busybox, init: true, command: sleep 1000}}",
                          f"other{len(os.listdir(alice.home))}")
    alice.run("up", "-d", cwd=other)
    alice.run("down", "-t", "0", cwd=other)


@pytest.mark.parametrize("killed", [[], ["__rootless"], ["__rootless", "__supervisor"],
                                    ["__keeper"], ["__rootless", "__keeper"]], ids="+".join)
def test_removed_for_a_user(alice, killed):
    alice.image()
    outside = alice.berth.outside_host()
    outside.popen(["busybox", "httpd", "-f", "-p", "9000", "-h", "/etc"])
    cwd = alice.project(STACK)
    alice.run("up", "-d", cwd=cwd)
    before = alice.run("ps", "-q", cwd=cwd).stdout
    remove(alice.runtime_dir)
    for command in killed:
        for pid in alice.berth.own_pids_of(command):
            alice.berth.kill(pid)
    if "__keeper" in killed:
        # Names are served again by who starts them anew.
        wait_until(lambda: not alice.berth.own_pids_of("__supervisor"), 10, "it follows its keeper")
        if "__rootless" in killed:
            return forget(alice, cwd)
        assert alice.run("ps", "-q", cwd=cwd, timeout=20).stdout == before
        alice.run("restart", "-t", "0", cwd=cwd)
    all_is_well(alice, cwd, before)
    page = alice.run("exec", "-T", "client", "timeout", "5", "wget", "-qO-",
                     f"http://{outside.address}:9000/passwd", cwd=cwd)
    assert "root:" in page.stdout
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def forget(alice, cwd):
    """Nobody is left who could tell where they are: they are ended with the next `down`."""
    alice.run("down", "-t", "0", cwd=cwd, timeout=20)
    alice.nothing_left()


def test_another_session(alice):
    """The session ends, its folder is cleared and unmounted, as logind does it; the stack lives on,
    and the user comes back."""
    def begin():
        alice.berth.command(["mount", "-t", "tmpfs", "-o", f"uid={UID},gid={UID},mode=700", "run",
                             alice.session])

    alice.berth.command(["mount", "--make-rshared", "/"])
    begin()
    alice.image()
    cwd = alice.project(STACK)
    alice.run("up", "-d", cwd=cwd)
    before = alice.run("ps", "-q", cwd=cwd).stdout
    alice.berth.command(["rm", "-r", alice.runtime_dir])
    alice.berth.command(["umount", "-l", alice.session])
    begin()
    all_is_well(alice, cwd, before)
    alice.run("down", "-t", "0", cwd=cwd)
    wait_until(lambda: not alice.holders(), 10, "the holder goes as well")
    alice.berth.command(["umount", alice.session])
    alice.nothing_left()
