# SPDX-License-Identifier: GPL-2.0-or-later
"""berth as an ordinary user: the same as with root, and nothing of it is left afterwards."""

import contextlib
import json
import os
import re
import signal

import pytest

from tests.support import images
from tests.support.sandbox import wait_until
from tests.support.user import UID, User

@pytest.fixture
def alice(berth):
    return User(berth)


STACK = """
services:
  web:
    image: busybox
    init: true
    command: sh -c 'id; cat /proc/self/uid_map > /www/map; echo hello > /www/index.html;
                    exec httpd -f -v -p 80 -h /www'
    ports: ["18080:80"]
    volumes: ["www:/www", "./here:/here"]
    healthcheck: {test: "wget -qO- http://localhost/", interval: 1s, start_period: 5s}
  client:
    image: busybox
    depends_on: {web: {condition: service_healthy}}
    command: sh -c 'wget -qO- http://web/; touch /tmp/ready; exec sleep 1000'
volumes: {www: {}}
"""


def state(alice, cwd, service):
    rows = alice.run("ps", "-a", "--format", "json", cwd=cwd).stdout.splitlines()
    return next((row for row in map(json.loads, rows) if row["Service"] == service), None)


def test_a_stack(alice):
    """Names, volumes, ports, health, exec, logs, restart; as root in there, and as the user out
    here."""
    alice.image()
    cwd = alice.project(STACK)
    alice.run("up", "-d", "--wait", cwd=cwd)
    assert alice.berth.get("http://127.0.0.1:18080/").stdout == "hello\n"
    wait_until(lambda: "hello" in alice.run("logs", "client", cwd=cwd).stdout, 10, "web by name")
    inside = alice.run("exec", "-T", "web", "sh", "-c", "id -u; cat /www/map; echo 1 > /here/file",
                       cwd=cwd).stdout.split()
    assert inside == ["0", "0", str(UID), "1", "1", "200000", "65536"]
    assert os.stat(os.path.join(cwd, "here/file")).st_uid == UID
    assert os.path.isdir(os.path.join(alice.home, ".local/share/berth/volumes/stack_www/_data"))
    assert not os.path.exists("/var/lib/berth/projects/stack")
    follower = alice.popen("logs", "-f", "--no-log-prefix", "web", cwd=cwd, stdout=-1)
    alice.run("restart", "-t", "1", "web", cwd=cwd)
    alice.run("up", "-d", "--wait", cwd=cwd)
    assert alice.berth.get("http://127.0.0.1:18080/").stdout == "hello\n"
    assert alice.run("logs", "web", cwd=cwd).stdout.count("uid=0") == 2
    alice.run("down", "-v", "-t", "0", cwd=cwd)
    assert "uid=0" in follower.communicate(timeout=10)[0]
    alice.nothing_left()


def test_kills(alice):
    """Neither a supervisor nor the holder of the namespaces takes a container along."""
    alice.image()
    cwd = alice.project(STACK)
    alice.run("up", "-d", "--wait", cwd=cwd)
    started = state(alice, cwd, "web")["ID"]
    for pid in alice.berth.own_pids_of("__supervisor", "stack") + alice.holders():
        alice.berth.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alice.holders(), 10, "the holder is dead")
    row = wait_until(lambda: state(alice, cwd, "web"), 10)
    assert (row["ID"], row["State"]) == (started, "running")
    assert len(alice.holders()) == 1
    wait_until(lambda: alice.berth.get("http://127.0.0.1:18080/", check=False).stdout == "hello\n",
               10, "the port is served again")
    assert alice.run("exec", "-T", "client", "wget", "-qO-", "http://web/",
                     cwd=cwd).stdout == "hello\n"
    alice.run("down", "-v", "-t", "0", cwd=cwd)
    alice.nothing_left()


@pytest.mark.parametrize("killed", [["__keeper"], ["__keeper", "__rootless"]], ids="+".join)
def test_a_killed_keeper(alice, killed):
    """The next command takes over what runs: the same containers, their ports, logs and exits."""
    alice.image()
    cwd = alice.project(STACK)
    alice.run("up", "-d", "--wait", cwd=cwd)
    started = [state(alice, cwd, name)["ID"] for name in ("web", "client")]
    for command in killed:
        for pid in alice.berth.own_pids_of(command):
            alice.berth.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alice.berth.own_pids_of(command), 10, "it is dead")
    wait_until(lambda: not alice.berth.own_pids_of("__supervisor"), 10, "it follows its keeper")
    rows = [state(alice, cwd, name) for name in ("web", "client")]
    assert [(row["ID"], row["State"]) for row in rows] == [(i, "running") for i in started]
    assert len(alice.berth.own_pids_of("__keeper")) == len(alice.holders()) == 1
    wait_until(lambda: alice.berth.get("http://127.0.0.1:18080/", check=False).stdout == "hello\n",
               10, "the port is served again")
    assert alice.run("exec", "-T", "client", "wget", "-qO-", "http://web/",
                     cwd=cwd).stdout == "hello\n"
    alice.run("exec", "-T", "client", "sh", "-c", "echo 1 > /proc/1/fd/1", cwd=cwd)
    wait_until(lambda: "1" in alice.run("logs", "--no-log-prefix", "client",
                                        cwd=cwd).stdout.splitlines(), 10, "what it says is logged")
    [pid] = alice.berth.pids_of("sleep", "1000")
    alice.berth.kill(pid, signal.SIGKILL)
    wait_until(lambda: state(alice, cwd, "client")["State"] == "exited", 10, "its end is seen")
    assert state(alice, cwd, "client")["ExitCode"] == 137
    alice.run("down", "-v", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_the_hosts_network(alice):
    """network_mode: host is the host's, also for exec and for health checks."""
    alice.image()
    cwd = alice.project("""
services:
  a:
    image: busybox
    network_mode: host
    command: httpd -f -p 18081 -h /etc
    healthcheck: {test: "wget -qO- http://localhost:18081/passwd", interval: 1s, start_period: 5s}
""")
    alice.run("up", "-d", "--wait", cwd=cwd)
    assert "root:" in alice.berth.get("http://127.0.0.1:18081/passwd").stdout
    assert "lo" in alice.run("exec", "-T", "a", "ls", "/sys/class/net", cwd=cwd).stdout
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_the_outside(alice):
    """Clients are seen as who they are, and containers reach the world and its names."""
    outside = alice.berth.outside_host()
    outside.popen(["busybox", "httpd", "-f", "-p", "9000", "-h", "/etc"])
    alice.image()
    tar = os.path.join(alice.berth.base, "tools.tar")
    images.binaries_tar(tar, ["socat"], {})
    alice.image(tar, "tools")
    cwd = alice.project("""
services:
  web:
    image: busybox
    init: true
    command: sh -c 'echo hello > /tmp/index.html; exec httpd -f -v -p 80 -h /tmp'
    ports: ["18080:80"]
  udp:
    image: tools
    init: true
    command: socat UDP-RECVFROM:53,fork SYSTEM:'echo $$SOCAT_PEERADDR'
    ports: ["18053:53/udp"]
networks: {default: {enable_ipv6: true}}
""")
    alice.run("up", "-d", cwd=cwd)
    for host, client in ((outside.host_address, outside.address),
                         (f"[{outside.host_address6}]", outside.address6)):
        assert outside.run(["curl", "-sS", "-m", "5", f"http://{host}:18080/"]).stdout == "hello\n"
        assert client in alice.run("logs", "web", cwd=cwd).stderr
    ask = ["socat", "-t", "1", "-", f"UDP:{outside.host_address}:18053"]
    wait_until(lambda: outside.run(ask, input="hi\n").stdout == f"{outside.address}\n", 10, "UDP")
    assert alice.berth.get(f"http://{outside.host_address}:18080/").stdout == "hello\n"
    assert alice.berth.get("http://127.0.0.1:18080/").stdout == "hello\n"
    page = alice.run("exec", "-T", "web", "wget", "-qO-",
                     f"http://{outside.address}:9000/passwd", cwd=cwd)
    assert "root:" in page.stdout
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_the_way_out_comes_and_goes(alice):
    """A machine that gets to its network later, and pasta killed, with its holder or without:
    containers get out again with nobody doing anything."""
    alice.image()
    cwd = alice.project("services: {a: {image: busybox, init: true, command: sleep 1000}}")
    alice.run("up", "-d", cwd=cwd)
    log = os.path.join(alice.runtime_dir, "projects/stack/supervisor.log")
    with open(log) as file:
        assert "do not reach the world outside: pasta" in file.read()
    outside = alice.berth.outside_host()
    outside.popen(["busybox", "httpd", "-f", "-p", "9000", "-h", "/etc"])

    def is_served():
        page = alice.run("exec", "-T", "a", "timeout", "5", "wget", "-qO-",
                         f"http://{outside.address}:9000/passwd", cwd=cwd, check=False)
        return "root:" in page.stdout

    def kill_pasta():
        [pid] = alice.berth.pids_of("pasta")
        alice.berth.kill(pid, signal.SIGKILL)
        wait_until(lambda: alice.berth.pids_of("pasta") not in ([], [pid]), 10, "another pasta")

    wait_until(is_served, 20, "there is a way out now")
    kill_pasta()
    wait_until(is_served, 20, "and again")
    # The next holder has a pasta that is not its child.
    [holder] = alice.holders()
    alice.berth.kill(holder, signal.SIGKILL)
    wait_until(lambda: not alice.holders(), 10, "the holder is dead")
    assert is_served()
    assert alice.holders()
    kill_pasta()
    wait_until(is_served, 20, "and again")
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_a_way_out_that_cannot_live(alice):
    """A pasta that dies as soon as it is up is not started for ever; the next network's is."""
    alice.image()
    cwd = alice.project("services: {a: {image: busybox, init: true, command: sleep 1000}}")
    alice.berth.outside_host()
    alice.run("up", "-d", cwd=cwd)
    way = os.path.join(alice.runtime_dir, "rootless/way")

    def is_given_up():
        with contextlib.suppress(FileNotFoundError), open(way) as file:
            said = file.read()
            for pid in [] if said else alice.berth.pids_of("pasta"):  # only when it is up
                alice.berth.kill(pid, signal.SIGKILL)
            return "ends as soon as it is up" in said

    wait_until(is_given_up, 20, "nobody starts it any more")
    assert not alice.berth.pids_of("pasta")
    alice.run("down", "-t", "0", cwd=cwd)
    alice.run("up", "-d", cwd=cwd)
    wait_until(lambda: alice.berth.pids_of("pasta"), 10, "it is tried once more")
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_group_with_a_subgroup(alice, is_marked):
    """As systemd makes them for a unit of the user's (DelegateSubgroup=): containers stand beside
    the supervisor, in the group that is delegated, and can be paused. The mark is systemd's."""
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split()[4] for line in file if " - cgroup2 " in line]
    if not mounts:
        pytest.skip("no control groups of version 2")
    group = f"{mounts[0]}/berth-test-{os.getpid()}"
    alice.image()
    cwd = alice.project("services: {a: {image: busybox, init: true, command: sleep 1000}}")
    os.makedirs(f"{group}/supervisor")
    try:
        for path in (group, f"{group}/supervisor"):
            for name in (".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
                os.chown(f"{path}/{name}", UID, UID)
        if is_marked:
            os.setxattr(group, "user.delegate", b"1")
        alice.berth.command(
            ["sh", "-c", f'echo $$ > {group}/supervisor/cgroup.procs; exec "$@"', "sh",
             *alice.as_user([alice.program, "up", "-d"])], cwd=cwd, env=alice.env())
        [pid] = alice.berth.own_pids_of("__supervisor", "stack")
        with open(f"/proc/{pid}/cgroup") as file:
            assert f"::/{os.path.basename(group)}/supervisor\n" in file.read()
        for pid in alice.berth.pids_of("sleep", "1000"):
            with open(f"/proc/{pid}/cgroup") as file:
                assert re.search(rf"^0::/{os.path.basename(group)}/berth\.[^/]+/stack/",
                                 file.read(), re.M)
        alice.run("pause", cwd=cwd)
        alice.run("unpause", cwd=cwd)
        alice.run("down", "-t", "0", cwd=cwd)
        alice.nothing_left()
        assert [name for name in os.listdir(group) if os.path.isdir(f"{group}/{name}")] == \
            ["supervisor"]
    finally:
        wait_until(lambda: not open(f"{group}/supervisor/cgroup.procs").read(), 10)
        os.rmdir(f"{group}/supervisor")
        os.rmdir(group)
