# SPDX-License-Identifier: GPL-2.0-or-later
"""Containers of one platform of an image that has several: --platform and `platform:`."""
import glob
import json
import os
import shutil
import subprocess

import pytest

from tests.support import builds, store

OWN, OTHER = (("linux/amd64", "linux/arm64") if os.uname().machine == "x86_64"
              else ("linux/arm64", "linux/amd64"))
# What is in both runs here: only what the image says of itself differs.
DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
COPY busybox /bin/
COPY Dockerfile /of-$TARGETARCH
ENV ARCH=$TARGETARCH
CMD ["/bin/busybox", "sh", "-c", "echo $ARCH"]
"""


@pytest.fixture
def machine(berth):
    yield berth
    names = berth.run("container", "ls", "-aq").stdout.split()
    if names:
        berth.run("container", "rm", "-fv", *names)
    # One of --rm is removed after its client was told how it ended.
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def many(berth, name, *platforms, extra=""):
    path = builds.context(berth, DOCKERFILE + extra)
    shutil.copy(os.path.realpath(shutil.which("busybox")), f"{path}/busybox")
    berth.run("image", "build", "-q", "--network", "none", "--platform", ",".join(platforms),
              "-t", name, path)


def ident(berth, name, *words):
    return berth.run("image", "inspect", "-f", "{{.Id}}", *words, name).stdout.strip()


def ran(berth, *words):
    return berth.run("run", "--rm", "--network", "none", *words, cwd="/").stdout.strip()


def fail(berth, *words):
    failed = berth.run(*words, cwd="/", check=False)
    assert failed.returncode != 0
    return failed.stderr


def check_store(berth):
    berth.run("builder", "prune", "-af")
    store.Store(berth.root).check_whole()
    store.Store(berth.root).check_tight()


def test_of_docker_words(machine):
    berth = machine
    many(berth, "many", OWN, OTHER)
    assert ran(berth, "many") == OWN[6:]
    assert ran(berth, "--platform", OWN, "many") == OWN[6:]
    assert ran(berth, "--platform", OTHER, "many") == OTHER[6:]
    berth.run("create", "--name", "cc", "--network", "none", "--platform", OTHER, "many", cwd="/")
    assert ident(berth, "many", "--platform", OTHER) == berth.run(
        "container", "inspect", "-f", "{{.Image}}", "cc", cwd="/").stdout.strip()
    # It is in use, though under another id than its name's.
    assert "must force" in fail(berth, "image", "rm", "many")
    assert "being used by stopped container cc" in fail(
        berth, "image", "rm", "--platform", OTHER, "many")
    assert "many" not in berth.run("image", "prune", "-af").stdout
    berth.run("image", "rm", "-f", "many")
    assert "Deleted" not in berth.run("image", "prune", "-f").stdout
    assert berth.run("start", "-a", "cc", cwd="/").stdout.strip() == OTHER[6:]
    berth.run("rm", "-f", "cc", cwd="/")
    assert "deleted: sha256:" in berth.run("image", "prune", "-f").stdout
    assert berth.run("image", "ls", "-q", "--filter", "reference=many").stdout == ""
    check_store(berth)


def test_of_another_platform_only(machine):
    berth = machine
    many(berth, "127.0.0.1:5000/one", OTHER)
    # As docker has it, one that is asked for is pulled when only another is here.
    told = fail(berth, "run", "--platform", OWN, "127.0.0.1:5000/one")
    assert f"refused (it is here for {OTHER}, not for {OWN})" in told, told
    told = fail(berth, "run", "--pull", "never", "--platform", OWN, "127.0.0.1:5000/one")
    assert f"specified platform ({OWN}): what is here is for {OTHER}" in told, told
    assert "berth pull" in told
    assert ran(berth, "--platform", OTHER, "127.0.0.1:5000/one") == OTHER[6:]
    assert "OS/ARCHITECTURE" in fail(berth, "run", "--platform", "a/b/c/d", "127.0.0.1:5000/one")


def test_pulled_beside(machine):
    berth = machine
    host = builds.registry(berth)
    name = f"{host}/many:1"
    many(berth, name, OWN, OTHER)
    berth.run("image", "push", "-q", name, cwd="/")
    berth.run("image", "rm", name)
    berth.run("image", "pull", "-q", "--platform", OTHER, name, cwd="/")
    assert ran(berth, "--platform", OWN, name) == OWN[6:]
    assert ran(berth, "--pull", "never", "--platform", OTHER, name) == OTHER[6:]
    # The name alone is this machine's, whichever came last.
    berth.run("image", "pull", "-q", "--platform", OTHER, name, cwd="/")
    assert ran(berth, name) == OWN[6:]
    berth.run("image", "rm", name)
    berth.run("image", "pull", "-q", "--platform", OTHER, name, cwd="/")
    assert ran(berth, name) == OTHER[6:]
    berth.run("image", "pull", "-q", name, cwd="/")
    assert ran(berth, name) == OWN[6:]
    check_store(berth)


def test_of_compose(berth):
    host = builds.registry(berth)
    name = f"{host}/many:1"
    many(berth, name, OWN, OTHER)
    berth.run("image", "push", "-q", name, cwd="/")
    common = {"image": name, "network_mode": "none", "command": ["/bin/busybox", "sleep", "1000"]}
    model = {"services": {"a": common, "b": {**common, "platform": OTHER},
                          "c": {**common, "platform": OWN}}}
    project = berth.project({"compose.yaml": model})

    def archs():
        return [project.exec(service, "/bin/busybox", "sh", "-c", "echo $ARCH").stdout.strip()
                for service in "abc"]

    project.run("up", "-d")
    assert archs() == [OWN[6:], OTHER[6:], OWN[6:]]
    before = [row["ID"] for row in project.ps()]
    project.run("up", "-d")
    assert [row["ID"] for row in project.ps()] == before
    project.run("restart", "b", "-t", "0")
    assert archs()[1] == OTHER[6:]
    project.run("down", "-t", "0")

    # Nothing is here: each is pulled.
    berth.run("image", "rm", name)
    project.run("up", "-d")
    assert archs() == [OWN[6:], OTHER[6:], OWN[6:]]
    project.run("down", "-t", "0")

    model["services"]["b"]["platform"] = "linux/s390x"
    project.write({"compose.yaml": model})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "linux/s390x" in failed.stderr and OTHER in failed.stderr, failed.stderr
    assert "compose.yaml:" in failed.stderr
    failed = project.run("up", "-d", "--pull", "never", check=False)
    assert failed.returncode == 1 and project.ps() == []
    assert f"specified platform (linux/s390x): what is here is for {OTHER}, {OWN}" in \
        failed.stderr or f"what is here is for {OWN}, {OTHER}" in failed.stderr, failed.stderr


def test_default_platform(machine):
    """DOCKER_DEFAULT_PLATFORM is what --platform and `platform:` are where they are not given."""
    berth = machine
    host = builds.registry(berth)
    name = f"{host}/many:1"
    many(berth, name, OWN, OTHER)
    env = {"DOCKER_DEFAULT_PLATFORM": OTHER}

    def arch(*words):
        return berth.run("run", "--rm", "--network", "none", *words, cwd="/", env=env).stdout.strip()

    assert arch(name) == OTHER[6:] and arch("--platform", OWN, name) == OWN[6:]
    path = builds.context(berth, "FROM scratch\nARG TARGETARCH\nENV ARCH=$TARGETARCH\n")
    berth.run("image", "build", "-q", "-t", "built", path, cwd="/", env=env)
    assert berth.run("image", "inspect", "-f", "{{.Architecture}}", "built").stdout.strip() == OTHER[6:]
    common = {"image": name, "network_mode": "none", "command": ["/bin/busybox", "sleep", "1000"]}
    project = berth.project({"compose.yaml": {"services": {
        "a": common, "b": {**common, "platform": OWN},
        "c": {"image": "cc", "build": path, "command": [], "profiles": ["build"]},
        "d": {"image": "dd", "build": {"context": path, "platforms": [OWN]}, "profiles": ["narrow"]}}},
        ".env": f"DOCKER_DEFAULT_PLATFORM={OTHER}\n"})
    berth.run("image", "push", "-q", name, cwd="/")
    berth.run("image", "rm", name)
    berth.run("image", "pull", "-q", name, cwd="/", env=env)
    assert ran(berth, name) == OTHER[6:]
    project.run("up", "-d")
    assert [project.exec(service, "/bin/busybox", "sh", "-c", "echo $ARCH").stdout.strip()
            for service in "ab"] == [OTHER[6:], OWN[6:]]
    # Asked for what the files say, it is not in them.
    assert "platform" not in json.loads(project.run("config", "--format", "json").stdout)["services"]["a"]
    project.run("build", "c")
    assert berth.run("image", "inspect", "-f", "{{.Architecture}}", "cc").stdout.strip() == OTHER[6:]
    refused = project.run("build", "d", check=False)
    assert refused.returncode == 1 and "compose.yaml:" in refused.stderr
    assert f'build.platforms does not have {OTHER}, which DOCKER_DEFAULT_PLATFORM asks for' in refused.stderr
    project.run("--profile", "*", "down", "-t", "0")


def test_prune_of_one_content(berth):
    """What has no name goes alone, though the same image has a name in another manifest."""
    berth.run("image", "tag", "busybox", "keep:1")
    first, second = f"{berth.home}/docker.tar", f"{berth.home}/oci"
    berth.run("image", "save", "-o", first, "keep:1")
    subprocess.run(["skopeo", "copy", "-q", f"docker-archive:{first}", f"oci:{second}:keep:1"],
                   check=True)
    berth.run("image", "rm", "keep:1")
    with open(f"{second}/index.json", encoding="utf-8") as file:
        index = json.load(file)
    index["manifests"][0]["annotations"]["io.containerd.image.name"] = "docker.io/library/keep:1"
    with open(f"{second}/index.json", "w", encoding="utf-8") as file:
        json.dump(index, file)
    subprocess.run(["tar", "-C", second, "-cf", f"{second}.tar", "."], check=True)
    berth.run("image", "rm", "-f", "busybox")
    for archive in (first, f"{second}.tar"):
        berth.run("image", "load", "-q", "-i", archive)
    listed = berth.run("image", "ls", "--format", "{{.Repository}}").stdout.split()
    assert listed.count("keep") == 1 and "<none>" in listed, listed
    berth.run("image", "prune", "-f")
    assert berth.run("image", "ls", "--format", "{{.Repository}}").stdout.split() == ["keep"]
    check_store(berth)


def test_tree(machine):
    berth = machine
    many(berth, "many", OWN, OTHER)
    berth.run("create", "--name", "cc", "--network", "none", "--platform", OTHER, "many", cwd="/")
    lines = berth.run("image", "ls", "--tree").stdout.splitlines()
    assert lines[0].split() == ["IMAGE", "ID", "DISK", "USAGE", "CONTENT", "SIZE", "EXTRA"]
    at = next(i for i, line in enumerate(lines) if line.startswith("many:latest"))
    head, own, other = lines[at:at + 3]
    assert own.startswith(f"├─ {OWN} ") and other.startswith(f"└─ {OTHER} ")
    assert head.endswith("U") and other.endswith("U") and not own.rstrip().endswith("U")
    assert other.split()[2] == ident(berth, "many", "--platform", OTHER)[7:19]
    busybox = next(i for i, line in enumerate(lines) if line.startswith("busybox:latest"))
    assert lines[busybox + 1].startswith("└─ linux/")
    only = berth.run("image", "ls", "--tree", "many").stdout
    assert "busybox" not in only and OTHER in only
    assert "--quiet is not possible with --tree" in fail(berth, "image", "ls", "--tree", "-q")
