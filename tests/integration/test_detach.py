# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that nobody listens to any more: left by keys, or never listened to at all."""
import pytest

# More than a terminal takes unread.
LOOP = ("echo ready; read x; i=0; while [ $i -lt 3000 ]; do echo a line, number $i; i=$((i+1)); done; "
        "echo done > /tmp/done; exec sleep 1000")


@pytest.fixture
def project(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {"image": "busybox", "init": True, "command": ["sleep", "1000"]},
        "screen": {"image": "busybox", "command": ["sh", "-c", LOOP.replace("$", "$$")], "tty": True,
                   "stdin_open": True}}},
        "settings/config.json": {"detachKeys": "ctrl-x,q"}, "bad/config.json": {"detachKeys": "ctrl-xx"}})
    project.run("up", "-d")
    yield project
    project.run("container", "rm", "-f", "made", "ran", check=False)


def ends(project, name):
    project.sandbox.wait_until(lambda: project.run("container", "exec", name, "cat", "/tmp/done",
                                                   check=False).stdout == "done\n", 30)
    project.run("container", "exec", name, "rm", "/tmp/done")


def leave(project, words, name, keys, ready="ready", **options):
    """The program goes on and ends its loop, with what it says read by nobody."""
    terminal = project.pty(*words, **options)
    if ready:
        terminal.read_until(ready, 30)
    terminal.write("x\n")
    terminal.read_until("number 0", 30)
    terminal.write(keys)
    assert terminal.wait(30) == 0, words
    ends(project, name)


def test_the_keys(project):
    box, screen = f"{project.name}-a-1", f"{project.name}-screen-1"
    shell = ["sh", "-c", LOOP]
    usual, ours = "\x10\x11", "\x18q"
    settings = {"env": {"DOCKER_CONFIG": f"{project.path}/settings"}}
    project.run("container", "create", "-it", "--name", "made", "busybox", *shell)
    leave(project, ["exec", "a", *shell], box, usual)
    leave(project, ["exec", "a", *shell], box, ours, **settings)
    leave(project, ["container", "exec", "-it", box, *shell], box, usual)
    leave(project, ["container", "exec", "-it", box, *shell], box, ours, **settings)
    leave(project, ["container", "exec", "-it", "--detach-keys", "q", box, *shell], box, "q", **settings)
    leave(project, ["container", "run", "-it", "--name", "ran", "busybox", *shell], "ran", ours, **settings)
    leave(project, ["container", "start", "-ai", "made"], "made", usual)
    leave(project, ["attach", "screen"], screen, ours, None, **settings)
    bad = project.run("attach", "screen", check=False, env={"DOCKER_CONFIG": f"{project.path}/bad"})
    assert bad.returncode == 1 and "(detachKeys of config.json)" in bad.stderr


def test_the_first_key_alone_is_for_the_program(project):
    """As ctrl-p is for a shell; and it may still begin the sequence."""
    terminal = project.pty("exec", "a", "sh", "-c", "stty raw -echo; echo ready; od -An -tx1 -N1; cat")
    terminal.read_until("ready")
    terminal.write("\x10")
    terminal.read_until("10")
    terminal.write("\x11")
    assert terminal.wait() == 0


def test_bytes_of_a_pipe_are_no_keys(project):
    run = ["container", "run", "-i", "--rm", "busybox", "od", "-An", "-tx1"]
    assert project.run(*run, input="a\x10\x11b").stdout.split() == ["61", "10", "11", "62"]
    project.run("container", "create", "-i", "--name", "made", "busybox", "od", "-An", "-tx1")
    done = project.run("container", "start", "-i", "made", input="a\x10\x11b")
    assert done.stdout.split() == ["61", "10", "11", "62"]


def test_nobody_ever_listens(project):
    """A terminal in the background; its client is killed; its supervisor was, before that."""
    box = f"{project.name}-a-1"
    loop = ["sh", "-c", LOOP.replace("read x", ":")]
    project.run("container", "exec", "-dt", box, *loop)
    ends(project, box)
    project.run("container", "exec", "-d", box, *loop)
    ends(project, box)
    for killed in (False, True):
        terminal = project.pty("container", "exec", "-it", box, "sh", "-c", LOOP.replace("read x", "sleep 1"))
        terminal.read_until("ready")
        if killed:
            [supervisor] = project.supervisor_pids()
            project.sandbox.kill(supervisor)
            project.wait_state("a", "running")
            terminal.write("\x10\x11")
            assert terminal.wait() == 0
        else:
            terminal.process.kill()
        ends(project, box)
