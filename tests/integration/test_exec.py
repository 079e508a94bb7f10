# SPDX-License-Identifier: GPL-2.0-or-later
"""exec: codes, streams, terminals, users; and that it outlives the supervisor."""
import signal

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def up(berth, **more):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, **more}}}})
    project.run("up", "-d")
    return project


def test_codes_and_streams(berth):
    project = up(berth)
    done = project.exec("a", "sh", "-c", "echo out; echo err >&2; exit 42", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (42, "out\n", "err\n")
    assert project.exec("a", "no-such", check=False).returncode == 127
    assert project.exec("a", "/etc/passwd", check=False).returncode == 126
    assert project.exec("a", "sh", "-c", "kill -9 $$", check=False).returncode == 137


def test_stdin(berth):
    project = up(berth)
    text = "".join(f"line {n}\n" for n in range(20000))
    assert project.exec("a", "cat", input=text).stdout == text


def test_options(berth):
    project = up(berth)
    assert project.run("exec", "-T", "-u", "1000:1001", "a", "id").stdout.startswith(
        "uid=1000(app) gid=1001(extra)")
    assert project.run("exec", "-T", "-w", "/tmp", "a", "pwd").stdout == "/tmp\n"
    assert project.run("exec", "-T", "-e", "X=1", "-e", "Y=2", "a", "sh", "-c",
                       "echo $X$Y").stdout == "12\n"
    # One that goes on has nothing of ours: the pipes that run() reads end at once.
    assert project.run("exec", "-d", "a", "sh", "-c", "echo nowhere; exec sleep 1000").stdout == ""
    project.run("exec", "-d", "a", "sh", "-c", "echo detached > /tmp/d")
    berth.wait_until(lambda: project.exec("a", "cat", "/tmp/d", check=False).stdout)
    assert "CapEff:\t0000003fffffffff" <= project.run(
        "exec", "-T", "--privileged", "a", "grep", "CapEff", "/proc/self/status").stdout


@pytest.mark.parametrize("words, code, text", (
    (("-u", "nobody-here", "a", "true"), 126, "unable to find user nobody-here"),
    (("-u", "0:none-here", "a", "true"), 126, "unable to find group none-here"),
    (("-w", "/not/there", "a", "pwd"), 127, "working directory /not/there: No such file or directory"),
    (("-w", "there", "a", "pwd"), 126, "must be an absolute path"),
    (("a", "no-such-program"), 127, "executable file not found in $PATH"),
    (("a", "/etc/passwd"), 126, "permission denied")))
def test_what_cannot_be_executed(berth, words, code, text):
    project = up(berth)
    failed = project.run("exec", "-T", *words, check=False)
    assert (failed.returncode, failed.stdout) == (code, "")
    assert text in failed.stderr
    assert project.exec("a", "test", "-e", "/not", check=False).returncode == 1


def test_index(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, "scale": 2}}}})
    project.run("up", "-d")
    names = {project.run("exec", "-T", "--index", n, "a", "hostname").stdout for n in "12"}
    assert len(names) == 2
    missing = project.run("exec", "-T", "--index", "3", "a", "true", check=False)
    assert missing.returncode == 1
    assert "service \"a\" is not running container #3" in missing.stderr


def test_not_running(berth):
    project = up(berth)
    project.run("stop", "-t", "0")
    failed = project.exec("a", "true", check=False)
    assert failed.returncode == 1
    assert "service \"a\" is not running" in failed.stderr


def test_terminal(berth):
    project = up(berth)
    terminal = project.pty("exec", "a", "sh", rows=31, columns=97)
    terminal.write("stty size; test -t 0 && echo is-a-tty\r")
    terminal.read_until("31 97")
    terminal.read_until("is-a-tty")
    terminal.resize(40, 120)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.write("sleep 0.2; stty size\r")
    terminal.read_until("40 120")
    terminal.write("exit 7\r")
    assert terminal.wait() == 7


def test_interrupt_reaches_the_program_not_the_client(berth):
    project = up(berth)
    terminal = project.pty("exec", "a", "sh", "-c",
                           "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done")
    terminal.read_until("ready")
    terminal.write("\x03")
    terminal.read_until("caught")
    assert terminal.wait() == 9


def test_terminal_outlives_the_supervisor(berth):
    project = up(berth)
    terminal = project.pty("exec", "a", "sh")
    terminal.write("echo fir''st\r")
    terminal.read_until("first")
    [supervisor] = project.supervisor_pids()
    berth.kill(supervisor)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], [supervisor]))
    terminal.write("echo sec''ond; exit 5\r")
    terminal.read_until("second")
    assert terminal.wait() == 5


def test_pipes_outlive_the_supervisor(berth):
    project = up(berth)
    running = project.popen("exec", "-T", "a", "sh", "-c", "echo ready; read x; echo got $x; exit 6",
                            stdin=-1)
    assert running.stdout.readline() == "ready\n"
    [supervisor] = project.supervisor_pids()
    berth.kill(supervisor)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], [supervisor]))
    out, _ = running.communicate("word\n", timeout=10)
    assert (out, running.returncode) == ("got word\n", 6)
