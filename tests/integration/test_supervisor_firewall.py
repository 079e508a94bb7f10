# SPDX-License-Identifier: GPL-2.0-or-later
"""A host without packet rules: published ports work by proxies."""
SERVER = {"image": "busybox", "init": True,
          "command": ["sh", "-c", "mkdir /w; echo hello > /w/index.html; httpd -f -p 80 -h /w"]}


def test_ports_without_a_firewall(berth):
    berth.env["BERTH_FIREWALL"] = "none"
    project = berth.project({"compose.yaml": {"services": {
        "web": {**SERVER, "ports": ["8080:80"]}}}})
    project.run("up", "-d")
    for url in ("http://127.0.0.1:8080/", "http://[::1]:8080/"):
        berth.wait_until(lambda: berth.get(url, check=False).stdout == "hello\n", 3, url)
    assert "DNAT" not in berth.netns(["iptables-legacy-save"]).stdout
    for pid in project.supervisor_pids():
        berth.kill(pid)
    berth.wait_until(lambda: berth.get("http://127.0.0.1:8080/", check=False).stdout == "hello\n")
