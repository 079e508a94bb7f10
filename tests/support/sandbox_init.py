# SPDX-License-Identifier: GPL-2.0-or-later
"""Process 1 of a sandbox: prepares its namespaces, then reaps until the test lets go of it.

Started by `unshare --fork --pid --mount --net --ipc --uts`. It ends when its standard input
closes, and with it ends every process of the pid namespace: so nothing outlives the test run,
even one that is killed.
"""

import os
import signal
import subprocess
import sys


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def prepare():
    mount("-t", "proc", "proc", "/proc")
    # Sockets, locks and leases of the machine's own services are out of reach in here.
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    os.makedirs("/run/lock", exist_ok=True)
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/dev/shm")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # A bridge's ports take seconds to learn that no router is there, unless told so.
    for knob in ("default", "all"):
        try:
            with open(f"/proc/sys/net/ipv6/conf/{knob}/accept_dad", "w") as file:
                file.write("0")
        except OSError:
            pass


def main():
    prepare()
    # The kernel reaps for us: a zombie that is left is one that somebody else forgot.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    sys.exit(main())
