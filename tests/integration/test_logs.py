# SPDX-License-Identifier: GPL-2.0-or-later
"""Logs: streams, order, following, tails, rotation; and attached `up`."""
import glob
import os
import re
import signal


def sh(script, **more):
    return {"image": "busybox", "command": ["sh", "-c", script], **more}


def up(berth, **services):
    project = berth.project({"compose.yaml": {"services": services}})
    project.run("up", "-d")
    return project


def log_files(project):
    """The files of its only container's log, the oldest first."""
    folders = f"{project.sandbox.root}/projects/{project.name}/containers/*/logs"
    return sorted(glob.glob(f"{folders}/[0-9]*"))


def read(path):
    with open(path) as file:
        return file.read()


def log_size(project):
    return sum(os.path.getsize(path) for path in log_files(project))


def go_on(project):
    """For one that waits for a line in /go, and may end before the command that wrote it has."""
    project.exec("a", "sh", "-c", "echo >/go", check=False)


def test_streams_keep_apart(berth):
    project = up(berth, a=sh("echo out; echo err >&2"))
    project.wait_state("a", "exited")
    logs = project.run("logs")
    assert logs.stdout == "a-1  | out\n"
    assert logs.stderr == "a-1  | err\n"


def test_prefixes_are_padded(berth):
    project = up(berth, a=sh("echo x"), longer=sh("echo y"))
    project.wait_state("a", "exited")
    project.wait_state("longer", "exited")
    assert sorted(project.run("logs").stdout.splitlines()) == ["a-1       | x", "longer-1  | y"]


def test_prefixes_have_colours_on_a_terminal(berth):
    project = up(berth, a=sh("echo x"), b=sh("echo y"))
    project.wait_state("a", "exited")
    project.wait_state("b", "exited")

    def shown(*args):
        terminal = project.pty("logs", *args)
        assert terminal.wait(20) == 0
        return terminal.output

    found = dict(re.findall(r"(\x1b\[[\d;]+m)([ab])-1 +\| ", shown()))
    assert sorted(found.values()) == ["a", "b"], "each has one of its own"
    assert "\x1b" not in shown("--no-color")


def test_tail_and_timestamps(berth):
    project = up(berth, a=sh("seq 1 1000"))
    project.wait_state("a", "exited")
    assert project.run("logs", "--no-log-prefix", "--tail", "3").stdout == "998\n999\n1000\n"
    assert project.run("logs", "--no-log-prefix", "-n", "0").stdout == ""
    line = project.run("logs", "-t", "--tail", "1").stdout
    assert re.match(r"a-1  \| \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 1000\n", line)


def test_since_and_until(berth):
    project = up(berth, a=sh("echo one; sleep 1.2; echo two"))
    project.wait_state("a", "exited")
    first = project.run("logs", "-t", "--no-log-prefix").stdout.split()[0]
    until = first[:19] + "." + "9" * 9 + "Z"
    assert "two" not in project.run("logs", "--until", until).stdout
    assert "one" not in project.run("logs", "--since", until).stdout
    assert "two" in project.run("logs", "--since", "1h").stdout


def test_nothing_lost_and_nothing_reordered(berth):
    project = up(berth, a=sh("seq 1 200000", logging={"options": {"max-size": "100m"}}))
    project.wait_state("a", "exited", 30)
    lines = project.run("logs", "--no-log-prefix").stdout.split()
    assert lines == [str(n) for n in range(1, 200001)]


def test_rotation(berth):
    project = up(berth, a=sh("seq 1 100000", logging={"options": {
        "max-size": "100k", "max-file": "3"}}))
    project.wait_state("a", "exited", 30)
    lines = [int(n) for n in project.run("logs", "--no-log-prefix").stdout.split()]
    assert lines[-1] == 100000 and 1000 < len(lines) < 20000
    assert lines == list(range(lines[0], 100001))


def test_follow_over_rotation_and_restart(berth):
    project = up(berth, a=sh("seq 1 50000; sleep 0.3; exit 1", restart="on-failure:1",
                             logging={"options": {"max-size": "200k", "max-file": "50"}}))
    follow = project.popen("logs", "-f", "--no-log-prefix")
    out, _ = follow.communicate(timeout=30)
    lines = [line for line in out.splitlines() if not line.startswith("a-1 exited")]
    assert lines == [str(n) for n in range(1, 50001)] * 2


def test_follow_that_comes_late_to_a_restart(berth):
    """The follower hears of the end when the container has long started again and writes on. What
    it finds in the log then ends anywhere, also between two lines that were stored together."""
    project = up(berth, a=sh("test -e /again && { seq 1001 200000; exec sleep 1000; }; "
                             "touch /again; seq 1 1000; exec sleep 1000", restart="always",
                             logging={"options": {"max-size": "1m", "max-file": "50"}}))
    path = os.path.join(project.path, "out")
    with open(path, "wb") as out:
        follow = project.popen("logs", "-f", "--no-log-prefix", stdout=out)
    berth.wait_until(lambda: read(path).endswith("\n1000\n"))
    [supervisor] = project.supervisor_pids()
    follow.send_signal(signal.SIGSTOP)
    slow = berth.slow_calls(supervisor, "pwrite64", 20000)
    berth.kill(berth.pids_of("sleep", "1000")[0])
    berth.wait_until(lambda: log_size(project) > 300000, 30)
    follow.send_signal(signal.SIGCONT)
    berth.wait_until(lambda: len(read(path)) > 20000, 30)
    slow.close()
    berth.wait_until(lambda: read(log_files(project)[-1]).endswith(" 200000\n"), 30)
    project.run("stop", "-t", "0")
    assert follow.wait(20) == 0
    lines = read(path).split()
    assert lines == [str(n) for n in range(1, 200001)]


def test_follow_says_what_rotation_took_away(berth):
    """A follower that stands still loses what was written and deleted meanwhile: it says so."""
    project = up(berth, a=sh("mkfifo /go; seq 1 1000; read _ </go; seq 1001 60000",
                             logging={"options": {"max-size": "100k", "max-file": "2"}}))
    follow = project.popen("logs", "-f", "--no-log-prefix")
    lines = [int(follow.stdout.readline()) for _ in range(1000)]
    follow.send_signal(signal.SIGSTOP)
    go_on(project)
    project.wait_state("a", "exited")
    kept = len(log_files(project))
    newest = int(os.path.basename(log_files(project)[-1]))
    follow.send_signal(signal.SIGCONT)
    out, err = follow.communicate(timeout=20)
    lines += [int(line) for line in out.split()]
    assert lines == sorted(lines) and lines[-1] == 60000 and len(lines) < 20000
    assert kept == 2
    assert f"a-1: lines are missing here: {newest - 3} log files were" in err


def test_rotated_files_are_followed_to_their_end(berth):
    """What the follower has open is read though rotation has removed it."""
    project = up(berth, a=sh("mkfifo /go; seq 1 2000; read _ </go; seq 2001 4000",
                             logging={"options": {"max-size": "100k", "max-file": "1"}}))
    follow = project.popen("logs", "-f", "--no-log-prefix")
    lines = [int(follow.stdout.readline()) for _ in range(2000)]
    follow.send_signal(signal.SIGSTOP)
    go_on(project)
    project.wait_state("a", "exited")
    assert [os.path.basename(path) for path in log_files(project)] == ["00000002"]
    follow.send_signal(signal.SIGCONT)
    out, err = follow.communicate(timeout=20)
    assert lines + [int(line) for line in out.split()] == list(range(1, 4001))
    assert "missing" not in err


def test_files_from_before_they_had_numbers(berth):
    """What an older berth wrote: "current", and before that "1", "2", ..."""
    project = up(berth, a=sh("test -e /again || seq 1 6000; echo end; touch /again",
                             logging={"options": {"max-size": "100k", "max-file": "9"}}))
    project.wait_state("a", "exited")
    berth.run("supervisor", "stop", project.name)
    files = log_files(project)
    assert len(files) >= 3
    for age, path in enumerate(reversed(files)):
        os.rename(path, os.path.join(os.path.dirname(path), str(age) if age else "current"))
    lines = [str(n) for n in range(1, 6001)] + ["end"]
    assert project.run("logs", "--no-log-prefix").stdout.split() == lines
    assert log_files(project) == files
    project.run("start")
    project.wait_state("a", "exited")
    assert project.run("logs", "--no-log-prefix").stdout.split() == lines + ["end"]


def test_long_lines_come_whole(berth):
    project = up(berth, a=sh("head -c 100000 /dev/zero | tr '\\0' x; echo end"))
    project.wait_state("a", "exited")
    assert project.run("logs", "--no-log-prefix").stdout == "x" * 100000 + "end\n"


def test_a_terminal_has_one_stream(berth):
    project = up(berth, a=sh("echo out; echo err >&2; test -t 1 && echo terminal", tty=True))
    project.wait_state("a", "exited")
    logs = project.run("logs", "--no-log-prefix")
    assert logs.stdout.replace("\r", "").split() == ["out", "err", "terminal"]


def test_no_log_driver(berth):
    project = up(berth, a=sh("echo x; sleep 1000", init=True, logging={"driver": "none"}))
    logs = project.run("logs", check=False)
    assert "x\n" not in logs.stdout


def test_attached_up(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("echo hello; echo oops >&2; exit 3"), "b": sh("sleep 0.3; echo bye")}}})
    done = project.run("up")
    assert done.returncode == 0
    assert "a-1  | hello\n" in done.stdout and "b-1  | bye\n" in done.stdout
    assert "a-1  | oops\n" in done.stderr
    assert "a-1 exited with code 3\n" in done.stdout


def test_abort_on_container_exit(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("sleep 0.2; exit 3"), "b": sh("sleep 1000", init=True)}}})
    done = project.run("up", "--abort-on-container-exit", "--exit-code-from", "a", check=False)
    assert done.returncode == 3
    assert project.container("b")["State"] == "exited"


def test_first_interrupt_stops(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.05; done")}}})
    attached = project.popen("up")
    berth.wait_until(lambda: "ready" in project.run("logs", check=False).stdout)
    attached.send_signal(signal.SIGINT)
    out, err = attached.communicate(timeout=10)
    assert attached.returncode == 130
    assert "stopping" in out
    assert project.container("a")["ExitCode"] == 0


def test_second_interrupt_kills(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("trap 'echo deaf' TERM INT; echo ready; while :; do sleep 0.05; done",
                stop_grace_period="60s")}}})
    terminal = project.pty("up")
    terminal.read_until("ready")
    terminal.write("\x03")
    terminal.read_until("deaf")
    terminal.write("\x03")
    assert terminal.wait(10) == 130
    project.wait_state("a", "exited")


def test_a_terminal_that_is_closed_takes_nothing_with_it(berth):
    """As with docker compose: the client ends, and what runs goes on."""
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "init": True,
        "command": ["sh", "-c", "echo said; exec sleep 1000"]}}}})
    attached = project.pty("up")
    attached.read_until("said")
    follower = project.pty("logs", "-f")
    follower.read_until("said")
    for terminal in (attached, follower):
        terminal.close()
        terminal.process.wait(10)
    assert project.container("a")["State"] == "running"
    assert "said" in project.run("logs").stdout
    assert project.run("down", "-t", "0").returncode == 0
