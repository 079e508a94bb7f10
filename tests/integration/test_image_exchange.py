# SPDX-License-Identifier: GPL-2.0-or-later
"""Images to skopeo and podman and back: the same configuration, layers and files."""

import gzip
import hashlib
import json
import os
import shutil
import tarfile

import pytest

from tests.integration.test_image_hostile import CAPABILITY, CHAR, DIR, LINK, SYMLINK, entry, layer

CHANGES = ["CMD [\"/bin/sh\", \"-c\", \"true\"]", "ENV A=1 B=\"two words\"", "USER 7:8", "WORKDIR /srv",
           "LABEL a=b", "EXPOSE 80/tcp", "VOLUME /data", "STOPSIGNAL SIGINT", "ENTRYPOINT [\"/e\"]"]


def make_image(berth):
    path = os.path.join(berth.base, "root.tar")
    with open(path, "wb") as file:
        file.write(layer(
            entry("bin", DIR, mode=0o755), entry("bin/e", mode=0o4755, data=b"#!", uid=5, gid=6),
            entry("bin/same", LINK, linkname="bin/e"), entry("sh", SYMLINK, linkname="/bin/e"),
            entry("null", CHAR, mode=0o666, devmajor=1, devminor=3),
            entry("srv", DIR, mode=0o1777, uid=9), entry("ü" * 60), entry("/".join(["d" * 60] * 5)),
            entry("capable", mode=0o755, pax_headers={
                "SCHILY.xattr.security.capability": CAPABILITY.decode()})))
    berth.run("image", "import", *(word for change in CHANGES for word in ("-c", change)),
              path, "exchange:1", cwd="/")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def contents(path):
    """(configuration, layers as they are unpacked) of an OCI archive."""
    def blob(row):
        return tar.extractfile("blobs/sha256/" + row["digest"].split(":")[1]).read()

    with tarfile.open(path) as tar:
        names = {name.removeprefix("./"): name for name in tar.getnames()}
        index = json.load(tar.extractfile(names["index.json"]))
        manifest = json.loads(blob(index["manifests"][0]))
        config = json.loads(blob(manifest["config"]))
        layers = [blob(row) for row in manifest["layers"]]
        layers = [gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for data in layers]
    assert [digest(data) for data in layers] == config["rootfs"]["diff_ids"]
    return config, config["rootfs"]["diff_ids"]


def identity(berth, name="exchange:1"):
    image = json.loads(berth.run("image", "inspect", name, cwd="/").stdout)[0]
    return {key: image[key] for key in ("Config", "RootFS", "Architecture", "Os")}


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_skopeo(berth, kind):
    """Each way through skopeo, and by its own hands: nothing differs."""
    make_image(berth)
    before, saved = identity(berth), os.path.join(berth.base, "saved.tar")
    berth.run("image", "save", "-o", saved, "exchange:1", cwd="/")
    copied = os.path.join(berth.base, "copied.tar")
    source = f"docker-archive:{saved}:exchange:1"
    inspected = json.loads(berth.command(["skopeo", "inspect", "--config", source], cwd="/").stdout)
    assert inspected["rootfs"]["diff_ids"] == before["RootFS"]["Layers"]
    berth.command(["skopeo", "copy", "-q", source, f"{kind}:{copied}:exchange:1"], cwd="/")
    if kind == "oci-archive":
        config, diffs = contents(copied)
        assert diffs == before["RootFS"]["Layers"]
        assert config["config"]["Env"] == before["Config"]["Env"]
    berth.run("image", "rm", "-f", "exchange:1", cwd="/")
    berth.run("image", "load", "-q", "-i", copied, cwd="/")
    assert identity(berth) == before


@pytest.mark.skipif(not shutil.which("podman"), reason="there is no podman")
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_podman(berth, kind):
    make_image(berth)
    before, saved = identity(berth), os.path.join(berth.base, "saved.tar")
    berth.run("image", "save", "-o", saved, "exchange:1", cwd="/")
    # vfs: it mounts nothing.
    podman = ["podman", "--root", f"{berth.base}/podman", "--runroot", f"{berth.base}/podman.run",
              "--storage-driver", "vfs"]
    berth.command([*podman, "load", "-q", "-i", saved], cwd="/")
    image = json.loads(berth.command([*podman, "image", "inspect", "exchange:1"], cwd="/").stdout)[0]
    assert image["RootFS"]["Layers"] == before["RootFS"]["Layers"]
    assert image["User"] == "7:8" and image["Config"]["Cmd"] == before["Config"]["Cmd"]
    back = os.path.join(berth.base, "back.tar")
    name = image["RepoTags"][0]
    berth.command([*podman, "save", "-q", "--format", kind, "-o", back, name], cwd="/")
    berth.run("image", "rm", "-f", "exchange:1", cwd="/")
    berth.run("image", "load", "-q", "-i", back, cwd="/")
    assert identity(berth, name) == before
    berth.command([*podman, "rmi", "-af"], cwd="/")
    shutil.rmtree(f"{berth.base}/podman", ignore_errors=True)
