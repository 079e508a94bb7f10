# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket that listens as systemd does to its services: sd_notify(3)."""

import os
import socket
import threading
import time


class NotifySocket:
    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.lines = []
        self.more = threading.Condition()
        # Read at once: sd_notify_barrier(3) waits for that.
        threading.Thread(target=self._receive, daemon=True).start()

    def env(self, **more):
        return {"NOTIFY_SOCKET": self.path, **more}

    def _receive(self):
        while True:
            try:
                lines = self.socket.recv(65536).decode().split("\n")
            except OSError:
                return
            with self.more:
                self.lines += lines
                self.more.notify_all()

    def read(self):
        """All lines so far."""
        with self.more:
            return list(self.lines)

    def wait(self, wanted, deadline=20.0, after=0):
        """Waits for a line that begins so; gives its index. @after: only those from there on."""
        end = time.monotonic() + deadline
        with self.more:
            while True:
                for index in range(after, len(self.lines)):
                    if self.lines[index].startswith(wanted):
                        return index
                if not self.more.wait(max(0, end - time.monotonic())):
                    raise AssertionError(
                        f"systemd was not told {wanted!r} but {self.lines[after:]}")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
