# SPDX-License-Identifier: GPL-2.0-or-later
"""Images out of Dockerfiles: what is in them (held against buildah's), the cache, the errors."""
import hashlib
import json
import os
import shutil
import signal
import tarfile

import pytest

from tests.support.sandbox import wait_until
from tests.support.user import needs_root

EVERYTHING = """\
# syntax=docker/dockerfile:1
ARG BASE=busybox
FROM ${BASE} AS build
ARG VERSION=1
ENV NAME=value PATH_LIKE=/a:/b
WORKDIR /src/deep
COPY . .
COPY --chown=app:extra --chmod=640 a.txt /owned/
RUN echo "built $VERSION $NAME" > out && ln -s out link && ln out hard \\
    && chmod 4755 out && rm -r /data/sub && mkdir -p /data/sub && touch /data/sub/new
FROM busybox
RUN rm /data/seed && mkdir /made && chown app:app /made && chmod 1777 /made
COPY --from=build /src/deep/ /copied/
COPY --from=build /owned /data /both/
ADD archive.tar.gz /unpacked/
USER app
WORKDIR /home/app/work
RUN id -u > who
EXPOSE 80 443/udp
VOLUME /vol
LABEL one=1 two="2 3"
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD true
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat who"]
"""


def context(berth, name="ctx", **files):
    path = os.path.join(berth.base, name)
    for file, content in files.items():
        file = os.path.join(path, file.replace("__", "/"))
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w", encoding="utf-8") as out:
            out.write(content)
    return path


def everything(berth):
    path = context(berth, **{"Dockerfile": EVERYTHING, "a.txt": "a\n", "sub__b": "b\n",
                             ".dockerignore": "*.log\nskip\n!skip/keep\n", "x.log": "no",
                             "skip__no": "no", "skip__keep": "yes"})
    os.symlink("a.txt", f"{path}/link-to-a")
    os.chmod(f"{path}/sub/b", 0o750)
    with tarfile.open(f"{path}/archive.tar.gz", "w:gz") as tar:
        info = tar.gettarinfo(f"{path}/a.txt", "inside/a")
        info.uid, info.gid, info.mode = 7, 8, 0o604
        with open(f"{path}/a.txt", "rb") as file:
            tar.addfile(info, file)
    return path


def describe(archive):
    """An archive of `docker save`: its files after all layers, and its config."""
    tree = {}
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        config = json.load(tar.extractfile(manifest["Config"]))
        for layer in manifest["Layers"]:
            apply(tree, tar.extractfile(layer))
    return tree, config


def remove(tree, path):
    for name in [n for n in tree if n == path or n.startswith(path + "/")]:
        del tree[name]


def apply(tree, stream):
    with tarfile.open(fileobj=stream) as layer:
        added = {}
        for info in layer:
            name = info.name.removeprefix("./").strip("/")
            folder, base = os.path.split(name)
            if base == ".wh..wh..opq":
                remove(tree, folder)
            elif base.startswith(".wh."):
                remove(tree, os.path.join(folder, base[4:]))
            elif name:
                data = layer.extractfile(info).read() if info.isreg() else b""
                link = added[info.linkname.removeprefix("./")] if info.islnk() else None
                added[name] = link or (info.type, oct(info.mode & 0o7777), info.uid, info.gid,
                                       info.linkname, hashlib.sha256(data).hexdigest())
        tree.update(added)


def build(berth, *args, **options):
    return berth.run("image", "build", "--network", "none", *args, **options)


def saved(berth, name):
    archive = os.path.join(berth.base, f"{name}.tar")
    berth.run("image", "save", "-o", archive, name)
    return archive


@pytest.mark.skipif(not shutil.which("buildah"), reason="needs buildah")
@needs_root
def test_same_as_buildah(berth):
    path = everything(berth)
    build(berth, "-t", "ours", path)
    buildah = ["buildah", "--storage-driver", "vfs", "--root", f"{berth.base}/b-root", "--runroot",
               f"{berth.base}/b-run"]
    archive = saved(berth, "busybox")
    berth.command([*buildah, "pull", f"docker-archive:{archive}"])
    berth.command([*buildah, "bud", "--format", "docker", "--isolation", "chroot", "--pull=never",
                   "-q", "-t", "theirs", path], timeout=300)
    berth.command([*buildah, "push", "-q", "theirs", f"docker-archive:{berth.base}/theirs.tar"],
                  timeout=300)
    ours, our_config = describe(saved(berth, "ours"))
    theirs, their_config = describe(f"{berth.base}/theirs.tar")
    # Whoever runs a step leaves the places it mounted upon.
    for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv", "run/secrets"):
        ours.pop(name, None)
        theirs.pop(name, None)
    differences = {n: (ours.get(n), theirs.get(n)) for n in {*ours, *theirs}
                   if ours.get(n) != theirs.get(n)}
    assert not differences, json.dumps(differences, default=str, indent=1)
    ours, theirs = our_config["config"], their_config["config"]
    for key in ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts", "Volumes",
                "StopSignal", "Healthcheck"):
        assert ours.get(key) == theirs.get(key), key
    assert ours["Labels"].items() <= theirs["Labels"].items()


def test_cache(berth):
    path = context(berth, Dockerfile="FROM busybox\nCOPY a b* /\nRUN cat /proc/sys/kernel/random/uuid > /t; cat /a\n"
                                     "RUN --mount=type=cache,target=/c echo >> /c/n; wc -l < /c/n\n",
                   a="1")
    first = build(berth, "-t", "x", path)
    again = build(berth, "-t", "x", path)
    assert again.stdout == first.stdout
    assert again.stderr.count("CACHED") == 3
    os.utime(f"{path}/a")  # times do not count
    assert build(berth, "-t", "x", path).stdout == first.stdout
    context(berth, a="2")
    changed = build(berth, "-t", "x", path)
    assert changed.stdout != first.stdout and "CACHED" not in changed.stderr
    assert " 2\n" in changed.stderr  # the cache mount is the same one
    context(berth, a="1")
    assert build(berth, "-t", "x", path).stdout == first.stdout
    assert "CACHED" not in build(berth, "--no-cache", "-t", "x", path).stderr


def test_prune(berth):
    path = context(berth, Dockerfile="FROM busybox\nRUN echo 1 > /one\n"
                                     "RUN --mount=type=cache,target=/c echo 2 > /two\n")
    build(berth, "-t", "x", path)
    assert "RUN echo 1 > /one" in berth.run("builder", "du").stdout
    berth.run("builder", "prune", "-f", "--filter", "until=1h")
    assert build(berth, "-t", "x", path).stderr.count("CACHED") == 2
    assert "Deleted 2 entries" in berth.run("builder", "prune", "-f").stdout
    assert "CACHED" not in build(berth, "-t", "y", path).stderr
    berth.run("image", "rm", "x", "y")  # what the cache needs stays
    assert build(berth, "-t", "x", path).stderr.count("CACHED") == 2
    berth.run("image", "rm", "x")
    assert "Deleted 3 entries" in berth.run("builder", "prune", "-af").stdout
    assert len([n for n in os.listdir(f"{berth.root}/layers") if ".json" not in n]) == 1


def test_source_date_epoch(berth):
    path = context(berth, Dockerfile="FROM busybox\nRUN echo x > /x; mkdir /d\nCOPY a /a\n", a="1")
    ids = {build(berth, "--no-cache", "-q", "--build-arg", "SOURCE_DATE_EPOCH=1000000", "-t", "x",
                 path).stdout for _ in range(2)}
    ids |= {build(berth, "--no-cache", "-q", "-t", "x", path,
                  env={"SOURCE_DATE_EPOCH": "1000000"}).stdout}
    assert len(ids) == 1


def test_mounts_and_heredocs(berth):
    path = context(berth, a="file", **{"s.txt": "hidden", ".dockerignore": "s.txt\n", "Dockerfile": """\
FROM scratch AS data
COPY <<EOF /d/one
value=$VALUE
EOF
FROM busybox
ARG VALUE=v
RUN --mount=type=bind,target=/b --mount=type=bind,from=data,source=/d,target=/d,rw \\
    --mount=type=secret,id=s,required=true --mount=type=tmpfs,target=/tm <<EOF
set -e
ls /b > /list
cat /run/secrets/s > /secret
touch /d/two /tm/x
cat /d/one >> /list
EOF
RUN <<EOF
#!/bin/sh
echo "$0" > /script
EOF
"""})
    build(berth, "-t", "x", "--secret", f"id=s,src={path}/s.txt", path)
    tree, _ = describe(saved(berth, "x"))
    digest = {name: row[5] for name, row in tree.items()}
    assert digest["list"] == hashlib.sha256(b"Dockerfile\na\nvalue=\n").hexdigest()
    assert digest["secret"] == hashlib.sha256(b"hidden").hexdigest()
    assert digest["script"] == hashlib.sha256(b"/dev/pipes/EOF\n").hexdigest()
    assert not {"b", "d", "tm", "run/secrets", "dev/pipes"} & {*tree}


ERRORS = [
    ("FROM busybox\nRNU x\nCOPY a\n", [
        "Dockerfile:2:1: unknown instruction \"RNU\"; did you mean RUN?",
        "Dockerfile:3:1: COPY requires at least two arguments"]),
    ("FROM busybox\nCOPY nothere /\n", [
        "Dockerfile:2:1: nothere: no such file in the build context"]),
    ("FROM busybox\nCOPY hidden /\n", [
        "left out of the build context by the rule \"hid*\" (.dockerignore:1)"]),
    ("FROM busybox AS one\nFROM busybox\nCOPY --from=on /a /\n", ["did you mean stage one?"]),
    ("FROM busybox\nRUN echo to see; exit 7\n", [
        "to see", "Dockerfile:2:1: RUN echo to see; exit 7: the command failed with exit code 7",
        ">    2 | RUN echo to see"]),
    ("FROM nowhere/image\n", ["Dockerfile:1:1", "nowhere/image"]),
    ("FROM busybox\nCOPY ../../etc/passwd /\n", ["no such file"]),
    ("FROM busybox\nCOPY escape /x\n", ["Dockerfile:2:1"]),
    ("FROM busybox\nADD --checksum=md5:1 http://127.0.0.1:1/x /\n", ["it must be sha256:HEX"]),
]


def test_errors_leave_nothing(berth):
    for i, (dockerfile, expected) in enumerate(ERRORS):
        path = context(berth, f"e{i}", **{"Dockerfile": dockerfile, "hidden": "x",
                                          ".dockerignore": "hid*\n"})
        os.symlink("../../../../../../etc/shadow", f"{path}/escape")
        failed = build(berth, "-t", "never", path, check=False)
        assert failed.returncode == 1, dockerfile
        for text in expected:
            assert text in failed.stderr, (dockerfile, failed.stderr)
    assert "never" not in berth.run("image", "ls").stdout


def test_kill_leaves_nothing(berth):
    path = context(berth, Dockerfile="FROM busybox\nRUN echo 1 > /one\n"
                                     "RUN echo be''gun; sleep 1000\n")
    process = berth.popen("image", "build", "--network", "none", "-t", "x", path)
    for line in process.stderr:
        if "begun" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    wait_until(lambda: not berth.pids_of("sleep", "1000"), 30)
    # The next build clears up.
    path = context(berth, "ctx2", Dockerfile="FROM busybox\nRUN echo 2 > /two\n")
    build(berth, "-t", "y", path)
    layers = os.listdir(f"{berth.root}/layers")
    assert not [name for name in layers if name.startswith(".new-")]
    assert not os.listdir(f"{berth.root}/build/runs")


def test_compose(berth):
    project = berth.project({"compose.yaml": {"services": {
        "web": {"build": {"context": ".", "args": {"V": "two"}, "labels": {"a": "b"},
                          "network": "none"}, "command": ["sleep", "1000"], "init": True},
        "app": {"image": "named", "build": {
            "network": "none", "dockerfile_inline": "FROM base\nRUN echo more >> /v\n",
            "additional_contexts": {"base": "service:web"}},
            "command": ["sleep", "1000"], "init": True},
    }}, "Dockerfile": "FROM busybox\nARG V\nRUN echo $V > /v\n"})
    project.run("up", "-d")
    assert project.exec("app", "cat", "/v").stdout == "two\nmore\n"
    assert "Built" not in project.run("up", "-d").stderr  # it is here
    project.write({"Dockerfile": "FROM busybox\nARG V\nRUN echo new $V > /v\n"})
    project.run("up", "-d", "-t", "0", "--build")
    assert project.exec("web", "cat", "/v").stdout == "new two\n"
    assert project.exec("app", "cat", "/v").stdout == "new two\nmore\n"
    image = berth.run("image", "inspect", f"{project.name}-web").stdout
    assert json.loads(image)[0]["Config"]["Labels"]["com.docker.compose.service"] == "web"
    project.write({"Dockerfile": "FROM busybox\nRUN exit 3\n"})
    failed = project.run("build", "web", check=False)
    assert failed.returncode == 1 and "exit code 3" in failed.stderr


def test_network_of_steps(berth):
    path = context(berth, Dockerfile="FROM busybox\nRUN ip -o addr show eth0 && ip route\n")
    built = berth.run("image", "build", "-t", "x", path)
    assert "inet 172." in built.stderr and "default via" in built.stderr
    assert "berth-build" not in os.listdir(f"{berth.root}/networks")
