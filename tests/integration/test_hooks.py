# SPDX-License-Identifier: GPL-2.0-or-later
"""post_start and pre_stop: where they run, what waits for them, and what a failure means."""
import signal

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def sh(script, **more):
    return {"command": ["sh", "-c", script], **more}


def one(berth, more, **services):
    files = {"compose.yaml": {"services": {"a": {**SLEEP, "volumes": ["./log:/log"], **more},
                                           **services}}, "log/.keep": ""}
    return berth.project(files)


def log(project):
    try:
        with open(f"{project.path}/log/said", encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def test_post_start(berth):
    """In order, as told, in the container; dependents come after them."""
    first = sh("echo $$A:$$B:$$(pwd):$$(id -u) >> /log/said; echo printed", user="1234",
               working_dir="/tmp", environment={"B": "hook"})
    project = one(berth, {"environment": {"A": "own"}, "user": "0", "post_start": [
        sh("chmod 777 /log; echo first >> /log/said; chmod 666 /log/said"), first,
        sh("mount -t tmpfs x /mnt && echo mounted >> /log/said", privileged=True)]},
        b={"image": "busybox", "command": ["cat", "/log/said"], "volumes": ["./log:/log"],
           "depends_on": ["a"]})
    project.run("up", "-d")
    assert log(project) == ["first", "own:hook:/tmp:1234", "mounted"]
    project.wait_state("b", "exited", 30)
    assert "b-1  | mounted" in project.run("logs", "b").stdout
    assert "printed" in project.run("logs", "a").stdout


def test_post_start_that_fails(berth):
    project = one(berth, {"post_start": [sh("exit 3"), sh("echo never >> /log/said")]},
                  b={**SLEEP, "depends_on": ["a"]})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert "a hook exited with status 3" in up.stderr
    assert log(project) == []
    assert project.container("a")["State"] == "running"
    assert project.container("b")["State"] == "created"


def test_pre_stop(berth):
    """Before the signal, however long it takes; not when the container ends by itself."""
    main = sh("trap 'echo signal >> /log/said; exit 0' TERM; while :; do sleep 0.05; done")
    project = one(berth, {**main, "init": False, "pre_stop": [
        sh("sleep 1; echo hook >> /log/said"), {"command": ["no-such-program"]},
        sh("echo skipped >> /log/said")]})
    project.run("up", "-d")
    stop = project.run("stop", "-t", "20")
    assert log(project) == ["hook", "signal"]
    assert "a hook exited with status 127" in stop.stderr
    project.run("start")
    project.run("kill")
    project.run("start")
    project.run("down", "-t", "0")
    assert log(project) == ["hook", "signal", "hook"]


def test_a_hook_that_hangs_is_ended_by_kill(berth):
    project = one(berth, {"pre_stop": [sh("echo hook >> /log/said; sleep 1000")]})
    project.run("up", "-d")
    stop = project.popen("stop", "-t", "1")
    berth.wait_until(lambda: log(project), 30)
    project.run("kill")
    stop.communicate(timeout=30)
    assert project.container("a")["State"] == "exited"


def test_supervisor_killed_during_hooks(berth):
    """Each hook is begun once, and the next supervisor goes on."""
    project = one(berth, {
        "post_start": [sh("echo one >> /log/said; while [ ! -e /log/go ]; do sleep 0.05; done"),
                       sh("echo two >> /log/said")],
        "pre_stop": [sh("echo stop >> /log/said; while [ ! -e /log/end ]; do sleep 0.05; done"),
                     sh("echo last >> /log/said")]})
    up = project.popen("up", "-d")
    berth.wait_until(lambda: log(project) == ["one"], 30)
    for pid in project.supervisor_pids():
        berth.kill(pid, signal.SIGKILL)
    project.write({"log/go": ""})
    berth.wait_until(lambda: log(project) == ["one", "two"], 30)
    up.communicate(timeout=30)
    assert up.returncode == 0
    stop = project.popen("stop", "-t", "0")
    berth.wait_until(lambda: log(project)[2:] == ["stop"], 30)
    for pid in project.supervisor_pids():
        berth.kill(pid, signal.SIGKILL)
    project.write({"log/end": ""})
    berth.wait_until(lambda: log(project)[2:] == ["stop", "last"], 30)
    stop.communicate(timeout=60)
    project.wait_state("a", "exited", 30)


def test_on_a_terminal(berth):
    project = one(berth, {"tty": True, "post_start": [sh("echo on the terminal")]})
    project.run("up", "-d")
    berth.wait_until(lambda: "on the terminal" in project.run("logs", "a").stdout, 30)


INIT = [sh("echo $$WHO >> /log/said", environment={"WHO": "first"}),
        sh("echo second:$$(id -u) >> /log/said", user="7", image="busybox")]


def test_pre_start(berth):
    """Init containers run in order before the service, and once."""
    project = one(berth, {"pre_start": INIT, "environment": {"WHO": "own"}, "user": "0",
                          **sh("echo main >> /log/said; sleep 1000")})
    berth.command(["chmod", "777", f"{project.path}/log"])
    berth.command(["sh", "-c", f"touch {project.path}/log/said; chmod 666 {project.path}/log/said"])
    project.run("up", "-d")
    berth.wait_until(lambda: log(project) == ["first", "second:7", "main"], 30, str(log(project)))
    assert project.container("a-pre_start-1")["State"] == "exited"
    project.run("up", "-d")
    project.run("stop", "-t", "0")
    project.run("start")
    berth.wait_until(lambda: log(project)[3:] == ["main"], 30, str(log(project)))
    assert "pre_start" not in [s for s in project.run("config", "--services").stdout.split()]


def test_pre_start_that_fails(berth):
    project = one(berth, {"pre_start": [sh("echo why; exit 5"), sh("echo never >> /log/said")]})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert "a hook exited with status 5" in up.stderr
    assert project.container("a")["State"] == "created"
    assert "why" in project.run("logs").stdout
    assert log(project) == []
