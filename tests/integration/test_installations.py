# SPDX-License-Identifier: GPL-2.0-or-later
"""Two installations on one machine (BERTH_ROOT) never meet, whatever their projects are called."""
import json
import os
import subprocess

STACK = {"compose.yaml": {"services": {"a": {"image": "busybox", "init": True,
                                             "command": ["sleep", "1000"]}}}}


def states(project, env):
    return project.run("ps", "--format", "{{.Name}} {{.State}}", env=env).stdout.split()


def test_projects_of_the_same_name(berth):
    project = berth.project(STACK)
    other = {"BERTH_ROOT": os.path.join(berth.base, "root2"),
             "BERTH_RUNTIME_DIR": os.path.join(berth.base, "run2")}
    subprocess.run(["cp", "-al", berth.template, other["BERTH_ROOT"]], check=True)
    project.run("up", "-d")
    project.run("up", "-d", env=other)
    running = [f"{project.name}-a-1", "running"]
    # A supervisor that takes over clears up what is not known to it.
    for pid in project.supervisor_pids():
        berth.kill(pid)
    berth.wait_until(lambda: len(project.supervisor_pids()) == 2, 60, "both are supervised again")
    assert states(project, None) == running
    assert states(project, other) == running
    project.run("down", "-t", "0", env=other)
    assert states(project, None) == running
    assert json.loads(project.run("exec", "a", "sh", "-c",
                                  "ip -o -4 addr show eth0 | wc -l").stdout) == 1
    project.run("down", "-t", "0")
