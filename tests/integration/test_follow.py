# SPDX-License-Identifier: GPL-2.0-or-later
"""`logs -f` beside commands that replace, add and remove what it follows."""
import re


def says(**more):
    return {"image": "busybox", "init": True,
            "command": ["sh", "-c", "echo I am $$HOSTNAME; exec sleep 1000"], **more}


class Follower:
    def __init__(self, project, *args):
        self.path = f"{project.path}/followed"
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
