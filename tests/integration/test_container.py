# SPDX-License-Identifier: GPL-2.0-or-later
"""`berth container`: single containers by docker's own command line, without a compose file."""
import glob
import json
import re

import pytest


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
    # One of --rm is removed after its client was told how it ended.
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def row(berth, name):
    lines = container(berth, "ls", "-a", "--format", "json").stdout.splitlines()
    return next((json.loads(line) for line in lines if json.loads(line)["Names"] == name), None)


def test_in_the_background(machine):
    run = container(machine, "run", "-d", "--name", "box", "-e", "A=1", "--hostname", "h1",
                    "-p", "18090:80", "-l", "k=v", "--restart", "unless-stopped", "--init",
                    "busybox", "sh", "-c", "echo out; echo err >&2; sleep 1000")
    assert re.fullmatch(r"[0-9a-f]{64}\n", run.stdout) and run.stderr == ""
    ident = run.stdout.strip()
    shown = row(machine, "box")
    assert shown["State"] == "running" and shown["Image"] == "busybox"
    assert "18090->80/tcp" in shown["Ports"] and shown["Labels"] == "k=v"
    table = container(machine, "ls").stdout.splitlines()
    assert table[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS",
                                "PORTS", "NAMES"]
    assert table[1].startswith(ident[:12]) and table[1].endswith("box")
    asked = container(machine, "exec", "-e", "B=2", "box", "sh", "-c", "echo $A $B; hostname")
    assert asked.stdout == "1 2\nh1\n"
    machine.wait_until(lambda: container(machine, "logs", ident[:10]).stdout == "out\n", 30)
    assert container(machine, "logs", "box").stderr == "err\n"
    again = container(machine, "run", "--name", "box", "busybox", check=False)
    assert again.returncode == 125 and 'name "box" is already in use' in again.stderr
    refused = container(machine, "rm", "box", check=False)
    assert refused.returncode == 1 and "container is running" in refused.stderr
    assert container(machine, "stop", "-t", "0", "box").stdout == "box\n"
    assert row(machine, "box")["State"] == "exited"
    assert container(machine, "start", "box").stdout == "box\n"
    assert row(machine, "box")["State"] == "running"
    container(machine, "restart", "-t", "0", "box")
    container(machine, "pause", "box")
    assert row(machine, "box")["Status"].endswith("(Paused)")
    container(machine, "unpause", "box")
    assert container(machine, "kill", "box").stdout == "box\n"
    assert container(machine, "wait", "box").stdout == "137\n"
    assert container(machine, "rm", "box").stdout == "box\n"
    assert row(machine, "box") is None
    gone = container(machine, "stop", "box", check=False)
    assert gone.returncode == 1 and "No such container: box" in gone.stderr


def test_in_the_foreground(machine):
    run = container(machine, "run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo e >&2; exit 7",
                    input="in\n", check=False)
    assert (run.returncode, run.stdout, run.stderr) == (7, "in\n", "e\n")
    assert container(machine, "run", "--rm", "busybox", "nosuch", check=False).returncode == 127
    assert container(machine, "run", "--rm", "busybox", "/etc", check=False).returncode == 126
    missing = container(machine, "run", "no/such/image:1", check=False)
    assert missing.returncode == 125 and "no/such/image:1" in missing.stderr
    machine.wait_until(lambda: container(machine, "ls", "-aq").stdout == "", 30, "all removed")
    container(machine, "run", "--name", "kept", "busybox", "true")
    assert row(machine, "kept")["Status"].startswith("Exited (0)")
    container(machine, "run", "-d", "busybox", "sleep", "1000")
    made_up = container(machine, "ls", "-l", "--format", "{{.Names}}").stdout
    assert re.fullmatch(r"[a-z]+_[a-z]+[0-9]{2}\n", made_up)


def test_a_terminal(machine):
    terminal = machine.pty("container", "run", "-it", "--rm", "busybox", "sh")
    terminal.read_until(r"[#$] ")
    terminal.write("tty; exit 3\n")
    terminal.read_until(r"/dev/pts/\d")
    assert terminal.wait(30) == 3


def test_what_it_is_made_of(machine):
    """Each flag is the attribute that it equals."""
    run = container(
        machine, "run", "--rm", "-u", "65534:65534", "-w", "/tmp", "--read-only", "--tmpfs",
        "/run:size=1m", "-v", "data:/data", "--mount", "type=tmpfs,dst=/scratch,tmpfs-size=1m",
        "--add-host", "other:10.1.2.3", "--cap-drop", "ALL", "--memory", "64m", "--pids-limit",
        "50", "--ulimit", "nofile=100:200", "--sysctl", "net.ipv4.ip_forward=1", "--entrypoint",
        "sh", "--shm-size", "8m", "--dns", "192.0.2.53", "--network", "none", "--no-healthcheck",
        "busybox", "-c", "id -u; pwd; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; "
        "grep other /etc/hosts; grep -c CapBnd:.0000000000000000 /proc/self/status; "
        "ls -d /data /scratch; touch /x 2>&1 || echo readonly")
    words = run.stdout.split("\n")
    assert words[:4] == ["65534", "/tmp", "100", "1"] and "10.1.2.3" in words[4]
    assert words[5] == "1" and {"/data", "/scratch", "readonly"} <= set(words)
    for flags, said in ((["--attach", "x"], "valid streams are STDIN, STDOUT and STDERR"),
                        (["-p", "x:y"], "ports"), (["--mount", "type=bind,source=x,target=/y"],
                                                   "absolute"),
                        (["--rm", "--restart", "always"], "conflicting options"),
                        (["--name", "-x"], "Invalid container name"),
                        (["--nosuch"], "unknown flag")):
        bad = container(machine, "run", *flags, "busybox", check=False)
        assert bad.returncode in (1, 125) and said in bad.stderr, (flags, bad.stderr)
    assert container(machine, "ls", "-aq").stdout == ""


def test_beside_projects(berth, machine):
    """They are no projects to `ls`; those of projects are containers all the same."""
    project = berth.project({"compose.yaml": {"services": {"web": {
        "image": "busybox", "command": ["sleep", "1000"], "init": True}}}})
    project.run("up", "-d")
    container(machine, "create", "--name", "made", "busybox", "sleep", "1000")
    assert row(machine, "made")["State"] == "created"
    assert "container.made" not in berth.run("ls").stdout
    assert container(machine, "ls", "-q").stdout.strip() == project.ps()[0]["ID"]
    container(machine, "start", "made")
    name = f"{project.name}-web-1"
    container(machine, "stop", "-t", "0", name)
    assert project.ps()[0]["State"] == "exited"
    assert row(machine, "made")["State"] == "running"
    assert container(machine, "ls", "-q", "-a", "-f", f"name={name}").stdout.count("\n") == 1
    project.run("down")


def test_short_lives_side_by_side(machine):
    """The default network comes and goes with them, and nobody finds it half gone."""
    for _ in range(2):
        runs = [machine.popen("container", "run", "--rm", "busybox", "true") for _ in range(10)]
        assert [process.wait(60) for process in runs] == [0] * 10, [
            process.stderr.read() for process in runs]
