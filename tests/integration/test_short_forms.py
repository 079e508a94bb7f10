# SPDX-License-Identifier: GPL-2.0-or-later
"""Where there is no project, commands are docker's own; in a project they are its services'."""
import glob

import pytest

SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture
def folder(berth):
    """The sandbox with its images, and commands run in a folder without any compose file."""
    berth.project({})
    yield berth
    names = berth.run("container", "ls", "-aq").stdout.split()
    if names:
        berth.run("container", "rm", "-fv", *names)
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def test_a_containers_life(folder):
    ident = folder.run("run", "-d", "--init", "--name", "box", "-p", "18095:80", "-e", "A=1",
                       "busybox", "sh", "-c", "echo out; sleep 1000").stdout.strip()
    assert folder.run("ps", "-q", "--no-trunc").stdout.strip() == ident
    assert folder.run("ps", "--format", "{{.Names}}").stdout == "box\n"
    folder.wait_until(lambda: folder.run("logs", "box").stdout == "out\n", 10)
    assert folder.run("exec", "-e", "B=2", "box", "sh", "-c", "echo $B").stdout == "2\n"
    assert folder.run("port", "box", "80").stdout.splitlines() == ["0.0.0.0:18095", "[::]:18095"]
    assert "sleep 1000" in folder.run("top", "box").stdout
    assert "box" in folder.run("stats", "--no-stream").stdout
    folder.run("cp", "box:/etc/hostname", f"{folder.home}/copied")
    folder.run("export", "-o", f"{folder.home}/all.tar", "box")
    assert folder.run("commit", "box", "other:1").stdout.startswith("sha256:")
    assert "other" in folder.run("images").stdout
    for command in ("pause", "unpause", "restart", "stop", "start", "kill"):
        flags = ["-t", "0"] if command in ("restart", "stop") else []
        assert folder.run(command, *flags, "box").stdout == "box\n", command
    assert folder.run("wait", "box").stdout == "137\n"
    assert folder.run("rm", "box").stdout == "box\n"
    folder.run("image", "rm", "other:1")
    folder.run("create", "--name", "made", *SLEEP)
    assert folder.run("ps", "-a", "--format", "{{.Names}} {{.State}}").stdout == "made created\n"
    assert folder.run("run", "--rm", "busybox", "sh", "-c", "exit 3", check=False).returncode == 3


def test_what_says_that_there_is_no_project(berth, folder):
    missing = folder.run("up", check=False)
    assert missing.returncode == 1 and "no configuration file provided" in missing.stderr
    # Nothing is named: a project was meant.
    missing = folder.run("stop", check=False)
    assert missing.returncode == 1 and "no configuration file provided" in missing.stderr
    missing = folder.run("stop", "web", check=False)
    assert missing.returncode == 1 and "No such container: web" in missing.stderr
    bad = folder.run("run", "--nosuch", "busybox", check=False)
    assert "berth container run" in bad.stderr
    project = berth.project({"compose.yaml": {"services": {"web": {
        "image": "busybox", "command": ["sleep", "1000"], "init": True}}}, "sub/x": ""})
    project.run("up", "-d")
    assert "SERVICE" in project.run("ps").stdout
    bad = project.run("run", "busybox", check=False)
    assert bad.returncode == 1 and "no such service: busybox" in bad.stderr
    # A parent's file, a name, and a variable mean a project as well.
    name = f"{project.name}-web-1"
    for words, options in ((["ps"], {"cwd": f"{project.path}/sub"}),
                           (["-p", project.name, "ps"], {"cwd": folder.home}),
                           (["-f", f"{project.path}/compose.yaml", "ps"], {"cwd": folder.home}),
                           (["ps"], {"cwd": folder.home,
                                     "env": {"COMPOSE_PROJECT_NAME": project.name}}),
                           (["ps"], {"cwd": folder.home,
                                     "env": {"COMPOSE_FILE": f"{project.path}/compose.yaml"}})):
        rows = folder.run(*words, **options).stdout
        assert "SERVICE" in rows and name in rows, words
    # From outside, its containers are containers.
    assert folder.run("ps", "--format", "{{.Names}}", cwd=folder.home).stdout == f"{name}\n"
    folder.run("stop", "-t", "0", name, cwd=folder.home)
    assert project.ps()[0]["State"] == "exited"
    project.run("down")


def test_help_and_completion(berth, folder):
    assert "`berth container run`" in folder.run("help", "run").stdout
    assert folder.run("run", "--help").stdout == folder.run("help", "run").stdout
    folder.run("run", "-d", "--name", "box", *SLEEP)
    assert "box" in folder.run("__complete", "stop", "b").stdout
    assert "box:" in folder.run("__complete", "cp", "b").stdout
    assert "--publish-all" in folder.run("__complete", "run", "--publish").stdout
