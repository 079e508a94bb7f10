# SPDX-License-Identifier: GPL-2.0-or-later
"""macvlan and ipvlan, driver_opts of bridges, and what a service says of its own endpoint."""
import json

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def has_driver(berth, kind):
    made = berth.netns(["sh", "-c", f"ip link add probe0 type veth peer name probe1 && "
                                    f"ip link add link probe0 name probe2 type {kind}; r=$?; "
                                    "ip link del probe0; exit $r"], check=False)
    if made.returncode:
        pytest.skip(f"this kernel has no {kind}")


def link(project, service, name):
    shown = project.exec(service, "ip", "-o", "link", "show", name)
    return shown.stdout


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_child_of_an_interface(berth, kind):
    """The container stands in the network of the host's interface, and reaches who is there."""
    has_driver(berth, kind)
    berth.netns(["sh", "-c",
                 "ip netns add lan 2>/dev/null; ip link add lan0 type veth peer name lan1 && "
                 "ip link set lan0 up && ip addr add 198.51.100.9/24 dev lan0"])
    berth.netns(["ip", "link", "set", "lan1", "netns", "lan"])
    berth.netns(["sh", "-c", "ip -n lan addr add 198.51.100.1/24 dev lan1; "
                             "ip -n lan link set lan1 up"])
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "networks": {"lan": {
            "ipv4_address": "198.51.100.20", "mac_address": "02:42:00:00:00:20"}}},
            "b": {**SLEEP, "networks": ["lan"]}},
        "networks": {"lan": {"driver": kind, "driver_opts": {"parent": "lan0"}, "ipam": {
            "config": [{"subnet": "198.51.100.0/24", "gateway": "198.51.100.1",
                        "ip_range": "198.51.100.16/28"}]}}}}})
    project.run("up", "-d")
    shown = project.exec("a", "ip", "addr", "show", "eth0").stdout
    assert "198.51.100.20/24" in shown
    if kind == "macvlan":
        assert "02:42:00:00:00:20" in shown
    assert "via 198.51.100.1" in project.exec("a", "ip", "route").stdout
    project.exec("a", "ping", "-c", "1", "-w", "10", "198.51.100.1")
    project.exec("a", "ping", "-c", "1", "-w", "10", "b")
    project.run("down", "-t", "0")
    assert "lan0" in berth.netns(["ip", "-br", "link"]).stdout
    berth.netns(["sh", "-c", "ip link del lan0; ip netns del lan"])


def test_macvlan_without_a_parent(berth):
    """Among themselves."""
    has_driver(berth, "macvlan")
    project = berth.project({"compose.yaml": {
        "services": {"a": SLEEP, "b": SLEEP},
        "networks": {"default": {"driver": "macvlan"}}}})
    project.run("up", "-d")
    project.exec("a", "ping", "-c", "1", "-w", "10", "b")
    assert "default" not in project.exec("a", "ip", "route").stdout


def test_bad_options(berth):
    for options, message in (
            ({"parent": "nowhere7"}, "its parent interface nowhere7 is not there"),
            ({"parent": "lo", "macvlan_mode": "tree"}, "'tree' is none of bridge, vepa, private"),
            ({"colour": "red"}, "driver macvlan knows no 'colour'")):
        project = berth.project({"compose.yaml": {
            "services": {"a": SLEEP},
            "networks": {"default": {"driver": "macvlan", "driver_opts": options}}}})
        up = project.run("up", "-d", check=False)
        assert up.returncode == 1 and message in up.stderr, up.stderr
        project.run("down")


BRIDGE = "com.docker.network.bridge."


def test_bridge_options(berth):
    project = berth.project({"compose.yaml": {
        "services": {
            "a": {**SLEEP, "ports": ["8080:80"], "networks": {"front": {
                "interface_name": "front9", "link_local_ips": ["169.254.7.7"],
                "driver_opts": {"com.docker.network.endpoint.sysctls":
                                "net.ipv4.conf.IFNAME.log_martians=1,"
                                "net.ipv4.conf.IFNAME.forwarding=0"}}}},
            "b": {**SLEEP, "networks": {"front": {
                "driver_opts": {"com.docker.network.endpoint.ifname": "other0"}}}},
            "c": {**SLEEP, "networks": ["six"]}},
        "networks": {
            "front": {"driver_opts": {
                f"{BRIDGE}name": "br-front", f"{BRIDGE}enable_icc": "false",
                f"{BRIDGE}host_binding_ipv4": "127.0.0.1",
                f"{BRIDGE}trusted_host_interfaces": "lo:eth7",
                "com.docker.network.driver.mtu": "1400",
                "com.docker.network.container_iface_prefix": "net"}},
            "six": {"enable_ipv4": False, "enable_ipv6": True, "attachable": True}}}})
    project.run("up", "-d")
    assert "mtu 1400" in link(project, "a", "front9")
    assert "169.254.7.7/16" in project.exec("a", "ip", "addr", "show", "front9").stdout
    assert link(project, "b", "other0")
    knob = "/proc/sys/net/ipv4/conf/front9/"
    assert project.exec("a", "cat", f"{knob}log_martians", f"{knob}forwarding").stdout == "1\n0\n"
    assert project.exec("a", "ping", "-c", "1", "-w", "2", "b", check=False).returncode != 0
    assert project.run("port", "a", "80").stdout == "127.0.0.1:8080\n"
    rules = "".join(berth.netns(argv, check=False).stdout for argv in (
        ["iptables-legacy", "-t", "raw", "-S"], ["nft", "list", "ruleset"]))
    assert "eth7" in rules
    bridge = json.loads(berth.netns(["ip", "-j", "link", "show", "br-front"]).stdout)
    assert bridge[0]["mtu"] == 1400
    addresses = project.exec("c", "ip", "addr", "show", "eth0").stdout
    assert "inet6 fd" in addresses and "inet " not in addresses


def test_two_networks(berth):
    """priority is the order of connecting, gw_priority who gives the default route."""
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "networks": {"one": {"priority": 1}, "two": {"priority": 9},
                                                 "three": {"gw_priority": 5}}}},
        "networks": {"one": {}, "two": {}, "three": {}}}})
    project.run("up", "-d")
    route = project.exec("a", "ip", "route", "show", "default").stdout
    assert "dev eth1" in route or "dev eth2" in route
    first = project.exec("a", "ip", "-4", "-o", "addr", "show", "eth0").stdout
    network = json.loads(berth.command(["cat", f"{berth.root}/networks/{project.name}_two/"
                                               "network.json"]).stdout)
    prefix = network["ipam"][0]["subnet"].rsplit(".", 1)[0]
    assert prefix in first
    third = json.loads(berth.command(["cat", f"{berth.root}/networks/{project.name}_three/"
                                             "network.json"]).stdout)
    assert third["ipam"][0]["gateway"] in route
