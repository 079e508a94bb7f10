# SPDX-License-Identifier: GPL-2.0-or-later
"""What an older berth, or a dead container, left among the rules is replaced."""
import re
import subprocess

OLD_TABLE = """
table inet berth {
  chain user { comment "yours: berth never writes here"; }
  chain established { }
  chain ports { meta nfproto ipv4 oifname "br-old" tcp dport 80 accept comment "container:dead"; }
  chain published { meta nfproto ipv4 tcp dport 7 dnat ip to 10.9.9.9:80 comment "container:dead"; }
  chain guard { type filter hook prerouting priority raw; iifname lo return comment "berth"; }
  chain forward { type filter hook forward priority filter;
    jump user comment "berth"; jump established comment "berth"; jump ports comment "berth"; }
  chain prerouting { type nat hook prerouting priority dstnat;
    fib daddr type local jump published comment "berth"; }
  chain output { type nat hook output priority -100;
    fib daddr type local jump published comment "berth"; }
}
"""


def rules(berth):
    return berth.command(["nft", "list", "ruleset"]).stdout


def serve(berth, service="s", port=8080, firewall="nftables"):
    project = berth.project({"compose.yaml": {"services": {service: {
        "image": "busybox", "init": True, "hostname": service, "ports": [f"{port}:80"],
        "command": ["nc", "-ll", "-p", "80", "-e", "hostname"]}}}})
    project.run("up", "-d", env={"BERTH_FIREWALL": firewall})
    return project


def answer(berth, host, port):
    return berth.command(["sh", "-c", f"echo | busybox nc -w 2 {host} {port}"],
                         check=False).stdout.strip()


def attach(berth, bridge, port):
    berth.command(["ip", "link", "add", bridge, "type", "bridge"])
    berth.command(["ip", "link", "add", port, "type", "veth", "peer", f"{port}-far"])
    berth.command(["ip", "link", "set", port, "master", bridge])


def test_base_of_an_older_berth_is_replaced(berth):
    attach(berth, "br-old", "v-old")
    berth.command(["nft", "-f", "-"], input=OLD_TABLE)
    project = serve(berth)
    berth.wait_until(lambda: answer(berth, "127.0.0.1", 8080) == "s", 30)
    shown = rules(berth)
    for chain in ("user", "established", "ports", "deny", "leave"):
        assert shown.count(f"jump {chain} ") == 1, shown
    assert shown.count("jump published ") == 2, shown
    project.run("down", "-t", "0")
    assert "container:dead" in rules(berth)  # still somebody's: only its owner takes it away
    berth.command(["nft", "delete", "table", "inet", "berth"])
    berth.command(["sh", "-c", "ip link del v-old; ip link del br-old"])


def test_rules_of_an_older_berth_go_with_their_container(berth):
    """Its supervisor was replaced while the container ran on."""
    project = serve(berth)
    owner = "container:" + rules(berth).split('comment "container:')[1].split('"')[0]
    berth.command(["nft", "delete", "table", "inet", "berth"])
    berth.command(["nft", "-f", "-"], input=OLD_TABLE.replace("container:dead", owner))
    project.run("down", "-t", "0")
    assert "table inet berth" not in rules(berth)


def test_element_of_a_dead_owner_is_taken_over(berth):
    first = serve(berth, "first", 8081)
    berth.command(["nft", "add", "element", "inet", "berth", "published4",
                   '{ tcp . 8080 comment "container:dead" : 10.9.9.9 . 80 }'])
    second = serve(berth, "second")
    berth.wait_until(lambda: answer(berth, "127.0.0.1", 8080) == "second", 30)
    assert "container:dead" not in rules(berth)
    assert answer(berth, "127.0.0.1", 8081) == "first"
    second.run("down", "-t", "0")
    first.run("down", "-t", "0")
    assert "table inet berth" not in rules(berth)


def element(name, port, bridge, owner="container:%s"):
    """What a container published: its way in, and where it leads."""
    owner %= name
    return (f'add element inet berth published4 {{ tcp . {port} comment "{owner}" : 10.9.9.9 . 80 }}\n'
            f'add element inet berth ports4 {{ "{bridge}" . 10.9.9.9 . tcp . {port} comment "{owner}" }}\n')


def test_what_the_dead_left_is_swept(berth):
    """By the next network that comes or goes: what leads to a bridge that is gone, or empty."""
    first = serve(berth, "first", 8081)
    attach(berth, "br-live", "v-live")
    berth.command(["ip", "link", "add", "br-empty", "type", "bridge"])
    berth.popen_command(["busybox", "nc", "-ll", "-p", "9004"], stdin=subprocess.DEVNULL)
    berth.command(["nft", "-f", "-"], input=element("gone", 9001, "br-gone")
                  + element("empty", 9002, "br-empty") + element("live", 9003, "br-live")
                  + element("held", 9004, "br-empty") + '''
        add rule inet berth deny oifname "br-gone" drop comment "network:gone"
        add rule inet berth deny oifname "br-empty" drop comment "network:empty"
        add rule inet berth user oifname "br-gone" drop comment "mine"''')
    berth.wait_until(lambda: berth.command(["sh", "-c", "grep -q :232C /proc/net/tcp*"],
                                           check=False).returncode == 0, 30)
    second = serve(berth, "second")
    shown = rules(berth)
    for name in ("container:gone", "container:empty", "network:gone"):
        assert name not in shown, shown
    for name in ("container:live", "container:held", "network:empty", "mine"):
        assert name in shown, shown
    assert answer(berth, "127.0.0.1", 8081) == "first"
    for pid in berth.pids_of("nc", "9004"):
        berth.kill(pid)
    second.run("down", "-t", "0")
    assert "container:held" not in rules(berth)
    first.run("down", "-t", "0")
    berth.command(["nft", "delete", "table", "inet", "berth"])
    berth.command(["sh", "-c", "for i in v-live br-live br-empty; do ip link del $i; done"])


def publish_by_iptables(berth, name, port, bridge):
    comment = ["-m", "comment", "--comment", f"container:{name}"]
    berth.command(["iptables-legacy", "-t", "nat", "-A", "BERTH-DNAT", "-p", "tcp", "--dport",
                   str(port), *comment, "-j", "DNAT", "--to-destination", "10.9.9.9:80"])
    berth.command(["iptables-legacy", "-A", "BERTH-PORTS", "-o", bridge, "-d", "10.9.9.9", "-p",
                   "tcp", "--dport", "80", *comment, "-j", "ACCEPT"])


def iptables_rules(berth):
    return berth.command(["sh", "-c", "iptables-legacy-save; ip6tables-legacy-save"]).stdout


def test_what_the_dead_left_in_iptables_is_swept(berth):
    first = serve(berth, "first", 8081, "iptables")
    attach(berth, "br-live", "v-live")
    berth.command(["ip", "link", "add", "br-empty", "type", "bridge"])
    berth.popen_command(["busybox", "nc", "-ll", "-p", "9004"], stdin=subprocess.DEVNULL)
    for name, port, bridge in (("gone", 9001, "br-gone"), ("empty", 9002, "br-empty"),
                               ("live", 9003, "br-live"), ("held", 9004, "br-empty")):
        publish_by_iptables(berth, name, port, bridge)
    for name in ("gone", "empty"):
        for tool in ("iptables-legacy", "ip6tables-legacy"):
            berth.command([tool, "-A", "BERTH-DENY", "-o", f"br-{name}", "-m", "comment",
                           "--comment", f"network:{name}", "-j", "DROP"], check=False)
    berth.wait_until(lambda: berth.command(["sh", "-c", "grep -q :232C /proc/net/tcp*"],
                                           check=False).returncode == 0, 30)
    second = serve(berth, "second", firewall="iptables")
    shown = iptables_rules(berth)
    for name in ("container:gone", "container:empty", "network:gone"):
        assert name not in shown, shown
    for name in ("container:live", "container:held", "network:empty"):
        assert name in shown, shown
    assert answer(berth, "127.0.0.1", 8081) == "first"
    for pid in berth.pids_of("nc", "9004"):
        berth.kill(pid)
    second.run("down", "-t", "0")
    assert "container:held" not in iptables_rules(berth)
    berth.command(["sh", "-c", "for i in v-live br-live br-empty; do ip link del $i; done"])
    third = serve(berth, "third", firewall="iptables")
    third.run("down", "-t", "0")
    first.run("down", "-t", "0")
    assert "BERTH" not in iptables_rules(berth)


def test_a_killed_project_leaves_no_rules_for_ever(berth):
    """Keeper and supervisor are killed, the folder thrown away: the next berth cleans up."""
    killed = serve(berth, "killed", 8082, "iptables")
    for pid in killed.keeper_pids() + killed.supervisor_pids():
        berth.kill(pid)
    for pid in berth.pids_of("nc", "80"):
        berth.kill(pid)
    bridge = re.search(r"-o (br-\w+)", iptables_rules(berth)).group(1)
    berth.command(["sh", "-c", f"rm -r {berth.root}/projects/{killed.name} "
                   f"{berth.root}/networks/{killed.name}_default; ip link del {bridge}"])
    assert bridge in iptables_rules(berth)
    other = serve(berth, "other", firewall="iptables")
    assert bridge not in iptables_rules(berth)
    other.run("down", "-t", "0")
    assert "BERTH" not in iptables_rules(berth)
