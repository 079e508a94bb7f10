# SPDX-License-Identifier: GPL-2.0-or-later
"""Flags of docker's own commands that no other test has use for, each with what it changes."""
import json
import re

SLEEP = ["busybox", "sleep", "1000"]


def inspected(berth, kind, name, *flags):
    return json.loads(berth.run(kind, "inspect", *flags, name).stdout)[0]


def test_exec_and_attach(berth):
    berth.project({})
    berth.run("container", "run", "-dit", "--name", "box", "busybox", "sh")

    def inside(*words):
        return berth.run("container", "exec", *words).stdout

    assert inside("--user", "1000:1001", "box", "id").startswith("uid=1000(app) gid=1001(extra)")
    assert inside("--workdir", "/tmp", "-e", "A=1", "box", "sh", "-c", "pwd; echo $A") == "/tmp\n1\n"
    grep = ["box", "grep", "CapEff", "/proc/self/status"]
    assert inside("--privileged", *grep) > inside(*grep)
    terminal = berth.pty("container", "attach", "--detach-keys", "ctrl-x", "--sig-proxy=false", "box")
    terminal.write("echo a$((1))b\n")
    terminal.read_until("a1b", 30)
    terminal.write("\x18")
    assert terminal.wait(30) == 0
    terminal = berth.pty("container", "attach", "--no-stdin", "box")
    terminal.write("exit 4\n")
    berth.run("container", "kill", "--signal", "KILL", "box")
    assert terminal.wait(30) == 137
    berth.run("container", "rm", "box")


def test_signals(berth):
    """The signal that is said, not the usual one; each is seen by what it leaves in the log."""
    berth.project({})
    trap = "trap 'echo usr; exit 5' USR1; trap 'echo term; exit 6' TERM; echo ready; while :; do sleep 0.05; done"
    berth.run("container", "run", "-d", "--name", "box", "busybox", "sh", "-c", trap)

    def says(*lines):
        berth.wait_until(lambda: berth.run("container", "logs", "box").stdout.split() == list(lines), 20, lines)

    says("ready")
    berth.run("container", "stop", "--signal", "USR1", "box")
    assert inspected(berth, "container", "box")["State"]["ExitCode"] == 5
    berth.run("container", "start", "box")
    says("ready", "usr", "ready")
    berth.run("container", "restart", "--signal", "USR1", "box")
    says("ready", "usr", "ready", "usr", "ready")
    berth.run("container", "kill", "--signal", "SIGTERM", "box")
    assert berth.run("container", "wait", "box").stdout == "6\n"
    says("ready", "usr", "ready", "usr", "ready", "term")
    # What of it is shown.
    rows = berth.run("container", "logs", "--timestamps", "box").stdout.splitlines()
    times = [row.split()[0] for row in rows]
    assert times == sorted(times) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", times[0])
    assert berth.run("container", "logs", "--tail", "2", "box").stdout == "ready\nterm\n"
    assert berth.run("container", "logs", "--since", times[4], "box").stdout == "ready\nterm\n"
    assert berth.run("container", "logs", "--until", times[1], "box").stdout == "ready\nusr\n"
    follows = berth.popen("container", "logs", "--follow", "--tail", "0", "box")
    assert follows.wait(30) == 0 and follows.stdout.read() == ""
    berth.run("container", "rm", "box")


def test_commit_and_sizes(berth):
    berth.project({})
    berth.run("container", "run", "-d", "--init", "--name", "box", *SLEEP)
    berth.run("container", "exec", "box", "sh", "-c", "head -c 100000 /dev/zero > /made")
    for command in (["inspect"], ["container", "inspect"]):
        sized = json.loads(berth.run(*command, "--size", "box").stdout)[0]
        assert 100000 <= sized["SizeRw"] < 200000 < sized["SizeRootFs"]
        assert "SizeRw" not in json.loads(berth.run(*command, "box").stdout)[0]
    berth.run("container", "commit", "--pause=false", "--author", "me <me@x>", "--message", "why", "--change",
              "ENV A=1", "box", "made:1")
    image = inspected(berth, "image", "made:1")
    assert image["Author"] == "me <me@x>" and "A=1" in image["Config"]["Env"]
    assert "why" in berth.run("image", "history", "made:1").stdout
    berth.run("image", "rm", "made:1")
    berth.run("container", "rm", "-f", "box")


def test_volumes_and_networks(berth):
    berth.project({})
    berth.run("volume", "create", "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt",
              "o=size=1m", "--label", "keep=1", "small")
    assert inspected(berth, "volume", "small")["Options"] == {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    mounted = berth.run("container", "run", "--rm", "-v", "small:/v", "busybox", "df", "-k", "/v").stdout
    assert re.search(r"\b1024\b", mounted)
    berth.run("volume", "create", "other")
    refused = berth.run("volume", "create", "--driver", "nosuch", "third", check=False)
    assert refused.returncode == 1 and "nosuch" in refused.stderr
    pruned = berth.run("volume", "prune", "-af", "--filter", "label!=keep").stdout
    assert "other" in pruned and "small" not in pruned
    assert berth.run("volume", "rm", "--force", "small", "nosuch").stdout.startswith("small\n")
    assert berth.run("volume", "ls", "-q").stdout == ""
    berth.run("network", "create", "--driver", "bridge", "first")
    ident = inspected(berth, "network", "first")["Id"]
    assert berth.run("network", "ls", "--no-trunc", "--quiet", "--filter", "name=first").stdout == f"{ident}\n"
    assert berth.run("network", "ls", "-q", "--filter", "name=first").stdout == f"{ident[:12]}\n"
    refused = berth.run("network", "create", "--driver", "nosuch", "x", check=False)
    assert refused.returncode == 1 and "nosuch" in refused.stderr
    berth.run("network", "create", "--label", "keep=1", "second")
    pruned = berth.run("system", "prune", "-f", "--filter", "label!=keep").stdout
    assert "first" in pruned and "second" not in pruned
    berth.run("network", "rm", "second")


def test_images(berth):
    folder = berth.project({
        "Dockerfile": "FROM busybox AS first\nRUN cat /etc/hosts > /hosts; df -k /dev/shm > /shm\nCMD [\"first\"]\n"
                      "FROM first\nCMD [\"second\"]\n", "old.df": "FROM busybox\nMAINTAINER x\n"})
    folder.run("image", "build", "--target", "first", "--add-host", "nas:10.1.2.3", "--shm-size", "8m", "-t", "b:1", ".")
    assert inspected(berth, "image", "b:1")["Config"]["Cmd"] == ["first"]
    seen = folder.run("container", "run", "--rm", "b:1", "cat", "/hosts", "/shm").stdout
    assert re.search(r"10\.1\.2\.3\s+nas", seen) and re.search(r"\b8192\b", seen)
    checked = folder.run("image", "build", "--check", "-f", "old.df", "-t", "none:1", ".")
    assert "MAINTAINER" in checked.stderr and folder.run("image", "ls", "-q", "none").stdout == ""
    folder.run("image", "import", "--message", "from a folder", ".", "imported:1")
    assert "from a folder" in folder.run("image", "history", "imported:1").stdout
    folder.run("image", "rm", "b:1", "imported:1")


def test_run_of_a_service(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {"image": "busybox"}}}})
    assert project.run("run", "--rm", "-T", "--interactive", "a", "cat", input="typed\n").stdout == "typed\n"
    assert project.run("run", "--rm", "-T", "--interactive=false", "a", "cat", input="typed\n").stdout == ""
