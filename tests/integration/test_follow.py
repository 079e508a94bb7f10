# SPDX-License-Identifier: GPL-2.0-or-later
"""`logs -f` beside commands that replace, add and remove what it follows."""
import re
import secrets


def says(**more):
    return {"image": "busybox", "init": True,
            "command": ["sh", "-c", "echo I am $$HOSTNAME; exec sleep 1000"], **more}


class Follower:
    def __init__(self, project, *args):
        self.path = f"{project.path}/followed-{secrets.token_hex(4)}"
        self.sandbox = project.sandbox
        with open(self.path, "wb") as out:
            self.process = project.popen("logs", "-f", *args, stdout=out)

    def read(self):
        with open(self.path) as file:
            return file.read()

    def wait(self, pattern, count=1):
        def there():
            return len(re.findall(pattern, self.read(), re.M)) >= count

        assert self.sandbox.wait_until(there, 20, f"{count} times {pattern!r} in {self.path}")


def up(berth, **services):
    project = berth.project({"compose.yaml": {"services": services}})
    project.run("up", "-d")
    return project


def test_a_container_that_takes_the_place(berth):
    """Also when it is the only one, so that none runs for a moment."""
    project = up(berth, a=says())
    follower = Follower(project)
    follower.wait(r"^a-1  \| I am \w+")
    project.run("up", "-d", "--force-recreate")
    follower.wait(r"^a-1  \| I am \w+", 2)
    project.run("up", "-d", "--scale", "a=2")
    follower.wait(r"^a-2  \| I am \w+")
    project.run("down", "-t", "0")
    assert follower.process.wait(20) == 0
    hosts = re.findall(r"^a-1  \| I am (\w+)", follower.read(), re.M)
    assert len(hosts) == 2 and len(set(hosts)) == 2
    assert len(re.findall(r"^a-[12] exited with code 1(37|43)$", follower.read(), re.M)) == 3


def test_one_of_several(berth):
    project = up(berth, a=says(), b=says())
    follower = Follower(project, "--no-log-prefix", "a")
    follower.wait("I am")
    project.run("up", "-d", "--force-recreate", "-t", "0")
    follower.wait("I am", 2)
    project.run("stop", "-t", "0", "a")
    assert follower.process.wait(20) == 0
    assert re.fullmatch(r"(I am \w+\n){2}", follower.read())
    assert project.container("b")["State"] == "running"


def test_a_container_that_is_made_and_goes_again(berth):
    project = up(berth, a=says())
    follower = Follower(project)
    follower.wait("I am")
    project.run("create", "--scale", "a=2")
    project.run("stop", "-t", "0", "a")
    follower.wait("exited")
    project.run("rm", "-f")
    assert follower.process.wait(20) == 0


def test_the_supervisor_dies_between(berth):
    """A container that was made is gone when another supervisor tells again."""
    project = up(berth, a=says())
    follower = Follower(project)
    follower.wait("I am")
    project.sandbox.kill(project.supervisor_pids()[0])
    project.wait_state("a", "running")
    project.run("up", "-d", "--force-recreate", "-t", "0")
    follower.wait("I am", 2)
    project.run("down", "-t", "0")
    assert follower.process.wait(20) == 0


def up_with_slow_end(berth):
    """Between the stop and the start of b stands the end of a, which waits for the file go."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {"image": "busybox", "stop_grace_period": "60s", "volumes": [".:/here"],
              "command": ["sh", "-c", "trap 'until [ -e /here/go ]; do sleep 0.05; done; exit' TERM;"
                                      " echo ready; while :; do sleep 0.05; done"]},
        "b": says(depends_on=["a"])}}})
    project.run("up", "-d")
    Follower(project).wait("ready")
    return project


def test_a_restart_that_takes_its_time(berth):
    """For a while nothing runs of what is followed, and it is still to come."""
    project = up_with_slow_end(berth)
    followers = [Follower(project, "b"), Follower(project, "--no-log-prefix", "b")]
    attached = project.popen("up", "b")
    for follower in followers:
        follower.wait("I am")
    restart = project.popen("restart")
    followers[0].wait(r"^b-1 exited with code 143$")
    followers.append(Follower(project, "b"))
    project.write({"go": ""})
    assert restart.wait(20) == 0
    followers[0].wait(r"^b-1  \| I am", 2)
    followers[1].wait("^I am", 2)
    project.run("down", "-t", "0")
    assert all(follower.process.wait(20) == 0 for follower in followers)
    assert len(re.findall("I am", attached.communicate(timeout=20)[0])) == 1
    assert len(re.findall("I am", followers[2].read())) == 2  # of both runs


def test_a_restart_that_is_called_off(berth):
    project = up_with_slow_end(berth)
    follower = Follower(project, "b")
    follower.wait("I am")
    restart = project.popen("restart")
    follower.wait(r"^b-1 exited with code 143$")
    project.run("stop", "-t", "0")
    assert restart.wait(20) == 1
    assert follower.process.wait(20) == 0


def test_a_restart_by_policy_that_is_called_off(berth):
    project = up(berth, a={"image": "busybox", "command": ["sh", "-c", "echo I am; exit 3"],
                           "deploy": {"restart_policy": {"condition": "any", "delay": "1h"}}})
    follower = Follower(project)
    follower.wait("I am")
    project.wait_state("a", "restarting")
    project.run("stop")
    assert follower.process.wait(20) == 0
