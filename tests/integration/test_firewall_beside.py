# SPDX-License-Identifier: GPL-2.0-or-later
"""Another firewall that starts, or clears all rules, while containers run: they stay reachable, and
reach out."""

import re
import time

DROPPING = """
table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }
table ip6 filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }
"""


def up(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "init": True, "ports": ["8080:80"],
        "command": ["nc", "-ll", "-p", "80", "-e", "hostname"], "hostname": "inside"}}}})
    project.run("up", "-d", env={"BERTH_FIREWALL": "nftables"})
    return project, berth.outside_host()


def reached(berth, outside):
    done = outside.run(["sh", "-c", f"echo | timeout 2 busybox nc -w 1 {outside.host_address} 8080"],
                       check=False)
    return done.stdout.strip() == "inside"


def reaches_out(project, outside):
    return project.exec("a", "ping", "-c", "1", "-W", "1", outside.address,
                        check=False).returncode == 0


def both(berth, project, outside):
    berth.wait_until(lambda: reached(berth, outside), 10, "it is reached")
    berth.wait_until(lambda: reaches_out(project, outside), 10, "it reaches out")


def test_policy_made_later(berth):
    project, outside = up(berth)
    both(berth, project, outside)
    berth.command(["nft", "-f", "-"], input=DROPPING)
    both(berth, project, outside)
    # Made anew by its own: what stood in it is gone.
    berth.command(["nft", "flush", "chain", "ip", "filter", "FORWARD"])
    both(berth, project, outside)
    berth.command(["nft", "-f", "-"], input="delete table ip filter\n" + DROPPING)
    both(berth, project, outside)
    project.run("down", "-t", "0")
    left = berth.command(["nft", "list", "ruleset"]).stdout
    assert "berth" not in left, left
    berth.command(["nft", "flush", "ruleset"])


def test_all_rules_cleared(berth):
    project, outside = up(berth)
    berth.command(["nft", "flush", "ruleset"])
    both(berth, project, outside)
    # Also by a supervisor that was not there when they were made.
    for pid in project.supervisor_pids():
        berth.kill(pid)
    project.run("ps")
    berth.command(["nft", "flush", "ruleset"])
    both(berth, project, outside)


def wake_ups(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.M).group(1))


def test_a_busy_firewall_wakes_nobody_for_each_change(berth):
    project, _ = up(berth)
    [supervisor] = project.supervisor_pids()
    changes = "".join(f"add element inet other s {{ 10.0.0.{i} }}\n" for i in range(250))
    before = wake_ups(supervisor)
    begin = time.monotonic()
    berth.command(["nft", "-i"], input="add table inet other\n"
                  "add set inet other s { type ipv4_addr; }\n" + changes + "quit\n")
    seconds = time.monotonic() - begin
    # Each of them is a transaction of its own; two wake-ups for each fifth of a second.
    assert wake_ups(supervisor) - before < 30 + 10 * seconds
    berth.command(["nft", "delete", "table", "inet", "other"])
