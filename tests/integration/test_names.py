# SPDX-License-Identifier: GPL-2.0-or-later
"""Names on a network that several projects and single containers share."""
import os
import re

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
SHARED = {"shared": {"external": True}}


@pytest.fixture
def host(berth):
    """The sandbox with a network `shared` that belongs to no project."""
    berth.project({})
    berth.run("network", "create", "--ipv6", "shared")
    yield berth
    names = berth.run("container", "ls", "-aq").stdout.split()
    if names:
        berth.run("container", "rm", "-fv", *names)
    berth.wait_until(lambda: berth.run("network", "rm", "shared", check=False).returncode == 0, 10,
                     "nobody is on the network any more")
    berth.wait_until(lambda: not os.path.exists(os.path.join(berth.runtime_dir, "names")), 5,
                     "the folder of names is gone")


def up(berth, services, networks=None):
    project = berth.project({"compose.yaml": {
        "services": {name: {**SLEEP, "networks": ["shared"], **more}
                     for name, more in services.items()},
        "networks": networks or SHARED}})
    project.run("up", "-d")
    return project


def single(berth, name, *flags, network="shared"):
    return berth.run("container", "run", "-d", "--init", "--name", name, "--network", network,
                     *flags, "busybox", "sleep", "1000").stdout.strip()


def lookup(run, name, kind="a"):
    """The addresses that a container finds for a name, in their order."""
    answer = run("nslookup", f"-type={kind}", name, check=False).stdout
    return re.findall(rf"Name:\t{re.escape(name)}\nAddress: (\S+)", answer)


def inside(berth, name):
    return lambda *argv, **options: berth.run("container", "exec", name, *argv, **options)


def within(project, service):
    return lambda *argv, **options: project.exec(service, *argv, **options)


def address(run, kind="a"):
    pattern = r"inet (172\S+|10\.\S+)/" if kind == "a" else r"inet6 (fd\S+)/"
    return re.search(pattern, run("ip", "addr", "show", "dev", "eth0").stdout).group(1)


def test_two_projects_and_a_single_container(host):
    first = up(host, {"web": {"networks": {"shared": {"aliases": ["www"]}}}})
    second = up(host, {"db": {}})
    ident = single(host, "box", "--network-alias", "third")
    web, db, box = within(first, "web"), within(second, "db"), inside(host, "box")
    for asker in (web, db, box):
        for names, owner in ((("web", "www", f"{first.name}-web-1", "web.shared"), web),
                             (("db", f"{second.name}-db-1"), db),
                             (("box", "third", ident[:12]), box)):
            for name in names:
                assert lookup(asker, name) == [address(owner)], name
                assert lookup(asker, name, "aaaa") == [address(owner, "aaaa")], name
    for kind in ("a", "aaaa"):
        assert f"name = {first.name}-web-1.shared" in db("nslookup", address(web, kind)).stdout
    assert db("ping", "-c", "1", "-W", "2", "www").returncode == 0


def test_names_come_and_go_with_their_containers(host):
    project = up(host, {"web": {}})
    web = within(project, "web")
    assert lookup(web, "box") == []
    # When `run -d` has returned, it is there.
    single(host, "box")
    assert len(lookup(web, "box")) == 1
    host.run("container", "stop", "-t", "0", "box")
    assert lookup(web, "box") == []
    host.run("container", "start", "box")
    assert len(lookup(web, "box")) == 1
    host.run("container", "restart", "-t", "0", "box")
    assert len(lookup(web, "box")) == 1
    host.run("container", "rm", "-f", "box")
    assert lookup(web, "box") == []
    # Dead by itself: nobody has said so, and all see it.
    single(host, "mortal")
    assert len(lookup(web, "mortal")) == 1
    inside(host, "mortal")("sh", "-c", "kill -9 -1", check=False)
    host.wait_until(lambda: lookup(web, "mortal") == [], 5)


def test_one_name_of_several(host):
    """All of those on a network who have a name are its answer, in turns."""
    project = up(host, {"web": {}, "db": {}})
    for name in ("one", "two"):
        single(host, name, "--network-alias", "db")
    web = within(project, "web")
    answers = [lookup(web, "db") for _ in range(9)]
    assert {len(set(answer)) for answer in answers} == {3}
    assert len({answer[0] for answer in answers}) == 3


def test_own_names_come_first(host):
    """A project's db is not another's, on a network of its own; and networks stay apart."""
    host.run("network", "create", "apart")
    single(host, "db")
    single(host, "hidden", network="apart")
    both = {"networks": {"shared": {}, "zz": {}}}
    project = up(host, {"web": both, "db": {"networks": ["zz"]}}, {**SHARED, "zz": {}})
    web = within(project, "web")
    assert lookup(web, "db") == [address(within(project, "db"))]
    assert lookup(web, "db.shared") == [address(inside(host, "db"))]
    assert lookup(web, "hidden") == []
    assert lookup(inside(host, "hidden"), "db") == []
    assert lookup(inside(host, "db"), "web") == [address(web)]
    host.run("container", "rm", "-f", "hidden")
    host.run("network", "rm", "apart")


def test_killed_supervisors(host):
    first, second = up(host, {"web": {}, "api": {}}), up(host, {"db": {}})
    web, db = within(first, "web"), within(second, "db")
    for project in (first, second):
        [before] = project.supervisor_pids()
        host.kill(before)
        host.wait_until(lambda: project.supervisor_pids() not in ([], [before]), 10)
        for asker, names in ((web, ("db",)), (db, ("web", "api"))):
            for name in names:
                assert len(lookup(asker, name)) == 1, name


def test_of_the_dead_nothing_is_served(host):
    """A keeper, a supervisor and containers killed at once leave their file, which says nothing."""
    first, second = up(host, {"web": {}}), up(host, {"db": {}})
    db = within(second, "db")
    assert len(lookup(db, "web")) == 1
    for pid in first.keeper_pids() + first.supervisor_pids():
        host.kill(pid)
    # What runs still has its name, whoever looks after it.
    assert len(lookup(db, "web")) == 1
    with open(os.path.join(host.runtime_dir, "names", "shared", first.name)) as file:
        pid = int(re.search(r'"pid":(\d+)', file.read()).group(1))
    host.command(["kill", "-9", str(pid)])
    host.wait_until(lambda: lookup(db, "web") == [], 5)
    second.run("restart", "-t", "0")
    assert lookup(db, "web") == []
    first.run("up", "-d")
    assert len(lookup(db, "web")) == 1


def test_a_file_that_is_none(host):
    """What another left there in a form that we do not know harms nobody."""
    project = up(host, {"web": {}})
    single(host, "box")
    folder = os.path.join(host.runtime_dir, "names", "shared")
    for number, content in enumerate((b"\0\xff\n{}\n[1]\n", b'{"id":"x","pid":1}\n' * 1000,
                                      b'{"id":"a","pid":1,"start_ticks":0,"names":["bad"]}\n')):
        path = os.path.join(folder, "other")
        with open(f"{path}.new", "wb") as file:
            file.write(content)
        os.rename(f"{path}.new", path)
        web = within(project, "web")
        assert len(lookup(web, "box")) == 1 and lookup(web, "bad") == [], number
    os.unlink(path)


def test_the_default_bridge_has_no_names(host):
    """Containers on it find what the host's resolver knows (test_networks.py), and no more."""
    for name in ("one", "two"):
        single(host, name, network="bridge")
    one = inside(host, "one")
    assert lookup(one, "two") == []
    assert "nameserver 127.0.0.11" in one("cat", "/etc/resolv.conf").stdout


def test_connect_and_disconnect(host):
    """A container gets and loses networks while it runs; for good."""
    host.run("network", "create", "other", "--subnet", "10.78.0.0/24")
    project = up(host, {"web": {}})
    ident = single(host, "box", network="bridge")
    web, box = within(project, "web"), inside(host, "box")
    assert lookup(web, "box") == [] and lookup(box, "web") == []
    host.run("network", "connect", "--alias", "extra", "--alias", "more", "shared", "box")
    assert len(lookup(web, "box")) == len(lookup(web, "extra")) == len(lookup(web, "more")) == 1
    assert lookup(box, "web") == [address(web)] and lookup(web, ident[:12]) == lookup(web, "box")
    assert box("ping", "-c", "1", "-W", "2", "web").returncode == 0
    host.run("network", "connect", "--ip", "10.78.0.7", "--gw-priority", "1",
             "--link-local-ip", "169.254.8.8", "other", ident)
    addresses = box("ip", "addr").stdout
    assert "10.78.0.7/24" in addresses and "169.254.8.8" in addresses
    assert "default via 10.78.0.1" in box("ip", "route").stdout
    assert "10.78.0.7" in box("cat", "/etc/hosts").stdout
    networks = host.run("container", "inspect", "-f", "{{json .NetworkSettings.Networks}}",
                        "box").stdout
    assert all(f'"{name}"' in networks for name in ("bridge", "shared", "other"))
    # As if it had always been there: a new supervisor, and the next start.
    for pid in host.own_pids_of("__supervisor", "container.box"):
        host.kill(pid)
    host.wait_until(lambda: len(lookup(web, "extra")) == 1, 5)
    host.run("container", "restart", "-t", "0", "box")
    assert len(lookup(web, "extra")) == 1 and lookup(box, "web") == [address(web)]
    host.run("network", "disconnect", "shared", "box")
    assert lookup(web, "extra") == lookup(web, "box") == lookup(box, "web") == []
    again = host.run("network", "disconnect", "shared", "box", check=False)
    assert again.returncode == 1 and "is not connected to network shared" in again.stderr
    assert host.run("network", "disconnect", "-f", "shared", "box").stderr == ""
    host.run("network", "disconnect", "bridge", "box")
    assert "10.78.0.7" in box("ip", "addr").stdout
    # Of a project's container as well, and of one that does not run.
    host.run("container", "stop", "-t", "0", "box")
    host.run("network", "connect", "shared", "box")
    host.run("container", "start", "box")
    assert len(lookup(web, "box")) == 1
    host.run("network", "connect", "other", f"{project.name}-web-1")
    assert "10.78.0." in web("ip", "addr").stdout
    before = project.ps()[0]["ID"]
    project.run("up", "-d")
    assert project.ps()[0]["ID"] == before
    for words, said in ((["shared", "box"], "already exists in network shared"),
                        (["nosuch", "box"], "network nosuch not found"),
                        (["other", "nosuch"], "No such container: nosuch"),
                        (["--link", "x", "other", "box"], "--link x: No such container: x")):
        bad = host.run("network", "connect", *words, check=False)
        assert bad.returncode == 1 and said in bad.stderr, bad.stderr
    host.run("container", "run", "-d", "--name", "alone", "--network", "none", "busybox", "sleep",
             "1000")
    bad = host.run("network", "connect", "other", "alone", check=False)
    assert bad.returncode == 1 and "network_mode none" in bad.stderr
    host.run("container", "rm", "-f", "box", "alone")
    project.run("down", "-t", "0")
    host.run("network", "rm", "other")


def test_connect_keeps_ports(host):
    """What is published follows a container that changes its network."""
    host.run("container", "run", "-d", "--init", "--name", "box", "--network", "shared", "-p",
             "18096:80", "busybox", "nc", "-ll", "-p", "80", "-e", "hostname")
    host.run("network", "create", "other")

    def answers():
        return host.command(["sh", "-c", "echo | busybox nc -w 2 127.0.0.1 18096"],
                            check=False).stdout.strip()

    assert host.wait_until(answers, 5)
    host.run("network", "connect", "other", "box")
    host.run("network", "disconnect", "shared", "box")
    assert host.wait_until(answers, 5)
    host.run("container", "rm", "-f", "box")
    host.run("network", "rm", "other")


def test_rename(host):
    project = up(host, {"web": {}})
    web = within(project, "web")
    ident = single(host, "box")
    host.run("container", "rename", "box", "crate")
    assert len(lookup(web, "crate")) == 1 and lookup(web, "box") == []
    # The name is free again, and both go their own ways.
    single(host, "box")
    assert len(lookup(web, "box")) == 1 and lookup(web, "box") != lookup(web, "crate")
    host.run("container", "restart", "-t", "0", "crate")
    assert host.run("container", "inspect", "-f", "{{.Name}}", ident).stdout == "/crate\n"
    for words, said in ((["crate", "box"], "already in use"), (["nosuch", "x1"], "No such"),
                        (["crate", "-x"], "Invalid container name")):
        bad = host.run("container", "rename", "--", *words, check=False)
        assert bad.returncode == 1 and said in bad.stderr, bad.stderr
    host.run("container", "rm", "-f", "crate")
    assert len(lookup(web, "box")) == 1
    host.run("container", "rename", f"{project.name}-web-1", "renamed")
    assert len(lookup(inside(host, "box"), "renamed")) == 1
    host.run("container", "rename", "renamed", f"{project.name}-web-1")
