# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user of docker compose expects of commands and their words, and what must never go."""
import json
import os

import pytest

from tests.support import sandbox as sandboxes

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def stack(**services):
    return {"compose.yaml": {"services": services}}


def as_nobody(berth, project, *args, env=None):
    return berth.command([*NOBODY, sandboxes.binary(), *args], cwd=project.path, check=False,
                         env=env)


def images(berth):
    result = berth.run("image", "ls", "--format", "json")
    return {json.loads(line)["Repository"] for line in result.stdout.splitlines()}


def test_an_image_in_use_stays(berth):
    """Whichever project uses it, and whether or not somebody supervises that one."""
    mine, other = berth.project(stack(a=SLEEP)), berth.project(stack(b=SLEEP))
    mine.run("up", "-d")
    other.run("up", "-d")
    refused = mine.run("image", "rm", "busybox", check=False)
    assert refused.returncode == 1 and "is using its referenced image" in refused.stderr
    down = mine.run("down", "-t", "0", "--rmi", "all")
    assert "Image busybox Resource is still in use" in down.stderr
    assert images(berth) == {"busybox"}
    other.run("stop", "-t", "0")
    for pid in other.keeper_pids() + other.supervisor_pids():
        berth.kill(pid)
    berth.wait_until(lambda: not other.supervisor_pids(), 5, "nobody supervises")
    refused = mine.run("image", "rm", "busybox", check=False)
    assert refused.returncode == 1 and "is using its referenced image" in refused.stderr
    assert other.supervisor_pids() == [], "looking starts nobody"
    assert "Image busybox Removed" in other.run("down", "--rmi", "all").stderr
    assert images(berth) == set()


def test_wait_prints_the_id(berth):
    project = berth.project(stack(a=SLEEP))
    project.run("up", "-d")
    number = project.run("ps", "-q").stdout.strip()
    waiting = project.popen("wait", "a")
    # Whichever comes first: one that has ended is waited for as well.
    project.run("kill", "a")
    out, _ = waiting.communicate(timeout=60)
    assert out == f'container "{number}" exited with status code 137\n'
    assert waiting.returncode == 137


def test_the_command_as_docker_shows_it(berth):
    """Arguments with a space in them stand in quotes."""
    words = ["sh", "-c", "sleep 1000 & wait", "a b"]
    project = berth.project(stack(a={"image": "busybox", "command": words, "init": True}))
    project.run("up", "-d")
    row = json.loads(project.run("ps", "--format", "json").stdout)
    assert row["Command"] == '"sh -c \'sleep 1000 &…"'
    row = json.loads(project.run("ps", "--no-trunc", "--format", "json").stdout)
    assert row["Command"] == '"sh -c \'sleep 1000 & wait\' \'a b\'"'


def test_kill_takes_orphans_when_asked(berth):
    project = berth.project(stack(a=SLEEP, b=SLEEP))
    project.run("up", "-d")
    project.write(stack(a=SLEEP))
    project.run("kill")
    assert project.container("a")["State"] == "exited"
    assert project.container("b")["State"] == "running"
    project.run("kill", "--remove-orphans")
    assert project.container("b")["State"] == "exited"


def test_orphans_and_their_variables(berth):
    project = berth.project(stack(a=SLEEP, b=SLEEP))
    project.run("up", "-d")
    project.write(stack(a=SLEEP))
    assert f"Found orphan containers ([{project.name}-b-1])" in project.run("up", "-d").stderr
    quiet = project.run("up", "-d", env={"COMPOSE_IGNORE_ORPHANS": "true"})
    assert "orphan" not in quiet.stderr
    both = project.run("up", "-d", "--remove-orphans", env={"COMPOSE_IGNORE_ORPHANS": "1"},
                       check=False)
    assert both.returncode == 1 and "cannot be combined" in both.stderr
    project.run("up", "-d", env={"COMPOSE_REMOVE_ORPHANS": "1"})
    assert project.container("b") is None
    shown = project.run("stop", "-t", "0", env={"COMPOSE_STATUS_STDOUT": "1"})
    assert "a-1 Stopped" in shown.stdout and shown.stderr == ""


@pytest.mark.parametrize("args, env, text", [
    (["up", "--detahc"], {}, "unknown flag: --detahc (did you mean --detach?)"),
    (["pss"], {}, "Did you mean this?\n\tps"),
    (["ps"], {"COMPOSE_PARALLEL_LIMIT": "x"}, "COMPOSE_PARALLEL_LIMIT must be an integer"),
    (["ps"], {"COMPOSE_ANSI": "x"}, 'unsupported --ansi value "x"'),
    (["ps"], {"COMPOSE_PROGRESS": "x"}, 'unsupported --progress value "x"'),
])
def test_refused_words(berth, args, env, text):
    project = berth.project(stack(a=SLEEP))
    result = project.run(*args, env=env, check=False)
    assert result.returncode == 1 and result.stdout == "" and text in result.stderr


def test_progress_as_asked(berth):
    project = berth.project(stack(a=SLEEP))
    up = project.run("up", "-d", env={"COMPOSE_PROGRESS": "json"})
    rows = [json.loads(line) for line in up.stderr.splitlines()]
    assert {"id": f"Container {project.name}-a-1", "status": "Done", "text": "Started"} in rows
    assert project.run("--progress", "quiet", "restart", "-t", "0").stderr == ""
    assert "\033" in project.run("--progress", "tty", "stop", "-t", "0").stderr


def test_an_ordinary_user(berth):
    """Reading needs no privileges; what does says so, and how to go on."""
    project = berth.project(stack(a=SLEEP))
    home = {"BERTH_ROOT": "", "BERTH_RUNTIME_DIR": "", "HOME": "/nonexistent"}
    for args in (["version"], ["help"], ["config", "-q"], ["ps"], ["ls"], ["up", "--help"]):
        assert as_nobody(berth, project, *args, env=home).returncode == 0, args
    up = as_nobody(berth, project, "up", "-d", env=home)
    assert up.returncode == 1 and "log in as the user" in up.stderr
    project.run("up", "-d")
    for args in (["ps"], ["exec", "a", "true"], ["up", "-d"], ["down"]):
        denied = as_nobody(berth, project, *args)
        assert denied.returncode == 1, args
        assert f"permission denied: {berth.runtime_dir} belongs to another" in denied.stderr
    assert project.container("a")["State"] == "running"


def test_which_file(berth):
    project = berth.project(stack(a=SLEEP))
    project.write({"docker-compose.yml": "services: {}"})
    up = project.run("up", "-d")
    assert "Found multiple config files with supported names" in up.stderr
    project.write({"compose.yaml": "services: [oops"})
    assert project.run("down", check=False).returncode == 1
    project.run("down", "-t", "0", env={"COMPOSE_PROJECT_NAME": project.name})
    assert project.run("ls", "-a", "-q").stdout == ""
    nowhere = berth.run("down", cwd="/", check=False)
    assert nowhere.returncode == 1
    assert nowhere.stderr == "no configuration file provided: not found\n"


def test_parallel_and_compatibility(berth):
    project = berth.project(stack(a=SLEEP, b=SLEEP))
    up = project.run("--compatibility", "--parallel", "1", "up", "-d")
    names = project.run("ps", "--format", "{{.Name}}").stdout.split()
    assert names == [f"{project.name}_a_1", f"{project.name}_b_1"]
    # One after the other: nothing begins before what began has ended.
    events = [line.split()[-1] for line in up.stderr.splitlines() if "Container" in line]
    assert events[::2] == [word.replace("ed", "ing") for word in events[1::2]], up.stderr
    again = project.run("up", "-d", env={"COMPOSE_COMPATIBILITY": "true",
                                         "COMPOSE_PARALLEL_LIMIT": "1"})
    assert "Running" in again.stderr


def test_the_rest_of_the_flags(berth):
    """Those that no other test has use for."""
    project = berth.project(stack(a={**SLEEP, "command": ["sh", "-c", "echo out; sleep 1000"]},
                                  b={**SLEEP, "scale": 2}))
    for args in (["create", "-y", "--build", "--quiet-pull", "--pull", "missing", "--scale", "b=1"],
                 ["create", "--no-build", "--no-recreate", "--remove-orphans", "a"],
                 ["create", "--force-recreate", "a"],
                 ["up", "--no-start", "-y", "--quiet-build", "--quiet-pull", "--no-build"],
                 ["start", "--wait", "--wait-timeout", "30"],
                 ["up", "-d", "-V", "--always-recreate-deps", "--no-deps", "a"],
                 ["restart", "--no-deps", "-t", "0", "a"],
                 ["pause", "a"], ["unpause", "a"],
                 ["ps", "-a", "--filter", "status=running", "--orphans=false", "--no-trunc"],
                 ["logs", "--index", "1", "--no-color", "--no-log-prefix", "--since", "1h",
                  "--until", "0s", "-n", "5", "-t", "a"],
                 ["--all-resources", "--profile", "*", "--ansi", "never", "config", "-q"],
                 ["images", "-q"], ["images", "--format", "json"], ["ls", "--filter", "name=t", "-q"],
                 ["events", "--json", "--since", "1m", "--until", "0s"],
                 ["version", "--short"], ["version", "-f", "json"],
                 ["kill", "-s", "SIGKILL", "--remove-orphans"],
                 ["rm", "-f", "-s", "-v"], ["down", "--remove-orphans", "--rmi", "local", "-t", "0", "-v"]):
        result = project.run(*args, check=False)
        assert result.returncode == 0, (args, result.stderr)


def test_called_docker_compose(berth):
    """Installers ask `docker-compose version` whether it is new enough."""
    name = os.path.join(berth.base, "docker-compose")
    os.symlink(sandboxes.binary(), name)

    def version(*args):
        return berth.command([name, "version", *args]).stdout

    assert version().startswith("Docker Compose version v5.")
    assert int(version("--short").split(".")[0]) >= 2
    assert json.loads(version("-f", "json"))["version"].startswith("v5.")
    assert berth.run("version").stdout.startswith("berth version ")
