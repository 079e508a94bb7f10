# SPDX-License-Identifier: GPL-2.0-or-later
"""x-berth.socket: services that their first connection starts, and that accept it themselves. With
systemd listening: as systemd-socket-activate plays it, and in tests/vm."""
import os
import shutil
import signal
import subprocess

import pytest

from tests.integration.test_systemd import UNITS, etc, stop, systemd, text_of  # noqa: F401
from tests.support.sandbox import binary

SERVER = """
$| = 1;
print "begins: $$ $ENV{LISTEN_PID} $ENV{LISTEN_FDS} $ENV{LISTEN_FDNAMES}\n";
opendir(my $dir, "/proc/self/fd"); print "open: ", join(" ", sort grep { /\\d/ && $_ > 2 } readdir $dir), "\n";
closedir $dir;
my $bits = "";
my @sockets;
for my $fd (3 .. 2 + $ENV{LISTEN_FDS}) { open(my $s, "+<&=", $fd) or die; push @sockets, $s; vec($bits, $fd, 1) = 1; }
while (1) {
	my $ready = $bits;
	select($ready, undef, undef, undef);
	for my $s (@sockets) {
		next unless vec($ready, fileno($s), 1) and accept(my $c, $s);
		my $line = <$c>;
		syswrite $c, "hello $line";
		close $c;
		exit 0 if $line =~ /last/;
		exit 3 if $line =~ /fail/;
	}
}
"""
SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def service(socket, **more):
    return {"image": "perl", "command": ["perl", "/server.pl"], "stop_grace_period": "0s",
            "x-berth": {"socket": socket}, **more}


@pytest.fixture
def perl(berth):
    berth.image_from_binaries("perl", ["perl"], {"server.pl": SERVER})
    return berth


def states(project):
    return {row["Service"]: row["State"] for row in project.ps("-a")}


CLIENT = """
import socket, sys
address = sys.argv[1]
if address.startswith("/"):
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
else:
    client = socket.create_connection(address.rsplit(":", 1), 20)
client.settimeout(20)
client.sendall(sys.argv[2].encode() + b"\\n")
sys.stdout.write(client.recv(100).decode())
"""


def asking(address, line):
    return ["/usr/bin/python3", "-I", "-c", CLIENT, address, line]


def ask(berth, address, line, check=True):
    return berth.command(asking(address, line), check=check).stdout


def said(project, name="web"):
    return project.run("logs", "--no-log-prefix", name).stdout.splitlines()


@pytest.mark.parametrize("init", [False, True])
def test_the_first_connection_starts_it(perl, init):
    path = os.path.join(perl.base, "web.sock")
    project = perl.project({"compose.yaml": {"services": {
        "db": {**SLEEP, "healthcheck": {"test": "true", "interval": "100ms"}},
        "web": service([8080, {"listen": path, "name": "local"}], init=init,
                       depends_on={"db": {"condition": "service_healthy"}})}}})
    project.run("up", "-d", "--wait")
    assert states(project) == {"db": "running", "web": "created"}
    assert project.run("plan").returncode == 0
    assert ask(perl, "127.0.0.1:8080", "one") == "hello one\n"
    assert states(project)["web"] == "running"
    assert ask(perl, "::1:8080", "two") == "hello two\n"
    assert ask(perl, path, "three") == "hello three\n"
    begins, descriptors, *more = said(project)
    pid = "2" if init else "1"
    assert begins == f"begins: {pid} {pid} 2 web:local" and not more
    assert descriptors == "open: 3 4 5"  # and that of the folder
    assert "LISTEN_FDS" not in project.exec("web", "env").stdout
    project.run("down")
    assert not os.path.exists(path)
    assert ask(perl, "127.0.0.1:8080", "four", check=False) == ""


def test_it_ends_and_is_started_again(perl):
    project = perl.project({"compose.yaml": {"services": {"web": service(8080)}}})
    project.run("up", "-d")
    for _ in range(2):
        assert ask(perl, "127.0.0.1:8080", "last") == "hello last\n"
        perl.wait_until(lambda: states(project)["web"] == "exited")
    assert ask(perl, "127.0.0.1:8080", "fail") == "hello fail\n"
    perl.wait_until(lambda: states(project)["web"] == "exited")
    assert ask(perl, "127.0.0.1:8080", "one") == "hello one\n"
    assert len(said(project)) == 8
    # By hand is by hand.
    project.run("stop")
    assert ask(perl, "127.0.0.1:8080", "two", check=False) == ""
    assert states(project)["web"] == "exited"
    project.run("up", "-d")
    assert states(project)["web"] == "exited"
    assert ask(perl, "127.0.0.1:8080", "three") == "hello three\n"
    project.run("stop")
    project.run("start", "web")
    assert states(project)["web"] == "running"


def test_what_does_not_accept_is_not_started_in_a_circle(perl):
    project = perl.project({"compose.yaml": {"services": {
        "web": service("127.0.0.1:8080", command=["sh", "-c", "echo began; exit 1"])}}})
    project.run("up", "-d")
    client = perl.popen_command(["busybox", "nc", "127.0.0.1", "8080"])
    perl.wait_until(lambda: len(said(project)) >= 3)
    perl.kill(client.pid, signal.SIGTERM)
    assert len(said(project)) < 6


def test_a_new_container_takes_over(perl):
    project = perl.project({"compose.yaml": {"services": {"web": service([8080, 8081])}}})
    project.run("up", "-d")
    project.run("up", "-d", "--force-recreate")
    assert states(project)["web"] == "created"
    assert ask(perl, "127.0.0.1:8081", "one") == "hello one\n"
    project.write({"compose.yaml": {"services": {"web": service([8080, 8082])}}})
    project.run("up", "-d")
    assert states(project)["web"] == "running"  # as the one before it did
    assert ask(perl, "127.0.0.1:8082", "two") == "hello two\n"
    assert ask(perl, "127.0.0.1:8081", "three", check=False) == ""


@pytest.mark.parametrize("whose", ["supervisor", "keeper"])
def test_killed(perl, whose):
    """No connection is lost with a supervisor; the next keeper listens anew."""
    project = perl.project({"compose.yaml": {"services": {"db": SLEEP, "web": service(8080)}}})
    project.run("up", "-d")
    perl.kill(getattr(project, f"{whose}_pids")()[0])
    if whose == "keeper":
        perl.wait_until(lambda: not project.supervisor_pids())
        project.run("up", "-d")
    assert ask(perl, "127.0.0.1:8080", "one") == "hello one\n"
    perl.kill(project.supervisor_pids()[0])
    assert ask(perl, "127.0.0.1:8080", "last") == "hello last\n"
    perl.wait_until(lambda: states(project)["web"] == "exited")
    assert ask(perl, "127.0.0.1:8080", "two") == "hello two\n"


def test_a_keeper_is_killed_while_it_runs(perl):
    """What only the container has then is listened at again when that ends."""
    project = perl.project({"compose.yaml": {"services": {"web": service(8080)}}})
    project.run("up", "-d")
    assert ask(perl, "127.0.0.1:8080", "one") == "hello one\n"
    perl.kill(project.keeper_pids()[0])
    perl.wait_until(lambda: not project.supervisor_pids())
    project.run("up", "-d")
    assert ask(perl, "127.0.0.1:8080", "last") == "hello last\n"
    perl.wait_until(lambda: states(project)["web"] == "exited")
    assert ask(perl, "127.0.0.1:8080", "two") == "hello two\n"
    assert len(said(project)) == 4


def test_a_connection_while_the_supervisor_is_dead(perl):
    project = perl.project({"compose.yaml": {"services": {"web": service(8080)}}})
    project.run("up", "-d")
    pid = project.supervisor_pids()[0]
    perl.kill(pid, signal.SIGSTOP)
    client = perl.popen_command(asking("127.0.0.1:8080", "one"), stdout=subprocess.PIPE)
    # One is in its queue.
    perl.wait_until(lambda: perl.netns(["ss", "-Hltn", "sport = 8080"]).stdout.split()[1] == "1")
    perl.kill(pid)
    assert client.communicate(timeout=20)[0] == "hello one\n"


def test_taken(perl):
    project = perl.project({"compose.yaml": {"services": {
        "web": service(8080), "other": {**SLEEP, "ports": ["8080:80"]}}}})
    done = project.run("up", "-d", check=False)
    assert done.returncode != 0 and "8080" in done.stderr and "taken" in done.stderr or \
        "Address already in use" in done.stderr
    project.run("down")


def test_who_is_depended_on_starts_at_once(perl):
    project = perl.project({"compose.yaml": {"services": {
        "web": service(8080), "a": {**SLEEP, "depends_on": ["web"]}}}})
    project.run("up", "-d")
    assert states(project) == {"web": "running", "a": "running"}


# -- systemd listens --

def test_enable(etc):
    project = etc.project({"compose.yaml": {"services": {
        "db": SLEEP,
        "web": service([8080, {"listen": "127.0.0.1:8443", "name": "tls"}, "/run/100%.sock"],
                       depends_on=["db"]),
        "dns": service("53/udp")}}})
    socket, unit = f"berth@{project.name}.socket", f"berth@{project.name}.service"
    said = project.run("systemd", "enable").stdout
    assert said == f"{socket} enabled: the first connection starts {unit}\n"
    text = text_of(etc, f"{UNITS}/{socket}")
    assert ("\n[Socket]\nListenDatagram=53\nListenStream=8080\nListenStream=127.0.0.1:8443\n"
            "ListenStream=/run/100%%.sock\n" in text)
    if shutil.which("systemd-analyze"):
        etc.command(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                     f"{UNITS}/{socket}"], check=False)
    wanted = f"{UNITS}/sockets.target.wants/{socket}"
    assert etc.command(["readlink", wanted]).stdout == f"../{socket}\n"
    assert f"\nWants={socket}\n" in text_of(etc, f"{UNITS}/{unit}.d/services.conf")
    at_boot = f"{UNITS}/multi-user.target.wants/{unit}"
    assert etc.command(["test", "-L", at_boot], check=False).returncode != 0
    # What nobody connects to is to be there from the boot on, and its sockets as well.
    project.write({"compose.yaml": {"services": {"db": SLEEP, "web": service(8080)}}})
    project.run("systemd", "enable")
    etc.command(["test", "-L", at_boot])
    etc.command(["test", "-L", wanted])
    project.write({"compose.yaml": {"services": {"db": SLEEP}}})
    project.run("systemd", "enable")
    assert etc.command(["test", "-L", wanted], check=False).returncode != 0
    assert socket not in etc.command(["ls", UNITS]).stdout
    project.run("systemd", "disable")
    assert project.name not in etc.command(["find", UNITS]).stdout


def test_units_that_are_stale(etc, systemd):
    """Only who made them anew would notice: so it is said."""
    project = etc.project({"compose.yaml": {"services": {"db": SLEEP}}})
    project.run("systemd", "enable")
    project.write({"compose.yaml": {"services": {"db": SLEEP, "web": {**SLEEP, "x-berth": {
        "socket": "127.0.0.1:8080"}}}}})
    etc.image_from_binaries("perl", ["perl"], {"server.pl": SERVER})
    project.run("systemd", "enable")
    project.write({"compose.yaml": {"services": {"db": SLEEP, "web": {**SLEEP, "x-berth": {
        "socket": "127.0.0.1:8081"}}}}})
    process = project.popen("systemd", "run", project.name, env=systemd.env())
    systemd.wait("READY=1")
    stop(project, systemd, process)
    said = process.communicate(timeout=20)[1]
    assert f"berth@{project.name}.socket: not as the project has it now" in said


def test_systemd_listens(perl):
    """systemd-socket-activate waits for the first connection, as a unit does."""
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("systemd-socket-activate is not installed")
    path = os.path.join(perl.base, "web.sock")
    project = perl.project({"compose.yaml": {"services": {
        "web": service([8080, {"listen": path, "name": "local"}]), "db": SLEEP}}})
    passed = [word for name in perl.env for word in ("-E", name)]
    unit = perl.popen_command(["systemd-socket-activate", "-l", path, "-l", "8080", "-l", "8090",
                               *passed, binary(), "systemd", "run", project.name],
                              cwd=project.path, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    perl.wait_until(lambda: perl.netns(["ss", "-Hltn", "sport = 8090"]).stdout)
    assert ask(perl, "127.0.0.1:8080", "one") == "hello one\n"
    assert ask(perl, path, "two") == "hello two\n"
    assert said(project)[0] == "begins: 1 1 2 web:local"
    # It is systemd's, not one of our own beside it.
    listeners = perl.netns(["ss", "-Hltn", "sport = 8080"]).stdout
    assert len(listeners.splitlines()) == 1
    perl.kill(project.supervisor_pids()[0])
    assert ask(perl, "127.0.0.1:8080", "last") == "hello last\n"
    assert ask(perl, "127.0.0.1:8080", "three") == "hello three\n"
    project.run("systemd", "stop", project.name, env={"MAINPID": "1"})
    assert unit.wait(20) == 0


@pytest.mark.parametrize("text, message", [
    ("{a: {image: x, x-berth: {socket: web}}}", '"web" is nothing to listen at'),
    ("{a: {image: x, x-berth: {socket: {name: x}}}}", "needs an address to listen at"),
    ("{a: {image: x, x-berth: {socket: {listen: 80, name: 'a:b'}}}}", "is no name of a socket"),
    ("{a: {image: x, x-berth: {socket: [80, 80/tcp]}}}", "is listened at already"),
    ("{a: {image: x, x-berth: {socket: 80}}, b: {image: x, x-berth: {socket: 80}}}",
     "80 is listened at for service a already"),
    ("{a: {image: x, x-berth: {socket: 80, schedule: daily}}}", "exclude one another"),
])
def test_mistakes(berth, text, message):
    project = berth.project({"compose.yaml": f"services: {text}\n"})
    failed = project.run("config", "-q", check=False)
    assert failed.returncode != 0 and message in failed.stderr and "compose.yaml:1:" in failed.stderr
