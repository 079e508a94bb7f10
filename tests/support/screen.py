# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees: a terminal (pyte's model of one) on which a program of a test writes."""
import re
import termios
import time

import pyte


class Screen:
    """@terminal: of sandbox.Sandbox.pty(). Lines that scrolled off are kept as well."""

    def __init__(self, terminal, rows=24, columns=80):
        self.terminal = terminal
        self.model = pyte.HistoryScreen(columns, rows, history=10000)
        self.stream = pyte.Stream(self.model)

    def resize(self, rows, columns):
        self.terminal.resize(rows, columns)
        self.model.resize(rows, columns)

    def _feed(self):
        self.stream.feed(self.terminal.output)
        self.terminal.output = ""

    def lines(self):
        gone = ["".join(line[x].data for x in range(self.model.columns))
                for line in self.model.history.top]
        return [line.rstrip() for line in gone + self.model.display]

    def text(self):
        return "\n".join(self.lines()).rstrip()

    def shown(self):
        """What is on the screen now."""
        return "\n".join(line.rstrip() for line in self.model.display).rstrip()

    def until(self, wanted, deadline=20.0, shown=False):
        """Reads on until the text (a regular expression), or what @wanted says of all the text,
        is there; gives all that is to be seen. @shown: that did not scroll off."""
        end = time.monotonic() + deadline
        while True:
            self._feed()
            text = self.shown() if shown else self.text()
            if wanted(text) if callable(wanted) else re.search(wanted, text, re.M):
                return text
            open_still = self.terminal._read(0.1) or self.terminal.output
            assert open_still and time.monotonic() < end, f"no {wanted!r} on the screen:\n{text}"

    def wait(self, deadline=20.0):
        """To the program's end; gives its exit code."""
        code = self.terminal.wait(deadline)
        self._feed()
        return code

    @property
    def cursor_is_shown(self):
        return not self.model.cursor.hidden

    @property
    def is_cooked(self):
        """Lines are edited and echoed, as a shell expects to find its terminal."""
        flags = termios.tcgetattr(self.terminal.master)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)
