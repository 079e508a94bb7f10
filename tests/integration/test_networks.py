# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, names, published ports; with iptables and with nftables."""
import ipaddress
import json
import os
import subprocess

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def server(port=80, **more):
    """Answers each connection with its own host name."""
    return {"image": "busybox", "init": True,
            "command": ["nc", "-ll", "-p", str(port), "-e", "hostname"], **more}


def up(berth, services, wait=True, env=None, **top):
    project = berth.project({"compose.yaml": {"services": services, **top}})
    project.run("up", "-d", env=env)
    return project


def ask(run, host, port, **options):
    return run(["sh", "-c", f"echo | busybox nc -w 2 {host} {port}"], **options)


def until_answered(berth, run, host, port):
    return berth.wait_until(lambda: ask(run, host, port, check=False).stdout.strip(), 5,
                            f"{host} port {port} answers")


@pytest.fixture(params=["iptables", "nftables"])
def firewall(request):
    return {"BERTH_FIREWALL": request.param}


def test_names_resolve(berth):
    project = up(berth, {"a": SLEEP, "b": {**SLEEP, "networks": {"default": {
        "aliases": ["other", "third"]}}}})
    for name in ("b", "other", "third", f"{project.name}-b-1"):
        found = project.exec("a", "nslookup", "-type=a", name).stdout
        assert "127.0.0.11" in found and f"Name:\t{name}" in found, name
    assert project.exec("a", "ping", "-c", "1", "-W", "2", "b").returncode == 0


def test_round_robin_over_replicas(berth):
    project = up(berth, {"a": SLEEP, "b": {**SLEEP, "deploy": {"replicas": 3}}})
    found = project.exec("a", "nslookup", "-type=a", "b").stdout
    assert found.count("Name:\tb") == 3
    firsts = {project.exec("a", "nslookup", "-type=a", "b").stdout.split("Name:\tb")[1].split()[1]
              for _ in range(8)}
    assert len(firsts) > 1


def test_reverse_lookup(berth):
    project = up(berth, {"a": SLEEP, "b": SLEEP})
    address = project.exec("b", "hostname", "-i").stdout.split()[0]
    found = project.exec("a", "nslookup", address).stdout
    assert f"{project.name}-b-1" in found


def test_name_is_gone_when_stopped(berth):
    project = up(berth, {"a": SLEEP, "b": SLEEP})
    project.run("stop", "-t", "0", "b")
    assert project.exec("a", "nslookup", "-type=a", "b", check=False).returncode != 0
    project.run("start", "b")
    assert project.exec("a", "nslookup", "-type=a", "b").returncode == 0


def test_port_53_stays_free(berth):
    project = up(berth, {"a": {"image": "busybox", "init": True,
                               "command": ["sh", "-c", "nc -ll -p 53 -e echo mine & sleep 1000"]},
                         "b": SLEEP})
    assert berth.wait_until(lambda: project.exec(
        "b", "sh", "-c", "echo | nc -w 1 a 53", check=False).stdout == "mine\n", 5)
    assert project.exec("a", "nslookup", "-type=a", "b").returncode == 0


def test_isolation_between_projects(berth, firewall):
    a = up(berth, {"s": server()}, env=firewall)
    b = up(berth, {"c": SLEEP}, env=firewall)
    address = a.exec("s", "hostname", "-i").stdout.split()[0]
    until_answered(berth, berth.command, address, 80)
    refused = b.exec("c", "sh", "-c", f"echo | nc -w 1 {address} 80", check=False)
    assert refused.stdout == ""


def test_internal_network(berth, firewall):
    outside = berth.outside_host()
    project = up(berth, {
        "in": {**SLEEP, "networks": ["back"]}, "out": {**SLEEP, "networks": ["front"]},
        "both": server(networks=["front", "back"])}, env=firewall,
        networks={"front": {}, "back": {"internal": True}})
    ping = ["ping", "-c", "1", "-W", "1"]
    assert project.exec("out", *ping, outside.address).returncode == 0
    assert project.exec("in", *ping, outside.address, check=False).returncode != 0
    assert project.exec("in", *ping, "both").returncode == 0


def test_published_port_from_everywhere(berth, firewall):
    outside = berth.outside_host()
    project = up(berth, {"s": server(ports=["8080:80"], hostname="srv"), "c": SLEEP}, env=firewall)
    for host in ("127.0.0.1", "::1", outside.host_address):
        assert until_answered(berth, berth.command, host, 8080) == "srv", host
    assert until_answered(berth, outside.run, outside.host_address, 8080) == "srv"
    assert until_answered(berth, outside.run, outside.host_address6, 8080) == "srv"
    # Hairpin: from a container by the host's own address, and the server to itself.
    for service in ("c", "s"):
        got = project.exec(service, "sh", "-c", f"echo | nc -w 2 {outside.host_address} 8080")
        assert got.stdout == "srv\n", service
    assert project.run("port", "s", "80").stdout == "0.0.0.0:8080\n"


def test_clients_address_is_kept(berth, firewall):
    outside = berth.outside_host()
    berth.python_image(files={"/who.py": (
        "import socket\ns = socket.create_server(('', 80))\n"
        "while True:\n c, a = s.accept()\n c.sendall(a[0].encode() + b'\\n')\n c.close()\n")})
    up(berth, {"s": {"image": "python", "command": ["python3", "/who.py"], "ports": ["8080:80"],
                     "init": True}}, env=firewall)
    got = until_answered(berth, outside.run, outside.host_address, 8080)
    assert got.replace("::ffff:", "") == outside.address


def test_one_address_only(berth, firewall):
    outside = berth.outside_host()
    up(berth, {"s": server(ports=["127.0.0.1:8080:80"], hostname="srv")}, env=firewall)
    assert until_answered(berth, berth.command, "127.0.0.1", 8080) == "srv"
    assert ask(outside.run, outside.host_address, 8080, check=False).stdout == ""
    assert ask(berth.command, outside.host_address, 8080, check=False).stdout == ""


def test_udp_and_ranges(berth, firewall):
    outside = berth.outside_host()
    berth.python_image(files={"/udp.py": (
        "import socket, sys\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "s.bind(('::', int(sys.argv[1])))\n"
        "while True:\n d, a = s.recvfrom(100)\n s.sendto(d.upper(), a)\n"),
        "/ask.py": (
        "import socket, sys\n"
        "f = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
        "s = socket.socket(f, socket.SOCK_DGRAM)\ns.settimeout(1)\n"
        "s.sendto(b'hello', (sys.argv[1], int(sys.argv[2])))\nprint(s.recv(100).decode())\n")})
    ask_py = f"{berth.base}/ask.py"
    with open(ask_py, "w", encoding="utf-8") as file:
        file.write("import socket, sys\n"
                   "f = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
                   "s = socket.socket(f, socket.SOCK_DGRAM)\ns.settimeout(1)\n"
                   "s.sendto(b'hello', (sys.argv[1], int(sys.argv[2])))\n"
                   "print(s.recv(100).decode())\n")
    up(berth, {"s": {"image": "python", "command": ["python3", "/udp.py", "81"], "init": True,
                     "ports": ["9000-9001:80-81/udp"]}}, env=firewall)
    for run, host in ((berth.command, "127.0.0.1"), (berth.command, "::1"),
                      (outside.run, outside.host_address)):
        assert berth.wait_until(lambda: run(["python3", ask_py, host, "9001"],
                                            check=False).stdout == "HELLO\n", 5), host


def test_ephemeral_port_is_told(berth):
    project = up(berth, {"s": server(ports=["80"], hostname="srv")})
    [publisher] = [p for p in project.container("s")["Publishers"] if p["URL"] == "0.0.0.0"]
    assert publisher["TargetPort"] == 80
    assert until_answered(berth, berth.command, "127.0.0.1", publisher["PublishedPort"]) == "srv"


def test_a_taken_port_fails_before_anything_starts(berth):
    listener = berth.popen_command(["busybox", "nc", "-ll", "-p", "8080", "-e", "true"])
    berth.wait_until(lambda: ":1F90" in open(f"/proc/{berth.pid}/net/tcp6").read() +
                     open(f"/proc/{berth.pid}/net/tcp").read())
    project = berth.project({"compose.yaml": {"services": {
        "a": SLEEP, "s": {**server(ports=["8080:80"]), "depends_on": ["a"]}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "8080" in failed.stderr and "by busybox (pid " in failed.stderr
    assert all(row["State"] != "running" for row in project.ps())
    listener.kill()
    listener.wait()
    project.run("up", "-d")


def test_two_services_on_one_port(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": server(ports=["8080:80"]), "b": server(ports=["8080:80"])}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "8080" in failed.stderr


def test_restart_keeps_the_port(berth):
    project = up(berth, {"s": server(ports=["8080:80"], hostname="srv")})
    until_answered(berth, berth.command, "127.0.0.1", 8080)
    project.run("restart", "-t", "0")
    assert until_answered(berth, berth.command, "127.0.0.1", 8080) == "srv"


def test_fixed_addresses(berth):
    project = up(berth, {"a": {**SLEEP, "networks": {"n": {
        "ipv4_address": "10.77.5.9", "ipv6_address": "fd00:77::9"}}}},
        networks={"n": {"enable_ipv6": True, "ipam": {"config": [
            {"subnet": "10.77.5.0/24", "gateway": "10.77.5.254"}, {"subnet": "fd00:77::/64"}]}}})
    shown = project.exec("a", "ip", "addr").stdout
    assert "10.77.5.9/24" in shown and "fd00:77::9/64" in shown
    assert "via 10.77.5.254" in project.exec("a", "ip", "route").stdout


def test_modes(berth):
    project = up(berth, {
        "none": {**SLEEP, "network_mode": "none"}, "host": {**SLEEP, "network_mode": "host"},
        "base": server(), "shared": {**SLEEP, "network_mode": "service:base"}})
    assert project.exec("none", "ls", "/sys/class/net").stdout.split() == ["lo"]
    host_links = berth.command(["ls", "/sys/class/net"]).stdout
    assert project.exec("host", "ip", "-o", "link").stdout.count("\n") >= host_links.count("br-")
    assert berth.wait_until(lambda: project.exec(
        "shared", "sh", "-c", "echo | nc -w 1 127.0.0.1 80", check=False).stdout)


def test_external_network(berth):
    first = up(berth, {"s": {**SLEEP, "networks": ["n"]}}, networks={"n": {"name": "shared-net"}})
    second = berth.project({"compose.yaml": {
        "services": {"c": {**SLEEP, "networks": ["shared-net"]}},
        "networks": {"shared-net": {"external": True}}}})
    second.run("up", "-d")
    address = first.exec("s", "hostname", "-i").stdout.split()[0]
    assert second.exec("c", "ping", "-c", "1", "-W", "2", address).returncode == 0
    second.run("down", "-t", "0")
    assert first.exec("s", "ip", "link").returncode == 0


def test_missing_external_network(berth):
    project = berth.project({"compose.yaml": {
        "services": {"c": {**SLEEP, "networks": ["nope"]}},
        "networks": {"nope": {"external": True}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "network nope declared as external, but could not be found" in failed.stderr
    assert project.ps() == []


def test_files_of_the_network(berth):
    project = up(berth, {"a": {**SLEEP, "hostname": "alpha", "domainname": "example.test",
                               "extra_hosts": ["db.example:10.1.2.3", "gw=host-gateway"],
                               "dns_search": ["example.test"], "dns_opt": ["ndots:2"]}})
    hosts = project.exec("a", "cat", "/etc/hosts").stdout
    assert "10.1.2.3\tdb.example" in hosts and "alpha" in hosts and "\tgw" in hosts
    assert "127.0.0.1\tlocalhost" in hosts
    resolv = project.exec("a", "cat", "/etc/resolv.conf").stdout
    assert "nameserver 127.0.0.11" in resolv
    assert "search example.test" in resolv and "ndots:2" in resolv
    assert project.exec("a", "cat", "/etc/hostname").stdout == "alpha\n"


RESOLVER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
while True:
    q, a = s.recvfrom(512)
    end = q.index(b"\\0", 12) + 5
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\x0a\\x63\\0\\1"
    is_a = q[end - 4:end - 2] == b"\\0\\1"
    s.sendto(q[:2] + b"\\x81\\x80\\0\\1" + (b"\\0\\1" if is_a else b"\\0\\0") + b"\\0\\0\\0\\0"
             + q[12:end] + (answer if is_a else b""), a)
"""


def test_forwarding_to_the_hosts_resolver(berth):
    """A resolver of the test's own answers what berth does not know."""
    berth.command(["sh", "-c", f"""
        mount --bind /dev/null /etc/resolv.conf 2>/dev/null
        printf 'nameserver 127.0.0.53\\n' > {berth.base}/resolv
        mount --bind {berth.base}/resolv /etc/resolv.conf"""])
    with open(f"{berth.base}/dns.py", "w", encoding="utf-8") as file:
        file.write(RESOLVER)
    berth.popen_command(["python3", f"{berth.base}/dns.py"])
    berth.ignore_leftover("mount: /etc/resolv.conf")
    project = up(berth, {"a": SLEEP, "b": {**SLEEP, "network_mode": "bridge"}})
    for service in ("a", "b"):
        found = berth.wait_until(lambda: project.exec(
            service, "nslookup", "-type=a", "www.example.org", check=False).stdout, 5)
        assert "10.99.0.1" in found


RESOLVER_OF_MANY = """
import socket, struct
def answer(q, n, flags):
    end = q.index(b"\\0", 12) + 5
    return (q[:2] + flags + b"\\0\\1" + struct.pack("!H", n) + b"\\0\\0\\0\\0" + q[12:end]
            + b"".join(b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\x0a\\x63\\0" + bytes([i]) for i in range(n)))
t = socket.create_server(("127.0.0.53", 53))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.53", 53))
while True:
    q, a = u.recvfrom(512)
    u.sendto(answer(q, 0, b"\\x83\\x80"), a)  # truncated: ask by TCP
    if q[q.index(b"\\0", 12) + 1:][:2] == b"\\0\\1":
        c, _ = t.accept()
        q = c.recv(512)[2:]
        all = answer(q, 200, b"\\x81\\x80")
        c.sendall(struct.pack("!H", len(all)) + all)
"""


def test_answers_too_long_for_a_packet(berth):
    """Whoever asks again by TCP, as a resolver does, has all of it."""
    with open(f"{berth.base}/resolv", "w", encoding="utf-8") as file:
        file.write("nameserver 127.0.0.53\n")
    berth.command(["mount", "--bind", f"{berth.base}/resolv", "/etc/resolv.conf"])
    berth.ignore_leftover("mount: /etc/resolv.conf")
    with open(f"{berth.base}/dns.py", "w", encoding="utf-8") as file:
        file.write(RESOLVER_OF_MANY)
    berth.popen_command(["python3", f"{berth.base}/dns.py"])
    berth.wait_until(lambda: "3500007F:0035" in open(f"/proc/{berth.pid}/net/udp").read(), 10)
    berth.python_image()
    project = up(berth, {"a": {"image": "python", "command": ["sleep", "1000"], "init": True}})
    found = project.exec("a", "python3", "-c", "import socket; print(len(socket.getaddrinfo("
                         "'many.example', 80, socket.AF_INET, socket.SOCK_STREAM)))")
    assert found.stdout == "200\n"


ASK_BY_TCP = """
import socket, struct
s = socket.create_connection(("127.0.0.11", 53), 5)
query = b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\1b\\0\\0\\1\\0\\1"
s.sendall(struct.pack("!H", len(query)) + query)
size = struct.unpack("!H", s.recv(2, socket.MSG_WAITALL))[0]
print(socket.inet_ntoa(s.recv(size, socket.MSG_WAITALL)[-4:]))
"""


def test_names_by_tcp(berth):
    berth.python_image()
    project = up(berth, {"a": {"image": "python", "command": ["sleep", "1000"], "init": True}, "b": SLEEP})
    address = project.exec("b", "hostname", "-i").stdout
    assert project.exec("a", "python3", "-c", ASK_BY_TCP).stdout == address


def test_dns_of_a_service(berth):
    """Is asked instead of the host's, by a container that has a name server of its own or not."""
    outside = berth.outside_host()
    with open(f"{berth.base}/dns.py", "w", encoding="utf-8") as file:
        file.write(RESOLVER.replace("127.0.0.53", outside.address))
    resolver = outside.popen(["python3", f"{berth.base}/dns.py"])
    project = up(berth, {"a": {**SLEEP, "dns": outside.address},
                         "b": {**SLEEP, "dns": [outside.address], "network_mode": "host"}})
    for service in ("a", "b"):
        berth.wait_until(lambda: "10.99.0.1" in project.exec(
            service, "nslookup", "-type=a", "www.example.org", check=False).stdout, 10, service)
    assert f"nameserver {outside.address}\n" in project.exec("b", "cat", "/etc/resolv.conf").stdout
    resolver.kill()
    resolver.wait(10)


LISTEN = """
import socket
server = socket.create_server(("", 9000))
print("ready", flush=True)
print(server.accept()[1][0], flush=True)
"""


def test_masquerade(berth, firewall):
    """Others see the host's address, for nobody out there knows a way to the container's."""
    outside = berth.outside_host()
    project = up(berth, {"a": SLEEP}, env=firewall)
    server = outside.popen(["python3", "-c", LISTEN], stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"
    project.exec("a", "sh", "-c", f"echo | nc -w 5 {outside.address} 9000")
    assert server.stdout.readline().decode().strip() == outside.host_address
    server.wait(10)


def test_expose(berth):
    """Says which ports a service has, and publishes none."""
    project = up(berth, {"a": {**server(81), "expose": ["81", "9000/udp"]}, "b": SLEEP})
    row = project.container("a")
    assert not any(each["PublishedPort"] for each in row["Publishers"])
    assert "81/tcp" in row["Ports"] and "9000/udp" in row["Ports"]
    assert ask(lambda argv, **more: project.exec("b", "sh", "-c", "echo | nc -w 2 a 81"), "a", 81).stdout


def test_nothing_is_left_after_kill_of_everything(berth):
    """Containers killed one by one from outside: down still finds and removes all."""
    project = up(berth, {"a": server(ports=["8080:80"]), "b": SLEEP})
    for words in (("sleep", "1000"), ("nc", "-ll")):
        for pid in berth.pids_of(*words):
            berth.kill(pid)
    berth.wait_until(lambda: all(row["State"] == "exited" for row in project.ps()), 5)
    project.run("down", "-t", "0")


def test_more_descriptors_than_select_knows(berth):
    """Hundreds of containers: sockets beyond FD_SETSIZE, which nobody may select() on."""
    services = {f"s{n}": {**SLEEP, "ports": [f"{20000 + n}:80"]} for n in range(150)}
    services["last"] = server(ports=["19999:80"], hostname="last",
                              depends_on=[f"s{n}" for n in range(150)])
    project = berth.project({"compose.yaml": {"services": services}})
    project.run("up", "-d", env={"BERTH_FIREWALL": "nftables"}, timeout=100)
    assert len(os.listdir(f"/proc/{project.supervisor_pids()[0]}/fd")) > 1024
    assert until_answered(berth, berth.command, "127.0.0.1", 19999) == "last"


def test_a_port_of_another_project_is_named(berth):
    first = up(berth, {"s": server(ports=["8080:80"])})
    second = berth.project({"compose.yaml": {"services": {"s": server(ports=["8080:80"])}}})
    failed = second.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert f"8080/tcp is already taken on 0.0.0.0, by the berth project {first.name}" in failed.stderr


def test_a_network_shows_who_is_on_it(berth):
    project = berth.project({"compose.yaml": {
        "services": {
            "a": {**SLEEP, "networks": {
                "front": {"ipv4_address": "10.78.0.9", "ipv6_address": "fd78::9",
                          "mac_address": "02:42:00:00:00:11"}}},
            "b": SLEEP},
        "networks": {"front": {"name": "front", "enable_ipv6": True, "ipam": {"config": [
            {"subnet": "10.78.0.0/24"}, {"subnet": "fd78::/64"}]}}}}})
    project.run("up", "-d")
    ident = project.container("a")["ID"]
    shown = json.loads(berth.run("network", "inspect", "front").stdout)[0]["Containers"]
    assert len(shown) == 1
    full, row = shown.popitem()
    assert full.startswith(ident) and len(full) == 64
    box = json.loads(berth.run("inspect", full).stdout)[0]["NetworkSettings"]["Networks"]["front"]
    assert row == {"Name": f"{project.name}-a-1", "EndpointID": box["EndpointID"],
                   "MacAddress": "02:42:00:00:00:11", "IPv4Address": "10.78.0.9/24",
                   "IPv6Address": "fd78::9/64"}
    project.run("stop", "-t", "0")
    assert berth.run("network", "inspect", "-f", "{{len .Containers}}", "front").stdout == "0\n"


def test_subnets_avoid_routes_of_the_host(berth):
    """A way that the host had before, to a company's network or a VPN, stays its way."""
    def subnet(project):
        row = json.loads(berth.run("network", "inspect", f"{project.name}_default").stdout)[0]
        return ipaddress.ip_network(row["IPAM"]["Config"][0]["Subnet"])

    first = up(berth, {"a": SLEEP})
    taken = subnet(first).supernet(new_prefix=max(subnet(first).prefixlen - 4, 8))
    first.run("down", "-t", "0")
    berth.netns(["ip", "route", "add", "blackhole", str(taken)])
    second = up(berth, {"a": SLEEP})
    assert not subnet(second).overlaps(taken)
    second.run("down", "-t", "0")
    berth.netns(["ip", "route", "del", "blackhole", str(taken)])
