# SPDX-License-Identifier: GPL-2.0-or-later
"""`up` pulls what is missing while services that need none of it start."""

import os
import signal
import time

import pytest

from tests.support.registries import HOST, BadRegistry

# The registry's images have no program: theirs comes out of another image.
TOP = ["/busybox/bin/busybox", "top"]
PROGRAM = {"type": "image", "source": "busybox", "target": "/busybox"}


@pytest.fixture
def registry(berth):
    return BadRegistry(berth)


def slow(name="gated", **more):
    return {"image": f"{HOST}/{name}:1", "command": TOP, "volumes": [PROGRAM],
            "stop_grace_period": "0s", **more}


def quick(**more):
    return {"image": "busybox", "command": "top", "stop_grace_period": "0s", **more}


def project_of(berth, **services):
    return berth.project({"compose.yaml": {"services": services}})


def states(project):
    return {row["Service"]: row["State"] for row in project.ps("-a")}


def is_pulling(berth, registry, name="gated"):
    berth.wait_until(lambda: registry.requests(f"{name}/blobs"), 30, f"{name} is asked for")


def test_what_needs_no_image_does_not_wait(berth, registry):
    checked = quick(healthcheck={"test": ["CMD", "true"], "interval": "1s"})
    project = project_of(berth, db=checked, web=quick(depends_on={"db": {"condition": "service_healthy"}}),
                         slow=slow(), last=quick(depends_on=["slow"]),
                         mounted=quick(volumes=[{"type": "image", "source": f"{HOST}/gatedtoo:1",
                                                 "target": "/noise"}]))
    up = project.popen("up", "-d", "--wait")
    begun = time.monotonic()
    berth.wait_until(lambda: states(project) == {"db": "running", "web": "running", "last": "created"},
                     20, "those that can run do")
    running = time.monotonic() - begun
    # Nothing of the registry can have come in between: its layer is still held back.
    assert up.poll() is None
    assert running < 15
    registry.open("gated")
    registry.open("gatedtoo")
    _, stderr = up.communicate(timeout=60)
    assert up.returncode == 0, stderr
    assert set(states(project).values()) == {"running"} and len(states(project)) == 5
    assert f"Image {HOST}/gated:1 Pulled" in stderr
    assert stderr.index("slow-1 Started") > stderr.index("web-1 Started")
    assert project.exec("mounted", "ls", "/noise").stdout == "noise\n"


def test_a_wrong_name_is_an_error_before_anything_starts(berth, registry):
    project = berth.project({"compose.yaml": f"""
services:
  web: {{image: busybox, command: top}}
  slow: {{image: "{HOST}/gated:1"}}
  wrong:
    image: {HOST}/denied:1
"""})
    result = project.run("up", "-d", check=False, timeout=60)
    assert result.returncode == 1
    assert "compose.yaml:6:5: service wrong: image 127.0.0.1:5000/denied:1: " in result.stderr
    assert "denies access to denied" in result.stderr
    assert states(project) == {}


def test_one_that_breaks_holds_back_no_other(berth, registry):
    project = project_of(berth, web=quick(), broken=slow("flip"), after=quick(depends_on=["broken"]))
    result = project.run("up", "-d", check=False, timeout=60,
                         env={"BERTH_REGISTRIES": registry.settings})
    assert result.returncode == 1
    assert "what registry 127.0.0.1:5000 sends is another one" in result.stderr
    assert states(project) == {"web": "running", "after": "created"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_pulling_client_goes(berth, registry, number):
    before = registry.new_files()
    project = project_of(berth, web=quick(), slow=slow())
    up = project.popen("up", "-d")
    is_pulling(berth, registry)
    berth.wait_until(lambda: states(project) == {"web": "running"}, 20, "web runs")
    up.send_signal(number)
    _, stderr = up.communicate(timeout=30)
    assert up.returncode == 130 or number == signal.SIGKILL, stderr
    assert states(project) == {"web": "running"}
    berth.run("image", "ls", cwd="/")
    assert registry.new_files() == before
    # And nothing stands in the way of the next.
    registry.open("gated")
    project.run("up", "-d", "--quiet-pull", timeout=60)
    assert states(project) == {"web": "running", "slow": "running"}


def test_a_supervisor_that_is_killed_is_told_again(berth, registry):
    project = project_of(berth, web=quick(), slow=slow(), slower=slow("gatedtoo"))
    up = project.popen("up", "-d")
    berth.wait_until(lambda: states(project) == {"web": "running"}, 20, "web runs")
    registry.open("gated")
    project.wait_state("slow", "running", 20)
    os.kill(project.supervisor_pids()[0], signal.SIGKILL)
    registry.open("gatedtoo")
    _, stderr = up.communicate(timeout=60)
    assert up.returncode == 0, stderr
    assert set(states(project).values()) == {"running"} and len(states(project)) == 3


def test_down_ends_it(berth, registry):
    project = project_of(berth, web=quick(), slow=slow())
    up = project.popen("up", "-d")
    berth.wait_until(lambda: states(project) == {"web": "running"}, 20, "web runs")
    project.run("down")
    _, stderr = up.communicate(timeout=30)
    assert up.returncode == 1 and 'interrupted by "berth down"' in stderr


def test_attached(berth, registry):
    said = ["sh", "-c", "echo here; exec top -b >/dev/null"]
    project = project_of(berth, web={**quick(), "command": said},
                         slow=slow(command=["/busybox/bin/busybox", "sh", "-c",
                                            "echo late; exec /busybox/bin/busybox top -b >/dev/null"]))
    terminal = project.pty("up")
    terminal.read_until("web-1 .*here", 20)
    registry.open("gated")
    terminal.read_until("slow-1 .*late", 20)
    terminal.write("\x03")
    assert terminal.wait(30) == 130
    assert set(states(project).values()) == {"exited"}


def test_policies(berth, registry):
    """What is here and may have changed is asked for before anything is planned."""
    name = f"{HOST}/good:1"
    services = {"a": slow("good")}
    project = berth.project({"compose.yaml": {"services": services}})

    def asked():
        return len(registry.requests("good/manifests"))

    def up(*arguments, expect=0, **service):
        services["a"] = slow("good", **service)
        project.write({"compose.yaml": {"services": services}})
        before = asked()
        result = project.run("up", "-d", *arguments, check=False)
        assert result.returncode == expect, result.stderr
        return asked() - before, result.stderr

    times, stderr = up("--pull", "never", expect=1)
    assert times == 0 and f"service a: image {name} is not here" in stderr
    assert up("--quiet-pull")[0] > 0
    assert up() == (0, up()[1])
    assert up("--pull", "missing")[0] == 0
    assert up("--pull", "never")[0] == 0
    assert up("--pull", "always")[0] > 0
    assert up(pull_policy="always")[0] > 0
    assert up("--pull", "missing", pull_policy="always")[0] == 0
    for policy in ("daily", "weekly", "every_12h", "if_not_present", "never", "missing"):
        assert up(pull_policy=policy)[0] == 0, policy
    berth.wait_until(lambda: up(pull_policy="every_1s")[0] > 0, 20, "a second has passed")


def test_pull_of_a_run(berth, registry):
    project = project_of(berth, a=slow("good"))
    words = ["run", "--rm", "--pull"]
    asked = len(registry.requests("good/manifests"))
    result = project.run(*words, "never", "a", "/busybox/bin/busybox", "true", check=False)
    assert result.returncode == 1 and "is not here" in result.stderr
    project.run(*words, "missing", "a", "/busybox/bin/busybox", "true")
    once = len(registry.requests("good/manifests"))
    assert once > asked
    project.run(*words, "missing", "a", "/busybox/bin/busybox", "true")
    assert len(registry.requests("good/manifests")) == once
    project.run(*words, "always", "a", "/busybox/bin/busybox", "true")
    assert len(registry.requests("good/manifests")) > once
