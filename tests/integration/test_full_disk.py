# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk without space: containers go on, commands say why they cannot, nothing is left half made."""
import os

import pytest

TICK = {"image": "busybox", "init": True, "command": [
    "sh", "-c", "i=0; while sleep 0.02; do i=$$((i+1)); echo line $$i; done"]}
SLEEP = {"image": "busybox", "init": True, "command": ["sleep", "1000"]}


class SmallDisk:
    """The state of projects on a file system of a few megabytes."""

    def __init__(self, berth, folder, size="4m"):
        self.berth, self.path = berth, os.path.join(berth.root, folder)
        berth.command(["mkdir", "-p", self.path])
        berth.command(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path])
        berth.ignore_leftover(f"^mount: {self.path}$")

    def fill(self):
        for name in ("ballast", "rest"):  # in pages, and to the last byte
            size = "64k" if name == "ballast" else "1"
            full = self.berth.command(["dd", "if=/dev/zero", f"of={self.path}/.{name}",
                                       f"bs={size}"], check=False)
            assert "No space left on device" in full.stderr

    def files(self):
        """Of images and layers."""
        return self.berth.command(["find", f"{self.path}/images", f"{self.path}/layers", "-maxdepth", "3",
                                   "(", "-name", "*.lock", "-o", "-path", "*/layers/*/*", ")", "-prune",
                                   "-o", "-print"]).stdout

    def empty(self):
        self.berth.command(["rm", "-f", f"{self.path}/.ballast", f"{self.path}/.rest"])


@pytest.fixture
def disk(berth):
    return SmallDisk(berth, "projects")


def test_containers_go_on(berth, disk):
    project = berth.project({"compose.yaml": {"services": {"a": TICK}}})
    project.run("up", "-d")
    berth.wait_until(lambda: "line 3\n" in project.run("logs", "a").stdout)
    disk.fill()
    before = project.container("a")["ID"]
    log = f"{project.runtime_dir}/supervisor.log"
    berth.wait_until(lambda: "lines are being lost: No space left on device" in read(log))
    row = project.container("a")
    assert (row["ID"], row["State"]) == (before, "running")
    # A supervisor that is killed meanwhile changes nothing.
    for pid in project.supervisor_pids():
        berth.kill(pid)
    assert project.container("a")["State"] == "running"
    disk.empty()
    said = berth.wait_until(lambda: [line for line in project.run(
        "logs", "--no-log-prefix", "a").stdout.splitlines() if "lost" in line], 10)
    assert said[0].endswith("lost: No space left on device")
    last = project.run("logs", "--no-log-prefix", "-n", "1", "a").stdout
    berth.wait_until(lambda: project.run("logs", "--no-log-prefix", "-n", "1").stdout != last)
    assert read(log).count("lines are being lost") <= 2


def test_up_says_why(berth, disk):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    project.write({"compose.yaml": {"services": {"a": SLEEP, "b": SLEEP}}})
    disk.fill()
    for command in (["up", "-d"], ["run", "-d", "b"], ["create", "b"]):
        failed = project.run(*command, check=False)
        assert failed.returncode != 0, failed.stderr
        assert "No space left on device" in failed.stderr
    assert [row["Service"] for row in project.ps()] == ["a"]
    assert project.exec("a", "echo", "on").stdout == "on\n"
    disk.empty()
    project.run("up", "-d")
    assert sorted(row["State"] for row in project.ps()) == ["running", "running"]


def test_down_needs_no_space(berth, disk):
    project = berth.project({"compose.yaml": {"services": {"a": TICK, "b": SLEEP}}})
    project.run("up", "-d")
    disk.fill()
    project.run("stop", "-t", "0", "b")
    project.run("down", "-t", "0")


def test_read_only(berth, disk):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    berth.command(["mount", "-o", "remount,ro", disk.path])
    for command in (["up", "-d"], ["create"], ["run", "a", "true"]):
        failed = project.run(*command, check=False)
        assert failed.returncode != 0 and "Read-only file system" in failed.stderr
    assert project.ps() == []
    berth.command(["mount", "-o", "remount,rw", disk.path])
    project.run("up", "-d")
    assert project.container("a")["State"] == "running"


def test_volume_create(berth):
    disk = SmallDisk(berth, "volumes")
    disk.fill()
    failed = berth.run("volume", "create", "vol", check=False)
    assert failed.returncode == 1 and "No space left on device" in failed.stderr
    assert berth.run("volume", "ls", "-q").stdout == ""
    disk.empty()
    berth.run("volume", "create", "vol")
    berth.run("volume", "rm", "vol")


def test_image_import(berth, tmp_path):
    small = SmallDisk(berth, "small")
    tar = str(tmp_path / "big.tar")
    (tmp_path / "big").write_bytes(os.urandom(8 << 20))
    berth.command(["tar", "-C", str(tmp_path), "-cf", tar, "big"])
    env = {"BERTH_ROOT": small.path}
    failed = berth.run("image", "import", tar, "big", check=False, env=env)
    assert failed.returncode == 1 and "No space left on device" in failed.stderr
    assert "big" not in berth.run("image", "ls", env=env).stdout
    # What came of it does not stay.
    used = berth.command(["du", "-sk", small.path]).stdout.split()[0]
    assert int(used) < 1024


def test_commit_and_load(berth, tmp_path):
    small = SmallDisk(berth, "small", "24m")
    env = {"BERTH_ROOT": small.path}
    busybox, big = str(tmp_path / "busybox.tar"), str(tmp_path / "big.tar")
    (tmp_path / "big").write_bytes(os.urandom(32 << 20))
    berth.command(["tar", "-C", str(tmp_path), "-cf", str(tmp_path / "root.tar"), "big"])
    berth.run("image", "import", str(tmp_path / "root.tar"), "big")
    berth.run("image", "save", "-o", busybox, "busybox")
    berth.run("image", "save", "-o", big, "big")
    berth.run("image", "load", "-q", "-i", busybox, env=env)
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d", env=env)
    project.exec("a", "sh", "-c", "head -c 3000000 /dev/urandom > /random", env=env)
    before, images = small.files(), berth.run("image", "ls", "-q", env=env).stdout

    failed = berth.run("image", "load", "-q", "-i", big, env=env, check=False)
    assert failed.returncode == 1 and "No space left on device" in failed.stderr
    assert (small.files(), berth.run("image", "ls", "-q", env=env).stdout) == (before, images)

    small.fill()
    for words in (["commit", "a", "made:1"], ["container", "commit", f"{project.name}-a-1", "made:1"]):
        failed = project.run(*words, env=env, check=False)
        assert failed.returncode == 1 and "No space left on device" in failed.stderr, words
        assert "made" not in failed.stdout
    assert (small.files(), berth.run("image", "ls", "-q", env=env).stdout) == (before, images)
    small.empty()
    project.run("commit", "a", "made:1", env=env)
    made = berth.run("container", "run", "--rm", "made:1", "wc", "-c", "/random", env=env, cwd="/")
    assert made.stdout == "3000000 /random\n"
    project.run("down", "-t", "0", env=env)


@pytest.mark.parametrize("step, told", [
    ("RUN dd if=/dev/urandom of=/x bs=1M count=20", "the command failed with exit code 1"),
    ("RUN dd if=/dev/urandom of=/x bs=1M count=20 2>/dev/null; exit 0", "make a layer: "),
    ("COPY big /", "'big': copy its content: No space left on device"),
])
def test_build(berth, tmp_path, step, told):
    """What was stored of a step that found no space goes, and the next build finds all of it again."""
    small = SmallDisk(berth, "small", "16m")
    env = {"BERTH_ROOT": small.path}
    busybox, path = str(tmp_path / "busybox.tar"), tmp_path / "context"
    path.mkdir()
    (path / "big").write_bytes(os.urandom(20 << 20))
    berth.run("image", "save", "-o", busybox, "busybox")
    berth.run("image", "load", "-q", "-i", busybox, env=env)

    def used():
        return int(berth.command(["du", "-sk", small.path]).stdout.split()[0])

    before, listed = used(), berth.run("system", "df", env=env).stdout
    (path / "Dockerfile").write_text(f"FROM busybox\n{step}\n")
    failed = berth.run("image", "build", "--network", "none", "-t", "x", str(path), env=env, check=False)
    assert failed.returncode == 1 and told in failed.stderr, failed.stderr
    assert "Dockerfile:2:1: " in failed.stderr
    assert f'hint: the disk below {small.path} is full: "berth builder prune"' in \
        failed.stderr or "make a layer" in told
    assert berth.run("system", "df", env=env).stdout == listed
    berth.wait_until(lambda: used() < before + 256, 10, "what was begun is gone")
    (path / "Dockerfile").write_text("FROM busybox\nRUN echo there > /x\n")
    berth.run("image", "build", "--network", "none", "-t", "x", str(path), env=env)


def read(path):
    with open(path, errors="replace") as file:
        return file.read()
