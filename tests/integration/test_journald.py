# SPDX-License-Identifier: GPL-2.0-or-later
"""`logging: {driver: journald}`, with a journal of the test's own."""
import pytest

from tests.support.journal import JournalSocket


@pytest.fixture
def journal(berth):
    journal = JournalSocket(berth)
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
        "head -c 40000 /dev/zero | tr '\\\\0' x; echo; printf 'no newline'")}}})
    project.run("up", "-d")
    last = journal.wait(MESSAGE="no newline")
    assert "CONTAINER_PARTIAL_ID" not in last
    parts = [entry for entry in journal.of(BERTH_SERVICE="a") if entry is not last]
    assert [len(part["MESSAGE"]) for part in parts] == [16384, 16384, 40000 - 2 * 16384]
    assert [part.get("CONTAINER_PARTIAL_MESSAGE") for part in parts] == ["true", "true", None]
    assert [part["CONTAINER_PARTIAL_ORDINAL"] for part in parts] == ["1", "2", "3"]
    assert [part["CONTAINER_PARTIAL_LAST"] for part in parts] == ["false", "false", "true"]
    assert len({part["CONTAINER_PARTIAL_ID"] for part in parts}) == 1


def test_a_killed_supervisor_goes_on(berth, journal):
    project = berth.project({"compose.yaml": {"services": {"a": service(
        "n=0; while :; do n=$$((n+1)); echo $$n; sleep 0.05; done")}}})
    project.run("up", "-d")
    journal.wait(MESSAGE="3")
    berth.kill(project.supervisor_pids()[0])
    last = int(project.run("logs", "--no-log-prefix", "a").stdout.split()[-1])
    journal.wait(MESSAGE=str(last + 5), BERTH_SERVICE="a")
    lines = project.run("logs", "--no-log-prefix", "a").stdout.split()
    assert lines == [str(n) for n in range(1, len(lines) + 1)]


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
