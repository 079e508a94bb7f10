# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket that takes entries as the journal does: systemd's JOURNAL_NATIVE_PROTOCOL."""

import os
import socket
import struct
import threading
import time


def parse(data):
    """One entry as {NAME: value}."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = struct.unpack("<Q", rest[:8])[0]
            value, rest = rest[8:8 + size], rest[9 + size:]
        fields[name.decode()] = value.decode(errors="replace")
        data = rest
    return fields


class JournalSocket:
    """Bound where the sandbox will have /run/systemd/journal."""

    def __init__(self, sandbox):
        folder = os.path.join(sandbox.base, "journal")
        os.mkdir(folder)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(folder, "socket"))
        sandbox.command(["mkdir", "-p", "/run/systemd/journal"])
        sandbox.command(["mount", "--bind", folder, "/run/systemd/journal"])
        sandbox.ignore_leftover(r"^mount: /run/systemd/journal$")
        self.entries, self.more = [], threading.Condition()
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except OSError:
                return
            if not data:
                return
            with self.more:
                self.entries.append(parse(data))
                self.more.notify_all()

    def wait(self, deadline=10.0, **wanted):
        """The first entry that has these fields."""
        end = time.monotonic() + deadline
        with self.more:
            while True:
                for entry in self.entries:
                    if all(entry.get(name) == value for name, value in wanted.items()):
                        return entry
                if not self.more.wait(max(0, end - time.monotonic())):
                    raise AssertionError(f"no entry {wanted} but {self.entries}")

    def of(self, **wanted):
        with self.more:
            return [entry for entry in self.entries
                    if all(entry.get(name) == value for name, value in wanted.items())]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
