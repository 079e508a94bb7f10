# SPDX-License-Identifier: GPL-2.0-or-later
"""Published ports, by family, protocol and address: IPv6 from end to end, UDP, and what is taken."""
import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}

# Says who asks: "ADDRESS PORT-IT-CAME-TO", by TCP and, for each port of the list, by UDP.
SERVER = """
import selectors, socket, sys
watched = selectors.DefaultSelector()
server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
watched.register(server, selectors.EVENT_READ)
for port in sys.argv[1:]:
    each = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    each.bind(("::", int(port)))
    watched.register(each, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in watched.select():
        if key.fileobj is server:
            client, address = server.accept()
            client.sendall(f"{address[0]} 80".encode())
            client.close()
        else:
            _, address = key.fileobj.recvfrom(100)
            key.fileobj.sendto(f"{address[0]} {key.fileobj.getsockname()[1]}".encode(), address)
"""

ASK = """
import socket, sys
protocol, host, port, patience = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
one = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
one.settimeout(float(patience))
try:
    one.connect((host, int(port)))
    one.send(b"hello")
    print(one.recv(100).decode().replace("::ffff:", ""))
except OSError:
    print("nobody")
"""


@pytest.fixture(params=["iptables", "nftables"])
def firewall(request):
    return {"BERTH_FIREWALL": request.param}


def python(*argv, **more):
    return {"image": "python", "init": True, "command": ["python3", "-u", "-c", *argv], **more}


def ask(run, protocol, host, port, patience=10):
    return run(["python3", "-c", ASK, protocol, host, str(port), str(patience)]).stdout.strip()


def up(berth, services, env, **top):
    berth.python_image()
    project = berth.project({"compose.yaml": {"services": services, **top}})
    project.run("up", "-d", env=env)
    berth.wait_until(lambda: "ready" in project.run("logs", "s").stdout)
    return project


def test_ipv6_from_end_to_end(berth, firewall):
    """The client's own address; the host's from a container and from the server itself."""
    outside = berth.outside_host()
    project = up(berth, {"s": python(SERVER, "81", ports=["8080:80", "8081:81/udp"], networks=["n"]),
                         "c": python("import time; time.sleep(1000)", networks=["n"])}, firewall,
                 networks={"n": {"enable_ipv6": True}})
    for protocol, port, inner in (("tcp", 8080, 80), ("udp", 8081, 81)):
        for theirs, address in ((outside.host_address, outside.address),
                                (outside.host_address6, outside.address6)):
            assert ask(outside.run, protocol, theirs, port) == f"{address} {inner}"
            for service in ("c", "s"):
                told = ask(lambda argv: project.exec(service, *argv), protocol, theirs, port)
                assert told.endswith(f" {inner}"), (service, protocol, theirs)
        for own in ("127.0.0.1", "::1"):
            assert ask(berth.command, protocol, own, port).endswith(f" {inner}"), (own, protocol)
    other = up(berth, {"s": python(SERVER, networks=["n"])}, firewall, networks={"n": {
        "enable_ipv6": True}})
    theirs = berth.run("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}",
                       f"{project.name}-s-1").stdout.strip()
    assert ask(berth.command, "tcp", theirs, 80).endswith(" 80")
    for protocol, port in (("tcp", 80), ("udp", 81)):
        assert ask(lambda argv: other.exec("s", *argv), protocol, theirs, port, 0.5) == "nobody"


def test_an_answer_that_comes_before_the_end_of_the_question(berth, firewall):
    """A server that answers and closes with bytes unread resets the connection: after its answer."""
    project = up(berth, {"s": python("""
import select, socket
server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    client, _ = server.accept()
    select.select([client], [], [])
    client.sendall(b"too large 80")
    client.close()
""", ports=["8080:80"])}, firewall)
    for host in ("127.0.0.1", "::1"):
        for _ in range(10):
            assert ask(berth.command, "tcp", host, 8080) == "too large 80", host
    assert project.ps()


@pytest.mark.parametrize("address", ("127.0.0.1", "::1", "198.51.100.1"))
def test_a_range_of_udp_on_one_address(berth, address):
    outside = berth.outside_host()
    written = f"[{address}]" if ":" in address else address
    project = up(berth, {"s": python(SERVER, "81", "82", "83",
                                     ports=[f"{written}:9001-9003:81-83/udp"])}, None)
    for run, host in ((berth.command, "127.0.0.1"), (berth.command, "::1"),
                      (berth.command, outside.host_address), (outside.run, outside.host_address),
                      (outside.run, outside.host_address6)):
        if host == address:
            assert [ask(run, "udp", host, port).split()[1] for port in (9001, 9003)] == ["81", "83"]
        else:
            assert ask(run, "udp", host, 9002, 0.3) == "nobody", host
    assert f"{written}:9002->82/udp" in project.run("ps", "s").stdout


@pytest.mark.parametrize("kind, address, port, said", (
    ("SOCK_DGRAM", "127.0.0.1", "8080:80/udp", "8080/udp is already taken on 0.0.0.0"),
    ("SOCK_STREAM", "::1", "8080:80", "8080/tcp is already taken on [::]"),
    ("SOCK_STREAM", "0.0.0.0", "127.0.0.1:8080:80", "8080/tcp is already taken on 127.0.0.1"),
    ("SOCK_DGRAM", "::", "[::1]:8079-8080:79-80/udp", "8080/udp is already taken on ::1")))
def test_whoever_has_it_nothing_starts(berth, kind, address, port, said):
    family = "AF_INET6" if ":" in address else "AF_INET"
    holder = berth.popen_command(["python3", "-c", f"""
import socket, sys
s = socket.socket(socket.{family}, socket.{kind})
s.bind(("{address}", 8080))
if socket.{kind} == socket.SOCK_STREAM: s.listen()
open("{berth.base}/bound", "w").close()
sys.stdin.read()"""], stdin=-1)
    berth.wait_until(lambda: holder.poll() is None and "bound" in berth.command(
        ["ls", berth.base]).stdout)
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP, "s": {**SLEEP, "ports": [port]}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert f"service s: port {said}, by python3" in failed.stderr
    assert project.ps() == []
    holder.stdin.close()
    holder.wait(10)
    project.run("up", "-d")
