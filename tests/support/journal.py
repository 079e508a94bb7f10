# SPDX-License-Identifier: GPL-2.0-or-later
"""systemd's journal without systemd: its daemon, in the sandbox."""

import json
import time

DAEMON = "/lib/systemd/systemd-journald"

# With its stdout and stderr leading there, as systemd starts services (systemd.exec(5)).
SERVICE = """
import os, socket, sys
stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
stream.connect("/run/systemd/journal/stdout")
stream.sendall(b"unit\\n\\n6\\n1\\n0\\n0\\n0\\n")
status = os.fstat(stream.fileno())
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
os.dup2(stream.fileno(), 1)
os.dup2(stream.fileno(), 2)
os.execv(sys.argv[1], sys.argv[1:])
"""


def text_of(value):
    """journalctl shows what has control characters in it as a list of bytes."""
    return bytes(value).decode(errors="replace") if isinstance(value, list) else value


class Journal:
    def __init__(self, sandbox):
        self.sandbox = sandbox
        sandbox.command(["mkdir", "-p", "/run/systemd/journal", "/run/log/journal"])
        for path in ("/var/log", "/etc/systemd"):
            sandbox.command(["mount", "-t", "tmpfs", "tmpfs", path])
            sandbox.ignore_leftover(f"^mount: {path}$")
        conf = "[Journal]\nStorage=volatile\nReadKMsg=no\nRateLimitIntervalSec=0\n"
        sandbox.command(["tee", "/etc/systemd/journald.conf"], input=conf)
        self.start()

    def start(self):
        self.daemon = self.sandbox.popen_command([DAEMON])
        self.sandbox.wait_until(lambda: self.sandbox.command(
            ["test", "-S", "/run/systemd/journal/io.systemd.journal"], check=False).returncode == 0)

    def entries(self, **wanted):
        """All that have these fields."""
        matches = [f"{name}={value}" for name, value in wanted.items()]
        done = self.sandbox.command(["journalctl", "--no-pager", "-q", "-a", "-o", "json", *matches],
                                    check=False)
        return [{name: text_of(value) for name, value in json.loads(line).items()}
                for line in done.stdout.splitlines()]

    def wait(self, deadline=10.0, **wanted):
        """The first entry that has these fields."""
        end = time.monotonic() + deadline
        while True:
            found = self.entries(**wanted)
            if found:
                return found[0]
            if time.monotonic() > end:
                others = [(entry.get("MESSAGE_ID"), entry.get("PRIORITY"), entry.get("MESSAGE"))
                          for entry in self.entries()]
                raise AssertionError(f"no entry {wanted} but {others}")
            time.sleep(0.05)

    def service(self, *argv, **options):
        """Runs a program as a unit does."""
        return self.sandbox.popen_command(["/usr/bin/python3", "-c", SERVICE, *argv], **options)

    def close(self):
        inner = self.daemon.inner_pid()
        if inner:
            self.sandbox.kill(inner)
        self.daemon.wait(10)
