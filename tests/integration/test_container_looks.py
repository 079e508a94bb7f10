# SPDX-License-Identifier: GPL-2.0-or-later
"""What single containers are like, and files in and out of them, with docker's commands."""
import glob
import json
import os
import re
import tarfile

import pytest

SLEEP = ("busybox", "sleep", "1000")


def container(berth, *args, **options):
    return berth.run("container", *args, **options)


@pytest.fixture
def machine(berth):
    """The sandbox with its images; what single containers it has left is removed."""
    berth.project({})
    yield berth
    names = container(berth, "ls", "-aq").stdout.split()
    if names:
        container(berth, "rm", "-fv", *names)
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def row(berth, name):
    lines = container(berth, "ls", "-a", "--format", "json").stdout.splitlines()
    return next((json.loads(line) for line in lines if json.loads(line)["Names"] == name), None)


def inspect(berth, *args):
    return json.loads(container(berth, "inspect", *args).stdout)[0]


def test_inspect(machine):
    machine.run("network", "create", "--subnet", "10.77.0.0/24", "front")
    ident = container(
        machine, "run", "-d", "--init", "--name", "box", "--network", "front", "--ip", "10.77.0.9",
        "--network-alias", "other", "-p", "127.0.0.1:18091:80", "--expose", "81/udp", "-e", "A=1",
        "-l", "k=v", "-v", "data:/data:ro", "-v", "/etc:/host", "-v", "/anonymous", "--memory",
        "64m", "--cpus", "0.5", "--restart", "on-failure:3", "-h", "h1", "-w", "/tmp", "-u", "0",
        "--cap-add", "NET_ADMIN", "--health-cmd", "true", "--health-interval", "100ms",
        "--ulimit", "nofile=64:128", "--stop-signal", "SIGINT", "--stop-timeout", "3",
        "--entrypoint", "sleep", "busybox", "1000").stdout.strip()
    machine.wait_until(lambda: row(machine, "box")["Status"].endswith("(healthy)"), 10)
    box = inspect(machine, "box")
    assert box["Id"] == ident and box["Name"] == "/box"
    assert (box["Path"], box["Args"]) == ("sleep", ["1000"])
    state = box["State"]
    assert state["Status"] == "running" and state["Running"] and state["Pid"] > 0
    assert state["Health"]["Status"] == "healthy" and state["Health"]["Log"][0]["ExitCode"] == 0
    config = box["Config"]
    assert config["Hostname"] == "h1" and config["Entrypoint"] == ["sleep"]
    assert config["Cmd"] == ["1000"] and "A=1" in config["Env"] and config["Labels"] == {"k": "v"}
    assert set(config["ExposedPorts"]) == {"80/tcp", "81/udp"} and config["StopTimeout"] == 3
    assert config["Healthcheck"]["Interval"] == 100000000 and config["StopSignal"] == "SIGINT"
    host = box["HostConfig"]
    assert host["NetworkMode"] == "front" and host["Memory"] == 64 << 20
    assert host["NanoCpus"] == 500000000 and host["CapAdd"] == ["NET_ADMIN"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18091"}]}
    assert host["Binds"] == ["data:/data:ro", "/etc:/host"]
    assert host["Ulimits"] == [{"Name": "nofile", "Hard": 128, "Soft": 64}]
    settings = box["NetworkSettings"]
    assert settings["Ports"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18091"}],
                                 "81/udp": None}
    front = settings["Networks"]["front"]
    assert (front["IPAddress"], front["IPPrefixLen"], front["Gateway"]) == (
        "10.77.0.9", 24, "10.77.0.1")
    assert front["DNSNames"] == ["box", "other", ident[:12]] and front["Aliases"] == ["other"]
    network = json.loads(machine.run("network", "inspect", "front").stdout)[0]
    assert front["NetworkID"] == network["Id"]
    assert network["Containers"][ident]["IPv4Address"] == "10.77.0.9/24"
    mounts = {mount["Destination"]: mount for mount in box["Mounts"]}
    assert mounts["/data"]["Name"] == "data" and not mounts["/data"]["RW"]
    assert mounts["/host"]["Type"] == "bind" and mounts["/anonymous"]["Type"] == "volume"
    assert container(machine, "inspect", "-f", "{{.State.Status}} {{json .Config.Cmd}} "
                     "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                     ident[:10]).stdout == 'running ["1000"] 10.77.0.9\n'
    container(machine, "exec", "box", "sh", "-c", "head -c 100000 /dev/zero >/root/x")
    assert inspect(machine, "-s", "box")["SizeRw"] == 100000
    container(machine, "stop", "box")
    box = inspect(machine, "box")
    assert box["State"]["Status"] == "exited" and box["State"]["Pid"] == 0
    assert box["NetworkSettings"]["Networks"]["front"]["IPAddress"] == ""
    container(machine, "rm", "-v", "box")
    machine.run("network", "rm", "front")


def test_inspect_anything(machine):
    container(machine, "run", "-d", "--name", "box", "-v", "vol:/v", *SLEEP)
    rows = json.loads(machine.run("inspect", "box", "busybox", "vol").stdout)
    assert rows[0]["Name"] == "/box" and "busybox:latest" in rows[1]["RepoTags"]
    assert rows[2]["Name"] == "vol" and rows[0]["NetworkSettings"]["IPAddress"]
    assert machine.run("inspect", "-t", "image", "-f", "{{.Os}}", "busybox").stdout == "linux\n"
    assert machine.run("inspect", "--type", "network", "-f", "{{.Name}}",
                       "bridge").stdout == "bridge\n"
    for words, said in ((["nosuch"], "No such object: nosuch"),
                        (["--type", "volume", "box"], "no such volume"),
                        (["--type", "x", "box"], "not a valid value")):
        bad = machine.run("inspect", *words, check=False)
        assert bad.returncode == 1 and said in bad.stderr
    bad = container(machine, "inspect", "nosuch", check=False)
    assert (bad.returncode, bad.stdout) == (1, "[]\n") and "No such container" in bad.stderr


def test_files_in_and_out(machine):
    container(machine, "run", "-d", "--init", "--name", "box", *SLEEP)
    path = os.path.join(machine.home, "file")
    with open(path, "w") as file:
        file.write("content")
    container(machine, "cp", "-q", "-a", path, "box:/tmp/in")
    assert container(machine, "exec", "box", "cat", "/tmp/in").stdout == "content"
    container(machine, "cp", "-L", "box:/tmp/in", f"{path}.back")
    with open(f"{path}.back") as file:
        assert file.read() == "content"
    container(machine, "export", "-o", f"{path}.tar", "box")
    with tarfile.open(f"{path}.tar") as tar:
        assert {"usr/bin/busybox", "tmp/in"} <= {name.lstrip("./") for name in tar.getnames()}
    made = container(machine, "commit", "-a", "me", "-m", "why", "-c", 'CMD ["cat", "/tmp/in"]',
                     "box", "changed:1").stdout
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", made)
    assert container(machine, "run", "--rm", "changed:1").stdout == "content"
    machine.run("image", "rm", "changed:1")


def test_diff(machine):
    container(machine, "run", "-d", "--init", "--name", "box", *SLEEP)
    assert container(machine, "diff", "box").stdout.split("\n")[:-1] in ([], ["C /etc"])
    container(machine, "exec", "box", "sh", "-c", "rm -r /data/sub; echo x >/etc/group; "
              "mkdir -p /srv/new/dir; touch /srv/new/file; rm -r /home/app; mkdir /home/app")
    lines = set(container(machine, "diff", "box").stdout.splitlines())
    assert {"C /etc", "C /etc/group", "C /data", "D /data/sub", "C /srv", "A /srv/new",
            "A /srv/new/dir", "A /srv/new/file", "C /home", "C /home/app"} == lines
    assert container(machine, "diff", "nosuch", check=False).returncode == 1


def test_update(machine):
    container(machine, "run", "-d", "--init", "--name", "box", "--memory", "64m", "--cpus", "1",
              *SLEEP)
    before = inspect(machine, "box")
    assert container(machine, "update", "--memory", "96m", "--memory-swap", "192m",
                     "--memory-reservation", "32m", "--cpu-shares", "512", "--pids-limit", "60",
                     "--restart", "on-failure:2", "--cpu-period", "50000", "--cpu-quota", "20000",
                     "box").stdout == "box\n"
    box = inspect(machine, "box")
    host = box["HostConfig"]
    assert (box["Id"], box["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])
    assert (host["Memory"], host["MemorySwap"], host["MemoryReservation"]) == (
        96 << 20, 192 << 20, 32 << 20)
    assert (host["CpuShares"], host["PidsLimit"]) == (512, 60)
    assert (host["NanoCpus"], host["CpuPeriod"], host["CpuQuota"]) == (0, 50000, 20000)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    stats = container(machine, "stats", "--no-stream", "--format", "{{.MemUsage}}", "box").stdout
    assert stats.endswith("/ 96MiB\n")
    container(machine, "update", "--cpus", "0.5", "box")
    host = inspect(machine, "box")["HostConfig"]
    assert (host["NanoCpus"], host["CpuQuota"]) == (500000000, 0)
    # Kept: by the next supervisor, and at the next start.
    for pid in machine.own_pids_of("__supervisor", "container.box"):
        machine.kill(pid)
    container(machine, "restart", "-t", "0", "box")
    assert inspect(machine, "box")["HostConfig"]["Memory"] == 96 << 20
    for flags, said in ((["--restart", "sometimes"], "restart"), ([], "one or more flags"),
                        (["--memory", "x"], "mem_limit")):
        bad = container(machine, "update", *flags, "box", check=False)
        assert bad.returncode == 1 and said in bad.stderr, bad.stderr
    # What this kernel may lack, or give to a new group only: then it says so.
    for flag, value in (("--blkio-weight", "300"), ("--cpu-rt-period", "100000"),
                        ("--cpu-rt-runtime", "0"), ("--cpuset-cpus", "0")):
        done = container(machine, "update", flag, value, "box", check=False)
        assert done.returncode == 0 or "container box: " in done.stderr, done.stderr


def test_what_it_does(machine):
    container(machine, "run", "-d", "--init", "--name", "box", "-p", "18092:80", "-p",
              "127.0.0.1:18093:53/udp", *SLEEP)
    assert container(machine, "port", "box").stdout.splitlines() == [
        "80/tcp -> 0.0.0.0:18092", "80/tcp -> [::]:18092", "53/udp -> 127.0.0.1:18093"]
    assert container(machine, "port", "box", "53/udp").stdout == "127.0.0.1:18093\n"
    bad = container(machine, "port", "box", "53", check=False)
    assert bad.returncode == 1 and "no public port '53/tcp'" in bad.stderr
    lines = container(machine, "top", "box").stdout.splitlines()
    assert lines[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert any(line.endswith("sleep 1000") for line in lines[1:])
    lines = container(machine, "top", "box", "-eo", "pid,comm").stdout.splitlines()
    assert lines[0].split() == ["PID", "COMMAND"] and 2 <= len(lines) <= 3
    assert {"sleep", "busybox"} & {line.split()[1] for line in lines[1:]}
    bad = container(machine, "top", "box", "-eo", "comm", check=False)
    assert bad.returncode == 1 and "no column PID" in bad.stderr
    container(machine, "run", "-d", "--init", "--name", "second", *SLEEP)
    names = container(machine, "stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}").stdout
    assert sorted(names.splitlines()) == ["box 2", "second 2"]
    one = container(machine, "stats", "--no-stream", "--no-trunc", "second").stdout.splitlines()
    assert len(one) == 2 and one[1].split()[1] == "second"
    assert "No such container" in container(machine, "stats", "--no-stream", "x",
                                            check=False).stderr
    container(machine, "stop", "-t", "0", "second")
    assert "second" in container(machine, "stats", "-a", "--no-stream").stdout


def test_prune(berth, machine):
    project = berth.project({"compose.yaml": {"services": {"web": {
        "image": "busybox", "command": ["true"]}}}})
    project.run("up")
    container(machine, "run", "-d", "--name", "running", *SLEEP)
    container(machine, "create", "--name", "made", "-l", "keep=1", *SLEEP)
    container(machine, "run", "--name", "ended", "busybox", "sh", "-c", "echo 12345 >/x")
    asked = container(machine, "prune", input="n\n", check=False)
    assert asked.returncode == 1 and "all stopped containers" in asked.stdout
    pruned = container(machine, "prune", "-f", "--filter", "label!=keep").stdout
    assert pruned.startswith("Deleted Containers:\n") and "reclaimed space: 6B" in pruned
    assert re.findall(r"^[0-9a-f]{64}$", pruned, re.M).__len__() == 2
    assert sorted(container(machine, "ls", "-a", "--format", "{{.Names}}").stdout.split()) == [
        "made", "running"]
    assert "- all stopped containers" in machine.run("system", "prune", input="n\n",
                                                     check=False).stdout
    machine.run("system", "prune", "-f")
    assert container(machine, "ls", "-a", "--format", "{{.Names}}").stdout == "running\n"


def test_lists(machine):
    machine.run("network", "create", "front")
    first = container(machine, "run", "-d", "--name", "first", "--network", "front", "-v",
                      "vol:/v", "-l", "k=v", "--expose", "7", "-p", "18094:80", *SLEEP).stdout
    container(machine, "run", "--name", "second", "busybox", "sh", "-c", "echo 123 >/f; exit 3",
              check=False)
    container(machine, "create", "--name", "third", "--no-healthcheck", *SLEEP)

    def names(*args):
        return container(machine, "ls", "--format", "{{.Names}}", *args).stdout.split()

    for filters, found in (
            (["name=fir"], ["first"]), (["name=^/third$"], ["third"]), (["label=k"], ["first"]),
            (["label=k=v"], ["first"]), (["label=k=w"], []), (["status=exited"], ["second"]),
            (["status=created"], ["third"]), (["exited=3"], ["second"]), (["exited=0"], []),
            (["network=front"], ["first"]), (["volume=vol"], ["first"]),
            (["volume=/v"], ["first"]), (["ancestor=busybox"], ["third", "second", "first"]),
            (["ancestor=x"], []), (["before=second"], ["first"]), (["since=second"], ["third"]),
            (["health=none"], ["third", "second", "first"]), (["publish=18094"], ["first"]),
            (["expose=80/tcp"], ["first"]), ([f"id={first[:8]}"], ["first"]),
            (["name=first", "name=third"], ["third", "first"]), (["is-task=false"],
                                                                ["third", "second", "first"])):
        words = [word for item in filters for word in ("-f", item)]
        assert names("-a", *words) == found, filters
    assert names() == ["first"] and names("-l") == ["third"]
    assert names("-n", "2") == ["third", "second"]
    table = container(machine, "ls", "-a", "-s", "--no-trunc").stdout.splitlines()
    assert table[0].split()[-1] == "SIZE" and first.strip() in table[3]
    assert re.search(r"4B \(virtual [\d.]+[kMG]?B\)$", table[2])
    assert container(machine, "ls", "--format", "table {{.ID}}\t{{.Names}}").stdout.splitlines()[
        0].split() == ["CONTAINER", "ID", "NAMES"]
    bad = container(machine, "ls", "-f", "nosuch=1", check=False)
    assert bad.returncode == 1 and "nosuch" in bad.stderr
    bad = container(machine, "rm", "--link", "first", check=False)
    assert bad.returncode == 1 and "--link is not supported" in bad.stderr
    container(machine, "rm", "-f", "first", "second", "third")
    machine.run("network", "rm", "front")
