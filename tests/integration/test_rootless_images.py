# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of an ordinary user: pulled, built, run, committed and pushed as with root."""

import json
import os

import pytest

from tests.support import registries
from tests.support.builds import write
from tests.support.user import UID, User

DOCKERFILE = """\
FROM {base} AS made
RUN echo someone:x:1234:1234::/home:/bin/sh >> /etc/passwd && mkdir /out && id -u > /out/by && echo made > /out/file
RUN --mount=type=cache,target=/cache echo 1 >> /cache/n && wc -l < /cache/n > /out/cached
USER someone
RUN id -u > /tmp/as-app

FROM {base}
COPY --from=made /etc/passwd /etc/passwd
COPY --from=made --chown=someone /out /out
COPY --chown=1234:5678 --chmod=640 own /own
COPY --from=made /tmp/as-app /as-app
ADD archive.tar /unpacked/
RUN chown 65000:65000 /as-app && ip -o addr show eth0 > /out/net
RUN --network=none ! ip addr show eth0
USER someone
WORKDIR /work
CMD ["sh", "-c", "id -u; cat /own; exec sleep 1000"]
"""


@pytest.fixture
def alice(berth):
    return User(berth)


def own(path):
    for parent, folders, names in os.walk(path):
        for name in [".", *folders, *names]:
            os.lchown(os.path.join(parent, name), UID, UID)


def context(alice, base):
    path = os.path.join(alice.home, "ctx")
    write(path, {"Dockerfile": DOCKERFILE.format(base=base), "own": "mine\n", "in/file": "packed\n"})
    alice.berth.command(["tar", "-cf", f"{path}/archive.tar", "-C", f"{path}/in", "."])
    own(path)
    return path


def test_pull_build_run_push(alice):
    """From and to a real registry; files of other users' ids come out of the layers as they were."""
    host = registries.serve(alice.berth)
    alice.image()
    name = f"{host}/base:1"
    alice.run("image", "tag", "busybox", name)
    alice.run("image", "push", "-q", name)
    alice.run("image", "rm", "-f", "busybox", name)
    assert alice.run("image", "ls", "-q").stdout == ""
    cwd = alice.project(f"""
services:
  app:
    image: {host}/app:1
    build: {{context: ../ctx}}
  plain: {{image: "{name}", command: sleep 1000, init: true}}
""")
    context(alice, name)
    alice.run("up", "-d", "--build", cwd=cwd)
    assert alice.run("logs", "--no-log-prefix", "app", cwd=cwd).stdout == "1234\nmine\n"
    seen = alice.run("exec", "-T", "app", "sh", "-c",
                     "stat -c '%u:%g:%a' /own /out/file /as-app; cat /as-app /out/by /out/cached;"
                     "cat /unpacked/file; pwd", cwd=cwd).stdout.split()
    assert seen == ["1234:5678:640", "1234:1234:644", "65000:65000:644", "1234", "0", "1", "packed",
                    "/work"]
    again = alice.run("build", cwd=cwd)
    assert "CACHED" in again.stderr + again.stdout
    alice.run("push", "-q", "app", cwd=cwd)
    alice.run("commit", "app", "committed", cwd=cwd)
    alice.run("down", "-t", "0", "--rmi", "all", cwd=cwd)
    # All of it comes back, through the layers of the registry.
    alice.run("pull", "-q", "app", cwd=cwd)
    done = alice.run("run", "--rm", "-T", "app", "stat", "-c", "%u:%g", "/own", "/as-app", cwd=cwd)
    assert done.stdout == "1234:5678\n65000:65000\n"
    config = json.loads(alice.run("image", "inspect", "committed").stdout)[0]["Config"]
    assert config["User"] == "someone"
    alice.run("down", "-t", "0", cwd=cwd)
    alice.run("system", "prune", "-a", "-f")
    assert alice.run("image", "ls", "-q").stdout == ""
    for pid in alice.berth.pids_of("docker-registry"):
        alice.berth.kill(pid)
    alice.nothing_left()


def test_build_output_and_archives(alice):
    """A tree that a build puts into a folder is the user's; archives go out and come in."""
    alice.image()
    path = context(alice, "busybox")
    alice.run("image", "build", "-t", "x", "-o", "type=local,dest=tree", path)
    assert os.stat(os.path.join(alice.home, "tree/own")).st_uid == UID
    alice.run("image", "build", "-q", "-t", "x", path)
    alice.run("image", "save", "-o", "x.tar", "x")
    assert os.stat(os.path.join(alice.home, "x.tar")).st_uid == UID
    alice.run("image", "rm", "-f", "x")
    alice.run("image", "load", "-q", "-i", "x.tar")
    done = alice.run("container", "run", "--rm", "x", "stat", "-c", "%u:%g", "/own")
    assert done.stdout == "1234:5678\n"
    alice.nothing_left()


def test_killed_build(alice):
    """Also of a user nothing stays once another one ran."""
    alice.image()
    path = os.path.join(alice.home, "ctx")
    write(path, {"Dockerfile": "FROM busybox\nRUN touch /x; sleep 1234\n"})
    own(path)
    process = alice.popen("image", "build", "-t", "x", path)
    alice.berth.wait_until(lambda: alice.berth.pids_of("sleep", "1234"), 30, "it runs its step")
    alice.berth.kill(process.inner_pid())
    process.wait(30)
    alice.berth.wait_until(lambda: not alice.berth.pids_of("sleep"), 30, "the step ends with it")
    alice.run("builder", "prune", "-f")
    networks = os.path.join(alice.home, ".local/share/berth/networks")
    assert [name for name in os.listdir(networks) if not name.startswith(".")] == []
    alice.nothing_left()
