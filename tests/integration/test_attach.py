# SPDX-License-Identifier: GPL-2.0-or-later
"""`berth attach`: the main process of a service, its streams, terminal, signals and keys."""
import re
import signal

import pytest

ECHO = ["sh", "-c", "trap 'echo got; exit 8' INT; while read x; do printf 'o:%s' $$x; "
        "echo e:$$x >&2; [ $$x = end ] && exit 3; done; sleep 1000"]


@pytest.fixture
def project(berth):
    project = berth.project({"compose.yaml": {"services": {
        "pipe": {"image": "busybox", "command": ECHO, "stdin_open": True},
        "screen": {"image": "busybox", "command": ["sh"], "tty": True, "stdin_open": True},
        "deaf": {"image": "busybox", "init": True, "scale": 2, "command":
                 ["sh", "-c", "trap 'echo got; exit 8' INT; while :; do sleep 0.1; done"]}}}})
    project.run("up", "-d")
    return project


def attached(project, *args, **options):
    """Waits until what is typed comes back: from then on it listens."""
    process = project.popen("attach", *args, stdin=-1, **options)
    process.stdin.write("a\n")
    process.stdin.flush()
    assert process.stdout.read(3) == "o:a"
    return process


def wait_blocked(project, process):
    """Signals reach the program only once the client has taken them."""
    def blocked():
        status = open(f"/proc/{process.inner_pid()}/status").read()
        return int(re.search(r"SigBlk:\s*(\w+)", status).group(1), 16) & 2

    project.sandbox.wait_until(blocked, 30, "the client waits for signals")


def test_pipes(project):
    """Bytes as they are, unfinished lines at once, each stream for itself, and the exit code."""
    process = attached(project, "pipe")
    # Another supervisor takes over, and we go on with it.
    project.sandbox.kill(project.supervisor_pids()[0])
    project.wait_state("pipe", "running")
    while process.poll() is None:
        process.stdin.write("b\n")
        process.stdin.flush()
        if process.stdout.read(3) == "o:b":
            break
    process.stdin.write("end\n")
    process.stdin.flush()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3 and out.endswith("o:end") and "e:end" in err


def test_signals(project):
    process = project.popen("attach", "--index", "2", "deaf")
    wait_blocked(project, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 8
    assert project.wait_state("deaf", "exited", number=2)["ExitCode"] == 8
    process = project.popen("attach", "--sig-proxy=false", "--no-stdin", "deaf")
    wait_blocked(project, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130 and project.container("deaf")["State"] == "running"


def test_a_terminal(project):
    terminal = project.pty("attach", "screen", rows=33, columns=77)
    terminal.write("stty size\n")
    terminal.read_until("33 77", 30)
    terminal.write("\x10\x11")
    assert terminal.wait(30) == 0
    assert project.container("screen")["State"] == "running"
    terminal = project.pty("attach", "--detach-keys", "ctrl-x,q", "screen")
    terminal.write("echo a$((1))b\n")
    terminal.read_until("a1b", 30)
    terminal.write("\x18q")
    assert terminal.wait(30) == 0
    terminal = project.pty("attach", "screen")
    terminal.write("echo a$((2))b\n")
    terminal.read_until("a2b", 30)
    terminal.write("exit 6\n")
    assert terminal.wait(30) == 6


def test_refusals(project):
    project.run("kill", "pipe")
    for args, text in ((["pipe"], 'service "pipe" is not running'),
                       (["--index", "5", "deaf"], "not running container #5"),
                       (["--detach-keys", "x-y", "deaf"], "invalid detach keys"),
                       (["none"], "no such service: none")):
        refused = project.run("attach", *args, check=False)
        assert refused.returncode == 1 and text in refused.stderr
