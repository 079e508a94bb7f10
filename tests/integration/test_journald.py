# SPDX-License-Identifier: GPL-2.0-or-later
"""`logging: {driver: journald}`, with systemd's journal daemon in the test's own sandbox."""
import pytest

from tests.support.journal import Journal


@pytest.fixture
def journal(berth):
    journal = Journal(berth)
    yield journal
    journal.close()


def service(script, **options):
    return {"image": "busybox", "init": True, "command": ["sh", "-c", script],
            "logging": {"driver": "journald", "options": options}}


def test_fields(berth, journal):
    project = berth.project({"compose.yaml": {"services": {"web": {
        **service("echo hello; echo oops >&2; sleep 1000", tag="{{.Name}}/{{.ID}}",
                  labels="org.example.tier,none", env="COLOR"),
        "labels": {"org.example.tier": "front", "other": "x"},
        "environment": {"COLOR": "red", "SECRET": "y"}}}}})
    project.run("up", "-d")
    entry = journal.wait(MESSAGE="hello")
    container = project.container("web")
    full = project.run("ps", "-q", "--no-trunc").stdout.strip()
    tag = f"{project.name}-web-1/{full[:12]}"
    expect = {"PRIORITY": "6", "CONTAINER_NAME": f"{project.name}-web-1",
              "CONTAINER_ID": full[:12], "CONTAINER_ID_FULL": full, "CONTAINER_TAG": tag,
              "SYSLOG_IDENTIFIER": tag, "IMAGE_NAME": "busybox",
              "COM_DOCKER_COMPOSE_PROJECT": project.name, "COM_DOCKER_COMPOSE_SERVICE": "web",
              "COM_DOCKER_COMPOSE_CONTAINER_NUMBER": "1", "BERTH_PROJECT": project.name,
              "BERTH_SERVICE": "web", "ORG_EXAMPLE_TIER": "front", "COLOR": "red"}
    assert {name: entry.get(name) for name in expect} == expect
    assert "SECRET" not in entry and "OTHER" not in entry
    assert "CONTAINER_PARTIAL_MESSAGE" not in entry
    assert journal.wait(MESSAGE="oops")["PRIORITY"] == "3"
    assert container["State"] == "running"
    logs = project.run("logs", "--no-log-prefix", "web")
    assert (logs.stdout, logs.stderr) == ("hello\n", "oops\n")


def test_long_lines_are_told_in_parts(berth, journal):
    project = berth.project({"compose.yaml": {"services": {"a": service(
        "head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'no newline'")}}})
    project.run("up", "-d")
    last = journal.wait(MESSAGE="no newline")
    assert "CONTAINER_PARTIAL_ID" not in last
    parts = [entry for entry in journal.entries(BERTH_SERVICE="a") if entry != last]
    assert [len(part["MESSAGE"]) for part in parts] == [16384, 16384, 40000 - 2 * 16384]
    assert [part.get("CONTAINER_PARTIAL_MESSAGE") for part in parts] == ["true", "true", None]
    assert [part["CONTAINER_PARTIAL_ORDINAL"] for part in parts] == ["1", "2", "3"]
    assert [part["CONTAINER_PARTIAL_LAST"] for part in parts] == ["false", "false", "true"]
    assert len({part["CONTAINER_PARTIAL_ID"] for part in parts}) == 1
    project.wait_state("a", "exited")
    logs = project.run("logs", "--no-log-prefix", "a").stdout
    assert logs == 40000 * "x" + "\nno newline\n"


COUNT = "n=0; while :; do n=$$((n+1)); echo $$n; sleep 0.02; done"


def numbers(project, *flags):
    return [int(n) for n in project.run("logs", "--no-log-prefix", *flags, "a").stdout.split()]


def test_logs_reads_the_journal(berth, journal):
    """And nothing is stored twice: there are no files beside it."""
    project = berth.project({"compose.yaml": {"services": {
        "a": service("i=0; while [ $$i -lt 20 ]; do i=$$((i+1)); echo a$$i; sleep 0.01; done"),
        "b": {"image": "busybox", "depends_on": {"a": {
            "condition": "service_completed_successfully"}}, "command": "echo b"}}}})
    project.run("up", "-d")
    project.wait_state("b", "exited")
    folders = berth.command(["sh", "-c", f"ls {berth.root}/projects/*/containers/*/logs"]).stdout
    assert folders.split().count("00000001") == 1  # that of b
    lines = project.run("logs", "--no-log-prefix").stdout.split()
    assert lines == [f"a{n}" for n in range(1, 21)] + ["b"]
    assert project.run("logs", "--no-log-prefix", "-n", "3", "a").stdout.split() == \
        ["a18", "a19", "a20"]
    stamped = project.run("logs", "--no-log-prefix", "-t", "a").stdout.splitlines()
    assert [line.split()[1] for line in stamped] == [f"a{n}" for n in range(1, 21)]
    times = [line.split()[0] for line in stamped]
    assert times == sorted(times) and times[0] < times[19]
    since = project.run("logs", "--no-log-prefix", "--since", times[12], "a").stdout.split()
    until = project.run("logs", "--no-log-prefix", "--until", times[12], "a").stdout.split()
    assert since[-1] == "a20" and "a13" in since and "a1" not in since
    assert until[0] == "a1" and "a13" in until and "a20" not in until


def test_follow(berth, journal):
    project = berth.project({"compose.yaml": {"services": {"a": service(
        "echo one; while ! test -e /tmp/go; do sleep 0.02; done; echo two; printf three")}}})
    project.run("up", "-d")
    follower = project.popen("logs", "-f", "--no-log-prefix")
    assert follower.stdout.readline() == "one\n"
    project.exec("a", "touch", "/tmp/go")
    assert follower.stdout.readline() == "two\n"
    assert follower.stdout.read() == "three\n" and follower.wait(10) == 0


def test_the_journal_hangs(berth, journal):
    """Nothing waits for it: lines go to files, and are shown in their place."""
    project = berth.project({"compose.yaml": {"services": {"a": service(COUNT)}}})
    project.run("up", "-d")
    journal.wait(MESSAGE="3", BERTH_SERVICE="a")
    journal.close()
    berth.command(["rm", "/run/systemd/journal/socket"])
    last = berth.wait_until(lambda: numbers(project)[-1] > 20 and numbers(project)[-1])
    journal.start()
    journal.wait(BERTH_SERVICE="a", MESSAGE=str(last + 20))
    shown = numbers(project)
    # What its socket held when it was killed is nobody's: systemd keeps that socket, we do not.
    held = set(range(1, shown[-1] + 1)) - set(shown)
    assert shown == sorted(set(shown)) and len(shown) > last and len(held) <= 1, shown
    assert not journal.entries(BERTH_SERVICE="a", MESSAGE=str(last))


def test_a_killed_supervisor_goes_on(berth, journal):
    project = berth.project({"compose.yaml": {"services": {"a": service(COUNT)}}})
    project.run("up", "-d")
    journal.wait(MESSAGE="3", BERTH_SERVICE="a")
    for _ in range(3):
        berth.kill(project.supervisor_pids()[0])
        last = numbers(project)[-1]
        journal.wait(MESSAGE=str(last + 5), BERTH_SERVICE="a")
    shown = numbers(project)
    assert shown == list(range(1, len(shown) + 1))


@pytest.mark.parametrize("nth", range(1, 5))
def test_killed_while_it_sends(berth, journal, nth):
    """It does not live to write down that a line was sent, or has not sent it: each is shown
    once, also one whose beginning it had read long before."""
    project = berth.project({"compose.yaml": {"services": {"a": service(
        "printf begun; while ! test -e /tmp/go; do sleep 0.02; done; echo; echo 1; echo 2; echo 3; sleep 1000")}}})
    project.run("up", "-d")
    # What it has read of the line so far outlives it.
    berth.wait_until(lambda: berth.command(["sh", "-c",
        f"grep -q begun {berth.root}/projects/*/containers/*/logs/journald.spool"],
        check=False).returncode == 0)
    killed = project.supervisor_pids()
    crash = berth.crash_point(killed[0], "sendto", nth)
    project.exec("a", "touch", "/tmp/go", check=False)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], killed), 20)
    crash.close()
    assert berth.wait_until(lambda: len(project.run("logs", "--no-log-prefix").stdout.split()) > 3
                            and project.run("logs", "--no-log-prefix").stdout.split()) == \
        ["begun", "1", "2", "3"]


def test_without_a_journal(berth):
    """Lines are kept in the files, and nothing waits."""
    project = berth.project({"compose.yaml": {"services": {"a": service("echo kept")}}})
    project.run("up", "-d")
    project.wait_state("a", "exited")
    assert project.run("logs", "--no-log-prefix", "a").stdout == "kept\n"


def test_wrong_options(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": service("true", tag="{{.Nope}}")}}})
    done = project.run("up", "-d", check=False)
    assert done.returncode != 0 and "{{.Nope}}" in done.stderr
