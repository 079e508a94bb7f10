# SPDX-License-Identifier: GPL-2.0-or-later
"""What commands are started with: streams that are closed, full, or that nobody reads."""
import pytest


def shell(project, script):
    """Runs @script with the program as $berth. Its exit status, and what came out."""
    return project.sandbox.command(["bash", "-c", f'berth="{project.sandbox.program[0]}"; {script}'],
                                   check=False, cwd=project.path, timeout=60)


@pytest.fixture
def project(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {"image": "busybox", "init": True,
              "command": ["sh", "-c", "seq 1 5000; exec sleep 1000"]}}}})
    project.run("up", "-d")
    return project


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed(project, closed):
    """What is opened later must not become one of them."""
    for command in ("ps", "up -d", "restart -t 0", "exec a true", "run --rm a true",
                    "run --rm a sh -c 'echo a; echo b >&2'", "run --rm -d a true", "logs",
                    "config", "stop -t 0"):
        done = shell(project, f"$berth {command} {closed}")
        assert done.returncode == 0, (command, done.stderr)
    assert project.container("a")["State"] == "exited"


def test_a_full_disk_below_the_output(project):
    for command in ("ps", "logs", "images --format json", "config", "ls", "version", "up --help"):
        done = shell(project, f"$berth {command} >/dev/full")
        assert done.returncode == 1 and "No space left on device" in done.stderr, command


def test_nobody_reads_on(project):
    for command in ("logs", "logs -f", "run --rm a seq 1 100000", "exec -T a seq 1 100000"):
        done = shell(project, f"$berth {command} 2>err | head -n 1; echo ${{PIPESTATUS[0]}}; cat err")
        assert "141" in done.stdout.split(), command
        assert "Broken" not in done.stdout
    assert project.container("a")["State"] == "running"
    assert [row["Name"] for row in project.ps()] == [f"{project.name}-a-1"]
