# SPDX-License-Identifier: GPL-2.0-or-later
"""Flags of pull, push, images and `image`, and who else pulls what is missing."""

import json
import os
import re
import subprocess

import pytest

from tests.support import store

HOST = "127.0.0.1:5000"
TOP = {"command": ["sleep", "1000"], "stop_grace_period": "0s"}


@pytest.fixture
def registry(berth):
    """With team/a:1 to team/d:1, none of which is here."""
    with open(f"{berth.base}/registry.yml", "w", encoding="utf-8") as file:
        json.dump({"version": "0.1", "http": {"addr": HOST},
                   "storage": {"filesystem": {"rootdirectory": f"{berth.base}/registry"}}}, file)
    berth.popen_command(["docker-registry", "serve", f"{berth.base}/registry.yml"], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get(f"http://{HOST}/v2/", check=False).returncode == 0, 30)
    names = [f"{HOST}/team/{name}:1" for name in "abcd"]
    for name in names:
        berth.run("image", "tag", "busybox", name, cwd="/")
        berth.run("image", "push", "-q", name, cwd="/")
    berth.run("image", "rm", *names, cwd="/")
    return berth


def here(berth):
    names = berth.run("image", "ls", "--format", "{{.Repository}}", cwd="/").stdout.split()
    return {name[-1] for name in names if name.startswith(f"{HOST}/team/")}


def service(name, **more):
    return {"image": f"{HOST}/team/{name}:1", **TOP, **more}


def test_flags_of_pull_and_push(registry):
    berth = registry
    project = berth.project({"Dockerfile": f"FROM {HOST}/team/d:1\n", "compose.yaml": {"services": {
        "a": service("a", depends_on=["b"]), "b": service("b"),
        "none": service("none"), "built": service("built", build=".")}}})
    assert project.run("pull", "a").returncode == 0 and here(berth) == {"a"}
    assert "Downloading" not in project.run("pull", "-q", "--include-deps", "a").stderr
    assert here(berth) == {"a", "b"}
    failed = project.run("pull", "--policy", "missing", check=False)
    assert failed.returncode == 1 and f"Image {HOST}/team/a:1 Skipped" in failed.stderr
    assert project.run("pull", "--ignore-pull-failures").returncode == 0
    skipped = project.run("pull", "--ignore-buildable", "built").stderr
    assert "built:1 Skipped - Image can be built" in skipped
    assert project.run("pull", "--policy", "x", check=False).returncode == 1

    project.run("build", timeout=120)
    assert "built" in project.run("push", "-q", "built").stderr
    berth.run("image", "rm", f"{HOST}/team/built:1")
    assert project.run("push", "built", check=False).returncode == 1
    assert project.run("push", "--ignore-push-failures", "built").returncode == 0
    assert project.run("push", "--include-deps", "a").returncode == 0
    # The platform that is asked for, or none.
    failed = berth.run("image", "pull", "--platform", "linux/riscv64", f"{HOST}/team/c:1",
                       cwd="/", check=False)
    assert failed.returncode == 1 and "riscv64" in failed.stderr
    assert berth.run("image", "pull", "--platform", "linux/amd64" if os.uname().machine == "x86_64"
                     else "linux/arm64", f"{HOST}/team/c:1", cwd="/").returncode == 0


def test_all_tags(registry):
    berth = registry
    name = f"{HOST}/team/many"

    def tags():
        rows = berth.run("image", "ls", "--format", "{{.Tag}}", name, cwd="/").stdout.split()
        return sorted(rows)

    for tag in ("1", "2", "latest"):
        berth.run("image", "tag", "busybox", f"{name}:{tag}", cwd="/")
    berth.run("image", "tag", "busybox", f"{name}er:other", cwd="/")
    told = berth.run("image", "push", "-a", "--disable-content-trust", name, cwd="/").stdout
    assert sorted(line.split()[0] for line in told.splitlines()) == ["1:", "2:", "latest:"]
    catalogue = json.loads(berth.get(f"http://{HOST}/v2/_catalog").stdout)["repositories"]
    assert "team/many" in catalogue and "team/manyer" not in catalogue
    berth.run("image", "rm", *(f"{name}:{tag}" for tag in tags()), cwd="/")
    assert tags() == []
    pulled = berth.run("image", "pull", "--all-tags", "-q", name, cwd="/")
    assert pulled.stdout.strip() == name and tags() == ["1", "2", "latest"]
    for words in (("pull", "-a", f"{name}:1"), ("push", "-a", f"{name}:1")):
        failed = berth.run("image", *words, cwd="/", check=False)
        assert failed.returncode == 1 and "tag can't be used with --all-tags/-a" in failed.stderr
    failed = berth.run("image", "push", "-a", f"{HOST}/none", cwd="/", check=False)
    assert failed.returncode == 1 and "does not exist locally with the tag" in failed.stderr
    failed = berth.run("image", "pull", "-a", f"{HOST}/team/none", cwd="/", check=False)
    assert failed.returncode == 1 and "team/none" in failed.stderr

    table = berth.run("image", "ls", "--digests", f"{name}:1", cwd="/").stdout.splitlines()
    digest = berth.run("image", "inspect", "-f", "{{index .RepoDigests 0}}", f"{name}:1", cwd="/")
    assert table[0].split()[2] == "DIGEST"
    assert table[1].split()[2] == digest.stdout.strip().split("@")[1]


@pytest.mark.parametrize("words", (["create"], ["scale", "a=2"], ["run", "--rm", "a", "true"],
                                   ["watch"]), ids=lambda words: words[0])
def test_others_pull_what_is_missing(registry, words):
    berth = registry
    watch = {"develop": {"watch": [{"path": "./src", "action": "sync", "target": "/src"}]}}
    project = berth.project({"src/x": "", "Dockerfile": "FROM busybox\n", "compose.yaml": {
        "services": {"a": service("a", depends_on=["b"], build=".", pull_policy="missing", **watch),
                     "b": service("b"), "c": service("c", profiles=["other"])}}})
    if words[0] == "watch":
        watching = project.popen("watch")
        project.wait_state("a", "running", 60)
        watching.send_signal(2)
        watching.communicate(timeout=30)
    else:
        project.run(*words)
    assert here(berth) == {"a", "b"}


def test_image_ls_and_its_filters(berth):
    def make(name, date, label):
        folder = os.path.join(berth.home, name.replace("/", "-").replace(":", "-"))
        os.makedirs(folder)
        with open(f"{folder}/Dockerfile", "w", encoding="utf-8") as file:
            file.write(f"FROM scratch\nCOPY Dockerfile /\nLABEL n={label}\n")
        berth.run("image", "build", "-q", "-t", name, "--build-arg", f"SOURCE_DATE_EPOCH={date}",
                  folder)

    def ls(*words):
        rows = berth.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", *words).stdout
        return sorted(row for row in rows.split() if "busybox" not in row)

    make("old:1", 1000000000, "1")
    make("team/new:1", 1500000000, "2")
    make("moved:1", 1400000000, "3")
    berth.run("image", "tag", "old:1", "moved:1")  # what was called so has no name now
    assert ls() == ["<none>:<none>", "moved:1", "old:1", "team/new:1"]
    assert ls("-a") == ls() and ls("old") == ls("old:1") == ["old:1"]
    assert ls("--filter", "dangling=true") == ["<none>:<none>"]
    assert "<none>:<none>" not in ls("-f", "dangling=false")
    assert ls("--filter", "label=n") == ls() and ls("--filter", "label=n=2") == ["team/new:1"]
    assert ls("--filter", "before=team/new:1") == ["<none>:<none>", "moved:1", "old:1"]
    assert ls("--filter", "since=old:1", "-f", "reference=*/*") == ["team/new:1"]
    assert ls("--filter", "until=2005-01-01") == ["moved:1", "old:1"]
    assert ls("--filter", "reference=m*", "--filter", "reference=team/*:1") == ["moved:1",
                                                                               "team/new:1"]
    for wrong, said in (("x=y", "invalid filter 'x=y'"), ("dangling=maybe", "true or false"),
                        ("before=none:1", "no such image")):
        failed = berth.run("image", "ls", "--filter", wrong, check=False)
        assert failed.returncode == 1 and said in failed.stderr

    whole = berth.run("image", "ls", "-q", "--no-trunc", "old:1").stdout.strip()
    assert re.fullmatch("sha256:[0-9a-f]{64}", whole)
    assert berth.run("image", "ls", "-q", "old:1").stdout.strip() == whole[7:19]
    rows = [json.loads(line) for line in
            berth.run("image", "ls", "--format", "json").stdout.splitlines()]
    assert {"Repository", "Tag", "ID", "Size", "CreatedSince"} <= set(rows[0])
    history = berth.run("image", "history", "-q", "--no-trunc", "old:1").stdout.split()
    assert history[0] == whole
    assert "2001-09-09T" in berth.run("image", "history", "--human=false", "old:1").stdout
    berth.run("image", "save", "--format", "oci", "-o", f"{berth.home}/x.tar", "old:1")
    assert berth.run("image", "prune", "-f", "--filter", "label=n=2").stdout.count("deleted") == 0
    assert "deleted: " in berth.run("image", "prune", "-f", "--filter", "label=n=3").stdout
    failed = berth.run("image", "prune", "-f", "--filter", "dangling=x", check=False)
    assert failed.returncode == 1 and "true or false" in failed.stderr
    berth.run("image", "tag", "old:1", "older:1")
    assert "untagged: older:1" in berth.run("image", "prune", "-f", "--filter", "dangling=false",
                                            "--filter", "label=n=1").stdout
    berth.run("image", "load", "-q", "-i", f"{berth.home}/x.tar")
    assert ls() == ["old:1", "team/new:1"]
    berth.run("image", "rm", "-f", "--no-prune", whole)
    assert ls() == ["team/new:1"]
    berth.run("image", "load", "-q", "-i", f"{berth.home}/x.tar")
    assert ls() == ["old:1", "team/new:1"]
    berth.run("builder", "prune", "-f", "-a")
    berth.run("image", "prune", "-f")
    store.Store(berth.root).check_whole()
    store.Store(berth.root).check_tight()
