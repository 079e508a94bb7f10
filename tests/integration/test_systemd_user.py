# SPDX-License-Identifier: GPL-2.0-or-later
"""Units of an ordinary user, as far as they can be seen without a systemd: the files that `berth
systemd enable --user` writes, and what its processes tell the user's systemd. The rest: tests/vm."""

import os
import shutil
import signal

import pytest

from tests.support.notify import NotifySocket
from tests.support.user import UID, User

STACK = """
services:
  web: {image: busybox, init: true, command: sleep 1000}
"""
JOB = """
  job: {image: busybox, command: "true", x-berth: {schedule: hourly}}
  door: {image: busybox, command: "true", x-berth: {socket: 8080}}
"""


@pytest.fixture
def alice(berth):
    return User(berth)


@pytest.fixture
def systemd(berth):
    notify = NotifySocket(berth.base)
    yield notify
    notify.close()


def text_of(path):
    with open(path) as file:
        return file.read()


def test_enable(alice):
    """All is the user's, in the user's folders; nothing of the machine's is touched."""
    units = os.path.join(alice.home, ".config/systemd/user")
    cwd = alice.project(STACK + JOB, "shop")
    done = alice.run("systemd", "enable", "--user", cwd=cwd)
    assert "berth@shop.service enabled" in done.stdout
    assert "sudo loginctl enable-linger alice" in done.stderr
    assert os.readlink(f"{units}/default.target.wants/berth@shop.service") == "../berth@.service"
    assert os.readlink(f"{units}/sockets.target.wants/berth@shop.socket") == "../berth@shop.socket"
    template = text_of(f"{units}/berth@.service")
    for line in ("Type=notify", "Delegate=yes", "WantedBy=default.target",
                 "After=berth-namespaces.scope"):
        assert f"\n{line}\n" in template
    assert "%E/berth/%i\n" in template
    assert "network-online" not in template  # the user's systemd knows none
    dropin = text_of(f"{units}/berth@shop.service.d/project.conf")
    assert f"WorkingDirectory=-{cwd}\n" in dropin and "BERTH_ROOT" not in dropin
    assert "BERTH_ROOT" not in text_of(f"{units}/berth-shop-job.service")
    for parent, folders, names in os.walk(os.path.join(alice.home, ".config")):
        assert {os.stat(os.path.join(parent, name)).st_uid for name in folders + names} <= {UID}
    if shutil.which("systemd-analyze"):
        alice.berth.command(alice.as_user([
            "systemd-analyze", "--user", "verify", "--man=no", "--recursive-errors=no",
            *(f"{units}/berth-shop-job.{kind}" for kind in ("timer", "service"))]),
            env=alice.env())
    alice.run("systemd", "disable", "--user", cwd=cwd)
    left = [name for _, _, names in os.walk(units) for name in names]
    assert left == []


def test_enable_by_name(alice):
    """A project in ~/.config/berth needs nothing but the template; state that is elsewhere by the
    shell's word only is told the unit."""
    place = os.path.join(alice.home, ".config/berth/shop")
    alice.berth.command(alice.as_user(["mkdir", "-p", place]))
    shutil.copy(os.path.join(alice.project(STACK), "compose.yaml"), place)
    alice.run("systemd", "enable", "--user", "shop")
    units = os.path.join(alice.home, ".config/systemd/user")
    assert os.path.islink(f"{units}/default.target.wants/berth@shop.service")
    assert not os.path.exists(f"{units}/berth@shop.service.d")
    cwd = alice.project(STACK, "other")
    alice.run("systemd", "enable", "--user", cwd=cwd,
              env={"XDG_DATA_HOME": os.path.join(alice.home, "data")})
    assert f'Environment="BERTH_ROOT={alice.home}/data/berth"\n' in \
        text_of(f"{units}/berth@other.service.d/project.conf")


def test_it_says_who_may(alice):
    cwd = alice.project(STACK)
    done = alice.run("systemd", "enable", cwd=cwd, check=False)
    assert done.returncode == 1 and "berth systemd enable --user" in done.stderr
    done = alice.run("systemd", "disable", "--now", cwd=cwd, check=False)
    assert done.returncode == 1 and "berth systemd disable --user" in done.stderr
    done = alice.run("systemd", "enable", "--user", "--now", cwd=cwd, check=False)
    assert done.returncode == 1 and "does not run systemd" in done.stderr


def test_no_session(alice):
    """systemd runs, but none of the user's."""
    cwd = alice.project(STACK)
    alice.berth.command(["mkdir", "-p", "/run/systemd/system"])
    for env in ({}, {"XDG_RUNTIME_DIR": None}):
        for words in (("enable", "--user"), ("status", "--user"), ("disable", "--user")):
            done = alice.run("systemd", *words, cwd=cwd, check=False, env=env)
            assert done.returncode == 1
            assert f"loginctl enable-linger {UID}" in done.stderr, done.stderr
    alice.berth.command(["rm", "-r", "/run/systemd"])


def test_a_unit(alice, systemd):
    """What the user's systemd calls: ready when all runs, reload, a killed keeper, stop."""
    alice.image()
    cwd = alice.project(STACK, "shop")

    def call(verb, **options):
        return alice.run("systemd", verb, "shop", cwd=cwd, env=systemd.env(MAINPID="1"), **options)

    def running():
        return alice.run("ps", "-q", cwd=cwd).stdout.split()

    process = alice.popen("systemd", "run", "shop", cwd=cwd, env=systemd.env())
    systemd.wait("READY=1")
    [pid] = alice.berth.own_pids_of("__keeper", "shop")
    assert process.inner_pid() == pid  # through the namespaces it is still the main process
    [container] = running()
    with open(os.path.join(cwd, "compose.yaml"), "a") as file:
        file.write("  more: {image: busybox, init: true, command: sleep 1000}\n")
    ready = systemd.wait("READY=1") + 1
    call("reload")
    systemd.wait("RELOADING=1", after=ready)
    systemd.wait("STATUS=2 of 2", after=ready)
    assert len(running()) == 2 and container in running()
    alice.berth.kill(pid, signal.SIGKILL)
    process.wait(10)
    again = len(systemd.read())
    process = alice.popen("systemd", "run", "shop", cwd=cwd, env=systemd.env())
    systemd.wait("READY=1", after=again)
    assert container in running()
    call("stop")
    assert process.wait(20) == 0
    alice.nothing_left()
