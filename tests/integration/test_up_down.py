# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole way: up, ps, down; twice; changed; scaled; with orphans."""
import json

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def compose(**services):
    return {"compose.yaml": {"services": services}}


def test_up_and_down(berth):
    project = berth.project(compose(web=SLEEP))
    up = project.run("up", "-d")
    assert up.stdout == ""
    assert f"Network {project.name}_default Created" in up.stderr
    assert f"Container {project.name}-web-1 Started" in up.stderr
    row = project.container("web")
    assert (row["State"], row["Service"], row["Project"]) == ("running", "web", project.name)
    down = project.run("down", "-t", "0")
    assert f"Container {project.name}-web-1 Removed" in down.stderr
    assert project.ps() == []


def test_up_again_changes_nothing(berth):
    project = berth.project(compose(web=SLEEP))
    project.run("up", "-d")
    before = project.container("web")
    again = project.run("up", "-d")
    assert f"Container {project.name}-web-1 Running" in again.stderr
    assert project.container("web")["ID"] == before["ID"]


def test_a_change_recreates_only_what_changed(berth):
    project = berth.project(compose(a=SLEEP, b=SLEEP))
    project.run("up", "-d")
    a, b = project.container("a"), project.container("b")
    project.write(compose(a={**SLEEP, "environment": {"X": "1"}}, b=SLEEP))
    plan = project.run("up", "-d", "--dry-run")
    assert "environment changed" in plan.stdout + plan.stderr
    assert project.container("a")["ID"] == a["ID"]
    project.run("up", "-d")
    assert project.container("a")["ID"] != a["ID"]
    assert project.container("b")["ID"] == b["ID"]
    assert project.exec("a", "sh", "-c", "echo $X").stdout == "1\n"


def test_force_recreate_and_no_recreate(berth):
    project = berth.project(compose(a=SLEEP))
    project.run("up", "-d")
    first = project.container("a")["ID"]
    project.run("up", "-d", "--force-recreate", "-t", "0")
    second = project.container("a")["ID"]
    assert second != first
    project.write(compose(a={**SLEEP, "environment": {"X": "1"}}))
    project.run("up", "-d", "--no-recreate")
    assert project.container("a")["ID"] == second
    assert project.run("up", "-d", "--no-recreate", "--force-recreate", check=False).returncode == 1


def test_scale(berth):
    project = berth.project(compose(a=SLEEP))
    project.run("up", "-d", "--scale", "a=3")
    assert sorted(row["Name"] for row in project.ps()) == [
        f"{project.name}-a-{n}" for n in (1, 2, 3)]
    project.run("up", "-d", "-t", "0")
    assert [row["Name"] for row in project.ps()] == [f"{project.name}-a-1"]


def test_orphans(berth):
    project = berth.project(compose(a=SLEEP, b=SLEEP))
    project.run("up", "-d")
    project.write(compose(a=SLEEP))
    warned = project.run("up", "-d")
    assert f"Found orphan containers ([{project.name}-b-1]) for this project." in warned.stderr
    assert project.container("b")["State"] == "running"
    project.run("up", "-d", "--remove-orphans", "-t", "0")
    assert project.container("b") is None


def test_profiles(berth):
    project = berth.project(compose(a=SLEEP, debug={**SLEEP, "profiles": ["debug"]}))
    project.run("up", "-d")
    assert [row["Service"] for row in project.ps()] == ["a"]
    project.run("--profile", "debug", "up", "-d")
    assert sorted(row["Service"] for row in project.ps()) == ["a", "debug"]
    # Without the profile it is hidden, not orphaned.
    assert "orphan" not in project.run("up", "-d").stderr


def test_down_of_nothing_and_twice(berth):
    project = berth.project(compose(a=SLEEP))
    assert project.run("down").returncode == 0
    project.run("up", "-d")
    project.run("down", "-t", "0")
    assert project.run("down").returncode == 0


def test_down_keeps_named_volumes_unless_asked(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "volumes": ["data:/data"]}}, "volumes": {"data": {}}}})
    project.run("up", "-d")
    project.exec("a", "sh", "-c", "echo kept > /data/file")
    project.run("down", "-t", "0")
    project.run("up", "-d")
    assert project.exec("a", "cat", "/data/file").stdout == "kept\n"
    down = project.run("down", "-v", "-t", "0")
    assert f"Volume {project.name}_data Removed" in down.stderr
    project.run("up", "-d")
    assert project.exec("a", "cat", "/data/file", check=False).returncode == 1


def test_down_by_project_name_alone(berth):
    project = berth.project(compose(a=SLEEP))
    project.run("up", "-d")
    berth.run("-p", project.name, "down", "-t", "0", cwd=berth.home)
    assert berth.run("ls", "-a", "-q").stdout == ""


def test_labels_and_names(berth):
    project = berth.project(compose(a={**SLEEP, "labels": {"mine": "yes"}}))
    project.run("up", "-d")
    labels = dict(pair.split("=", 1) for pair in project.container("a")["Labels"].split(","))
    assert labels["mine"] == "yes"
    assert labels["com.docker.compose.project"] == project.name
    assert labels["com.docker.compose.service"] == "a"
    assert labels["com.docker.compose.container-number"] == "1"
    assert labels["com.docker.compose.oneoff"] == "False"
    assert labels["com.docker.compose.project.working_dir"] == project.path
    assert labels["com.docker.compose.project.config_files"] == f"{project.path}/compose.yaml"
    digest = project.run("config", "--hash", "a").stdout.split()
    assert digest == ["a", labels["com.docker.compose.config-hash"]]


def test_ls(berth):
    project = berth.project(compose(a=SLEEP, b=SLEEP))
    project.run("up", "-d")
    assert json.loads(berth.run("ls", "--format", "json").stdout) == [
        {"Name": project.name, "Status": "running(2)",
         "ConfigFiles": f"{project.path}/compose.yaml"}]
    assert berth.run("ls", "-q").stdout == f"{project.name}\n"


def test_stop_start_restart(berth):
    project = berth.project(compose(a={**SLEEP, "restart": "always"}))
    project.run("up", "-d")
    first = project.container("a")
    project.run("stop", "-t", "1")
    assert project.container("a")["State"] == "exited"
    assert project.run("ps", "-q").stdout == ""
    project.run("start")
    row = project.container("a")
    assert (row["State"], row["ID"]) == ("running", first["ID"])
    started = project.run("restart", "-t", "1", "a")
    assert f"Container {project.name}-a-1 Started" in started.stderr
    assert project.container("a")["State"] == "running"


def test_kill_rm_create(berth):
    project = berth.project(compose(a=SLEEP))
    project.run("create")
    assert project.container("a")["State"] == "created"
    project.run("start")
    project.run("kill", "-s", "KILL")
    row = project.wait_state("a", "exited")
    assert row["ExitCode"] == 137
    project.run("rm", "-f")
    assert project.ps() == []


def test_pause(berth):
    project = berth.project(compose(a=SLEEP))
    project.run("up", "-d")
    project.run("pause")
    assert project.container("a")["State"] == "paused"
    project.run("unpause")
    assert project.container("a")["State"] == "running"


def test_several_replicas_and_container_name(berth):
    project = berth.project(compose(a={**SLEEP, "container_name": "the-one"}))
    project.run("up", "-d")
    assert project.ps()[0]["Name"] == "the-one"
    refused = project.run("up", "-d", "--scale", "a=2", check=False)
    assert refused.returncode == 1
    assert "container_name" in refused.stderr


def test_dry_run_changes_nothing(berth):
    project = berth.project(compose(a=SLEEP))
    plan = project.run("--dry-run", "up", "-d")
    text = plan.stdout + plan.stderr
    assert f"create network {project.name}_default (no network yet)" in text
    assert f"start container {project.name}-a-1 (no container yet)" in text
    assert project.ps() == []
    project.run("up", "-d")
    for command in (["down"], ["stop"], ["restart"], ["kill"], ["rm", "-sf"]):
        done = project.run("--dry-run", *command)
        assert f"container {project.name}-a-1" in done.stdout + done.stderr, command
        assert project.container("a")["State"] == "running"
