# SPDX-License-Identifier: GPL-2.0-or-later
"""The flags of `container run`, each used once: what it does where that shows in the container, and
what `inspect` says of it where another test has what the attribute does (test_resources.py)."""
import glob
import json
import os
import re
import subprocess

import pytest

SLEEP = ("busybox", "sleep", "1000")


def container(berth, *args, **options):
    return berth.run("container", *args, **options)


def run(berth, *args, **options):
    """Runs to its end and is gone; the lines that it said."""
    return container(berth, "run", "--rm", *args, **options).stdout.splitlines()


def start(berth, name, *flags):
    """In the background; gives what inspect says of it."""
    container(berth, "run", "--detach", "--name", name, "--init", *flags, *SLEEP)
    return json.loads(container(berth, "inspect", name).stdout)[0]


def refused(berth, *flags):
    bad = container(berth, "run", "--rm", *flags, "busybox", "true", check=False)
    assert bad.returncode == 125, flags
    return bad.stderr


@pytest.fixture
def machine(berth):
    berth.project({})
    yield berth
    names = container(berth, "ls", "-aq").stdout.split()
    if names:
        container(berth, "rm", "-fv", *names)
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def write(berth, name, text):
    path = os.path.join(berth.home, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def test_every_flag_is_here(berth):
    """A flag that is new in the table wants a test."""
    flags = set(re.findall(r"^ +(?:-\w, +)?--([\w-]+)", berth.run("container", "run",
                                                                 "--help").stdout, re.M))
    folder = os.path.dirname(__file__)
    text = ""
    for path in glob.glob(f"{folder}/test_container*.py") + [f"{folder}/test_names.py"]:
        with open(path) as file:
            text += file.read()
    assert len(flags) > 80
    assert [flag for flag in sorted(flags) if f'"--{flag}' not in text] == []


def test_environment_and_labels(machine):
    env = write(machine, "env", "# comment\nA=file\nB=x y\nHOME2\n")
    labels = write(machine, "labels", "l1=file\nl2=two\n")
    lines = run(machine, "--env-file", env, "--env", "A=flag", "-e", "FROM_HERE", "busybox", "sh",
                "-c", "echo $A; echo $B; echo $HOME2; echo $FROM_HERE",
                env={"FROM_HERE": "here", "HOME2": "h2"})
    assert lines == ["flag", "x y", "h2", "here"]
    box = start(machine, "box", "--label-file", labels, "--label", "l1=flag", "--annotation",
                "note=1")
    assert box["Config"]["Labels"] == {"l1": "flag", "l2": "two"}
    assert box["HostConfig"]["Annotations"] == {"note": "1"}
    assert "nosuch" in refused(machine, "--env-file", "/nosuch")


def test_who_and_where(machine):
    lines = run(machine, "--user", "65534", "--group-add", "77", "--workdir", "/srv", "--hostname",
                "here", "--domainname", "example.org", "--tty", "busybox", "sh", "-c",
                "id -u; id -G; pwd; hostname; cat /proc/sys/kernel/domainname; tty")
    assert lines[0] == "65534" and "77" in lines[1].split() and lines[2:5] == [
        "/srv", "here", "example.org"] and lines[5].startswith("/dev/pts/")
    assert run(machine, "--interactive", "busybox", "cat", input="in\n") == ["in"]
    assert run(machine, "--entrypoint", "echo", "busybox", "x") == ["x"]


def test_ids_and_images(machine):
    path = os.path.join(machine.home, "id")
    container(machine, "run", "-d", "--name", "box", "--cidfile", path, "--pull", "never",
              "--quiet", *SLEEP)
    with open(path) as file:
        assert file.read() == container(machine, "ls", "-q", "--no-trunc").stdout.strip()
    assert "container ID file found" in refused(machine, "--cidfile", path)
    system = machine.command(["uname", "-m"]).stdout.strip()
    platform = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[system]
    assert run(machine, "--platform", platform, "busybox", "echo", "x") == ["x"]
    assert run(machine, "--disable-content-trust", "busybox", "echo", "x") == ["x"]


def test_names_and_hosts(machine):
    machine.run("network", "create", "--ipv6", "--subnet", "10.79.0.0/24", "--subnet",
                "fd79::/64", "front")
    start(machine, "first", "--network", "front", "--ip", "10.79.0.9", "--ip6", "fd79::9",
          "--mac-address", "02:42:00:00:00:09", "--link-local-ip", "169.254.9.9",
          "--network-alias", "db", "--net-alias", "db2")
    shown = container(machine, "exec", "first", "ip", "addr").stdout
    for text in ("10.79.0.9/24", "fd79::9/64", "02:42:00:00:00:09", "169.254.9.9/16"):
        assert text in shown
    for name in ("db", "db2", "first"):
        assert any("10.79.0.9" in line for line in run(
            machine, "--net", "front", "busybox", "nslookup", "-type=a", name))
    lines = run(machine, "--network", "front", "--link", "first:other", "--add-host",
                "far:10.1.2.3", "--dns", "192.0.2.53", "--dns-search", "example.org",
                "--dns-option", "timeout:1", "--dns-opt", "attempts:1", "busybox", "sh", "-c",
                "cat /etc/hosts /etc/resolv.conf; ping -4 -c1 other")
    text = "\n".join(lines)
    assert "PING other (10.79.0.9)" in text and "1 packets received" in text
    assert re.search(r"10\.1\.2\.3\s+far", text)
    assert "search example.org" in text and "timeout:1" in text and "attempts:1" in text
    # As docker's long form of the flag has it.
    long = start(machine, "long", "--network", "name=front,alias=l1,alias=l2,ip=10.79.0.10,"
                 "mac-address=02:42:00:00:00:10,gw-priority=3")
    row = long["NetworkSettings"]["Networks"]["front"]
    assert row["IPAddress"] == "10.79.0.10" and row["Aliases"] == ["l1", "l2"]
    assert row["MacAddress"] == "02:42:00:00:00:10" and row["GwPriority"] == 3
    assert "unexpected key 'x'" in refused(machine, "--network", "name=front,x=1")
    # The address of a link's container is found on the default bridge as well.
    start(machine, "old")
    assert any(line.endswith("\tdata old") for line in run(
        machine, "--link", "old:data", "busybox", "cat", "/etc/hosts"))
    container(machine, "rm", "-f", "first", "long", "old")
    machine.run("network", "rm", "front")


def test_ports(machine):
    machine.image_from_binaries("exposes", ["busybox"], changes=[
        "EXPOSE 81", 'CMD ["busybox", "sleep", "1000"]'])
    container(machine, "run", "-d", "--init", "--name", "box", "--publish-all", "--expose", "82",
              "--publish", "18097:80", "exposes")
    ports = container(machine, "port", "box").stdout
    assert re.search(r"^81/tcp -> 0\.0\.0\.0:\d+$", ports, re.M)
    assert re.search(r"^82/tcp -> 0\.0\.0\.0:\d+$", ports, re.M)
    assert "80/tcp -> 0.0.0.0:18097" in ports


def test_mounts(machine):
    folder = os.path.join(machine.home, "folder")
    os.mkdir(folder)
    write(machine, "folder/file", "content\n")
    container(machine, "run", "--name", "first", "--volume", "vol:/vol", "-v", "/own", "busybox",
              "sh", "-c", "mkdir /vol/sub; echo v >/vol/sub/f; echo o >/own/f")
    lines = run(machine, "--volumes-from", "first:ro", "busybox", "sh", "-c",
                "cat /vol/sub/f /own/f; touch /vol/x || echo no")
    assert lines == ["v", "o", "no"]
    # What is this one's own as well stays when the first one goes.
    container(machine, "run", "--name", "second", "--volumes-from", "first", "busybox", "true")
    container(machine, "rm", "-v", "first")
    assert run(machine, "--volumes-from", "second", "-v", "vol:/own", "busybox", "sh", "-c",
               "cat /vol/sub/f; ls /own") == ["v", "sub"]
    assert run(machine, "--volumes-from", "second", "busybox", "cat", "/own/f") == ["o"]
    assert "No such container: nosuch" in refused(machine, "--volumes-from", "nosuch")
    assert "invalid mode: x" in refused(machine, "--volumes-from", "second:x")
    lines = run(machine, "--mount", f"type=bind,src={folder},dst=/folder,readonly", "--mount",
                "type=volume,source=vol,target=/v,volume-subpath=sub", "--mount",
                "type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=0700", "--mount",
                "type=image,source=busybox,target=/image", "--tmpfs", "/t2:size=2m",
                "--read-only", "busybox", "sh", "-c",
                "cat /folder/file /v/f; df -k /t /t2 | grep -c '1024\\|2048'; "
                "stat -c %a /t; ls /image/usr/bin/busybox; touch /x || echo no")
    assert lines == ["content", "v", "2", "700", "/image/usr/bin/busybox", "no"]
    assert "--volume-driver" in refused(machine, "--volume-driver", "nfs")
    container(machine, "rm", "-v", "second")


def test_namespaces(machine):
    start(machine, "first", "--hostname", "first-host")
    for flag, namespace in (("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"),
                            ("--network", "net")):
        if namespace != "uts":
            theirs = container(machine, "exec", "first", "readlink",
                               f"/proc/self/ns/{namespace}").stdout.split()
            assert run(machine, flag, "container:first", "busybox", "readlink",
                       f"/proc/self/ns/{namespace}") == theirs
        ours = machine.command(["readlink", f"/proc/self/ns/{namespace}"]).stdout.split()
        assert run(machine, flag, "host", "busybox", "readlink",
                   f"/proc/self/ns/{namespace}") == ours
    assert run(machine, "--cgroupns", "host", "--userns", "host", "busybox", "echo", "x") == ["x"]
    assert run(machine, "--privileged", "busybox", "grep", "CapEff", "/proc/self/status")[
        0].split()[1] != "00000000a80425fb"


def test_rights(machine):
    def caps(*flags):
        return int(run(machine, *flags, "busybox", "grep", "CapEff",
                       "/proc/self/status")[0].split()[1], 16)

    assert caps("--cap-drop", "ALL", "--cap-add", "NET_ADMIN") == 1 << 12
    lines = run(machine, "--security-opt", "no-new-privileges", "--sysctl",
                "net.core.somaxconn=77", "--ulimit", "nofile=100", "--oom-score-adj", "500",
                "--shm-size", "4m", "busybox", "sh", "-c",
                "grep NoNewPrivs /proc/self/status; cat /proc/sys/net/core/somaxconn; ulimit -n; "
                "cat /proc/self/oom_score_adj; df -k /dev/shm | grep -c 4096")
    assert lines == ["NoNewPrivs:\t1", "77", "100", "500", "1"]
    lines = run(machine, "--device", "/dev/null:/dev/other:r", "--device-cgroup-rule",
                "c 1:5 rwm", "busybox", "sh", "-c", "ls /dev/other; cat /dev/other")
    assert lines == ["/dev/other"]
    # Neither a GPU nor a specification of one is here: that is told before anything starts.
    assert "gpu" in refused(machine, "--gpus", "all").lower()


def test_resources(machine):
    host = start(machine, "box", "--cpu-shares", "512", "--cpu-period", "50000", "--cpu-quota",
                 "25000", "--cpuset-cpus", "0", "--memory", "64m", "--memory-reservation", "32m",
                 "--memory-swap", "128m", "--pids-limit", "50")["HostConfig"]
    assert (host["CpuShares"], host["CpuPeriod"], host["CpuQuota"]) == (512, 50000, 25000)
    assert host["CpusetCpus"] == "0" and host["PidsLimit"] == 50
    assert (host["Memory"], host["MemoryReservation"], host["MemorySwap"]) == (
        64 << 20, 32 << 20, 128 << 20)
    assert start(machine, "half", "--cpus", "0.5")["HostConfig"]["NanoCpus"] == 500000000
    # What this kernel may lack is still read, and told of when it does.
    for flags in (["--memory-swappiness", "10"], ["--oom-kill-disable"],
                  ["--cgroup-parent", "berth-test"], ["--blkio-weight", "300"],
                  ["--cpu-rt-period", "100000"], ["--cpu-rt-runtime", "0"]):
        done = container(machine, "run", "--rm", *flags, "busybox", "true", check=False)
        assert done.returncode in (0, 125, 126), (flags, done.stderr)
        assert done.returncode == 0 or done.stderr
    for flag, kind in (("--device-read-bps", "1mb"), ("--device-write-bps", "1mb"),
                       ("--device-read-iops", "100"), ("--device-write-iops", "100"),
                       ("--blkio-weight-device", "300")):
        assert "/dev/null is not a block device" in container(
            machine, "run", "--rm", flag, f"/dev/null:{kind}", "busybox", "true",
            check=False).stderr


def test_health_and_restarts(machine):
    box = start(machine, "box", "--health-cmd", "exit 1", "--health-interval", "50ms",
                "--health-timeout", "1s", "--health-retries", "2", "--health-start-period", "1ms",
                "--health-start-interval", "20ms", "--stop-signal", "SIGKILL", "--stop-timeout",
                "7", "--restart", "always")
    check = box["Config"]["Healthcheck"]
    assert (check["Retries"], check["StartInterval"], check["Timeout"]) == (
        2, 20000000, 1000000000)
    machine.wait_until(lambda: container(machine, "inspect", "-f", "{{.State.Health.Status}}",
                                         "box").stdout == "unhealthy\n", 10)
    assert start(machine, "none", "--no-healthcheck")["State"].get("Health") is None


def test_logs(machine):
    for driver, flags in (("json-file", ["--log-opt", "max-size=1m"]), ("none", [])):
        container(machine, "run", "-d", "--name", driver, "--log-driver", driver, *flags,
                  "busybox", "echo", "said")
        container(machine, "wait", driver)
    assert container(machine, "logs", "json-file").stdout == "said\n"
    assert "said" not in container(machine, "logs", "none", check=False).stdout


def test_terminals(machine):
    """Leaves with keys of one's own, and comes back."""
    terminal = machine.pty("container", "run", "-it", "--name", "box", "--detach-keys", "ctrl-x,q",
                           "busybox", "sh")
    terminal.read_until(r"[#$] ")
    terminal.write("echo o''ne\n")
    terminal.read_until("one")
    terminal.write("\x18q")
    assert terminal.wait(30) == 0
    assert container(machine, "ls", "--format", "{{.Names}}").stdout == "box\n"
    terminal = machine.pty("container", "attach", "box")
    terminal.write("exit 4\n")
    assert terminal.wait(30) == 4


@pytest.mark.parametrize("proxy, code", [("true", 42), ("false", -2)])
def test_signals(machine, proxy, code):
    """Passed on to it, or ours alone."""
    process = machine.popen("container", "run", "--name", "box", f"--sig-proxy={proxy}", "busybox",
                            "sh", "-c", "trap 'exit 42' INT; echo ready; "
                            "while :; do sleep 0.1; done")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(subprocess.signal.SIGINT)
    assert process.wait(20) == code
    assert container(machine, "ls", "-q").stdout.count("\n") == (proxy == "false")


def test_what_is_told_not_to_work(machine):
    for flags in (["--cpu-count", "1"], ["--cpu-percent", "1"], ["--io-maxbandwidth", "1"], ["--io-maxiops", "1"],
                  ["--kernel-memory", "1m"], ["--runtime", "runc"], ["--storage-opt", "size=1g"],
                  ["--use-api-socket"]):
        assert f"{flags[0]} is not supported" in refused(machine, *flags)
    assert "--isolation hyperv is not supported" in refused(machine, "--isolation", "hyperv")
    assert run(machine, "--isolation", "default", "busybox", "echo", "x") == ["x"]


def test_which_of_its_streams(machine):
    """What is not shown is logged all the same."""
    said = ["busybox", "sh", "-c", "echo out; echo err >&2"]
    for flags, out, err in ((["-a", "stdout"], "out\n", ""), (["--attach", "STDERR"], "", "err\n"),
                            (["-a", "stdout", "-a", "stderr"], "out\n", "err\n")):
        shown = container(machine, "run", "--name", "box", *flags, *said)
        assert (shown.stdout, shown.stderr) == (out, err), flags
        log = container(machine, "logs", "box")
        assert (log.stdout, log.stderr) == ("out\n", "err\n"), flags
        container(machine, "rm", "box")
    assert "valid streams are" in refused(machine, "-a", "all")
    assert "both --attach and --detach" in refused(machine, "-d", "-a", "stdout")


def test_memory_nodes(machine):
    shown = start(machine, "box", "--cpuset-mems", "0")
    assert shown["HostConfig"]["CpusetMems"] == "0"
    container(machine, "update", "--cpuset-mems", "0-0", "box")
    shown = json.loads(container(machine, "inspect", "box").stdout)[0]
    assert shown["HostConfig"]["CpusetMems"] == "0-0"
    # What the kernel refuses is told, and nothing of it is so: neither here nor in the limits.
    before = shown["HostConfig"]
    bad = container(machine, "update", "--memory", "64m", "--cpuset-mems", "77", "box", check=False)
    assert bad.returncode == 1 and "box" in bad.stderr and "memory nodes" in bad.stderr
    assert json.loads(container(machine, "inspect", "box").stdout)[0]["HostConfig"] == before
    bad = container(machine, "update", "--kernel-memory", "64m", "box", check=False)
    assert bad.returncode == 1 and "--kernel-memory is not supported" in bad.stderr


def test_keys_that_leave_an_exec(machine):
    start(machine, "box")
    terminal = machine.pty("container", "exec", "-it", "--detach-keys", "ctrl-x,q", "box", "sh",
                           cwd="/")
    terminal.read_until(r"[#$] ")
    terminal.write("echo on$((40+2)); sleep 0.2; touch /went-on; sleep 1000\n")
    terminal.read_until("on42")
    terminal.write("\x18q")
    assert terminal.wait(20) == 0
    machine.wait_until(lambda: container(machine, "exec", "box", "test", "-e", "/went-on",
                                         check=False).returncode == 0, 10, "it goes on")
    bad = container(machine, "exec", "-it", "--detach-keys", "ctrl-", "box", "sh", check=False)
    assert bad.returncode == 1 and "invalid detach keys" in bad.stderr
