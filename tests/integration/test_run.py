# SPDX-License-Identifier: GPL-2.0-or-later
"""`berth run`: containers of their own, beside those of a service."""
import os
import re
import signal

import pytest


SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
APP = {**SLEEP, "environment": {"FROM": "file", "KEPT": "yes"}, "ports": ["18080:80"],
       "restart": "always", "container_name": "one-name"}
HEALTHY = {**SLEEP, "healthcheck": {"test": "test -e /ready", "interval": "50ms", "retries": 600},
           "command": ["sh", "-c", "sleep 0.3; touch /ready; sleep 1000"]}


@pytest.fixture
def project(berth):
    return berth.project({
        "compose.yaml": {"services": {
            "app": APP, "db": HEALTHY,
            "job": {**SLEEP, "depends_on": {"db": {"condition": "service_healthy"}}}}},
        "more.env": "A=1\nB=\"two words\"\n", "data/file": "from the host\n"})


def oneoffs(project):
    return [row for row in project.ps() if "oneoff=True" in row["Labels"]]


def test_output_input_and_code(project):
    """Streams stay what they are, the exit code is the program's, --rm leaves nothing."""
    run = project.run("run", "--rm", "-T", "app", "sh", "-c", "cat; echo err >&2; exit 7",
                      input="in\n", check=False)
    assert (run.returncode, run.stdout) == (7, "in\n")
    assert "err\n" in run.stderr
    assert project.run("run", "-q", "--rm", "app", "true").stderr == ""
    # It has answered once the container is gone.
    for _ in range(5):
        assert project.run("run", "--rm", "--quiet-pull", "app", "false", check=False).returncode == 1
        assert not oneoffs(project) and len(project.run("ps", "-aq").stdout.split()) == 0


def test_what_it_is_made_of(project):
    """The service as it is, but for what the command line says, and without ports or restarts."""
    run = project.run(
        "run", "--name", "mine", "-e", "FROM=flag", "-e", "MINE", "--env-from-file", "more.env",
        "-l", "a=b", "-u", "65534", "-w", "/tmp", "-v", "./data:/data:ro", "-v", "keep:/keep",
        "-v", "/anonymous", "--cap-add", "SYS_PTRACE", "--cap-drop", "CHOWN", "--entrypoint",
        "sh -c", "app", "env; id -u; pwd; cat /data/file; ls -d /keep /anonymous; "
        "grep CapBnd /proc/self/status", env={"MINE": "here"})
    assert {"FROM=flag", "KEPT=yes", "MINE=here", "A=1", "B=two words", "65534", "/tmp",
            "from the host", "/keep", "/anonymous"} <= set(run.stdout.splitlines())
    bounding = int(re.search(r"CapBnd:\s*(\w+)", run.stdout).group(1), 16)
    assert bounding & 1 << 19 and not bounding & 1
    row, = oneoffs(project)
    assert row["Name"] == "mine" and row["State"] == "exited" and row["Publishers"] == []
    assert "a=b" in row["Labels"] and row["Service"] == "app"
    assert project.run("ps", "-a", "-q").stdout.count("\n") == 1
    again = project.run("run", "--name", "mine", "app", "true", check=False)
    assert again.returncode == 1 and 'name "mine" is already in use' in again.stderr
    bad = project.run("run", "--name", "-x", "app", "true", check=False)
    assert bad.returncode == 1 and "Invalid container name" in bad.stderr
    project.run("down", "-v")
    assert project.ps() == []


def test_dependencies_come_first(project):
    run = project.run("run", "--rm", "job", "echo", "ran")
    assert run.stdout == "ran\n" and "db-1 Healthy" in run.stderr
    assert project.container("db")["Health"] == "healthy"
    project.run("down", "-t", "0")
    assert project.run("run", "--rm", "--no-deps", "job", "echo", "alone").stdout == "alone\n"
    assert project.container("db") is None
    plan = project.run("--dry-run", "run", "--name", "x1", "job", "true").stdout
    assert "wait for container" in plan and "start container x1 (asked for)" in plan
    assert project.ps() == []


def test_detached(project):
    run = project.run("run", "-d", "-P", "--use-aliases", "--rm", "app", "sleep", "1000")
    row, = oneoffs(project)
    assert re.fullmatch(rf"{project.name}-app-run-[0-9a-f]{{12}}", row["Name"])
    assert re.fullmatch(r"[0-9a-f]{64}\n", run.stdout) and run.stdout.startswith(row["ID"])
    assert row["Publishers"][0]["PublishedPort"] == 18080
    assert project.run("ps", "-q").stdout == "", "ps shows those of services"
    asked = project.run("run", "--rm", "-p", "18081:80", "job", "nslookup", "app")
    assert asked.returncode == 0 and "Address" in asked.stdout
    both = project.run("run", "-P", "-p", "1:1", "app", check=False)
    assert both.returncode == 1 and "incompatible" in both.stderr
    project.run("stop", "-t", "0")
    assert oneoffs(project)[0]["State"] == "running", "stop is for services"
    project.run("kill")
    project.sandbox.wait_until(lambda: not oneoffs(project), 10, "--rm removes it")


def test_what_cannot_start(project):
    for command, code in (("nosuch", 127), ("/etc", 126)):
        run = project.run("run", "--rm", "app", command, check=False)
        assert run.returncode == code, run.stderr
    project.sandbox.wait_until(lambda: not oneoffs(project), 10, "nothing is left")
    unknown = project.run("run", "nosuch", check=False)
    assert unknown.returncode == 1 and "no such service: nosuch" in unknown.stderr
    missing = project.run("run", "--env-from-file", "none", "app", check=False)
    assert missing.returncode == 1 and "couldn't find env file: none" in missing.stderr
    bad = project.run("run", "-p", "x:y", "app", check=False)
    assert bad.returncode == 1 and "ports" in bad.stderr


def test_a_terminal(project):
    """A pty of its own: size, resizing, Ctrl-C to the program, and the keys that leave it alone."""
    terminal = project.pty("run", "--rm", "app", "sh", rows=30, columns=90)
    terminal.read_until(r"[#$] ")
    terminal.write("stty size; tty\n")
    terminal.read_until(r"30 90\s+/dev/")
    terminal.resize(20, 60)
    terminal.write("sleep 1; stty size\n")
    terminal.read_until(r"20 60", 20)
    terminal.write("exit 5\n")
    assert terminal.wait(20) == 5
    terminal = project.pty("run", "--rm", "app", "sh", "-c", "trap 'echo caught; exit 6' INT; "
                           "echo ready; while :; do sleep 0.1; done")
    terminal.read_until("ready", 30)
    terminal.write("\x03")
    assert terminal.wait(30) == 6 and "caught" in terminal.output
    # Short output is all there, however soon the program ends.
    for _ in range(5):
        terminal = project.pty("run", "-q", "--rm", "app", "echo", "said")
        assert terminal.wait(20) == 0 and "said" in terminal.output
    terminal = project.pty("run", "app", "sh")
    terminal.read_until(r"[#$] ")
    terminal.write("echo on$((40+2)); sleep 0.5; seq 100000 | tail -1; sleep 1000\n")
    terminal.read_until("on42")
    terminal.write("\x10\x11")
    assert terminal.wait(20) == 0
    row, = [row for row in oneoffs(project) if row["State"] == "running"]
    log = row["ID"]

    def logged():
        paths = [os.path.join(root, name) for root, _, names in os.walk(project.sandbox.root)
                 if f"/{log}" in root and root.endswith("/logs") for name in names]
        return any("100000" in open(path).read() for path in paths)

    project.sandbox.wait_until(logged, 20, "what nobody reads any more goes to the log")


def test_signals(project):
    run = project.popen("run", "--rm", "-T", "app", "sh", "-c",
                        "trap 'echo got; exit 9' INT; echo ready; while :; do sleep 0.1; done")
    assert run.stdout.readline() == "ready\n"
    run.send_signal(signal.SIGINT)
    assert run.stdout.readline() == "got\n" and run.wait(20) == 9
    run = project.popen("run", "--rm", "-T", "app", "sh", "-c", "trap '' INT; echo ready; sleep 1000")
    assert run.stdout.readline() == "ready\n"

    def taken():
        """Two that the client has not read yet would be one."""
        try:
            with open(f"/proc/{run.inner_pid()}/status") as file:
                pending = re.search(r"^ShdPnd:\t(\w+)$", file.read(), re.M).group(1)
        except (OSError, ProcessLookupError):
            return True
        return not int(pending, 16) & 1 << (signal.SIGINT - 1)

    for _ in range(3):
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        project.sandbox.wait_until(taken, 20, "the client has read it")
    assert run.wait(20) == 137


def test_the_supervisor_is_killed(project):
    """Neither the program, nor its output, nor its exit code, nor its terminal is lost."""
    berth = project.sandbox
    run = project.popen("run", "--rm", "-T", "app", "sh", "-c",
                        "echo one; read x; echo $x; exit 3", stdin=-1)
    assert run.stdout.readline() == "one\n"
    berth.kill(project.supervisor_pids()[0])
    out, _ = run.communicate("two\n", timeout=30)
    assert (out, run.returncode) == ("two\n", 3)
    terminal = project.pty("run", "--rm", "app", "sh")
    terminal.read_until(r"[#$] ")
    berth.kill(project.supervisor_pids()[0])
    terminal.write("echo still$((40+2)); exit 4\n")
    terminal.read_until("still42")
    assert terminal.wait(30) == 4
    berth.wait_until(lambda: not oneoffs(project), 30, "removed")


def test_the_client_is_killed(project):
    """The container goes on; --rm still removes it."""
    run = project.popen("run", "--rm", "-T", "app", "sh", "-c", "echo ready; sleep 1000")
    assert run.stdout.readline() == "ready\n"
    run.send_signal(signal.SIGKILL)
    run.wait(10)
    assert oneoffs(project)[0]["State"] == "running"
    project.run("kill")
    project.sandbox.wait_until(lambda: not oneoffs(project), 10, "removed")


def test_a_slow_reader_gets_everything(project):
    run = project.popen("run", "--rm", "-T", "app", "sh", "-c", "yes x | head -c 3000000",
                        text=False)
    first = run.stdout.read(1)
    project.run("ps")
    assert len(first + run.stdout.read()) == 3000000 and run.wait(20) == 0


def logs(project, name, **options):
    return project.run("container", "logs", name, **options)


def test_what_is_shown_is_logged(project):
    """As docker logs it: on pipes each stream, on a terminal all of it."""
    said = ["sh", "-c", "echo out; echo err >&2; cat; exit 4"]
    run = project.run("run", "-q", "-T", "--name", "one", "app", *said, input="in\n", check=False)
    assert (run.returncode, run.stdout, run.stderr) == (4, "out\nin\n", "err\n")
    log = logs(project, "one")
    assert (log.stdout, log.stderr) == ("out\nin\n", "err\n")
    terminal = project.pty("run", "-q", "--name", "two", "app", "sh", "-c", "echo on $(tty)")
    assert terminal.wait(20) == 0 and "on /dev/pts/0" in terminal.output
    assert logs(project, "two").stdout.strip() == "on /dev/pts/0"
    # Started once more, it is like any other.
    project.run("container", "start", "one")
    project.sandbox.wait_until(lambda: logs(project, "one").stdout == "out\nin\nout\n", 10)
    # Into the same file, in the order in which it was said.
    words = " ".join(f"echo {i} >&{1 + i % 2};" for i in range(40))
    run = project.sandbox.command(
        ["sh", "-c", f"{' '.join(project.sandbox.program)} run -q -T --rm app sh -c '{words}' 2>&1"],
        cwd=project.path)
    assert run.stdout.split() == [str(i) for i in range(40)]


def test_nobody_reads_it_any_more(project):
    """The program learns of it as if it wrote there itself."""
    run = project.sandbox.command(
        ["sh", "-c", f"{' '.join(project.sandbox.program)} run -q -T --rm app yes | head -n 2"],
        cwd=project.path)
    assert run.stdout == "y\ny\n"
    project.sandbox.wait_until(lambda: not oneoffs(project), 10, "it ended, and is removed")


@pytest.mark.parametrize("whom", ["supervisor", "client", "keeper"])
def test_the_log_is_whole_whoever_is_killed(project, whom):
    berth = project.sandbox
    run = project.popen("run", "-q", "-T", "--name", "one", "app", "sh", "-c",
                        "seq 3000; echo wait; while [ ! -e /go ]; do sleep 0.05; done; seq 3001 6000")
    first = "".join(str(i) + "\n" for i in range(1, 3001)) + "wait\n"
    shown = "".join(run.stdout.readline() for _ in range(3001))
    assert shown == first
    if whom == "client":
        run.send_signal(signal.SIGKILL)
    else:
        berth.kill(getattr(project, f"{whom}_pids")()[0])
        if whom == "keeper":
            berth.wait_until(lambda: len(project.keeper_pids()) == 1, 20, "its client begins anew")
    number = berth.run("container", "ls", "-q", "--filter", "name=one").stdout.strip()
    berth.run("container", "exec", number, "touch", "/go")
    rest = "".join(str(i) + "\n" for i in range(3001, 6001))
    if whom != "client":
        assert run.stdout.read() == rest and run.wait(30) == (0 if whom == "supervisor" else run.returncode)
    berth.wait_until(lambda: logs(project, "one").stdout.endswith("6000\n"), 20,
                     "the last line is logged")
    assert logs(project, "one").stdout == first + rest
