# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and namespaces of others: links, external_links, container:NAME, volumes of images,
external secrets."""

import json

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
SHARED = {"networks": {"default": {"name": "shared-net", "external": True}}}


def test_links(berth):
    """An alias of the linked service, for the one that links alone; and an order."""
    project = berth.project({"compose.yaml": {"services": {
        "db": SLEEP, "web": {**SLEEP, "links": ["db:Database"]}, "other": SLEEP}}})
    up = project.run("up", "-d")
    assert up.stderr.index("db-1 Started") < up.stderr.index("web-1 Starting")
    alias = project.exec("web", "nslookup", "database").stdout
    address = project.exec("db", "hostname", "-i").stdout.strip()
    assert address in alias
    assert address in project.exec("web", "nslookup", "db").stdout
    assert project.exec("other", "nslookup", "database", check=False).returncode != 0


def test_another_project(berth):
    """external_links by a shared network, and the namespaces of a container of that project."""
    first = berth.project({"compose.yaml": {
        "services": {"db": {**SLEEP, "container_name": "the-db", "ipc": "shareable"}},
        "networks": {"default": {"name": "shared-net"}}}})
    first.run("up", "-d")
    second = berth.project({"compose.yaml": {"services": {
        "web": {**SLEEP, "external_links": ["the-db:mysql"]},
        "side": {**SLEEP, "network_mode": "container:the-db", "pid": "container:the-db",
                 "ipc": "container:the-db"}},
        **SHARED}})
    second.run("up", "-d")
    address = first.exec("db", "hostname", "-i").stdout.strip()
    for name in ("mysql", "the-db"):
        assert address in second.exec("web", "nslookup", name).stdout
    assert second.exec("side", "nslookup", "mysql", check=False).returncode != 0
    for kind in ("net", "pid", "ipc"):
        own = first.exec("db", "readlink", f"/proc/self/ns/{kind}").stdout
        assert second.exec("side", "readlink", f"/proc/self/ns/{kind}").stdout == own
    assert address in second.exec("side", "nslookup", "db").stdout
    first.exec("db", "sh", "-c", "echo there > /dev/shm/file")  # comes with ipc
    assert second.exec("side", "cat", "/dev/shm/file").stdout == "there\n"
    second.run("down", "-t", "0")
    first.run("stop", "-t", "0")
    failed = second.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "container the-db does not run" in failed.stderr
    second.run("down", "-t", "0")


def test_volumes_of_another_project(berth):
    """volumes_from a container of another project, running or not: named, anonymous, bind."""
    first = berth.project({"compose.yaml": {
        "services": {"db": {**SLEEP, "container_name": "the-store", "volumes": [
            "data:/data", "/anonymous", "./here:/here"]}},
        "volumes": {"data": {}}}, "here/file": "bound\n"})
    first.run("up", "-d")
    first.exec("db", "sh", "-c", "echo named > /data/a; echo nameless > /anonymous/a")
    file = {"services": {
        "web": {**SLEEP, "volumes_from": ["container:the-store:ro"], "tmpfs": "/here"},
        "rw": {**SLEEP, "volumes_from": ["container:the-store"]}}}
    second = berth.project({"compose.yaml": file})
    second.run("up", "-d")
    read = second.exec("rw", "cat", "/data/a", "/anonymous/a", "/here/file").stdout
    assert read == "named\nnameless\nbound\n"
    second.exec("rw", "sh", "-c", "echo more >> /data/a")
    assert second.exec("web", "cat", "/data/a").stdout == "named\nmore\n"
    assert second.exec("web", "touch", "/data/b", check=False).returncode != 0
    assert second.exec("web", "ls", "/here").stdout == ""  # its own mount wins
    mounts = {m["Destination"]: (m["Type"], m["RW"]) for m in json.loads(
        second.run("inspect", f"{second.name}-web-1").stdout)[0]["Mounts"]}
    assert mounts == {"/data": ("volume", False), "/anonymous": ("volume", False)}
    first.run("stop", "-t", "0")
    second.run("up", "-d", "--force-recreate", "-t", "0")
    assert second.exec("rw", "cat", "/data/a").stdout == "named\nmore\n"
    file["services"]["rw"]["volumes_from"] = ["container:nobody"]
    second.write({"compose.yaml": file})
    failed = second.run("up", "-d", "-t", "0", check=False)
    assert failed.returncode == 1
    assert "volumes_from: there is no container nobody, in this project or another" \
        in failed.stderr
    second.run("down", "-t", "0")
    first.run("down", "-t", "0", "-v")


def test_volume_of_an_image(berth):
    """Read-only, whole or a part of it, and made anew when the name means another image."""
    berth.image_from_binaries("data:1", [], {"/a/b/file": "one\n", "/top": "x\n"})
    mount = {"type": "image", "source": "data:1", "target": "/whole"}
    part = {"type": "image", "source": "data:1", "target": "/part", "image": {"subpath": "a/b"}}
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "volumes": [mount, part]}}}})
    project.run("up", "-d")
    before = project.container("a")["ID"]
    assert project.exec("a", "cat", "/whole/a/b/file", "/part/file").stdout == "one\none\n"
    assert project.exec("a", "touch", "/whole/x", check=False).returncode != 0
    project.run("up", "-d")
    assert project.container("a")["ID"] == before
    berth.image_from_binaries("data:1", [], {"/a/b/file": "two\n"})
    again = project.run("--dry-run", "up", "-d")
    assert "the image of a volume changed" in again.stdout
    project.run("up", "-d", "-t", "0")
    assert project.exec("a", "cat", "/part/file").stdout == "two\n"
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": [
        {**part, "image": {"subpath": "no/where"}}]}}}})
    failed = project.run("up", "-d", "-t", "0", check=False)
    assert "there is no such file or directory in it" in failed.stderr
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": [
        {**part, "source": "nowhere:1"}]}}}})
    failed = project.run("up", "-d", check=False)
    assert "service a: image nowhere:1: " in failed.stderr


def test_external_secrets(berth):
    """They are files of the machine's, below BERTH_ROOT."""
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "secrets": [{"source": "s", "mode": 0o400}]}},
        "secrets": {"s": {"external": True, "name": "password"}}}})
    failed = project.run("up", "-d", check=False)
    assert f"is external, so it is to be in {berth.root}/secrets/password" in failed.stderr
    berth.command(["sh", "-c", f"mkdir -p {berth.root}/secrets && "
                               f"echo hush > {berth.root}/secrets/password"])
    project.run("up", "-d")
    assert project.exec("a", "cat", "/run/secrets/s").stdout == "hush\n"
    project.run("down", "-t", "0")
    berth.command(["rm", "-r", f"{berth.root}/secrets"])


def test_a_link_follows(berth):
    """The linked container comes again with another address: the links of both kinds lead there."""
    berth.project({})
    berth.run("network", "create", "--subnet", "10.78.0.0/24", "net")

    def start(address):
        berth.run("container", "run", "-d", "--init", "--name", "db", "--network", "net", "--ip", address, "busybox",
                  "sleep", "1000")

    def led(name, alias):
        found = berth.run("container", "exec", name, "ping", "-c1", "-W5", alias, check=False).stdout
        return found.partition("(")[2].partition(")")[0]

    start("10.78.0.50")
    berth.run("container", "run", "-d", "--init", "--name", "one", "--network", "net", "--link", "db:sql", "busybox",
              "sleep", "1000")
    berth.run("container", "run", "-d", "--init", "--name", "two", "busybox", "sleep", "1000")
    berth.run("network", "connect", "--link", "db:mysql", "net", "two")
    ident = berth.run("container", "inspect", "-f", "{{.Id}}", "db").stdout.strip()
    berth.run("container", "run", "-d", "--init", "--name", "three", "--network", "net", "--link", f"{ident}:byid",
              "busybox", "sleep", "1000")
    assert [led("one", "sql"), led("two", "mysql"), led("three", "byid")] == ["10.78.0.50"] * 3
    assert led("one", "mysql") == led("two", "sql") == ""
    berth.run("container", "rm", "-f", "db")
    assert led("one", "sql") == ""
    start("10.78.0.60")
    for name, alias in (("one", "sql"), ("two", "mysql"), ("one", "db")):
        berth.wait_until(lambda: led(name, alias) == "10.78.0.60", 10, f"{alias} leads to its new address")
    berth.run("container", "restart", "-t", "0", "one")
    assert led("one", "sql") == "10.78.0.60"
    berth.run("container", "rm", "-f", "db", "one", "two", "three")
    berth.run("network", "rm", "net")


def test_network_connect(berth):
    """Each of its flags; a link is known to that container alone, and goes when it leaves."""
    berth.project({})
    for args in ("network create --subnet 10.77.0.0/24 --ipv6 --subnet fd77::/64 net",
                 "container run -d --init --name db --network net busybox sleep 1000",
                 "container run -d --init --name box busybox sleep 1000"):
        berth.run(*args.split())
    refused = berth.run("network", "connect", "--link", "box:x", "net", "box", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "--link box:x: container box does not run, or not on network net\n"
    connect = ["network", "connect", "--link", "db:mysql", "net", "box"]
    berth.run(*connect[:-2], "--alias", "frontend", "--ip", "10.77.0.77", "--ip6", "fd77::77", "--link-local-ip",
              "169.254.7.7", "--gw-priority", "5", "--driver-opt", "com.docker.network.endpoint.ifname=net7",
              "net", "box")

    def inside(name, *words):
        return berth.run("container", "exec", name, *words, check=False)

    seen = inside("box", "sh", "-c", "ip addr show net7; ip route").stdout
    for text in ("10.77.0.77/24", "169.254.7.7/16", "fd77::77/64", "default via 10.77.0.1 dev net7"):
        assert text in seen
    assert "10.77.0.77" in inside("db", "nslookup", "frontend").stdout
    assert inside("box", "ping", "-c1", "-W5", "mysql").returncode == 0
    assert inside("db", "ping", "-c1", "-W5", "mysql").returncode == 1
    berth.run("container", "restart", "-t", "0", "box")
    assert inside("box", "ping", "-c1", "-W5", "mysql").returncode == 0
    berth.run("network", "disconnect", "net", "box")
    assert inside("box", "ping", "-c1", "-W5", "mysql").returncode == 1
    berth.run("container", "restart", "-t", "0", "box")
    berth.run(*connect)
    assert inside("box", "ping", "-c1", "-W5", "mysql").returncode == 0
    done = berth.run("container", "run", "--rm", "--network", "net", "--link", "db:sql", "busybox", "ping", "-c1",
                     "-W5", "sql")
    assert "1 packets received" in done.stdout
    berth.run("network", "disconnect", "--force", "net", "nosuch")
    berth.run("container", "rm", "-f", "box", "db")
    berth.run("network", "rm", "net")
    assert berth.run("network", "rm", "net", check=False).returncode == 1
    assert berth.run("network", "rm", "--force", "net").returncode == 0
