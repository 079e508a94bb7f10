# SPDX-License-Identifier: GPL-2.0-or-later
"""RUN: what is mounted for it, its network, and what it may do."""
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

from tests.support.builds import build, context, image, write
from tests.support.sandbox import wait_until


def test_bind(berth):
    build(berth, context(berth, "FROM busybox\nRUN mkdir /od && echo o > /od/o\n", "o"),
          name="other")
    path = context(berth, {"f": "file", "d/x": "x", "no": "", ".dockerignore": "no\nDockerfile\n",
                           "Dockerfile": """\
FROM scratch AS made
COPY d /made
FROM busybox
WORKDIR /w
RUN --mount=type=bind,target=/c ls -A /c > /all; ! touch /c/new
RUN --mount=target=sub,source=d cat sub/x > /relative
RUN --mount=type=bind,source=f,target=/one cat /one > /file
RUN --mount=from=made,src=/made,dst=/m cat /m/x > /stage
RUN --mount=type=bind,from=other,source=od,target=/i cat /i/o > /image
RUN --mount=type=bind,target=/c,rw touch /c/new && ls -A /c > /written
RUN --mount=type=bind,target=/c ls -A /c > /again
"""})
    build(berth, path)
    files = image(berth)[0]
    assert files["all"].data == files["again"].data == b".dockerignore\nd\nf\n"
    assert files["relative"].data == files["stage"].data == b"x"
    assert files["file"].data == b"file" and files["image"].data == b"o\n"
    assert files["written"].data == b".dockerignore\nd\nf\nnew\n"
    assert not {"c", "w/sub", "one", "m", "i"} & {*files} and not os.path.exists(f"{path}/new")
    write(path, {"d/x": "changed"})
    assert re.findall(r"#\d+ \[.*RUN.*(?:/relative|/file|/stage)", build(berth, path).stderr)
    assert image(berth)[0]["stage"].data == b"changed"
    failed = build(berth, context(berth, "FROM busybox\nRUN --mount=source=no,target=/x true\n",
                                  "bad"), check=False)
    assert failed.returncode == 1 and "Dockerfile:2:1" in failed.stderr and "no" in failed.stderr


def test_cache_mounts(berth):
    path = context(berth, """\
FROM busybox AS seed
RUN mkdir /seed && echo s > /seed/s && chown app /seed
FROM busybox
ARG N
RUN --mount=type=cache,target=/c echo $N >> /c/n && cp /c/n /n
RUN --mount=type=cache,id=own,target=/c,uid=1000,gid=1001,mode=0750 stat -c '%u:%g %a' /c > /own
RUN --mount=type=cache,target=/s,from=seed,source=/seed,id=seeded cat /s/s > /seeded
RUN --mount=type=cache,target=/c,ro test -e /c/n && ! touch /c/x
""")
    build(berth, path, "--build-arg", "N=1")
    build(berth, path, "--build-arg", "N=2")
    files = image(berth)[0]
    assert files["n"].data == b"1\n2\n" and files["own"].data == b"1000:1001 750\n"
    assert files["seeded"].data == b"s\n" and "c" not in files
    assert build(berth, path, "--build-arg", "N=2", "--no-cache") and \
        image(berth)[0]["n"].data == b"1\n2\n2\n"


@pytest.mark.parametrize("sharing, together, same", [
    ("shared", True, True), ("private", True, False), ("locked", False, True)])
def test_sharing_of_cache_mounts(berth, sharing, together, same):
    """Two builds at once: each says that it is there, and waits a while for the other."""
    path = context(berth, f"""\
FROM busybox
ARG N
RUN --mount=type=cache,target=/c,sharing={sharing} echo $N >> /c/log; touch /c/in$N; \\
    i=0; while [ $i -lt 30 ] && ! [ -e /c/in1 -a -e /c/in2 ]; do sleep 0.1; i=$((i+1)); done; \\
    ls /c > /seen; echo "waited $i" >> /seen; rm /c/in$N
""")
    threads = [threading.Thread(target=build, args=(berth, path, "--build-arg", f"N={n}"),
                                kwargs={"name": f"n{n}"}) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    seen = [image(berth, f"n{n}")[0]["seen"].data.decode() for n in (1, 2)]
    both = ["in1\nin2" in text for text in seen]
    if sharing == "shared":
        assert any(both), seen
    else:
        assert not any(both), seen
    logs = [name for name in os.listdir(f"{berth.root}/build/mounts")]
    assert len(logs) == (1 if same else 2)


def test_tmpfs_and_secrets(berth):
    path = context(berth, {"s.txt": "from file", "Dockerfile": """\
FROM busybox
RUN --mount=type=tmpfs,target=/t,size=1m df -k /t | tail -1 | awk '{print $2}' > /size; touch /t/x
RUN --mount=type=secret,id=one cat /run/secrets/one > /one; stat -c '%u %a' /run/secrets/one >> /one
RUN --mount=type=secret,id=two,target=/etc/two,uid=1000,gid=1001,mode=0440 \\
    cat /etc/two > /two; stat -c '%u:%g %a' /etc/two >> /two
RUN --mount=type=secret,id=two,env=TOKEN echo $TOKEN > /env
RUN --mount=type=secret,id=two,env=TOKEN,target=/tok cat /tok > /both; echo $TOKEN >> /both
RUN --mount=type=secret,id=none test ! -e /run/secrets/none
"""})
    build(berth, path, "--secret", f"id=one,src={path}/s.txt", "--secret", "id=two,env=TWO",
          env={"TWO": "from env"})
    files = image(berth)[0]
    assert files["size"].data == b"1024\n"
    assert files["one"].data == b"from file0 400\n"
    assert files["two"].data == b"from env1000:1001 440\n"
    assert files["env"].data == b"from env\n" and files["both"].data == b"from envfrom env\n"
    assert not {"t", "run/secrets", "etc/two", "tok"} & {*files}
    failed = build(berth, context(berth, "FROM busybox\nRUN --mount=type=secret,id=x,required true\n",
                                  "bad"), check=False)
    assert "secret x is required and not given" in failed.stderr
    assert "Dockerfile:2:1" in failed.stderr
    # A secret's content is no part of the key: nothing is done anew.
    write(path, {"s.txt": "another"})
    again = build(berth, path, "--secret", f"id=one,src={path}/s.txt", "--secret", "id=two,env=TWO",
                  env={"TWO": "x"})
    assert again.stderr.count("CACHED") == 6


@pytest.fixture
def agent(berth):
    """A real ssh-agent with one key; its socket and the key's comment."""
    path = os.path.join(berth.base, "agent.sock")
    berth.popen_command(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    wait_until(lambda: os.path.exists(path), 30, "the agent's socket")
    berth.command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a-key", "-f",
                   f"{berth.base}/key"])
    berth.command(["ssh-add", f"{berth.base}/key"], env={"SSH_AUTH_SOCK": path})
    return path


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs ssh-agent")
def test_ssh(berth, agent):
    berth.image_from_binaries("ssh", ["ssh-add"])
    path = context(berth, """\
FROM ssh
RUN --mount=type=ssh ssh-add -l > /default; echo $SSH_AUTH_SOCK >> /default
RUN --mount=type=ssh,id=own,target=/s,mode=0666,uid=1000,gid=1001 \\
    SSH_AUTH_SOCK=/s ssh-add -l > /own; stat -c '%u:%g %a' /s >> /own
RUN --mount=type=ssh,id=other ssh-add -l > /other || true
USER app
RUN --mount=type=ssh,uid=1000 ssh-add -l > /tmp/user
""")
    build(berth, path, "--ssh", "default", "--ssh", f"own={agent}", env={"SSH_AUTH_SOCK": agent})
    files = image(berth)[0]
    default = files["default"].data.decode()
    assert "a-key" in default and "/run/buildkit/ssh_agent.0" in default
    assert b"a-key" in files["own"].data and b"1000:1001 666\n" in files["own"].data
    assert b"a-key" in files["tmp/user"].data
    assert not files["other"].data
    assert not {"s", "run/buildkit"} & {*files}
    failed = build(berth, context(berth, "FROM ssh\nRUN --mount=type=ssh,required true\n", "bad"),
                   check=False)
    assert "ssh agent default is required and not given" in failed.stderr
    failed = build(berth, path, "--ssh", "default=/nowhere", check=False)
    assert failed.returncode == 1 and "/nowhere" in failed.stderr


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs ssh-agent")
def test_ssh_of_a_compose_file(berth, agent):
    berth.image_from_binaries("ssh", ["ssh-add"])
    p = berth.project({"compose.yaml": {"services": {
        "default": {"build": {"context": ".", "network": "none", "ssh": ["default"]}},
        "own": {"build": {"context": ".", "network": "none", "ssh": {"default": agent}}},
        "none": {"build": {"context": ".", "network": "none"}}}},
        "Dockerfile": "FROM ssh\nRUN --mount=type=ssh,required=true ssh-add -l > /keys\n"})
    p.run("build", "default", env={"SSH_AUTH_SOCK": agent})
    p.run("build", "own", env={"SSH_AUTH_SOCK": ""})
    p.run("build", "--no-cache", "--ssh", f"default={agent}", "none")
    for service in ("default", "own", "none"):
        assert b"a-key" in image(berth, f"{p.name}-{service}")[0]["keys"].data
    failed = p.run("build", "--no-cache", "none", check=False)
    assert failed.returncode == 1 and "ssh agent default is required" in failed.stderr
    failed = p.run("build", "default", check=False, env={"SSH_AUTH_SOCK": ""})
    assert failed.returncode == 1 and "SSH_AUTH_SOCK is not set" in failed.stderr


def test_network(berth):
    path = context(berth, """\
FROM busybox
RUN --network=none ip -o link | wc -l > /none
RUN --network=host ip -o link > /host
RUN ip -o addr show eth0 > /default; cat /etc/hosts > /hosts
""")
    build(berth, path, "--add-host", "db:10.1.2.3", "--add-host", "gw:host-gateway",
          network="default")
    files = image(berth)[0]
    assert files["none"].data == b"1\n"
    assert b"inet 172." in files["default"].data and b"eth0" not in files["host"].data
    assert b"10.1.2.3\tdb\n" in files["hosts"].data
    gateway = re.search(r"([\d.]+)\tgw\n", files["hosts"].data.decode())
    assert gateway and gateway[1].startswith("172.")
    build(berth, context(berth, "FROM busybox\nRUN ip -o link | wc -l > /n\n", "none"), name="y")
    assert image(berth, "y")[0]["n"].data == b"1\n"
    build(berth, context(berth, "FROM busybox\nRUN readlink /proc/self/ns/net > /n\n", "host"),
          network="host", name="z")
    own = berth.command(["readlink", "/proc/self/ns/net"]).stdout
    assert image(berth, "z")[0]["n"].data.decode() == own


def test_security(berth):
    path = context(berth, """\
FROM busybox
RUN grep -h CapEff /proc/self/status > /sandbox; grep Seccomp: /proc/self/status >> /sandbox
RUN --security=insecure grep -h CapEff /proc/self/status > /insecure; \\
    grep Seccomp: /proc/self/status >> /insecure; mount -t tmpfs none /mnt && touch /mnt/x
""")
    failed = build(berth, path, check=False)
    assert failed.returncode == 1 and "Dockerfile:3:1" in failed.stderr
    assert "--security=insecure is not allowed" in failed.stderr
    build(berth, path, "--allow", "security.insecure")
    files = image(berth)[0]
    assert b"00000000a80425fb" in files["sandbox"].data and b"Seccomp:\t2" in files["sandbox"].data
    assert b"00000000a80425fb" not in files["insecure"].data
    assert b"Seccomp:\t0" in files["insecure"].data
    assert "mnt/x" not in files


def test_limits_of_steps(berth):
    path = context(berth, """\
FROM busybox
RUN df -k /dev/shm | tail -1 | awk '{print $2}' > /shm
RUN cat /proc/1/comm > /init; hostname > /name; id -u > /id; echo $HOME $PATH > /env
""")
    build(berth, path, "--shm-size", "8m", "--memory", "64m")
    files = image(berth)[0]
    assert files["shm"].data == b"8192\n"
    assert files["env"].data.startswith(b"/root /usr/local/sbin:")
    failed = build(berth, context(berth, "FROM busybox\nRUN tail /dev/zero\n", "big"), "--memory",
                   "16m", check=False)
    assert failed.returncode == 1 and "needs more memory" in failed.stderr


def test_failures_say_why(berth):
    for command, error in (("exit 3", "the command failed with exit code 3"),
                           ("nosuchprogram", "exit code 127 (no such command)"),
                           ("/etc/passwd", "exit code 126 (it cannot be executed)"),
                           ("kill -9 $$", "exit code 137")):
        failed = build(berth, context(berth, f"FROM busybox\nRUN true \\\n  && {command}\n"),
                       check=False)
        assert failed.returncode == 1 and error in failed.stderr
        assert "Dockerfile:2:1" in failed.stderr and "2 | RUN true" in failed.stderr
    failed = build(berth, context(berth, "FROM busybox\nRUN [\"/no/such\"]\n"), check=False)
    assert failed.returncode == 1 and "/no/such" in failed.stderr
    many = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; exit 1"
    failed = build(berth, context(berth, f"FROM busybox\nRUN {many}\n"), "-q", check=False)
    assert "line 499" in failed.stderr and "line 100" not in failed.stderr


def test_interrupt(berth):
    path = context(berth, "FROM busybox\nRUN echo 1 > /one\nRUN echo be''gun; sleep 1000\n")
    for sig in (signal.SIGINT, signal.SIGTERM):
        process = berth.popen("image", "build", "--network", "none", path)
        for line in process.stderr:
            if "begun" in line:
                break
        process.send_signal(sig)
        assert process.wait(30) == 130
        assert not berth.pids_of("sleep", "1000")
    # What was finished is not lost.
    context(berth, "FROM busybox\nRUN echo 1 > /one\n")
    assert "CACHED" in build(berth, path).stderr
