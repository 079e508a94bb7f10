# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the result of a build goes: files, archives, registries; and what is told of it."""
import io
import json
import os
import tarfile

import pytest

from tests.support.builds import build, context, describe, image_config, registry

DOCKERFILE = """\
FROM busybox AS build
RUN mkdir -p /out/sub && echo made > /out/made && chmod 750 /out/made && chown 5:6 /out/made \\
    && ln -s made /out/link && echo s > /out/sub/s
FROM scratch
COPY --from=build /out/ /
"""


def images(berth):
    return berth.run("image", "ls", "-aq").stdout.split()


def test_files(berth):
    path, out = context(berth, DOCKERFILE), os.path.join(berth.base, "new", "out")
    before = images(berth)
    built = build(berth, path, "-o", out)
    assert built.stdout == ""
    with open(f"{out}/made") as file:
        assert file.read() == "made\n"
    stat = os.stat(f"{out}/made")
    assert (oct(stat.st_mode & 0o777), stat.st_uid, stat.st_gid) == ("0o750", 0, 0)
    assert os.readlink(f"{out}/link") == "made" and os.path.exists(f"{out}/sub/s")
    assert sorted(os.listdir(out)) == ["link", "made", "sub"]
    # As often as wanted, and beside what is there.
    with open(f"{out}/mine", "w") as file:
        file.write("mine")
    build(berth, path, "--output", f"type=local,dest={out}")
    assert sorted(os.listdir(out)) == ["link", "made", "mine", "sub"]
    assert images(berth) == before
    tar = berth.run("image", "build", "--network", "none", "-o", "-", path, text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        made = next(m for m in archive if m.name.endswith("made"))
        assert (made.uid, made.gid) == (5, 6) and archive.extractfile(made).read() == b"made\n"
    build(berth, path, "-o", f"type=tar,dest={out}.tar")
    with tarfile.open(f"{out}.tar") as archive:
        assert any(m.name.endswith("sub/s") for m in archive)
    # An image of the same steps afterwards.
    build(berth, path)
    assert "made" in describe_saved(berth)


def describe_saved(berth):
    archive = os.path.join(berth.base, "x.tar")
    berth.run("image", "save", "-o", archive, "x")
    return describe(archive)[0]


def test_archives(berth):
    path, base, before = context(berth, DOCKERFILE), berth.base, images(berth)
    build(berth, path, "-o", f"type=docker,dest={base}/docker.tar", name="some/name:1")
    assert "made" in describe(f"{base}/docker.tar")[0]
    told = json.loads(berth.command(["skopeo", "inspect", "--config",
                                     f"docker-archive:{base}/docker.tar:some/name:1"]).stdout)
    assert told["rootfs"]["diff_ids"]
    build(berth, path, "-o", f"type=oci,dest={base}/oci.tar", name="some/name:1")
    berth.command(["skopeo", "inspect", f"oci-archive:{base}/oci.tar"])
    build(berth, path, "-o", "type=docker", "-o", "type=docker", check=False)
    # The store has nothing of it, unless it had before.
    assert images(berth) == before
    berth.run("builder", "build", "-q", "--network", "none", "-t", "kept", path)
    build(berth, path, "-o", f"type=oci,dest={base}/oci.tar", name="some/name:1")
    assert image_config(berth, "kept") and len(images(berth)) == len(before) + 1


def test_push_and_what_is_told(berth):
    path, address = context(berth, DOCKERFILE), registry(berth)
    told, ident = os.path.join(berth.base, "told.json"), os.path.join(berth.base, "id")
    name = f"{address}/app:1"
    build(berth, path, "--push", "--metadata-file", told, "--iidfile", ident,
          "--annotation", "org.example.one=1", "--label", "two=2", name=name)
    with open(told) as file:
        told = json.load(file)
    with open(ident) as file:
        assert file.read() == told["containerimage.config.digest"]
    assert told["image.name"] == name
    there = berth.command(["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{name}"])
    assert json.loads(there.stdout)["annotations"] == {"org.example.one": "1"}
    seen = json.loads(berth.command(["skopeo", "inspect", "--tls-verify=false",
                                     f"docker://{name}"]).stdout)
    assert seen["Digest"] == told["containerimage.digest"] and seen["Labels"] == {"two": "2"}
    build(berth, path, "-o", f"type=registry,name={address}/other:2", name=f"{address}/here")
    berth.command(["skopeo", "inspect", "--tls-verify=false", f"docker://{address}/other:2"])


def test_killed_it_leaves_nothing(berth):
    """SIGKILL while a tar is the context and a file the output; then it works."""
    path = context(berth, "FROM busybox\nCOPY . /all/\nRUN sleep 1000\n")
    archive, out = os.path.join(berth.base, "c.tar"), os.path.join(berth.base, "out")
    os.makedirs(out)
    berth.command(["tar", "-C", path, "-cf", archive, "."])
    words = ("image", "build", "--network", "none", "-o", f"type=tar,dest={out}/o.tar")
    with open(archive, "rb") as file:
        process = berth.popen(*words, "-", stdin=file)
    berth.wait_until(lambda: berth.pids_of("sleep"), 60, "the step runs")
    process.kill()
    process.wait(30)
    berth.wait_until(lambda: not berth.pids_of("sleep"), 30, "the step ends with the build")
    assert os.listdir(out) == []
    context(berth, "FROM busybox\nCOPY . /all/\n")
    berth.run(*words, path)
    assert os.listdir(out) == ["o.tar"]
    assert not [n for n in os.listdir(f"{berth.root}/layers") if n.startswith(".new")]
    assert os.listdir(f"{berth.root}/build/runs") == []


@pytest.mark.parametrize("words, error", [
    (("-o", "type=locl,dest=x"), "did you mean 'local'?"),
    (("-o", "dest=x"), "type=TYPE is missing"),
    (("-o", "type=local"), "dest=FOLDER is missing"),
    (("-o", "type=image,dest=x"), "has no dest"),
    (("-o", "x", "-o", "y"), "one at a time"),
    (("--ulimit", "nofil=1"), "did you mean 'nofile'?"),
    (("--ulimit", "nofile=x"), "it must be NAME=SOFT[:HARD]"),
    (("--ulimit", "nofile=5:1"), "above the hard one"),
    (("--builder", "far"), "no other builders"),
    (("--progress", "odd"), 'unsupported --progress value "odd"'),
    (("--call", "odd"), "it must be build or check"),
    (("--push",), "127.0.0.1:1"),
])
def test_mistakes(berth, words, error):
    path = context(berth, "FROM scratch\nCOPY Dockerfile /d\n")
    failed = build(berth, path, *words, name="127.0.0.1:1/x", check=False)
    assert failed.returncode == 1 and error in failed.stderr, failed.stderr


def test_flags_without_effect(berth):
    path = context(berth, "FROM busybox\nRUN ulimit -n > /n\n")
    done = build(berth, path, "--load", "--rm", "--force-rm", "--compress", "--memory-swap", "1g",
                 "--cpu-shares", "5", "--cpu-period", "1", "--cpu-quota", "1", "--cpuset-cpus", "0",
                 "--cpuset-mems", "0", "--disable-content-trust", "--squash", "--attest",
                 "type=sbom", "--security-opt", "seccomp=x", "--cgroup-parent", "x", "--isolation", "default", "--sbom",
                 "true", "--provenance", "mode=max", "--progress", "plain", "--call", "build",
                 "--ulimit", "nofile=77:99", "--builder", "default")
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]
    assert len(warnings) == 4, warnings
    assert "SBOM" in done.stderr and "--cgroup-parent" in done.stderr
    assert "#1 [2/2] RUN ulimit -n" in done.stderr
    assert describe_saved(berth)["n"].data == b"77\n"
    assert build(berth, path, "--sbom=false", "--provenance=false").stderr.count("warning") == 0
    plain = build(berth, path, "--progress", "rawjson", "--no-cache").stderr
    assert all(json.loads(line) for line in plain.splitlines())
