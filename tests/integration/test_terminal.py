# SPDX-License-Identifier: GPL-2.0-or-later
"""What people see on a terminal of any width: progress, logs of several, jobs of a shell."""
import json
import re

import pytest

from tests.support import sandbox
from tests.support.screen import Screen

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True, "stop_grace_period": "0s"}
SLOW = {**SLEEP, "healthcheck": {"test": "test -e /ready", "interval": "100ms", "retries": 600}}
AFTER = {**SLEEP, "depends_on": {"slow": {"condition": "service_healthy"}}}
WIDTHS = (200, 80, 40, 20)
SIZES = ((5, 40), (5, 20), (24, 80), (3, 10), (50, 200), (10, 60))


def screen_of(berth, argv, rows=24, columns=80, **options):
    terminal = sandbox.Terminal(berth, argv, rows, columns, **options)
    berth.terminals.append(terminal)
    return Screen(terminal, rows, columns)


def shell(berth, project, rows=24, columns=80):
    screen = screen_of(berth, ["bash", "--norc", "-i"], rows, columns, cwd=project.path,
                       env={"PS1": "% "})
    screen.until(r"^% $|^%$")
    return screen


def test_every_width(berth):
    """Each line of the picture fits, none is left over, and the last one says how it ended."""
    services = {f"a-rather-long-name-of-a-service-{i}": SLEEP for i in range(30)}
    project = berth.project({"compose.yaml": {"services": services}})
    for columns in WIDTHS:
        for command, rows, count in (("up -d", 24, 31), ("restart", 5, 30), ("down", 5, 31)):
            screen = screen_of(berth, [sandbox.binary(), *command.split()], rows, columns)
            assert screen.wait() == 0
            lines = screen.text().splitlines()
            verb = command.split()[0]
            assert lines[0] == f"[+] {verb} {count}/{count}"[:columns - 1]
            assert len(lines) == min(rows - 1, count + 1)
            assert all(line.startswith(" ✔ ") and len(line) < columns for line in lines[1:])
            assert screen.cursor_is_shown


def test_windows_that_change(berth):
    project = berth.project({"compose.yaml": {"services": {
        **{f"svc-{i}": SLEEP for i in range(30)}, "slow": SLOW, "z": AFTER}}})
    screen = screen_of(berth, [sandbox.binary(), "up", "-d"], 24, 100)
    screen.until("32/33")
    for rows, columns in SIZES:
        screen.resize(rows, columns)
        # A frame that knows the new size: the spinner moves on.
        spinners = set()
        screen.until(lambda text: spinners.update(re.findall("^ ([^✔ ]) ", text, re.M)) or
                     len(spinners) > 3, shown=True)
        assert screen.shown().count("slow-1") <= 1
    project.exec("slow", "touch", "/ready")
    assert screen.wait() == 0
    shown = screen.shown().splitlines()
    assert len(shown) == 9 and screen.cursor_is_shown
    assert all(re.fullmatch(r"\[\+\] up 33/33| ✔ \S+ \S+ +\S+ +[\d.]+s", line) for line in shown)


def test_jobs(berth):
    """Ctrl-Z, bg and fg: what the shell wrote meanwhile stays, and so does its terminal."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP, "slow": SLOW, "z": AFTER}}})
    screen = shell(berth, project, 40, 70)
    screen.terminal.write(f"{sandbox.binary()} up -d\n")
    screen.until("slow-1 Waiting")
    screen.terminal.write("\x1a")
    screen.until("Stopped")
    screen.terminal.write("echo writ''ten-meanwhile\n")
    screen.until("^written-meanwhile")
    screen.terminal.write("fg\n")
    text = screen.until(r"(?s)% fg\n.*slow-1 Waiting")
    assert text.count("written-meanwhile") == 1 and text.count("[+] up 3/4") == 2
    screen.terminal.write("\x1a")
    screen.until("(?s)Stopped.*Stopped")
    screen.terminal.write("bg\n")
    screen.until("& *$")
    for i in range(3):
        # Nothing is drawn over what is typed.
        screen.terminal.write(f"sleep 0.2; echo word''-{i}\n")
        screen.until(f"^word-{i}$")
    assert screen.text().count("[+] up") == 2
    project.exec("slow", "touch", "/ready")
    screen.terminal.write("wait\n")
    text = screen.until(r"\[\+\] up 4/4")
    assert text.count("word-") == 3 and screen.cursor_is_shown


def test_attached_as_a_job(berth):
    talk = {**SLEEP, "command": ["sh", "-c", "echo begun; sleep 1000"]}
    project = berth.project({"compose.yaml": {"services": {"a": talk, "b": talk}}})
    screen = shell(berth, project)
    screen.terminal.write(f"{sandbox.binary()} up\n")
    screen.until("(?s)begun.*begun")
    berth.wait_until(lambda: not screen.is_cooked, 10, "keys are taken at once")
    screen.terminal.write("\x1a")
    screen.until("Stopped")
    # The shell finds it as it was, although bash would have mended it.
    screen.terminal.write("fg\n")
    screen.until("(?s)% fg.*up$")
    berth.wait_until(lambda: not screen.is_cooked, 10, "keys are taken at once again")
    screen.terminal.write("\x1a")
    screen.until("(?s)Stopped.*Stopped")
    # What is typed for the shell is not read by the job, which would be stopped for it.
    screen.terminal.write("bg\n")
    screen.until("& *$")
    screen.terminal.write("sleep 0.3; jobs\n")
    assert "Running" in screen.until("Running|Stopped.*tty")
    screen.terminal.write("fg\n")
    screen.until(r"(?s)jobs.*% fg")
    screen.terminal.write("d")
    screen.until("% *$")
    assert {row["State"] for row in project.ps()} == {"running"}
    screen.terminal.write("stty -a\n")
    screen.until(r" icanon ")


def test_ctrl_z_without_a_shell(berth):
    """Where nobody could resume it (tmux new berth up, an xterm's program), it does not stop."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    screen = screen_of(berth, [sandbox.binary(), "up"])
    screen.until("d detaches")
    berth.wait_until(lambda: not screen.is_cooked, 10, "keys are taken at once")
    screen.terminal.write("\x1a")
    screen.terminal.write("d")
    assert screen.wait() == 0 and screen.is_cooked
    project.wait_state("a", "running")


ODD = r"""printf 'plain\n\033[1;31mred on\nnext\n10%%\r20%%\r30%%\n'; printf 'nul\000byte\n'
printf 'clear\033[2J\033[Hhome\n\033[3A\033[Kup\n日本語 🐳 e\314\201\nbell\a\b\b\bX\n\377\376bad\n'
printf 'title\033]0;T\007s\n'; head -c 300 /dev/zero | tr '\0' x; echo; printf unended
"""


@pytest.mark.parametrize("columns", [80, 30])
def test_logs_that_would_tear_the_screen(berth, columns):
    """Whatever a program writes, it stays in its line, behind its prefix."""
    project = berth.project({"compose.yaml": json.dumps({"services": {
        "odd": {"image": "busybox", "command": ["sh", "-c", ODD.replace("$", "$$")]},
        "b": {"image": "busybox", "command": ["sh", "-c", "echo fine; sleep 0.5; echo too"]}}},
        ensure_ascii=False)})
    screen = screen_of(berth, [sandbox.binary(), "up"], 24, columns)
    assert screen.wait() == 0
    lines = screen.text().splitlines()
    odd = [re.sub(r"^odd-1 +\| ", "", line) for line in lines if line.startswith("odd-1  ")]
    assert odd[:7] == ["plain", "red on", "next", "30%", "nulbyte", "clearhome", "up"]
    assert odd[8:11] == ["bellX", "\ufffd\ufffdbad", "titles"] and odd[-1] == "unended"
    assert "日" in odd[7] and "語" in odd[7]
    assert "b-1    | fine" in lines and "b-1    | too" in lines
    assert "odd-1 exited with code 0" in lines and screen.cursor_is_shown and screen.is_cooked
    # A pipe gets the bytes as they are.
    raw = project.run("logs", "--no-log-prefix", "odd", text=False).stdout
    assert b"clear\033[2J\033[Hhome\n" in raw and b"10%\r20%\r30%\n" in raw and b"nul\0byte" in raw


def test_ctrl_c_on_a_narrow_terminal(berth):
    deaf = {**SLEEP, "init": False, "command": ["sh", "-c", "trap '' TERM; echo deaf; sleep 1000"]}
    project = berth.project({"compose.yaml": {"services": {
        "a": {**deaf, "stop_grace_period": "1m"}, "b": {**deaf, "stop_grace_period": "300s"}}}})
    screen = screen_of(berth, [sandbox.binary(), "up"], 24, 40)
    screen.until("(?s)deaf.*deaf")
    screen.terminal.write("\x03")
    screen.until("(?s)b-1 Stopping.*a-1 Stopping|a-1 Stopping.*b-1 Stopping")
    text = screen.text().replace("\n", "")
    assert "a-1 Stopping (killed after 1m0s)" in text and "(killed after 5m0s)" in text
    screen.terminal.write("\x03\x03\x03")
    assert screen.wait() == 130 and screen.is_cooked and screen.cursor_is_shown
    for service in "ab":
        assert project.wait_state(service, "exited")["ExitCode"] == 137


def test_only_one_of_the_streams_is_a_terminal(berth):
    """Progress looks at stderr alone, colours of logs at stdout alone."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {"image": "busybox", "command": ["echo", "hello"]}}}})
    up = f"{sandbox.binary()} up --force-recreate"
    screen = screen_of(berth, ["sh", "-c", f"{up} 2>err"])
    assert screen.wait() == 0
    assert "\033" not in (text := berth.command(["cat", "err"]).stdout)
    assert f" Network {project.name}_default Creating\n" in text
    assert "a-1  | hello" in screen.text() and "[+]" not in screen.text()
    screen = screen_of(berth, ["sh", "-c", f"{up} >out"])
    assert screen.wait() == 0
    text = berth.command(["cat", "out"]).stdout
    assert "a-1  | hello\n" in text and "\033" not in text and "[+] up" in screen.text()
    for variables, options, drawn in (({"COMPOSE_PROGRESS": "plain"}, [], False),
                                      ({"COMPOSE_PROGRESS": "json"}, ["--progress", "tty"], True),
                                      ({"COMPOSE_ANSI": "never"}, [], False),
                                      ({"COMPOSE_ANSI": "never"}, ["--ansi", "always"], True),
                                      ({"TERM": "dumb"}, [], False),
                                      ({"NO_COLOR": "1"}, [], True)):
        screen = screen_of(berth, [sandbox.binary(), *options, "restart"], env=variables)
        assert screen.wait() == 0
        assert ("[+] restart 1/1" in screen.text()) == drawn, (variables, options)
    plain = project.run("--progress", "tty", "restart")
    assert "[+] restart 1/1" in plain.stderr and plain.stdout == ""
    for mode in ("plain", "json", "quiet", "auto"):
        told = project.run("--progress", mode, "restart")
        assert told.stdout == "" and "\033" not in told.stderr
        if mode == "json":
            assert all(json.loads(line)["id"] for line in told.stderr.splitlines())
        assert bool(told.stderr) == (mode != "quiet")


def test_builds(berth):
    """Bars that move within their line are seen as they move, in one line."""
    step = "for i in 1 2 3; do printf \"\\r\\033[32m$i of 3\\033[0m\"; sleep 0.3; done; echo; false"
    project = berth.project({
        "Dockerfile": f"FROM busybox\nRUN {step}\n",
        "compose.yaml": {"services": {"web": {"build": ".", "image": "web-image"}}}})
    screen = screen_of(berth, [sandbox.binary(), "build"], 24, 120)
    screen.until(r"RUN .* Running 2 of 3 +[\d.]+s$", shown=True)
    screen.resize(24, 50)
    assert screen.wait() == 1
    assert screen.text().count("[web 2/2]") == 1 and " ✘ [web 2/2]" in screen.text()
    plain = project.run("--progress", "plain", "build", check=False).stderr
    assert re.search(r"^#1 [\d.]+ 3 of 3$", plain, re.M), plain


def test_stats_live(berth):
    """One table, drawn over itself; no wider and no longer than the window."""
    project = berth.project({"compose.yaml": {"services": {
        f"a-service-with-a-long-name-{i}": SLEEP for i in range(6)}}})
    project.run("up", "-d")
    screen = screen_of(berth, [sandbox.binary(), "stats"], 24, 160)
    text = screen.until("(?s)name-0-1.*name-5-1")
    assert text.count("CONTAINER ID") == 1
    screen.resize(5, 60)
    screen.until(lambda text: "name-5-1" not in text and len(text.splitlines()) == 4, shown=True)
    assert len(screen.model.history.top) == 0, "it never scrolls"
    screen.resize(24, 160)
    project.run("stop", "a-service-with-a-long-name-0")
    screen.until(lambda text: "name-5-1" in text and "name-0-1" not in text, shown=True)
    project.run("start", "a-service-with-a-long-name-0")
    screen.until("name-0-1", shown=True)
    assert screen.text().count("CONTAINER ID") == 1
    screen.terminal.write("\x03")
    assert screen.wait() == 130 and screen.cursor_is_shown
