# SPDX-License-Identifier: GPL-2.0-or-later
"""The sandbox itself: what every other test relies on to notice that something is left."""

import os
import signal
import subprocess

import pytest

LEFT = {
    "process": ("(sleep 98765 >/dev/null 2>&1 & echo $! >/run/left)", "kill $(cat /run/left)"),
    "mount": ("mkdir /run/m; mount -t tmpfs t /run/m", "umount /run/m"),
    "link": ("ip link add left0 type bridge", "ip link del left0"),
    "rule: iptables": ("iptables-legacy -A INPUT -p tcp --dport 9 -j DROP",
                       "iptables-legacy -D INPUT -p tcp --dport 9 -j DROP"),
    "rule: nft": ("nft add table ip berth", "nft delete table ip berth"),
    "file": ("touch $BERTH_RUNTIME_DIR/left.sock", "rm $BERTH_RUNTIME_DIR/left.sock"),
}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_left_is_noticed(berth, kind):
    leave, remove = LEFT[kind]
    assert berth.leftovers() == []
    berth.command(["sh", "-c", leave])
    assert [line for line in berth.leftovers() if line.startswith(kind)]
    berth.command(["sh", "-c", remove])
    berth.wait_until(lambda: not berth.leftovers(), 5)


def test_cgroups_are_noticed(berth):
    project = berth.project({})
    hierarchy = next(path for path in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")
                     if os.access(path, os.W_OK))
    made = not os.path.isdir(f"{hierarchy}/berth")
    os.makedirs(f"{hierarchy}/berth/{project.name}/id")
    assert [line for line in berth.leftovers() if line.startswith("cgroup")]
    os.rmdir(f"{hierarchy}/berth/{project.name}/id")
    os.rmdir(f"{hierarchy}/berth/{project.name}")
    if made:
        try:
            os.rmdir(f"{hierarchy}/berth")
        except OSError:
            pass  # another test's by now


def test_commands_start_in_the_project(berth):
    project = berth.project({"a/b.txt": "text"})
    assert berth.command(["cat", "a/b.txt"]).stdout == "text"
    assert berth.command(["pwd"]).stdout.strip() == project.path


def test_signals_reach_the_program(berth):
    process = berth.popen_command(
        ["sh", "-c", "trap 'exit 7' INT; echo ready; while :; do sleep 0.02; done"],
        stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 7


def test_the_outside_host_reaches_in(berth):
    outside = berth.outside_host()
    berth.popen_command(["python3", "-m", "http.server", "8000", "--bind", "::"],
                        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for host in (outside.host_address, f"[{outside.host_address6}]"):
        berth.wait_until(lambda: outside.run(["curl", "-gsf", f"http://{host}:8000/"],
                                             check=False).returncode == 0, 10, host)
