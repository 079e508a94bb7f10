# SPDX-License-Identifier: GPL-2.0-or-later
"""What a script may hang on, command by command: exit code, stream, text and keys, with nothing
there, with all running, and with all stopped. A row: words, exit code, stdout, stderr (regular
expressions of the whole; $P is the project's name)."""
import json
import re

import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
STACK = {"compose.yaml": {"services": {
    "a": {**SLEEP, "ports": ["18301:80", "18302:53/udp"], "expose": ["99"]},
    "b": {**SLEEP, "scale": 2, "volumes": ["data:/data"]},
    "once": {"image": "busybox", "command": ["sh", "-c", "echo out; echo err >&2; exit 3"]},
}, "volumes": {"data": {}}}}
PS_HEAD = r"NAME +IMAGE +COMMAND +SERVICE +CREATED +STATUS +PORTS\n"
SOME = r"(?s).+"
ID = r"[0-9a-f]{64}\n"


def check(project, rows):
    """All rows that differ are told, not the first alone."""
    wrong = []
    for words, code, out, err in rows:
        args = words.split() if isinstance(words, str) else words
        result = project.run(*args, check=False, input="")
        out, err = (re.sub(r"(?<!\\)\$P", project.name, text) for text in (out, err))
        if result.returncode != code or not re.fullmatch(out, result.stdout) or \
                not re.fullmatch(err, result.stderr):
            wrong.append(f"{args}: {result.returncode} (expected {code})\n  stdout "
                         f"{result.stdout!r} (expected {out!r})\n  stderr {result.stderr!r} "
                         f"(expected {err!r})")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_there(berth):
    project = berth.project(STACK)
    check(project, [
        ("ps", 0, PS_HEAD, ""),
        ("ps -a", 0, PS_HEAD, ""),
        ("ps -q", 0, "", ""),
        ("ps --services", 0, r"\n?", ""),
        ("ps --format json", 0, "", ""),
        ("ls", 0, r"NAME +STATUS +CONFIG FILES\n", ""),
        ("ls --format json", 0, r"\[\]\n", ""),
        ("ls -q", 0, "", ""),
        ("images", 0, r"CONTAINER +REPOSITORY +TAG +PLATFORM +IMAGE ID +SIZE +CREATED\n", ""),
        ("images --format json", 0, r"\[\]\n", ""),
        ("top", 0, "", ""),
        ("logs", 0, "", ""),
        ("port a 80", 1, "", 'service "a" is not running\n'),
        ("stop", 0, "", ""),
        ("restart", 0, "", ""),
        ("pause", 0, "", ""),
        ("unpause", 0, "", ""),
        ("start", 1, "", 'service "a" has no container to start\n'),
        ("kill", 0, "", "no container to kill\n"),
        ("rm", 0, "", "No stopped containers\n"),
        ("rm -f", 0, "", "No stopped containers\n"),
        ("exec a true", 1, "", 'service "a" is not running\n'),
        ("attach a", 1, "", 'service "a" is not running\n'),
        ("export a", 1, "", 'service "a" is not running\n'),
        ("commit a x", 1, "", 'service "a" is not running\n'),
        ("wait a", 1, "", 'no containers for project "$P"\n'),
        ("cp a:/x .", 1, "", 'no container found for service "a"\n'),
        ("volumes", 0, r"DRIVER +VOLUME NAME\n", ""),
        ("volumes -q", 0, "", ""),
        ("events --json --until 0s", 0, "", ""),
        ("stats --no-stream", 0, r"CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O "
                                 r"+BLOCK I/O +PIDS\n", ""),
        ("down", 0, "", 'Warning: No resource found to remove for project "$P".\n'),
        ("version --short", 0, r"\d+\.\d+\.\d+\n", ""),
        ("version -f json", 0, r'\{"version":"\d+\.\d+\.\d+"\}\n', ""),
        ("config --services", 0, "a\nb\nonce\n", ""),
        ("config --volumes", 0, "data\n", ""),
        ("config -q", 0, "", ""),
        (["config", "--hash", "*"], 0, r"a [0-9a-f]{64}\nb [0-9a-f]{64}\nonce [0-9a-f]{64}\n", ""),
        ("config --hash b", 0, r"b [0-9a-f]{64}\n", ""),
        ("scale a", 1, "", r"invalid scale specifier: a .*\n"),
        ("scale a=", 1, "", r"invalid scale specifier: a= .*\n"),
        ("scale a=x", 1, "", "invalid scale specifier: can't parse replica value as int: a=x\n"),
        ("scale nosuch=1", 1, "", "no such service: nosuch\n"),
        ("up -d --scale nosuch=2", 1, "", "no such service: nosuch\n"),
        ("up -d --no-recreate --force-recreate", 1, "",
         "--force-recreate and --no-recreate are incompatible\n"),
        ("up -d --build --no-build", 1, "", "--build and --no-build are incompatible\n"),
        ("up -d --abort-on-container-exit", 1, "", "--detach cannot be combined with .*\n"),
        ("up --abort-on-container-exit --abort-on-container-failure", 1, "", SOME),
        ("run --service-ports -p 1:1 a", 1, "", "--service-ports and --publish are incompatible\n"),
        ("cp a:/x b:/y", 1, "", "copying between services is not supported\n"),
        ("cp x y", 1, "", "unknown copy direction.*\n"),
        ("ps --filter status", 1, "", "arguments to --filter should be in form KEY=VAL\n"),
        ("ps --filter x=y", 1, "", "unknown filter x\n"),
    ])


@pytest.mark.parametrize("command", [
    "attach", "build", "commit", "config", "create", "events", "exec", "export", "images", "kill",
    "logs", "pause", "port", "ps", "pull", "push", "restart", "rm", "run", "start", "stats", "stop",
    "top", "unpause", "up", "volumes", "wait", "watch"])
def test_no_such_service(commands_project, command):
    more = {"port": ["80"], "exec": ["true"], "commit": ["x"]}.get(command, [])
    result = commands_project.run(command, "nosuch", *more, check=False)
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert result.stderr == "no such service: nosuch\n"


@pytest.fixture(scope="module")
def commands_project(template, shared):
    """One for all: nothing of it is ever there."""
    from tests.support import sandbox as sandboxes
    sandbox = sandboxes.Sandbox(template, shared)
    yield sandbox.project(STACK)
    problems = sandbox.finish()
    sandbox.close()
    assert not problems


def test_all_runs(berth):
    project = berth.project(STACK)
    up = project.run("up", "-d")
    assert up.stdout == ""
    for line in (r"Network $P_default Creat(ing|ed)", r"Volume $P_data Created",
                 r"Container $P-a-1 Creating", r"Container $P-a-1 Created",
                 r"Container $P-a-1 Starting", r"Container $P-a-1 Started"):
        assert re.search(rf"^ {line.replace('$P', project.name)}$", up.stderr, re.M), line
    project.wait_state("once", "exited")
    check(project, [
        ("ps", 0, PS_HEAD + r'$P-a-1 +busybox +"sleep 1000" +a +.* ago +Up .* +99/tcp, '
                            r"0.0.0.0:18302->53/udp, \[::\]:18302->53/udp, .*18301->80/tcp\n"
                            r"$P-b-1 .*\n$P-b-2 .*\n", ""),
        ("ps -a once", 0, PS_HEAD + r"""$P-once-1 +busybox +"sh -c 'echo out; ec…" +once +.* ago """
                                    r"+Exited \(3\) .* ago +\n", ""),
        ("ps -q", 0, f"(?:{ID}){{3}}", ""),
        ("ps --services", 0, "a\nb\n", ""),
        ("ps --services --status exited", 0, "once\n", ""),
        ("ps --status exited -q", 0, ID, ""),
        ("ps --filter status=running --services", 0, "a\nb\n", ""),
        (["ps", "--format", "{{.Name}} {{.State}}", "a"], 0, "$P-a-1 running\n", ""),
        ("ls -q", 0, "$P\n", ""),
        ("ls", 0, r"NAME +STATUS +CONFIG FILES\n$P +running\(3\) +/.*/compose.yaml\n", ""),
        ("ls -a", 0, r"NAME +STATUS +CONFIG FILES\n$P +exited\(1\), running\(3\) +/.*\n", ""),
        ("images -q", 0, ID, ""),
        ("top a", 0, r"SERVICE +# +UID +PID +PPID +C +STIME +TTY +TIME +CMD\n"
                     r"(a +1 +root .*\n)*.*sleep 1000\n", ""),
        ("logs", 0, "once-1  \\| out\n", "once-1  \\| err\n"),
        ("logs --no-log-prefix once", 0, "out\n", "err\n"),
        ("logs -t once", 0, r"once-1  \| \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out\n", SOME),
        ("port a 80", 0, "0.0.0.0:18301\n", ""),
        ("port --protocol udp a 53", 0, "0.0.0.0:18302\n", ""),
        ("port a 81", 1, "", "no port 81/tcp for container $P-a-1: 80/tcp, 53/udp\n"),
        ("port --index 2 a 80", 1, "", 'service "a" is not running container #2\n'),
        ("volumes -q", 0, "$P_data\n", ""),
        ("volumes", 0, r"DRIVER +VOLUME NAME\nlocal +$P_data\n", ""),
        ("exec a nosuch", 127, "", r'.*"nosuch": executable file not found in \$PATH\n'),
        (["exec", "a", "sh", "-c", "echo out; echo err >&2; exit 7"], 7, "out\n", "err\n"),
        ("exec --index 4 b true", 1, "", 'service "b" is not running container #4\n'),
        ("exec once true", 1, "", 'service "once" is not running\n'),
        ("kill -s NOSUCH a", 1, "", "invalid signal: NOSUCH\n"),
        ("cp a:/nosuch .", 1, "", SOME),
        ("cp a:/etc/passwd copied", 0, "", r" Container $P-a-1 Copying.*\n Container $P-a-1 "
                                           r"Copied.*\n"),
        ("run -d --name beside a sleep 1000", 0, ID, SOME),
        ("run --rm -T a sh -c true", 0, "", r"(?s) Container $P-a-run-[0-9a-f]{12} Creating\n.*"),
        ("rm -f once", 0, "Going to remove $P-once-1\n",
         " Container $P-once-1 Removing\n Container $P-once-1 Removed\n"),
        ("up -d --no-recreate a", 0, "", r"(?s).*Container $P-a-1 Running\n.*"),
        ("pause a", 0, "", " Container $P-a-1 Pausing\n Container $P-a-1 Paused\n"),
        (["ps", "--format", "{{.State}} {{.Status}}", "a"], 0, r"paused Up .* \(Paused\)\n", ""),
        ("unpause a", 0, "", " Container $P-a-1 Unpausing\n Container $P-a-1 Unpaused\n"),
        ("rm -fs b", 0, "Going to remove $P-b-1, $P-b-2\n", SOME),
        ("restart -t 0 a", 0, "", " Container $P-a-1 Restarting\n Container $P-a-1 Started\n"),
        ("stop -t 0 a", 0, "", " Container $P-a-1 Stopping\n Container $P-a-1 Stopped\n"),
        # Of the containers that `run` made, only kill and down take notice.
        ("rm -f a", 0, "Going to remove $P-a-1\n", " Container $P-a-1 Remov.*\n.*Removed\n"),
        ("kill -s KILL", 0, "", " Container beside Killing\n Container beside Killed\n"),
    ])
    row = json.loads(project.run("ps", "-a", "--format", "json", "a").stdout.splitlines()[0])
    assert set(row) >= {
        "Command", "CreatedAt", "ExitCode", "Health", "ID", "Image", "Labels", "LocalVolumes",
        "Mounts", "Name", "Names", "Networks", "Ports", "Project", "Publishers", "RunningFor",
        "Service", "Size", "State", "Status"}
    image = json.loads(project.run("images", "--format", "json").stdout)[0]
    assert set(image) == {"ID", "ContainerName", "Repository", "Tag", "Platform", "Size", "Created",
                          "LastTagTime"}
    events = project.run("events", "--json", "--since", "1h", "--until", "0s", "a").stdout
    for line in events.splitlines():
        event = json.loads(line)
        assert set(event) == {"time", "type", "service", "id", "action", "attributes"}
        assert event["type"] == "container" and event["service"] == "a"
    down = project.run("down", "-t", "0", "-v")
    assert down.stdout == ""
    for line in ("Container beside Removed", "Network $P_default Removed",
                 "Volume $P_data Removed"):
        assert f" {line.replace('$P', project.name)}\n" in down.stderr, line


def test_all_are_stopped(berth):
    project = berth.project(STACK)
    project.run("up", "-d")
    project.run("stop", "-t", "0")
    check(project, [
        ("ps", 0, PS_HEAD, ""),
        ("ps --services", 0, r"\n?", ""),
        ("ls -q", 0, "", ""),
        ("ls -aq", 0, "$P\n", ""),
        ("stop", 0, "", SOME + "|"),
        ("kill", 0, "", "no container to kill\n"),
        ("kill -s HUP a", 0, "", "no container to kill\n"),
        ("pause", 0, "", ""),
        ("port a 80", 1, "", 'service "a" is not running\n'),
        ("exec a true", 1, "", 'service "a" is not running\n'),
        ("attach a", 1, "", 'service "a" is not running\n'),
        ("top", 0, "", ""),
        ("logs --no-log-prefix once", 0, "out\n", "err\n"),
        ("wait once", 3, r'container "[0-9a-f]{64}" exited with status code 3\n', ""),
        ("rm b", 0, "", r".*Going to remove $P-b-1, $P-b-2.*\n?"),
        ("rm -f b", 0, "Going to remove $P-b-1, $P-b-2\n", SOME),
        ("start a", 0, "", " Container $P-a-1 Starting\n Container $P-a-1 Started\n"),
        ("rm -fs a", 0, "Going to remove $P-a-1\n", SOME),
        ("start a", 1, "", 'service "a" has no container to start.*\n'),
    ])


def test_errors_are_json_where_progress_is(berth):
    project = berth.project(STACK)
    failed = project.run("--progress", "json", "up", "nosuch", check=False)
    assert failed.returncode == 1
    assert json.loads(failed.stderr) == {"error": True, "message": "no such service: nosuch"}
    project.run("--progress", "json", "up", "-d", "a")
    quiet = project.run("--progress", "quiet", "stop", "-t", "0")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_words_of_docker_that_projects_do_not_have(berth):
    """They mean the same in a project's folder and outside of one."""
    project = berth.project(STACK)
    project.run("up", "-d", "a")
    project.run("rename", f"{project.name}-a-1", "other")
    assert project.run("update", "--memory", "64m", "other").stdout == "other\n"
    project.run("exec", "a", "touch", "/new")
    assert "A /new" in project.run("diff", "other").stdout
    project.run("tag", "busybox", "second:1")
    project.run("save", "-o", "image.tar", "second:1")
    assert "second:1" in project.run("rmi", "second:1").stdout
    assert "second:1" in project.run("load", "-i", "image.tar").stdout
    assert project.run("history", "second:1").stdout.startswith("IMAGE")
    assert "Containers: " in project.run("info").stdout
    assert "Usage:  berth image rm" in project.run("help", "rmi").stdout
    assert "--force" in project.run("__complete", "rmi", "--f").stdout
    project.run("rmi", "second:1")
