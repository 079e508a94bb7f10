# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands at containers that are in another state than they ask for: what docker and docker
compose say, on which stream, and their exit codes. $P is the project's name."""
from tests.integration.test_cli_contract import check

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
FILE = {"compose.yaml": {"services": {
    "on": {**SLEEP, "ports": ["18390:80"]}, "held": SLEEP, "off": {"image": "busybox", "command": ["true"]},
    "new": {**SLEEP, "profiles": ["new"]}}}}
SOME = r"(?s).+"


def container(command, name, code, out="", err="", more=""):
    words = ["container", command, name if ":" in name else f"$P-{name}-1" if name else "", *more.split()]
    return [word for word in words if word], code, out, err


def test_containers(berth):
    project = berth.project(FILE)
    project.run("up", "-d")
    project.run("--profile", "new", "create", "new")
    project.run("pause", "held")
    project.wait_state("off", "exited")

    def rows(*table):
        check(project, [([word.replace("$P", project.name) for word in words], *rest) for words, *rest in table])

    rows(
        container("stop", "off", 0, "$P-off-1\n"),
        container("stop", "new", 0, "$P-new-1\n"),
        container("start", "on", 0, "$P-on-1\n"),
        container("kill", "off", 1, "", "cannot kill container: $P-off-1: container is not running\n"),
        container("kill", "new", 1, "", "cannot kill container: $P-new-1: container is not running\n"),
        container("rm", "on", 1, "", 'cannot remove container "$P-on-1": container is running: .*\n'),
        container("rm", "held", 1, "", 'cannot remove container "$P-held-1": container is paused: .*\n'),
        container("pause", "held", 1, "", "container $P-held-1 is already paused\n"),
        container("pause", "off", 1, "", "container $P-off-1 is not running\n"),
        container("unpause", "on", 1, "", "container $P-on-1 is not paused\n"),
        container("unpause", "off", 1, "", "container $P-off-1 is not paused\n"),
        container("exec", "held", 1, "", "container $P-held-1 is paused, unpause it before exec\n", "true"),
        container("exec", "off", 1, "", "container $P-off-1 is not running\n", "true"),
        container("attach", "held", 1, "", "you cannot attach to container $P-held-1, which is paused\n"),
        container("attach", "off", 1, "", "you cannot attach to container $P-off-1, which is exited\n"),
        container("wait", "off", 0, "0\n"),
        container("port", "on", 0, r"80/tcp -> 0.0.0.0:18390\n80/tcp -> \[::\]:18390\n"),
        container("port", "on", 1, "", "no public port '81/tcp' published for $P-on-1\n", "81"),
        container("port", "off", 0),
        container("top", "off", 1, "", "container $P-off-1 is not running\n"),
        container("top", "new", 1, "", "container $P-new-1 is not running\n"),
        container("logs", "new", 0),
        container("logs", "off", 0),
        container("diff", "new", 0),
        container("cp", "$P-new-1:/etc/nosuch", 1, "", SOME, "."),
        container("cp", "$P-new-1:/etc/hostname", 1, "", SOME, "/no/such/folder/x"),
        container("cp", "$P-off-1:/etc/passwd", 0, SOME, "(?s).*", "-"),
        container("rename", "off", 1, "", 'container name "$P-on-1" is already in use by .*\n', f"{project.name}-on-1"),
    )
    for command in ("attach", "diff", "exec", "export", "inspect", "kill", "logs", "pause", "port", "rename",
                    "restart", "rm", "start", "stats", "stop", "top", "unpause", "wait"):
        more = {"exec": ["true"], "rename": ["x"]}.get(command, [])
        missing = project.run("container", command, "nosuch", *more, check=False)
        assert missing.returncode == 1 and missing.stdout in ("", "[]\n"), command
        assert missing.stderr == "No such container: nosuch\n", command
    assert project.run("container", "rm", "-f", "nosuch").stdout == ""


def test_the_others_are_done(berth):
    """Of several, one that is refused keeps the others from nothing."""
    project = berth.project(FILE)
    project.run("up", "-d")
    project.wait_state("off", "exited")
    on, off = f"{project.name}-on-1", f"{project.name}-off-1"
    for command in ("pause", "unpause", "kill"):
        done = project.run("container", command, off, "nosuch", on, check=False)
        assert (done.returncode, done.stdout) == (1, f"{on}\n"), command
        assert "No such container: nosuch\n" in done.stderr and off in done.stderr
    done = project.run("container", "rm", "nosuch", on, off, check=False)
    assert (done.returncode, done.stdout) == (1, f"{on}\n{off}\n")


def test_services(berth):
    """docker compose passes over what is as it should be, but for what is frozen or not."""
    project = berth.project(FILE)
    project.run("up", "-d")
    project.run("--profile", "new", "create", "new")
    project.wait_state("off", "exited")
    project.run("pause", "held")
    check(project, [
        ("stop off", 0, "", "(?s).*"), ("start on", 0, "", "(?s).*"), ("kill off", 0, "", "no container to kill\n"),
        ("rm -f on", 0, "", "No stopped containers\n"), ("pause held", 1, "", "container $P-held-1 is already paused\n"),
        ("unpause on", 1, "", "container $P-on-1 is not paused\n"),
        ("pause off", 0, "", ""), ("unpause off", 0, "", ""), ("pause new", 0, "", ""),
        # Of several the others are done.
        ("pause", 1, "", r"container $P-held-1 is already paused\n Container $P-on-1 Pausing\n.*Paused\n"),
        ("unpause on", 0, "", SOME), ("top off", 0, "", ""), ("logs new", 0, "", ""),
        ("wait off", 0, r'container "[0-9a-f]{64}" exited with status code 0\n', ""),
        ("port on 81", 1, "", "no port 81/tcp for container $P-on-1: 80/tcp\n"),
        ("port off 80", 1, "", 'service "off" is not running\n'),
        ("exec held true", 1, "", "container $P-held-1 is paused, unpause it before exec\n"),
        ("exec new true", 1, "", 'service "new" is not running\n'),
        ("attach off", 1, "", 'service "off" is not running\n'),
        ("cp new:/nosuch .", 1, "", SOME), ("cp new:/etc/passwd here", 0, "", SOME),
        ("unpause held", 0, "", SOME), ("rm -f off new", 0, "Going to remove $P-(off|new)-1, $P-(off|new)-1\n", SOME),
    ])
