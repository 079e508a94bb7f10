# SPDX-License-Identifier: GPL-2.0-or-later
"""The progress display, as a terminal shows it."""
import array
import fcntl
import re
import termios

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True, "stop_grace_period": "0s"}
SLOW = {**SLEEP, "healthcheck": {"test": "test -e /ready", "interval": "100ms", "retries": 600}}


class Screen:
    """As much of a terminal as the display uses; lines that scroll off the top are kept apart."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines, self.gone = [[" "] * columns for _ in range(rows)], []
        self.row = self.column = 0
        self.cursor, self.wrapped = True, 0

    def feed(self, text):
        for escape, number, final, char in re.findall(r"(\033\[\??(\d*)([A-Za-z]))|(.)", text, re.S):
            if escape:
                self._escape(int(number or 0), final)
            else:
                self._put(char)

    def _escape(self, number, final):
        if final == "A":
            self.row = max(0, self.row - (number or 1))
        elif final == "K":
            self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif final == "J":
            self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
            for row in range(self.row + 1, self.rows):
                self.lines[row] = [" "] * self.columns
        elif final in "hl":
            self.cursor = final == "h"
        else:
            assert final == "m", final

    def _put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self._line_feed()
        else:
            if self.column == self.columns:
                self.wrapped += 1
                self._line_feed()
                self.column = 0
            self.lines[self.row][self.column] = char
            self.column += 1

    def _line_feed(self):
        if self.row < self.rows - 1:
            self.row += 1
            return
        self.gone.append("".join(self.lines.pop(0)).rstrip())
        self.lines.append([" "] * self.columns)

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()


def watch(terminal, screen, pattern):
    """Reads on until the pattern is on the screen."""
    while not re.search(pattern, screen.text()):
        match = terminal.read_until(r"(?s).+?(\033\[\?25h|$)")
        screen.feed(match.group(0))
    return screen.text()


def project_of(berth, count):
    services = {f"service-with-a-long-name-{i}": SLEEP for i in range(count)}
    return berth.project({"compose.yaml": {"services": {**services, "slow": SLOW, "after": {
        **SLEEP, "depends_on": {"slow": {"condition": "service_healthy"}}}}}})


def test_narrow_and_low(berth):
    """More services than lines, names longer than columns: nothing wraps, nothing scrolls."""
    project = project_of(berth, 20)
    terminal, screen = project.pty("up", "-d", rows=12, columns=40), Screen(12, 40)
    text = watch(terminal, screen, r"\[\+\] up 2\d/23[\s\S]*slow-1 +Waiting")
    assert re.search(r"Contain…[a-z-]*long-name-\d+-1 +Started", text), text
    project.exec("slow", "touch", "/ready")
    text = watch(terminal, screen, r"\[\+\] up 23/23")
    assert screen.wrapped == 0 and screen.gone == [] and screen.cursor
    assert len(text.splitlines()) <= 11
    assert terminal.wait() == 0


def test_resize(berth):
    project = project_of(berth, 3)
    terminal, screen = project.pty("up", "-d", rows=24, columns=120), Screen(24, 120)
    watch(terminal, screen, "slow-1 +Waiting")
    terminal.resize(24, 50)
    up = terminal.read_until(r"\033\[\?25l\033\[(?!7A)(\d+)A")
    # The heading, and six lines of 119 columns of which the terminal made three each.
    assert int(up.group(1)) == 1 + 6 * 3
    project.exec("slow", "touch", "/ready")
    assert terminal.wait() == 0


def test_interrupt(berth):
    """Ctrl-C while something is waited for: the code is 130, the screen is left in order."""
    project = project_of(berth, 1)
    terminal, screen = project.pty("up", "-d", rows=24, columns=80), Screen(24, 80)
    watch(terminal, screen, "slow-1 +Waiting")
    terminal.write("\x03")
    assert terminal.wait() == 130
    screen.feed(terminal.output)
    assert screen.cursor and "slow-1" in screen.text()
    assert project.container("after")["State"] == "created"


def test_interrupted_amidst_a_frame(berth):
    """With Ctrl-C a terminal forgets what it has not shown yet: here that is all after the first
    4095 bytes, whose last frame lacks its end, and with it the cursor."""
    def pending():
        count = array.array("i", [0])
        fcntl.ioctl(terminal.master, termios.FIONREAD, count)
        return count[0]

    project = project_of(berth, 1)
    terminal, screen = project.pty("up", "-d", rows=24, columns=80), Screen(24, 80)
    berth.wait_until(lambda: pending() >= 4095, 60, "the terminal is full")
    terminal.write("\x03")
    assert terminal.wait(30) == 130
    screen.feed(terminal.output)
    assert screen.cursor, terminal.output[-500:]


def test_colours_and_plain_lines(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    terminal = project.pty("up", "-d")
    assert terminal.wait() == 0 and "\033[32m" in terminal.output
    terminal = project.pty("stop", env={"NO_COLOR": "1"})
    assert terminal.wait() == 0
    assert "[+] stop" in terminal.output and not re.search(r"\033\[[0-9]*m", terminal.output)
    for options, env in ((["--ansi", "never"], {}), ([], {"COMPOSE_ANSI": "never"}),
                         (["--progress", "plain"], {}), ([], {"TERM": "dumb"})):
        terminal = project.pty(*options, "restart", env=env)
        assert terminal.wait() == 0
        assert "\033" not in terminal.output, options
        assert f" Container {project.name}-a-1 Started" in terminal.output


def test_attached_keys_and_ctrl_c(berth):
    """d leaves all running; Ctrl-C says what stops and how long it has; a second one kills."""
    talk = {**SLEEP, "init": False, "command": ["sh", "-c", "trap '' TERM; echo ready; sleep 1000"],
            "stop_grace_period": "300s"}
    project = berth.project({"compose.yaml": {"services": {"a": {**talk, "scale": 2}, "b": talk}}})
    terminal = project.pty("up", rows=24, columns=60)
    terminal.read_until("d detaches")
    prefixes = {terminal.read_until(r"(\033\[\d+m)([ab])-\d +\| \033\[0mready", 30).groups()
                for _ in range(3)}
    assert len(prefixes) == 2, "a colour a service"
    terminal.write("d")
    assert terminal.wait(30) == 0
    assert {row["State"] for row in project.ps()} == {"running"}
    terminal = project.pty("up", "--menu=false")
    terminal.read_until("Attaching to")
    assert "detaches" not in terminal.output
    terminal.write("\x03")
    terminal.read_until("press Ctrl.C again to force", 30)
    terminal.read_until(r"Container \S+-[ab]-\d Stopping \(killed after 5m0s\)", 30)
    terminal.write("\x03")
    assert terminal.wait(30) == 130
    assert {row["State"] for row in project.ps()} == {"exited"}
    assert "\033[1A" not in terminal.output, "nothing is drawn over the logs"
